"""Uploads that become the file of an instance when the instance is saved.

An upload is a file without a content object. A serializer gives a file field an `UploadPath`, and
the save of the instance makes the instance the content object of the file. A condition on the
record decides, so that of two saves with the same upload only one succeeds. The other one raises
the error of the upload.

Records that are not part of the row's transaction are changed after its commit. Until then a lock
on the record keeps other saves from attaching the upload, and deletes from deleting it. Records
that take part in no transaction at all are locked for each change. A killed process leaves the
upload without a content object: its lock ends by itself.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from proxy_storage.content_objects import SCOPE_KEY, belongs_to
from proxy_storage.exceptions import (
    MetaBackendError,
    MetaBackendObjectDoesNotExist,
    MetaBackendUnavailable,
)
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.transactions import after_commit

logger = logging.getLogger("proxy_storage")


@dataclass(frozen=True)
class Upload:
    """The conditions under which an upload may be attached.

    Args:
        where: values that the record must have: its identity and its uploader, for example.
        make_error: returns the error for an upload that cannot be attached any more.
    """

    where: Mapping[str, Any]
    make_error: Callable[[], Exception]


class UploadPath(str):
    """The path of an upload, as the value of a file field.

    A pickled path becomes plain text, which is never attached.

    Args:
        path: the path of the record.
        upload: the conditions.
    """

    upload: Upload

    def __new__(cls, path: str, upload: Upload) -> Self:
        """Return the text of the path, with the upload as an attribute."""
        value = super().__new__(cls, path)
        value.upload = upload
        return value

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str.__str__(self),)


def attach(
    meta_backend: MetaBackendBase, path: str, upload: Upload, data: Mapping[str, Any]
) -> None:
    """Make an instance the content object of an upload; one query.

    Args:
        meta_backend: the meta backend of the record.
        path: the path of the record.
        upload: the conditions.
        data: the values of `proxy_storage.content_objects.get_content_object_data`. If the record
            has them already, it is not changed.

    Raises:
        Exception: the error of the upload, if it cannot be attached.
    """
    named = {key: value for key, value in data.items() if meta_backend.can_hold(key)}
    if SCOPE_KEY in named or data[SCOPE_KEY] is None:
        values, _released = meta_backend.get_content_object_values(named)
        try:
            meta_backend.update(path, values, where={**upload.where, "content_type_id": None})
        except MetaBackendObjectDoesNotExist:
            _get_attachable(meta_backend, path, upload, data, is_new=False)
        return
    logger.warning(
        "The upload %r is not attached: records of %r cannot name the scope %r of the key. Add "
        "content_object_scope to the model and migrate.",
        path,
        meta_backend,
        data[SCOPE_KEY],
    )
    raise upload.make_error()


def attach_after_commit(
    meta_backend: MetaBackendBase,
    path: str,
    upload: Upload,
    data: Mapping[str, Any],
    write: Callable[[], object],
) -> None:
    """Lock the record of an upload, and change it after the commit of the open transactions.

    Without a transaction it is changed at once.

    Args:
        meta_backend: the meta backend of the record.
        path: the path of the record.
        upload: the conditions.
        data: the values of the content object.
        write: calls `attach`.

    Raises:
        Exception: the error of the upload, if it cannot be attached.
        MetaBackendUnavailable: the database of the records does not answer.
    """
    record = _get_attachable(meta_backend, path, upload, data)
    try:
        meta_backend.lock(record)
    except MetaBackendObjectDoesNotExist as error:
        raise upload.make_error() from error
    except MetaBackendUnavailable as error:
        meta_backend.get(path)  # Raises if the database does not answer.
        raise upload.make_error() from error
    held = _HeldWrite(write)
    # After a rollback Django drops its reference, and after a commit it has called the function.
    unlock = weakref.finalize(held, _unlock, meta_backend, record)
    unlock.atexit = False
    try:
        # The process that held the lock before may have attached the upload.
        _get_attachable(meta_backend, path, upload, data)
        after_commit(held.run)
    except BaseException:
        unlock()  # The traceback of the error keeps a reference to the function.
        raise


class _HeldWrite:
    """A function that waits for a commit. Only Django keeps a reference to it."""

    def __init__(self, write: Callable[[], object]) -> None:
        self._write = write

    def run(self) -> None:
        self._write()


def _unlock(meta_backend: MetaBackendBase, record: MetaBackendObject) -> None:
    try:
        meta_backend.unlock(record)
    except MetaBackendError:
        logger.warning("%r was not unlocked; its lock ends by itself", record["path"])


def _get_attachable(
    meta_backend: MetaBackendBase,
    path: str,
    upload: Upload,
    data: Mapping[str, Any],
    is_new: bool = True,
) -> MetaBackendObject:
    """Return the record of an upload that is free, or has this content object already.

    Args:
        meta_backend: the meta backend of the record.
        path: the path of the record.
        upload: the conditions.
        data: the values of the content object.
        is_new: whether a record without a content object is accepted.

    Raises:
        Exception: the error of the upload, if it cannot be attached.
    """
    try:
        record = meta_backend.get(path)
    except MetaBackendObjectDoesNotExist as error:
        raise upload.make_error() from error
    where = {**upload.where, "content_type_id": None}
    is_free = is_new and all(record.get(key) == value for key, value in where.items())
    if not (is_free or belongs_to(record, data)):
        raise upload.make_error()
    return record
