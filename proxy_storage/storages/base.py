"""The proxy storage: bytes in an original storage, a record in a meta backend."""

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
from proxy_storage.endpoint import get_file_url
from proxy_storage.exceptions import (
    ProxyFileNotFoundError,
)
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.original_storages.inspect import NamedStorage, get_full_path
from proxy_storage.paths import (
    MAX_PATH_LENGTH,
    clean_path,
    get_text,
    is_literal_path,
    normalize_name,
    validate_name,
)
from proxy_storage.registry import get_proxy_storage_name
from proxy_storage.storages import lookup, saving
from proxy_storage.storages.deleting import DeleteOperation
from proxy_storage.storages.lookup import get_original_url, get_roots
from proxy_storage.storages.multiple import MultipleOriginalStoragesMixin
from proxy_storage.storages.saving import Recording

__all__ = ["MultipleOriginalStoragesMixin", "ProxyStorageBase"]

# An attribute that is missing here is missing, even if the original storage has it: these are
# about a proxy storage, or promises that an original makes for itself alone.
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
    """A Django storage that keeps one record for every file of another storage.

    Subclass it, set the two attributes, and register the subclass in
    ``PROXY_STORAGE["PROXY_STORAGE_CLASSES"]``. The names that the storage returns are the
    paths of records, and of three kinds:

    ============ ============================= ==========================================
    ``paths``    path of ``letters/cv.pdf``    where the bytes lie
    ============ ============================= ==========================================
    ``full``     ``/var/files/letters/cv.pdf`` ``letters/cv.pdf`` in the original storage
    ``prefixed`` ``/private/letters/cv.pdf``   the same; with ``path_prefix="/private/"``
    ``relative`` ``letters/cv.pdf``            ``letters/cv_<random>.pdf``
    ============ ============================= ==========================================

    Methods also take a relative name where paths are full or prefixed; where they are not
    full, they take the path of the file on the local disk.

    Data attributes that the storage does not have, such as ``location`` and ``base_url``,
    are those of the original storage.

    An instance is shared between threads and keeps nothing about a call.
    """

    #: Marks the class for the registry, which does not import this module.
    is_proxy_storage = True
    #: the storage that gets the bytes; use `get_original_storage` to reach it
    original_storage: Storage
    #: where the records are kept
    meta_backend: MetaBackendBase
    #: the kind of the paths: ``"full"``, ``"relative"``, or ``"prefixed"``, which a prefix implies
    paths: str = lookup.FULL
    #: text that paths begin with, such as ``"/resumes/"``
    path_prefix: str | None = None
    #: With relative paths, whether bytes get a name that is never used twice. If it is false,
    #: they keep the wanted name in an original storage that creates files exclusively.
    unique_original_names: bool = True
    #: whether to delete a name without record is not an error, as in Django's own storages
    delete_missing_ok: bool = False
    #: the ``hashlib`` algorithm of the checksum that a save computes, if any
    checksum_algorithm: str | None = None

    def get_original_storage(self, meta_backend_obj: MetaBackendObject | None = None) -> Storage:
        """Return the storage that holds the bytes.

        Args:
            meta_backend_obj: the record in question; without one, the storage that a
                save would go to.
        """
        return self.original_storage

    def get_original_storage_name(self, meta_backend_obj: MetaBackendObject) -> str | None:
        """Return the name of the storage that holds the bytes of a record, if it has a name."""
        return meta_backend_obj.get("original_storage_name") or None

    def get_originals(self) -> Sequence[NamedStorage]:
        """Return the original storages that a save tries, one after the other."""
        return [NamedStorage(self.get_original_storage())]

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

        Relative paths are the name that ``save`` was called with. This method is called for
        them only if the original storage has chosen a name of its own.
        """
        kind = lookup.get_path_kind(self)
        if kind == lookup.RELATIVE:
            return clean_path(original_storage_path).lstrip("/")
        if kind == lookup.PREFIXED:
            return clean_path(f"{self.path_prefix}/{original_storage_path}")
        return get_full_path(original_storage, original_storage_path)

    def __getattr__(self, name: str) -> Any:
        """Return a data attribute of the original storage, such as ``location``.

        Raises:
            AttributeError: neither of the two has it, or it is a method or private.
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
            name: the wanted name, relative; ``None`` for ``content.name``. An absolute name is
                accepted if a registered proxy storage can have returned it: its relative part
                is used if it is below the root of this storage and has no record, otherwise
                its last part.
            content: a Django ``File`` or anything with ``read``.
            max_length: how many characters the returned path may have; at most 500.
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
        originals: Sequence[NamedStorage],
        name: Any,
        content: Any,
        max_length: int | None,
        original_storage_path: str | None,
    ) -> str:
        registry.get_proxy_storage_name(self)  # fails before there are bytes to clean up
        wanted = getattr(content, "name", None) if name is None else name
        name = validate_name(lookup.get_name_to_save(self, wanted))
        if lookup.get_path_kind(self) == lookup.RELATIVE:
            name = normalize_name(name)
        length = MAX_PATH_LENGTH if max_length is None else min(max_length, MAX_PATH_LENGTH)
        with saving.refused_names(name, originals):
            if original_storage_path is None:
                return saving.save(self, originals, name, content, length)
            recording = Recording(self, originals[0], name, length)
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
        """Tell whether a path is free in the meta backend, for records of any storage.

        A relative name is free if its path is. Where paths are not relative, the original
        storage must not have a file of this name either.
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
        """Return the record of a path, if it is one of this proxy storage.

        It is found by one query. If no record of this storage has the path, others are
        looked for, in this order: the path that `get_path` makes of a relative name, and,
        unless paths are full, the record of the bytes at a path on the local disk. So the
        record's own ``path`` can be another one.

        Args:
            path: the path of a record, or another name of the file.

        Raises:
            ProxyFileNotFoundError: there is none, or it belongs to another proxy storage.
        """
        path = get_text(path)
        record = lookup.find_record(self, path)
        if record is not None:
            return record
        if not is_literal_path(path):
            raise ProxyFileNotFoundError(f"A path must be text, not {path!r}.", path=path)
        raise ProxyFileNotFoundError(f"No record has the path {path!r}.", path=path)

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        return self.open_record(self.get_meta_backend_obj(name), mode)

    @property
    def opens_records(self) -> bool:
        """Whether files are opened by `open_record`, and no subclass opens them by their name."""
        cls = type(self)
        return cls.open is Storage.open and cls._open is ProxyStorageBase._open

    def open_record(self, meta_backend_obj: MetaBackendObject, mode: str = "rb") -> File[Any]:
        """Open the file of a record.

        Args:
            meta_backend_obj: a record of this proxy storage.
            mode: as for ``open``.

        Raises:
            ProxyFileNotFoundError: the bytes are gone.
        """
        original = self.get_original_storage(meta_backend_obj)
        try:
            return original.open(meta_backend_obj["original_storage_path"], mode)
        except FileNotFoundError as error:
            path = meta_backend_obj["path"]
            raise ProxyFileNotFoundError(f"The bytes of {path!r} are gone.", path=path) from error

    def exists(self, name: str) -> bool:
        """Return whether `get_meta_backend_obj` finds a record.

        This takes one query if ``name`` is the path of a record, otherwise more.
        """
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
            ProxyFileNotFoundError: this path does not have a record, and
                `delete_missing_ok` is false.
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
    ) -> None:
        """Delete the file of a record: its bytes and the record. See `delete`.

        A later record of the same path is not touched.

        Args:
            meta_backend_obj: a record of this proxy storage.
            where: values that the record must still have, otherwise nothing is deleted.
        """
        DeleteOperation(self, meta_backend_obj, where or {}).delete()

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Return the folders and the files right below a path.

        A path, a slash and a name make a path that can be opened; at the top, with an empty
        path, the name alone. All records below the path are read.

        Args:
            path: a relative name, such as ``""`` for the top of the storage and ``letters``
                for a folder in it. An absolute path is the beginning of the paths of
                records, from ``/`` on.

        Raises:
            ProxyFileNotFoundError: nothing is below this path.
        """
        return list_folder(self, get_text(path))

    def size(self, name: str) -> int:
        """Return the size in bytes."""
        original, path = self._locate(name)
        return original.size(path)

    def path(self, name: str) -> str:
        """Return where the original storage has the file on this machine.

        For a name without record it is the place where the file would be.

        Raises:
            NotImplementedError: the original storage has no local paths.
            LocalPathError: there is no record of this path, and no such place. It is a
                `ProxyFileNotFoundError` and a ``NotImplementedError``.
        """
        try:
            original, path = self._locate(name)
        except ProxyFileNotFoundError:
            return lookup.get_local_path_to_be(self, get_text(name))
        return original.path(path)

    def url(self, name: str | None) -> str:
        """Return the URL of the download endpoint for a path, or else the original's URL.

        With an endpoint (see the setting ``FILE_URL_NAME``), no record is looked for.
        Without one, the URL is that of the original storage; a record is read for a
        relative path, whose bytes have a name of their own.

        Returns:
            A URL that leads nowhere, ``#`` and the name, if the file does not exist, if the
            record cannot be read, or if the original storage has no URLs. ``None`` and an
            empty name give the URL that the URLs of all files begin with.
        """
        if name:
            name = str(get_text(name))
        path = lookup.get_path_of_name(self, name) if name else ""
        endpoint_url = get_file_url(path, registry.get_proxy_storage_name(self))
        return get_original_url(self, name) if endpoint_url is None else endpoint_url

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


def list_folder(storage: ProxyStorageBase, path: str) -> tuple[list[str], list[str]]:
    """Return the names of folders and of files right below a path, both sorted.

    Raises:
        ProxyFileNotFoundError: the storage has no record below this path.
    """
    if not is_literal_path(path):
        raise ProxyFileNotFoundError(f"A path must be text, not {path!r}.", path=path)
    is_absolute = path.startswith(("/", "\\"))
    folder = clean_path(path) if is_absolute else normalize_name(path)
    folders: set[str] = set()
    files: set[str] = set()
    for name in _get_names(storage, folder):
        first, slash, _rest = name.partition("/")
        (folders if slash else files).add(first)
    if folder not in ("/", ".") and not folders and not files:
        raise ProxyFileNotFoundError(f"No record has a path below {folder!r}.", path=path)
    return sorted(folders), sorted(files)


def _get_names(storage: ProxyStorageBase, folder: str) -> Iterator[str]:
    """Return what follows a folder in the paths of the records below it."""
    where = {"proxy_storage_name": get_proxy_storage_name(storage)}
    if folder == ".":
        roots = get_roots(storage)
        for record in storage.meta_backend.filter(where):
            yield from _get_relative_name(record["path"], roots)
        return
    beginnings = [f"{folder.rstrip('/')}/"]
    if not folder.startswith("/"):
        beginnings += [f"{root}{folder}/" for root in get_roots(storage)]
    for beginning in dict.fromkeys(beginnings):
        for record in storage.meta_backend.filter(where, path_prefix=beginning):
            yield record["path"].removeprefix(beginning)


def _get_relative_name(path: str, roots: list[str]) -> Iterator[str]:
    """Return a path relative to the storage, if it is one of its usual paths."""
    if not path.startswith("/"):
        yield path
        return
    for root in roots:
        if root and path.startswith(root):
            yield path.removeprefix(root)
            return
