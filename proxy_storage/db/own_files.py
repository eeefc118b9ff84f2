"""The files of model instances, as far as they belong to these instances.

A path that was written to a row as text can be the path of any file. So a row must not give access
to the file of another row, and must not delete it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from django.db.models import Model
from django.db.models.fields.files import FieldFile

from proxy_storage.content_objects import (
    RELEASED_KEY,
    UPLOADER_KEY,
    belongs_to,
    get_content_object_data,
    get_recorded_content_object,
    has_content_object,
    is_tracked,
)
from proxy_storage.db import tracking
from proxy_storage.db.plain_fields import is_in_storage_of_field
from proxy_storage.endpoint import sign_file_url
from proxy_storage.exceptions import (
    ConfigurationError,
    MetaBackendUnavailable,
    ProxyFileNotFoundError,
)
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.storages.base import ProxyStorageBase
from proxy_storage.storages.lookup import find_records

logger = logging.getLogger("proxy_storage")


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
    saved = [file for file in files if file and getattr(file.instance, "pk", None) is not None]
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
    return record if record is not None and is_own(file, record) else None


def is_own(file: FieldFile, record: MetaBackendObject, any_field: bool = False) -> bool:
    """Return whether a record names the instance and field of a file as its content object.

    Args:
        file: the value of the field of an instance.
        record: the file's record.
        any_field: whether it may name another field of the same instance.
    """
    if not isinstance(file.instance, Model) or file.instance.pk is None:
        return False
    data = get_content_object_data(file.instance, file.field, meta_backend=record.meta_backend)
    if any_field:
        data["field"] = record.get("field")
    return belongs_to(record, data)


def open_own_file(file: FieldFile, mode: str) -> Any:
    """Open a file that belongs to its instance, or to nothing.

    Args:
        file: the value of the field of an instance.
        mode: the mode, as for ``open`` of the storage.

    Raises:
        ProxyFileNotFoundError: the file does not exist, or it belongs to another instance.
        ValueError: the field has no file.
    """
    if not file:
        raise ValueError(f"The '{file.field.name}' attribute has no file associated with it.")
    storage: Any = file.storage
    if not isinstance(storage, ProxyStorageBase):
        return storage.open(str(file.name), mode)  # A system check reports such a field.
    record = storage.get_meta_backend_obj(file.name)
    # A file of another field of this instance can be read as well.
    if has_content_object(record) and not is_own(file, record, any_field=True):
        raise ProxyFileNotFoundError(
            f"{file.name!r} belongs to another row than {file.instance!r}.", path=file.name
        )
    if storage.opens_records:
        return storage.open_record(record, mode)
    return storage.open(str(file.name), mode)


def delete_own_file(file: FieldFile) -> None:
    """Delete a file that belongs to its instance and field, or to nothing; else log a warning.

    Args:
        file: the value of the field of an instance. Its storage is a proxy storage.
    """
    storage: Any = file.storage
    record = None
    with suppress(FileNotFoundError):
        record = storage.get_meta_backend_obj(file.name)
    if record is None:
        logger.info("%r was deleted before", file.name)
    elif not has_content_object(record) or is_own(file, record):
        where = get_recorded_content_object(record, storage.meta_backend)
        storage.delete_record(record, where=where)
    else:
        logger.warning(
            "%r belongs to another row than %r and was not deleted", file.name, file.instance
        )


def clear_field_file(file: FieldFile, save: bool) -> None:
    """Clear the field of a deleted file, as Django's ``FieldFile.delete`` does.

    Args:
        file: the value of the field of an instance.
        save: whether to save the instance afterwards.
    """
    instance: Any = file.instance
    previous = tracking.get_committed_path(file)
    if hasattr(file, "_file"):
        file.close()
        del file.file
    file.name = None
    setattr(instance, file.field.attname, None)
    if previous and isinstance(instance, Model):
        tracking.remember_deleted(instance, file.field.name, previous)
    file._committed = False  # type: ignore[attr-defined]  # Not in the stubs.
    if save:
        instance.save()


def get_signed_url_of_own_file(file: FieldFile) -> str:
    """Return a signed link to a file that belongs to its instance; else the URL without signature.

    If the files of the field do not have a content object, a file is linked that does not belong to
    any row, was not released by one, and was not uploaded through the endpoint.

    Args:
        file: the value of the field of an instance. Its storage has ``signs_urls``.
    """
    storage: Any = file.storage
    # As in url() of the storage: pages do not fail if the record cannot be read.
    with suppress(MetaBackendUnavailable):
        if is_tracked(file.field) and is_in_storage_of_field(file):
            (record,) = get_own_records([file])
        else:
            (record,) = find_records([(storage, str(file.name))])
            if record is not None and _is_of_others(record):
                record = None
        if record is not None:
            return sign_file_url(record)
    return str(storage.get_unsigned_url(file.name))


def _is_of_others(record: MetaBackendObject) -> bool:
    """Return whether a file cannot have been saved by a field without content objects."""
    keys = (RELEASED_KEY, UPLOADER_KEY)
    return has_content_object(record) or any(record.get(key) is not None for key in keys)
