"""Thumbnails of pictures: files beside their pictures, in the same proxy storage.

A thumbnail does not belong to an instance. Its name contains the path of its picture, so that the
permission `CanReadSource` finds the picture and applies its rule.
"""

import logging
import re
from typing import Any

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models.fields.files import FieldFile

from jobs.pictures import scale_down
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages.lookup import find_records

logger = logging.getLogger("jobs")

#: The name of the proxy storage of all pictures and thumbnails.
PICTURE_STORAGE = "file_system_proxy_storage"
#: The path of a thumbnail, as a regular expression for `CanReadSource`.
THUMBNAIL_PATH = re.compile(r"thumbs/(?P<source>.+)\.jpg", re.DOTALL)
# A file with a value for one of these keys was saved by a user, who can choose such a name.
NOT_DERIVED_KEYS = ("content_type_id", "released_at", "uploader_id")


def get_thumbnail_path(path: str) -> str:
    """Return the path of the thumbnail of a picture."""
    return f"thumbs/{path}.jpg"


def find_thumbnail(path: str) -> MetaBackendObject | None:
    """Return the record of the thumbnail of a picture; ``None`` if it does not have one.

    Args:
        path: the path of the picture.
    """
    return find_thumbnails([path])[0]


def find_thumbnails(paths: list[str]) -> list[MetaBackendObject | None]:
    """Return the records of the thumbnails of many pictures in their order, with one query.

    Args:
        paths: the paths of the pictures.
    """
    storage = get_proxy_storage(PICTURE_STORAGE)
    records = find_records((storage, get_thumbnail_path(path)) for path in paths)
    return [record if record is None or _is_derived(record) else None for record in records]


def _is_derived(record: MetaBackendObject) -> bool:
    return all(record[key] is None for key in NOT_DERIVED_KEYS)


def ensure_thumbnail(file: FieldFile) -> None:
    """Make the thumbnail of a picture, unless it has one. A failure is logged.

    A thumbnail that is older than the picture is replaced: it shows a deleted picture of this name.

    Args:
        file: the picture of a saved application.
    """
    try:
        former = find_thumbnail(str(file.name))
        if former is not None and former["created_at"] >= _get_time(file):
            return
        with file.storage.open(str(file.name)) as content:
            thumbnail = scale_down(content)
        # An error of the database must not end the transaction of the application.
        with transaction.atomic():
            if former is not None:
                delete_thumbnail(str(file.name))
            _store(file, thumbnail)
    except Exception as error:  # noqa: BLE001  (the errors of decoders and drivers are not known)
        logger.warning("The picture %r has no thumbnail. %s", file.name, error)


def delete_thumbnail(path: str) -> None:
    """Delete the thumbnail of a picture, if it has one. A failure is logged.

    Args:
        path: the path of the picture, or of a thumbnail, which does not have one.
    """
    try:
        record = None if THUMBNAIL_PATH.fullmatch(path) else find_thumbnail(path)
        if record is not None:
            # An error of the database must not end the transaction in which the picture is deleted.
            with transaction.atomic():
                get_proxy_storage(PICTURE_STORAGE).delete(record["path"])
    except Exception:
        logger.exception("The thumbnail of %r was not deleted.", path)


def _get_time(file: FieldFile) -> Any:
    return file.storage.get_meta_backend_obj(str(file.name))["created_at"]  # type: ignore[attr-defined]


def _store(file: FieldFile, thumbnail: bytes) -> None:
    wanted = get_thumbnail_path(str(file.name))
    saved = file.storage.save(wanted, ContentFile(thumbnail, "thumbnail.jpg"))
    if saved != wanted:
        # A thumbnail with another name would not be found.
        file.storage.delete(saved)
        raise ValueError(f"The name {wanted!r} is taken or too long.")
