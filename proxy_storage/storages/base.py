"""The proxy storage: bytes in an original storage, a record in a meta backend."""

from __future__ import annotations

import logging
from datetime import datetime
from functools import partial
from typing import Any

from django.core.files.base import File
from django.core.files.storage import Storage
from django.db import transaction
from django.utils.deconstruct import deconstructible

from proxy_storage import registry
from proxy_storage.exceptions import (
    MetaBackendObjectDoesNotExist,
    ProxyFileNotFoundError,
)
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.originals import get_local_path
from proxy_storage.paths import clean_path, validate_name
from proxy_storage.storages.saving import SaveOperation
from proxy_storage.transactions import after_commit, get_open_transactions
from proxy_storage.urls import get_file_url

logger = logging.getLogger("proxy_storage")


@deconstructible
class ProxyStorageBase(Storage):
    """A Django storage that keeps one record for every file of another storage.

    Subclass it, set the two attributes, and register the subclass in
    ``PROXY_STORAGE["PROXY_STORAGE_CLASSES"]``. Names that the storage gives out and
    takes are the paths of records.

    An instance is shared between threads and keeps nothing about a call.
    """

    #: the storage that gets the bytes; use `get_original_storage` to reach it
    original_storage: Storage
    #: where the records are kept
    meta_backend: MetaBackendBase

    def get_original_storage(self, meta_backend_obj: MetaBackendObject | None = None) -> Storage:
        """Return the storage that holds the bytes.

        Args:
            meta_backend_obj: the record in question; without one, the storage that a
                save would go to.
        """
        return self.original_storage

    def get_original_storage_full_path(
        self, path: str, meta_backend_obj: MetaBackendObject | None = None
    ) -> str:
        """Return the full path of an object of the original storage.

        Args:
            path: its path there (``original_storage_path``).
            meta_backend_obj: its record, where there is one.

        Returns:
            What the original's ``path()`` says, or the path under ``/`` where it has no
            ``path()``; cleaned.
        """
        return self.get_path(self.get_original_storage(meta_backend_obj), path)

    def get_path(self, original_storage: Storage, original_storage_path: str) -> str:
        """Compute the path of a new record. Override it for paths of another kind.

        The first free path is taken: where another record has this one already, a random
        part is added.
        """
        local_path = get_local_path(original_storage, original_storage_path)
        return clean_path(original_storage_path if local_path is None else local_path)

    def get_data_for_meta_backend_save(
        self, path: str, original_storage_path: str, original_name: str, content: File[Any]
    ) -> dict[str, Any]:
        """Return what a new record says. Override and extend it for data of your own.

        Args:
            path: the record's path.
            original_storage_path: where the original storage has put the bytes.
            original_name: the name that ``save`` was called with.
            content: the file as it was given to ``save``; it has been read.
        """
        return {
            "path": path,
            "proxy_storage_name": registry.get_proxy_storage_name(self),
            "original_storage_path": original_storage_path,
        }

    def save(
        self,
        name: Any,
        content: Any,
        max_length: int | None = None,
        original_storage_path: str | None = None,
    ) -> str:
        """Save a file and write its record.

        If the record cannot be written, the bytes are removed again.

        Args:
            name: the wanted name, relative; ``None`` for ``content.name``.
            content: a Django ``File`` or anything with ``read``.
            max_length: how many characters the returned path may have.
            original_storage_path: path of an object that is in the original storage
                already; then no bytes are written, and never any removed.

        Returns:
            The path of the record, which is the file's name for this storage.

        Raises:
            InvalidNameError: the name is not acceptable, or no path fits ``max_length``.
            ProxyFileNotFoundError: nothing is at ``original_storage_path``.
            MetaBackendObjectAlreadyExists: what is there has a record already.
            MetaBackendError: the record could not be written.
        """
        name = validate_name(getattr(content, "name", None) if name is None else name)
        registry.get_proxy_storage_name(self)  # fails before there are bytes to clean up
        operation = SaveOperation(self, self.get_original_storage(), name, content, max_length)
        if original_storage_path is not None:
            return operation.record(original_storage_path)
        return operation.save()

    def is_name_available(self, name: str, max_length: int | None = None) -> bool:
        """Tell whether a path is free in the meta backend, whoever has records there."""
        return not (max_length and len(name) > max_length) and not self.meta_backend.exists(name)

    def get_meta_backend_obj(self, path: Any) -> MetaBackendObject:
        """Return the record of a path, if it is one of this proxy storage.

        Raises:
            ProxyFileNotFoundError: there is none, or it belongs to another proxy storage.
        """
        try:
            record = self.meta_backend.get(path)
        except MetaBackendObjectDoesNotExist as error:
            raise ProxyFileNotFoundError(str(error), path=path) from error
        if record["proxy_storage_name"] != registry.get_proxy_storage_name(self):
            raise ProxyFileNotFoundError(f"No record has the path {path!r}.", path=path)
        return record

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        original, path = self._locate(name)
        try:
            return original.open(path, mode)
        except FileNotFoundError as error:
            raise ProxyFileNotFoundError(f"The bytes of {name!r} are gone.", path=name) from error

    def exists(self, name: str) -> bool:
        """Tell whether a record of this proxy storage has the path; one query."""
        try:
            self.get_meta_backend_obj(name)
        except ProxyFileNotFoundError:
            return False
        return True

    def delete(self, name: str) -> None:
        """Delete a file: its bytes and its record.

        Inside a transaction, on whichever database, the bytes go after the commit, so
        that a rollback loses no file. The record goes at once where it takes part in
        that transaction, else along with the bytes.

        Raises:
            ProxyFileNotFoundError: there is no record of this path.
        """
        record = self.get_meta_backend_obj(name)
        if get_open_transactions() != [self.meta_backend.get_transaction_alias()]:
            after_commit(partial(self._delete_now, record))
        elif self._delete_record(record):
            after_commit(partial(self._delete_bytes, record))

    def _delete_now(self, record: MetaBackendObject) -> None:
        alias = self.meta_backend.get_transaction_alias()
        if alias is None:
            self._delete_bytes(record)
            self._delete_record(record)
            return
        # The row is gone for others when the bytes are, and comes back if they cannot be
        # deleted. Until then it keeps others who delete or save at this path waiting.
        with transaction.atomic(using=alias):
            if self._delete_record(record):
                self._delete_bytes(record)

    def _delete_bytes(self, record: MetaBackendObject) -> None:
        try:
            self.get_original_storage(record).delete(record["original_storage_path"])
        except FileNotFoundError:
            logger.info("bytes of %r were gone already", record["path"])

    def _delete_record(self, record: MetaBackendObject) -> bool:
        """Delete this very record; return whether nobody else was faster."""
        try:
            self.meta_backend.delete(record["path"], where=self.meta_backend.get_identity(record))
        except MetaBackendObjectDoesNotExist:
            logger.info("record of %r was deleted by somebody else", record["path"])
            return False
        return True

    def size(self, name: str) -> int:
        """Return the size in bytes."""
        original, path = self._locate(name)
        return original.size(path)

    def path(self, name: str) -> str:
        """Return where the original storage has the file on this machine.

        Raises:
            NotImplementedError: the original storage has no local paths.
        """
        original, path = self._locate(name)
        return original.path(path)

    def url(self, name: str | None) -> str:
        """Return the URL of the download endpoint for a path, or else the original's URL.

        Without an endpoint (see the setting ``FILE_URL_NAME``) it is what the original
        storage gives out.
        """
        endpoint_url = get_file_url(str(name), registry.get_proxy_storage_name(self))
        if endpoint_url is not None:
            return endpoint_url
        original, path = self._locate(name)
        return original.url(path)

    def get_accessed_time(self, name: str) -> datetime:
        """Return when the original storage was last asked for the bytes."""
        original, path = self._locate(name)
        return original.get_accessed_time(path)

    def get_created_time(self, name: str) -> datetime:
        """Return when the bytes were created."""
        original, path = self._locate(name)
        return original.get_created_time(path)

    def get_modified_time(self, name: str) -> datetime:
        """Return when the bytes were last changed."""
        original, path = self._locate(name)
        return original.get_modified_time(path)

    def _locate(self, name: Any) -> tuple[Storage, str]:
        """Return the original storage of a file, and its path there."""
        record = self.get_meta_backend_obj(name)
        return self.get_original_storage(record), record["original_storage_path"]
