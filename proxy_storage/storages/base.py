"""The base class of proxy storages: bytes in an original storage, records in a meta backend."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import File
from django.core.files.storage import Storage
from django.utils.deconstruct import deconstructible

from proxy_storage import registry
from proxy_storage.endpoint import get_file_url, sign_file_url
from proxy_storage.exceptions import MetaBackendUnavailable, ProxyFileNotFoundError
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.original_storages.inspect import NamedStorage, get_full_path
from proxy_storage.paths import clean_path, get_text, is_literal_path, normalize_name
from proxy_storage.storages import lookup, saving
from proxy_storage.storages.deleting import DeleteOperation
from proxy_storage.storages.multiple import MultipleOriginalStoragesMixin

__all__ = ["MultipleOriginalStoragesMixin", "ProxyStorageBase"]

# Attributes that are not read from the original storage: those of a proxy storage, and those by
# which an original storage declares a property of its own.
OWN_ATTRIBUTES = frozenset(
    {
        "checksum_algorithm",
        "fallback_exceptions",
        "meta_backend",
        "original_storage",
        "original_storages",
        "saves_exclusively",
        "supports_exclusive_create",
    }
)


@deconstructible
class ProxyStorageBase(Storage):
    """A Django storage that keeps one record for each file of another storage.

    Subclass it, set ``original_storage`` and ``meta_backend``, and register the subclass in
    ``PROXY_STORAGE["PROXY_STORAGE_CLASSES"]``. The names that the storage returns are the
    paths of the records. There are three kinds of paths:

    ============ ============================= ==========================================
    ``paths``    path of ``letters/cv.pdf``    name of the bytes in the original storage
    ============ ============================= ==========================================
    ``full``     ``/var/files/letters/cv.pdf`` ``letters/cv.pdf``
    ``prefixed`` ``/private/letters/cv.pdf``   ``letters/cv.pdf``, with
                                               ``path_prefix="/private/"``
    ``relative`` ``letters/cv.pdf``            ``letters/cv_<random>.pdf``
    ============ ============================= ==========================================

    Methods also accept a relative name if paths are full or prefixed, and the path of the bytes
    on the local disk if paths are prefixed or relative.

    Data attributes that the storage does not have, such as ``location`` and ``base_url``,
    are read from the original storage.

    Threads share an instance, which does not store any data of a call.
    """

    #: Marks the class for the registry, which does not import this module.
    is_proxy_storage = True
    #: The storage of the bytes. Use `get_original_storage` to read it.
    original_storage: Storage
    #: The meta backend, which stores the records.
    meta_backend: MetaBackendBase
    #: The kind of the paths: ``"full"``, ``"relative"`` or ``"prefixed"``. A prefix implies it.
    paths: str = lookup.FULL
    #: The text that paths begin with, such as ``"/resumes/"``.
    path_prefix: str | None = None
    #: With relative paths, whether bytes get a name that is never used twice. If it is false,
    #: they keep the wanted name in an original storage that creates files exclusively.
    unique_original_names: bool = True
    #: Whether ``delete`` accepts a name without record, as in Django's own storages.
    delete_missing_ok: bool = False
    #: Whether files of Django's own file fields get a content object.
    tracks_plain_fields: bool = False
    #: Whether ``url()`` returns signed links, which give access without a login.
    signs_urls: bool = False
    #: The ``hashlib`` algorithm of the checksum that a save computes, or ``None``.
    checksum_algorithm: str | None = None

    def get_original_storage(self, meta_backend_obj: MetaBackendObject | None = None) -> Storage:
        """Return the original storage of a record.

        Args:
            meta_backend_obj: the record. Without one, the storage that a save writes to.
        """
        return self.original_storage

    def get_original_storage_name(self, meta_backend_obj: MetaBackendObject) -> str | None:
        """Return the name of the original storage of a record, if it has a name."""
        return meta_backend_obj.get("original_storage_name") or None

    def get_originals(self) -> Sequence[NamedStorage]:
        """Return the original storages that a save tries, in this order."""
        return [NamedStorage(self.get_original_storage())]

    def get_record_keys(self) -> tuple[str, ...]:
        """Return the keys that records need. System checks verify that they exist."""
        return ("path", "proxy_storage_name", "original_storage_path")

    def get_original_storage_full_path(
        self, path: str, meta_backend_obj: MetaBackendObject | None = None
    ) -> str:
        """Return the full path of an object of the original storage.

        Args:
            path: its path there (``original_storage_path``).
            meta_backend_obj: its record, if it has one.

        Returns:
            The result of the original storage's ``path()``, or the path below ``/`` if it does
            not support ``path()``; in its clean form.
        """
        return get_full_path(self.get_original_storage(meta_backend_obj), path)

    def get_path(self, original_storage: Storage, original_storage_path: str) -> str:
        """Return the path of a new record. Override it for paths of another form.

        By default this is `path_prefix` and the path in the original storage, or else the full
        path of the object. If another record has the path already, a random part is added.

        A relative path is the name that was passed to ``save``. For relative paths, this method
        is called only if the original storage has changed the name.
        """
        kind = lookup.get_path_kind(self)
        if kind == lookup.RELATIVE:
            return clean_path(original_storage_path).lstrip("/")
        if kind == lookup.PREFIXED:
            return clean_path(f"{self.path_prefix}/{original_storage_path}")
        return get_full_path(original_storage, original_storage_path)

    def get_display_path(self, meta_backend_obj: Mapping[str, Any]) -> str:
        """Return the path of a record without the folders of the server, for pages and messages.

        A full path contains the folder of the original storage. The text is not a name of the
        file in this storage: several files can have the same.

        Args:
            meta_backend_obj: the record.
        """
        return lookup.get_display_path(self, meta_backend_obj)

    def __getattr__(self, name: str) -> Any:
        """Return a data attribute of the original storage, such as ``location``.

        Raises:
            AttributeError: neither storage has it, or it is a method or private.
        """
        if not (name.startswith("_") or name in OWN_ATTRIBUTES):
            with suppress(AttributeError, ImproperlyConfigured):
                value = getattr(self.get_original_storage(), name)
                if not callable(value):
                    return value
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def get_data_for_meta_backend_save(
        self, path: str, original_storage_path: str, original_name: str, content: File[Any]
    ) -> dict[str, Any]:
        """Return the data of a new record. Override it to add data of your own.

        Args:
            path: the path of the record.
            original_storage_path: the path of the bytes in the original storage.
            original_name: the name that was passed to ``save``.
            content: the file that was passed to ``save``; it has been read.
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
        """Save a file and create its record.

        If the record cannot be created, the bytes are deleted again.

        Args:
            name: the wanted name, relative; ``None`` for ``content.name``. An absolute name is
                accepted if a registered proxy storage may have returned it. If it is below the
                root of this storage and no record has it, its relative part is used, otherwise
                its last part.
            content: a Django ``File`` or an object with ``read``.
            max_length: maximum length of the returned path in characters; at most 500.
            original_storage_path: the path of an existing object of the original storage. Then
                no bytes are written, and none are deleted after an error.

        Returns:
            The path of the record, which is the name of the file in this storage.

        Raises:
            InvalidNameError: the name is not valid, or no path fits into ``max_length``.
            ContentError: the content is closed, or is not a file.
            ProxyFileNotFoundError: no object exists at ``original_storage_path``.
            MetaBackendObjectAlreadyExists: that object has a record already.
            MetaBackendError: the record could not be created.
        """
        originals = self.get_originals()
        return saving.save(self, originals, name, content, max_length, original_storage_path)

    def get_valid_name(self, name: str) -> str:
        """Return a name that is valid in the original storage."""
        return self.get_original_storage().get_valid_name(name)

    def generate_filename(self, filename: str | os.PathLike[str]) -> str:
        """Return a valid file name, as Django's method does with `get_valid_name`.

        If the original storage overrides the method, its own result is returned.
        """
        original = self.get_original_storage()
        function = getattr(original.generate_filename, "__func__", None)
        if function is Storage.generate_filename:
            return super().generate_filename(filename)
        return original.generate_filename(filename)

    def is_name_available(self, name: str, max_length: int | None = None) -> bool:
        """Return whether no record of the meta backend has a path, in any proxy storage.

        For a relative name, its path is checked. If paths are not relative, the original storage
        must not have a file of this name either.
        """
        if max_length and len(name) > max_length:
            return False
        if name.startswith("/") or lookup.get_path_kind(self) == lookup.RELATIVE:
            return not self.meta_backend.exists(name)
        original = self.get_original_storage()
        return not (
            self.meta_backend.exists(self.get_path(original, name)) or original.exists(name)
        )

    def get_meta_backend_obj(self, path: Any) -> MetaBackendObject:
        """Return the record of a path or of another name of the file.

        The record with this path is found by one query. If this storage has no such record, the
        path is tried as a relative name, from which `get_path` makes a path. Then, unless paths
        are full, it is tried as the path of the bytes on the local disk. So the ``path`` of the
        returned record may be different.

        Args:
            path: the path of a record, or another name of the file.

        Raises:
            ProxyFileNotFoundError: no record was found, or it belongs to another proxy storage.
        """
        path = get_text(path)
        record = lookup.find_record(self, path)
        if record is not None:
            return record
        if not is_literal_path(path):
            raise ProxyFileNotFoundError(f"path must be valid text, not {path!r}.", path=path)
        raise ProxyFileNotFoundError(f"No record has the path {path!r}.", path=path)

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        return self.open_record(self.get_meta_backend_obj(name), mode)

    @property
    def opens_records(self) -> bool:
        """Whether `open_record` opens all files, since no subclass overrides ``open``."""
        cls = type(self)
        return cls.open is Storage.open and cls._open is ProxyStorageBase._open

    def open_record(self, meta_backend_obj: MetaBackendObject, mode: str = "rb") -> File[Any]:
        """Open the file of a record.

        Args:
            meta_backend_obj: a record of this proxy storage.
            mode: as for ``open``.

        Raises:
            ProxyFileNotFoundError: the original storage does not have the bytes.
        """
        original = self.get_original_storage(meta_backend_obj)
        try:
            return original.open(meta_backend_obj["original_storage_path"], mode)
        except FileNotFoundError as error:
            path = meta_backend_obj["path"]
            message = f"The bytes of {path!r} are missing in the original storage."
            raise ProxyFileNotFoundError(message, path=path) from error

    def exists(self, name: str) -> bool:
        """Return whether the file has a record; see `get_meta_backend_obj`.

        This is one query if ``name`` is the path of a record, otherwise more.
        """
        try:
            self.get_meta_backend_obj(name)
        except ProxyFileNotFoundError:
            return False
        return True

    def delete(self, name: str) -> None:
        """Delete a file: its bytes and its record.

        In a transaction of any database, the bytes are deleted after the commit, so that a
        rollback does not lose a file. The record is deleted at once if it is part of that
        transaction, otherwise together with the bytes.

        Raises:
            ProxyFileNotFoundError: the file does not have a record, and `delete_missing_ok` is
                false.
            ValueError: the name is empty, and `delete_missing_ok` is true.
        """
        if self.delete_missing_ok and not name:
            raise ValueError("The name of the file to delete must not be empty.")
        try:
            record = self.get_meta_backend_obj(name)
        except ProxyFileNotFoundError:
            if self.delete_missing_ok:
                return
            raise
        self.delete_record(record)

    def delete_record(
        self, meta_backend_obj: MetaBackendObject, where: Mapping[str, Any] | None = None
    ) -> bool:
        """Delete the file of a record: its bytes and the record. See `delete`.

        A later record of the same path is not deleted.

        Args:
            meta_backend_obj: a record of this proxy storage.
            where: values that the record must still have, otherwise nothing is deleted.

        Returns:
            ``False`` if nothing was deleted, because the record has changed or does not exist any
            more. ``True`` if the file was deleted, or is deleted after the commit of the open
            transactions, unless the record changes before.
        """
        return DeleteOperation(self, meta_backend_obj, where or {}).delete()

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Return the names of the folders and of the files directly below a path, both sorted.

        A path, a slash and a returned name are the name of a file to open. With an empty path,
        the returned name alone is. All records below the path are read.

        Args:
            path: a relative name, such as ``""`` for the root of the storage and ``letters``
                for a folder. An absolute path is compared with the paths of the records.

        Raises:
            ProxyFileNotFoundError: no record has a path below this one.
        """
        path = get_text(path)
        if not is_literal_path(path):
            raise ProxyFileNotFoundError(f"path must be valid text, not {path!r}.", path=path)
        is_absolute = path.startswith(("/", "\\"))
        folder = clean_path(path) if is_absolute else normalize_name(path)
        folders: set[str] = set()
        files: set[str] = set()
        for name in self._get_names_below(folder):
            first, slash, _rest = name.partition("/")
            (folders if slash else files).add(first)
        if folder not in ("/", ".") and not folders and not files:
            raise ProxyFileNotFoundError(f"No record has a path below {folder!r}.", path=path)
        return sorted(folders), sorted(files)

    def _get_names_below(self, folder: str) -> Iterator[str]:
        """Yield the paths of all records below a folder, relative to the folder."""
        where = {"proxy_storage_name": registry.get_proxy_storage_name(self)}
        roots = [] if folder.startswith("/") else lookup.get_roots(self)
        if folder == ".":
            for record in self.meta_backend.filter(where):
                path = record["path"]
                if not path.startswith("/"):
                    yield path
                else:
                    root = next(filter(path.startswith, filter(None, roots)), None)
                    if root is not None:
                        yield path.removeprefix(root)
            return
        beginnings = [f"{folder.rstrip('/')}/", *(f"{root}{folder}/" for root in roots)]
        for beginning in dict.fromkeys(beginnings):
            for record in self.meta_backend.filter(where, path_prefix=beginning):
                yield record["path"].removeprefix(beginning)

    def size(self, name: str) -> int:
        """Return the size in bytes."""
        original, path = self._locate(name)
        return original.size(path)

    def path(self, name: str) -> str:
        """Return the local path of the bytes in the original storage.

        For a name without record, this is the local path that a file of this name would have.

        Raises:
            NotImplementedError: the original storage does not support local paths.
            LocalPathError: the file does not have a record, and the name does not have a local
                path. It is a `ProxyFileNotFoundError` and a ``NotImplementedError``.
        """
        try:
            original, path = self._locate(name)
        except ProxyFileNotFoundError:
            return lookup.get_local_path_of_missing(self, get_text(name))
        return original.path(path)

    def url(self, name: str | None) -> str:
        """Return the URL of a file; a signed link if `signs_urls` is true.

        A signed link needs one query, for the record. No permission is checked: the caller decides
        whether to give access to the file. A file without record has the URL that it has without
        signature.

        Raises:
            ConfigurationError: the link cannot be signed, or the endpoint has no URL.
        """
        if name and self.signs_urls:
            # The endpoint answers 404 without a record, and pages do not fail if it cannot be read.
            with suppress(ProxyFileNotFoundError, MetaBackendUnavailable):
                return sign_file_url(self.get_meta_backend_obj(name))
        return self.get_unsigned_url(name)

    def get_unsigned_url(self, name: str | None) -> str:
        """Return the URL of the download endpoint for a file, or else the original storage's URL.

        With an endpoint (see the setting ``FILE_URL_NAME``), no record is read. Without one, a
        record is read if the bytes have a name that the path does not show.

        Returns:
            For ``None`` and an empty name, the URL that the URLs of all files begin with. Without
            an endpoint, ``#`` and the name if the file does not exist, its record cannot be
            read, or the original storage does not support URLs.
        """
        if name:
            name = str(get_text(name))
        path = lookup.get_path_of_name(self, name) if name else ""
        endpoint_url = get_file_url(path, registry.get_proxy_storage_name(self))
        return lookup.get_original_url(self, name) if endpoint_url is None else endpoint_url

    def get_accessed_time(self, name: str) -> datetime:
        """Return the time of the last access to the bytes, from the original storage."""
        original, path = self._locate(name)
        return original.get_accessed_time(path)

    def get_created_time(self, name: str) -> datetime:
        """Return the creation time of the bytes, from the original storage."""
        original, path = self._locate(name)
        return original.get_created_time(path)

    def get_modified_time(self, name: str) -> datetime:
        """Return the time of the last change of the bytes, from the original storage."""
        original, path = self._locate(name)
        return original.get_modified_time(path)

    def _locate(self, name: Any) -> tuple[Storage, str]:
        """Return the original storage of a file, and its path there."""
        record = self.get_meta_backend_obj(name)
        return self.get_original_storage(record), record["original_storage_path"]
