"""The records of the files of model instances, if the files belong to these instances."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models.fields.files import FieldFile

from proxy_storage.content_objects import belongs_to, get_content_object_data, is_tracked
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.storages.lookup import find_records


def get_own_records(files: Iterable[FieldFile]) -> list[MetaBackendObject | None]:
    """Return the records of files; one query for each meta backend.

    Args:
        files: the files, as values of the file fields of instances.

    Returns:
        The records in the same order; ``None`` for a field without file, for a file without
        record, and for a file that belongs to another instance or field: a path that was written
        to a row must not give access to its file.

    Raises:
        ConfigurationError: the records of a field have no content object.
    """
    files = list(files)
    saved = [file for file in files if file and file.instance.pk is not None]
    for file in files:
        field: Any = file.field
        if file and not is_tracked(field):
            raise ConfigurationError(
                f"Signed links need a field whose files have a content object. {field} is a "
                f"{type(field).__name__} on a storage that does not track such fields. Use a "
                "ProxyStorageFileField, or the url of the file."
            )
    pairs: Iterable[tuple[Any, str]] = ((file.storage, str(file.name)) for file in saved)
    records = dict(zip(map(id, saved), find_records(pairs), strict=True))
    return [_get_if_own(file, records.get(id(file))) for file in files]


def _get_if_own(file: FieldFile, record: MetaBackendObject | None) -> MetaBackendObject | None:
    if record is None:
        return None
    field: Any = file.field
    data = get_content_object_data(file.instance, field, meta_backend=record.meta_backend)
    return record if belongs_to(record, data) else None
