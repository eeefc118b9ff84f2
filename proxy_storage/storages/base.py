"""The proxy storage: bytes in an original storage, a record in a meta backend."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.files.base import File
from django.core.files.storage import Storage
from django.utils.deconstruct import deconstructible

from proxy_storage import registry
from proxy_storage.exceptions import (
    MetaBackendObjectDoesNotExist,
    ProxyFileNotFoundError,
)
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.originals import Original, get_full_path
from proxy_storage.paths import clean_path, validate_name
from proxy_storage.storages import saving
from proxy_storage.storages.deleting import DeleteOperation
from proxy_storage.storages.listing import list_folder
from proxy_storage.storages.multiple import MultipleOriginalStoragesMixin
from proxy_storage.storages.recording import Recording
from proxy_storage.urls import get_file_url

__all__ = ["MultipleOriginalStoragesMixin", "ProxyStorageBase"]


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
    #: what paths begin with, such as ``"/resumes/"``; ``None`` for the original's full path
    path_prefix: str | None = None
    #: the ``hashlib`` algorithm of the checksum that a save computes, if any
    checksum_algorithm: str | None = None

    def get_original_storage(self, meta_backend_obj: MetaBackendObject | None = None) -> Storage:
        """Return the storage that holds the bytes.

        Args:
            meta_backend_obj: the record in question; without one, the storage that a
                save would go to.
        """
        return self.original_storage

    def get_originals(self) -> Sequence[Original]:
        """Return the original storages that a save tries, one after the other."""
        return [Original(self.get_original_storage())]

    @classmethod
    def get_record_keys(cls) -> tuple[str, ...]:
        """Return the keys that records need; system checks look for them."""
        return ("path", "proxy_storage_name", "original_storage_path")

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
        return get_full_path(self.get_original_storage(meta_backend_obj), path)

    def get_path(self, original_storage: Storage, original_storage_path: str) -> str:
        """Compute the path of a new record. Override it for paths of another kind.

        It is `path_prefix` and the path in the original storage, or else the full path of
        the original. The first free path is taken: where another record has this one
        already, a random part is added.
        """
        if self.path_prefix is not None:
            return clean_path(f"{self.path_prefix}/{original_storage_path}")
        return get_full_path(original_storage, original_storage_path)

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
            ContentError: the content is closed, or no file.
            ProxyFileNotFoundError: nothing is at ``original_storage_path``.
            MetaBackendObjectAlreadyExists: what is there has a record already.
            MetaBackendError: the record could not be written.
        """
        return self._save_to(self.get_originals(), name, content, max_length, original_storage_path)

    def _save_to(
        self,
        originals: Sequence[Original],
        name: Any,
        content: Any,
        max_length: int | None,
        original_storage_path: str | None,
    ) -> str:
        name = validate_name(getattr(content, "name", None) if name is None else name)
        registry.get_proxy_storage_name(self)  # fails before there are bytes to clean up
        with saving.refused_names(name):
            if original_storage_path is None:
                return saving.save(self, originals, name, content, max_length)
            recording = Recording(self, originals[0], name, max_length)
            return recording.record_existing(original_storage_path, content)

    def get_valid_name(self, name: str) -> str:
        """Return a name that the original storage finds acceptable."""
        return self.get_original_storage().get_valid_name(name)

    def generate_filename(self, filename: str | os.PathLike[str]) -> str:
        """Return what is made of a name before it is saved.

        That is Django's way, with `get_valid_name` of this storage, unless the original
        storage has a way of its own.
        """
        original = self.get_original_storage()
        function = getattr(original.generate_filename, "__func__", None)
        if function is Storage.generate_filename:
            return super().generate_filename(filename)
        return original.generate_filename(filename)

    def is_name_available(self, name: str, max_length: int | None = None) -> bool:
        """Tell whether a path is free in the meta backend, whoever has records there.

        A name, which is relative, is free where its path is and the original storage has
        nothing there.
        """
        if max_length and len(name) > max_length:
            return False
        if name.startswith("/"):
            return not self.meta_backend.exists(name)
        original = self.get_original_storage()
        return not (
            self.meta_backend.exists(self.get_path(original, name)) or original.exists(name)
        )

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
        DeleteOperation(self, self.get_meta_backend_obj(name)).delete()

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Return the folders and the files right below a path.

        Names of files and folders are parts of the paths of records: a path, a slash and
        a name make a path that can be opened. All records below the path are read.

        Args:
            path: an absolute path; an empty text is taken for ``/``.

        Raises:
            ProxyFileNotFoundError: nothing is below this path.
        """
        return list_folder(self, path)

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
        storage gives out. With one, no record is looked for.
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
