"""Find the file of a record: on this machine, inside its original storage, or elsewhere."""

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
)


class LocalFile(Source):
    """A regular file on this machine, inside the folder of its original storage.

    Args:
        storage: the original storage.
        name: the file's name there.
        path: its absolute path.
        root: the folder of the storage.
        status: the result of ``os.stat``.
    """

    size: int = 0
    etag: str | None = None
    last_modified: datetime | None = None

    def __init__(
        self, storage: Storage, name: str, path: str, root: str, status: os.stat_result
    ) -> None:
        self.storage = storage
        self.name = name
        self.path = path
        self.root = root
        self.status = status
        self.size = status.st_size
        self.etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
        self.last_modified = datetime.fromtimestamp(status.st_mtime, UTC)

    @property
    def relative_path(self) -> str:
        """The path below the root."""
        return os.path.relpath(self.path, self.root)

    def is_as_recorded(self, record: Mapping[str, Any]) -> bool:
        """Return whether the file has the size in its record."""
        return record.get("size") in (None, self.size)

    def open(self, start: int, stop: int) -> Readable:
        """Open the file, unless another file has replaced it since ``status`` was read.

        Raises:
            ProxyFileNotFoundError: another file has the path now, for example a symbolic link.
        """
        file = self.storage.open(self.name, "rb")
        try:
            if not os.path.samestat(os.fstat(file.fileno()), self.status):
                message = f"{self.name!r} was replaced by another file."
                raise ProxyFileNotFoundError(message, path=self.name)  # noqa: TRY301
            if start:
                go_to(file, start)
        except BaseException:
            file.close()
            raise
        return file


def reads_files_unchanged(storage: Storage) -> bool:
    """Return whether a storage reads exactly the bytes that are on disk.

    A subclass with methods of its own may decrypt or decompress them.
    """
    return all(
        getattr(getattr(storage, method, None), "__func__", None)
        is getattr(FileSystemStorage, method)
        for method in ("open", "_open", "size")
    )


def get_local_file(meta_backend_obj: MetaBackendObject) -> LocalFile | None:
    """Return the file of a record if it is on this machine.

    Returns:
        ``None`` if the original storage has no local paths, or no regular file at this one.

    Raises:
        UnsafePathError: the path or a symbolic link leads out of the original storage.
    """
    original = meta_backend_obj.get_original_storage()
    name, path = meta_backend_obj["original_storage_path"], meta_backend_obj["path"]
    try:
        local_path = get_local_path(original, name)
    except SuspiciousFileOperation as error:
        raise UnsafePathError(f"{path!r} is outside its original storage.") from error
    if local_path is None:
        return None
    try:
        status = os.stat(local_path)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    root = original.path("")
    if _may_lead_out(root, local_path):
        real_root = os.path.join(os.path.realpath(root), "")
        if not os.path.realpath(local_path).startswith(real_root):
            raise UnsafePathError(
                f"{path!r} is outside its original storage, because of a symbolic link."
            )
    return LocalFile(original, name, local_path, root, status)


def _may_lead_out(root: str, path: str) -> bool:
    """Return whether only the real path of a file tells that it is inside a folder.

    That is so if a part of the path is a symbolic link. Without one, each folder needs one
    system call, while the real paths of file and folder need one for each of their parts.
    """
    root = os.path.join(root, "")
    parts = path.removeprefix(root).split(os.sep)
    if not path.startswith(root) or not {"", os.curdir, os.pardir}.isdisjoint(parts):
        return True
    place = root
    for part in parts:
        place = os.path.join(place, part)
        if os.path.islink(place):
            return True
    return False


def require_local_file(meta_backend_obj: MetaBackendObject) -> LocalFile:
    """Return the file of a record, for a server that can deliver local files only.

    Raises:
        ProxyFileNotFoundError: the file is missing.
        ServingError: the original storage has no local files, or the file is outside it.
    """
    file = get_local_file(meta_backend_obj)
    if file is None:
        problem = get_local_problem(meta_backend_obj.get_original_storage())
        raise get_missing_file_error(meta_backend_obj) if problem is None else ServingError(problem)
    return file


def get_local_problem(original: Storage) -> str | None:
    """Return why a web server cannot read the files of a storage, or ``None`` if it can.

    Args:
        original: an original storage.
    """
    if get_local_path(original, "") is None:
        return (
            f"The web server cannot read the files of {type(original).__name__}, which are not in "
            "a local folder. Configure StreamingServer for this storage in "
            "PROXY_STORAGE['SERVERS']."
        )
    return None


def get_missing_file_error(meta_backend_obj: MetaBackendObject) -> ProxyFileNotFoundError:
    """Return the error for a record whose file is missing."""
    path = meta_backend_obj["path"]
    return ProxyFileNotFoundError(f"The file of {path!r} is missing.", path=path)


def get_source(meta_backend_obj: MetaBackendObject) -> Source:
    """Return the file of a record in its original storage, not opened yet.

    Raises:
        UnsafePathError: the path or a symbolic link leads out of the original storage.
        FileNotFoundError: the file is missing on this machine.
    """
    file = get_local_file(meta_backend_obj)
    original: Any = meta_backend_obj.get_original_storage() if file is None else file.storage
    name = meta_backend_obj["original_storage_path"]
    if hasattr(original, "get_source"):
        source: Source = original.get_source(name)
        return source
    if reads_files_unchanged(original):
        if file is None:
            raise FileNotFoundError(name)
        return file
    return S3Source(original, name) if is_s3(original) else StorageSource(original, name)


def require_deliverable(meta_backend_obj: MetaBackendObject) -> None:
    """Raise an error if a file cannot be delivered, as far as this is known without a request.

    A missing file is noticed on this machine, and in storages that have ``get_source``.

    Raises:
        UnsafePathError: the path or a symbolic link leads out of the original storage.
        FileNotFoundError: the file is missing.
    """
    original = meta_backend_obj.get_original_storage()
    if hasattr(original, "get_source") or reads_files_unchanged(original):
        _ = get_source(meta_backend_obj).size
    else:
        get_local_file(meta_backend_obj)
