"""Files that lie on this machine: where, and that they lie inside their storage."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from django.core.exceptions import SuspiciousFileOperation

from proxy_storage.exceptions import ProxyFileNotFoundError, ServingError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.originals import get_local_path


@dataclass(frozen=True)
class LocalFile:
    """A regular file within the folder of its original storage.

    Args:
        path: where it lies.
        root: the folder of the storage.
        status: what the file system says of it.
    """

    path: str
    root: str
    status: os.stat_result

    @property
    def relative_path(self) -> str:
        """The path below the root."""
        return os.path.relpath(self.path, self.root)

    @property
    def etag(self) -> str:
        """An entity tag that changes when the file does (RFC 9110 section 8.8.3)."""
        return f'"{self.status.st_mtime_ns:x}-{self.status.st_size:x}"'


def get_local_file(meta_backend_obj: MetaBackendObject) -> LocalFile | None:
    """Return where the bytes of a file lie on this machine.

    The real path is what counts: a symbolic link may lie in the folder and lead out.

    Returns:
        ``None`` where the original storage has no local paths, or no file at this one.

    Raises:
        ServingError: the path or a link leads out of the original storage.
    """
    original = meta_backend_obj.get_original_storage()
    path = meta_backend_obj["path"]
    try:
        local_path = get_local_path(original, meta_backend_obj["original_storage_path"])
    except SuspiciousFileOperation as error:
        raise ServingError(f"{path!r} lies outside of its original storage.") from error
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
        raise ServingError(f"{path!r} leads out of its original storage by a link.")
    return LocalFile(local_path, root, status)


def require_local_file(meta_backend_obj: MetaBackendObject) -> LocalFile:
    """Return where the bytes lie, for a server that has no other way to get at them.

    Raises:
        ProxyFileNotFoundError: the bytes are gone.
        ServingError: they are not on this machine, or outside of their storage.
    """
    file = get_local_file(meta_backend_obj)
    if file is not None:
        return file
    original, path = meta_backend_obj.get_original_storage(), meta_backend_obj["path"]
    if get_local_path(original, meta_backend_obj["original_storage_path"]) is None:
        raise ServingError(
            f"The web server cannot reach the files of {type(original).__name__}. Configure "
            "StreamingServer for this storage in PROXY_STORAGE['SERVERS']."
        )
    raise ProxyFileNotFoundError(f"The bytes of {path!r} are gone.", path=path)
