"""How Python gets at the bytes of a file: from the disk, or from where they are else."""

from __future__ import annotations

from typing import Any

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.s3 import S3Source, is_s3
from proxy_storage.serving.local import get_local_file, reads_files_as_they_are
from proxy_storage.sources import Source, StorageSource


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
