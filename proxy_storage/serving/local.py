"""Files that lie on this machine: where, and that they lie inside their storage."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import FileSystemStorage, Storage

from proxy_storage.exceptions import ProxyFileNotFoundError, ServingError, UnsafePathError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.original_storages.inspect import get_local_path
from proxy_storage.original_storages.s3 import S3Source, is_s3
from proxy_storage.original_storages.sources import (
    Readable,
    Source,
    StorageSource,
    go_to,
    make_etag,
)


class LocalFile(Source):
    """A regular file within the folder of its original storage.

    Args:
        storage: the original storage.
        name: the file's name there.
        path: where it lies.
        root: the folder of the storage.
        status: what the file system says of it.
    """

    def __init__(
        self, storage: Storage, name: str, path: str, root: str, status: os.stat_result
    ) -> None:
        self.storage = storage
        self.name = name
        self.path = path
        self.root = root
        self.status = status

    @property
    def relative_path(self) -> str:
        """The path below the root."""
        return os.path.relpath(self.path, self.root)

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.status.st_size

    @property
    def etag(self) -> str:
        """An entity tag that changes when the file does (RFC 9110 section 8.8.3)."""
        return make_etag(self.status.st_mtime_ns, self.status.st_size)

    @property
    def last_modified(self) -> datetime:
        """When the bytes were written."""
        return datetime.fromtimestamp(self.status.st_mtime, UTC)

    def is_as_recorded(self, record: Mapping[str, Any]) -> bool:
        """Tell whether the file still has the recorded size."""
        return record.get("size") in (None, self.size)

    def open(self, start: int, stop: int) -> Readable:
        """Open the very file that was looked at, not one that has come to its place since."""
        file = self.storage.open(self.name, "rb")
        try:
            self._recognise(file.fileno())
            go_to(file, start)
        except BaseException:
            file.close()
            raise
        return file

    def _recognise(self, descriptor: int) -> None:
        if not os.path.samestat(os.fstat(descriptor), self.status):
            raise ProxyFileNotFoundError(f"{self.name!r} was replaced.", path=self.name)


def reads_files_as_they_are(storage: Storage) -> bool:
    """Tell whether a storage gives out the very bytes on the disk.

    One with a method of its own may decrypt or unpack them on their way.
    """
    return all(
        getattr(getattr(storage, method, None), "__func__", None)
        is getattr(FileSystemStorage, method)
        for method in ("open", "_open", "size")
    )


def get_local_file(meta_backend_obj: MetaBackendObject) -> LocalFile | None:
    """Return where the bytes of a file lie on this machine.

    The real path is what counts: a symbolic link may lie in the folder and lead out.

    Returns:
        ``None`` where the original storage has no local paths, or no file at this one.

    Raises:
        UnsafePathError: the path or a link leads out of the original storage.
    """
    original, name = (
        meta_backend_obj.get_original_storage(),
        meta_backend_obj["original_storage_path"],
    )
    path = meta_backend_obj["path"]
    try:
        local_path = get_local_path(original, name)
    except SuspiciousFileOperation as error:
        raise UnsafePathError(f"{path!r} lies outside of its original storage.") from error
    if local_path is None:
        return None
    try:
        status = os.stat(local_path)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    root = original.path("")
    if not os.path.realpath(local_path).startswith(os.path.join(os.path.realpath(root), "")):
        raise UnsafePathError(f"{path!r} leads out of its original storage by a link.")
    return LocalFile(original, name, local_path, root, status)


def require_local_file(meta_backend_obj: MetaBackendObject) -> LocalFile:
    """Return where the bytes lie, for a server that has no other way to get at them.

    Raises:
        ProxyFileNotFoundError: the bytes are gone.
        ServingError: they are not on this machine, or outside of their storage.
    """
    file = get_local_file(meta_backend_obj)
    if file is not None:
        return file
    original = meta_backend_obj.get_original_storage()
    problem = get_local_problem(original)
    if problem is not None:
        raise ServingError(problem)
    raise gone(meta_backend_obj)


def get_local_problem(original: Storage) -> str | None:
    """Return why a web server cannot read the files of a storage, if it cannot.

    Args:
        original: an original storage.
    """
    if get_local_path(original, "") is None:
        return (
            f"The web server cannot reach the files of {type(original).__name__}. Configure "
            "StreamingServer for this storage in PROXY_STORAGE['SERVERS']."
        )
    return None


def gone(meta_backend_obj: MetaBackendObject) -> ProxyFileNotFoundError:
    """Return the error for a record whose bytes are gone."""
    path = meta_backend_obj["path"]
    return ProxyFileNotFoundError(f"The bytes of {path!r} are gone.", path=path)


def get_source(meta_backend_obj: MetaBackendObject) -> Source:
    """Return the bytes of a file, found but not opened.

    Raises:
        UnsafePathError: the path or a link leads out of the original storage.
        FileNotFoundError: the file is gone from this machine.
    """
    original: Any = meta_backend_obj.get_original_storage()
    name = meta_backend_obj["original_storage_path"]
    file = get_local_file(meta_backend_obj)  # raises where a link leads out
    if hasattr(original, "get_source"):
        source: Source = original.get_source(name)
        return source
    if reads_files_as_they_are(original):
        if file is None:
            raise FileNotFoundError(name)
        return file
    return S3Source(original, name) if is_s3(original) else StorageSource(original, name)


def require_deliverable(meta_backend_obj: MetaBackendObject) -> None:
    """Raise an error if a file cannot be delivered, by checks that need no request.

    Of files on this machine it is known, and of those in storages that have ``get_source``.

    Raises:
        UnsafePathError: the path or a link leads out of the original storage.
        FileNotFoundError: the file is gone.
    """
    original = meta_backend_obj.get_original_storage()
    if hasattr(original, "get_source") or reads_files_as_they_are(original):
        _ = get_source(meta_backend_obj).size
    else:
        get_local_file(meta_backend_obj)
