"""Properties of an original storage of any class: local paths, exclusive creation, public URLs."""

from __future__ import annotations

import copy
import os
import posixpath
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.core.files.storage import FileSystemStorage, InMemoryStorage, Storage

from proxy_storage.exceptions import InvalidNameError
from proxy_storage.original_storages.s3 import is_s3
from proxy_storage.paths import (
    MAX_KEY_BYTES,
    MAX_PART_BYTES,
    SHORT_TOKEN_LENGTH,
    clean_path,
    unique_name,
)

# The second name is the one of versions before 1.0.
EXCLUSIVE_CREATE_ATTRIBUTES = ("supports_exclusive_create", "saves_exclusively")


class NamedStorage(NamedTuple):
    """An original storage, and its name if the proxy storage has several."""

    storage: Storage
    name: str | None = None


def get_local_path(storage: Storage, original_storage_path: str) -> str | None:
    """Return the path of a file on this machine, or ``None`` if the storage has no local files.

    Raises:
        SuspiciousFileOperation: the path is outside the storage.
    """
    if isinstance(storage, InMemoryStorage):
        return None  # It has a method path(), but its files are not on disk.
    try:
        return storage.path(original_storage_path)
    except NotImplementedError:
        return None


def leads_out(storage: Storage, name: str) -> bool:
    """Return whether the folder of a name is outside a storage because of a symbolic link.

    A file in such a folder is never delivered: see `proxy_storage.serving.local`.

    Args:
        storage: an original storage.
        name: the name of a file to save.

    Raises:
        SuspiciousFileOperation: the name itself is outside the storage, for example "../a".
    """
    root, path = get_local_path(storage, ""), get_local_path(storage, name)
    if root is None or path is None:
        return False
    folder = Path(os.path.realpath(os.path.dirname(path)))
    return not folder.is_relative_to(os.path.realpath(root))


def get_own_path(storage: Storage, path: str) -> str:
    """Return the normalized path of a file in a storage, as in records.

    Raises:
        InvalidNameError: the storage has no local paths, and the path has empty or dot parts.
    """
    if isinstance(storage, FileSystemStorage | InMemoryStorage):
        return os.path.relpath(storage.path(path), storage.location)
    if path.lstrip("/") != posixpath.normpath(path.lstrip("/")):
        raise InvalidNameError(
            f"{path!r} must not have empty parts or the parts '.' and '..'.", name=path
        )
    return path


def get_full_path(storage: Storage, original_storage_path: str) -> str:
    """Return the cleaned full path of a file in a storage.

    This is the result of the storage's ``path()``, or the path below ``/`` if it has none.
    """
    local_path = get_local_path(storage, original_storage_path)
    return clean_path(original_storage_path if local_path is None else local_path)


def supports_exclusive_create(storage: Storage) -> bool:
    """Return whether two saves at the same time never write to the same file of a storage.

    Django's `FileSystemStorage` creates files with ``O_EXCL``, unless it is configured to
    overwrite. Other storages declare it with the attribute ``supports_exclusive_create = True``.
    They must also delete the partial file of a save that fails.

    For all other storages, a proxy storage adds a random token to each name: between "does it
    exist?" and the write, another process can write the same name, and one file is lost.
    """
    declared = [getattr(storage, name, None) for name in EXCLUSIVE_CREATE_ATTRIBUTES]
    if declared != [None, None]:
        # A subclass may have one of the names and its base class the other: both must agree.
        return all(value is None or value for value in declared)
    # A subclass that overrides one of these methods may overwrite files.
    for method in ("_save", "get_available_name"):
        # getattr finds the methods of the wrapped storage in Django's lazy default storage.
        function = getattr(getattr(storage, method, None), "__func__", None)
        if function is not getattr(FileSystemStorage, method):
            return False
    flags = getattr(storage, "OS_OPEN_FLAGS", os.O_EXCL)  # removed in Django 6.0
    return bool(flags & os.O_EXCL) and not getattr(storage, "_allow_overwrite", False)


def may_save_exclusively(storage: Storage) -> bool:
    """Return whether ``supports_exclusive_create = True`` could be correct for a storage's class.

    It is not correct for a storage that is configured to overwrite, for S3, and for a class that
    declares the attribute already.
    """
    overwrites = getattr(storage, "_allow_overwrite", False) or is_s3(storage)
    is_declared = any(
        getattr(storage, name, None) is not None for name in EXCLUSIVE_CREATE_ATTRIBUTES
    )
    return not (overwrites or is_declared or isinstance(storage, InMemoryStorage))


def get_max_name_bytes(storage: Storage) -> int | None:
    """Return the maximum length of a name in bytes, or ``None`` for files on the local disk.

    The limit of object stores includes the folder that the storage adds to each name.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
    """
    if get_local_path(storage, "x") is not None:
        return None
    location = getattr(storage, "location", "")
    folder = f"{location.strip('/')}/" if isinstance(location, str) and location else ""
    return MAX_KEY_BYTES - len(folder.encode())


def watch_names(storage: Storage) -> tuple[Storage, list[str]]:
    """Return a copy of a storage for one save, and the list of names that it tries to write.

    The list is empty at first. If the save fails, its last name is that of the partial file.
    """
    copied = copy.copy(storage)
    get_available_name = copied.get_available_name
    tried: list[str] = []

    def get_and_remember(name: str, max_length: int | None = None) -> str:
        found = get_available_name(name, max_length=max_length)
        # The name was tried before: another process has created this file and deleted it. Or a
        # part of the name, with its random token, is too long for a file system.
        if found in tried or _has_long_part(found):
            found = unique_name(name, max_length, SHORT_TOKEN_LENGTH)
        tried.append(found)
        return found

    vars(copied)["get_available_name"] = get_and_remember  # replaces the method of the class
    return copied, tried


def _has_long_part(name: str) -> bool:
    """Return whether a part of a name has more than `MAX_PART_BYTES`."""
    encoded = name.encode(errors="surrogatepass")
    return any(len(part) > MAX_PART_BYTES for part in encoded.split(b"/"))


def remove_bytes(storage: Storage, original_storage_path: str, error: BaseException) -> None:
    """Delete the file that a failed operation has written, or add a note to the error.

    Args:
        storage: the original storage.
        original_storage_path: the file's path there.
        error: the error of the operation.
    """
    try:
        storage.delete(original_storage_path)
    except Exception as failure:  # noqa: BLE001  (`error` must be raised)
        error.add_note(f"The file {original_storage_path!r} could not be deleted: {failure}")


def get_public_address(storage: Storage) -> str | None:
    """Return the option that gives the files of a storage public URLs, or ``None``.

    Anyone who knows or guesses such a URL can read the file without a permission check.
    """
    if isinstance(storage, FileSystemStorage):
        if getattr(storage, "_base_url", None) is not None:
            return f"base_url={storage.base_url!r}"
        media_root = Path(settings.MEDIA_ROOT).resolve()
        is_published = settings.MEDIA_ROOT and settings.MEDIA_URL not in ("", "/")
        if is_published and Path(storage.location).resolve().is_relative_to(media_root):
            return f"its location in MEDIA_ROOT, which is public at {settings.MEDIA_URL!r}"
    # These are options of django-storages.
    if getattr(storage, "querystring_auth", True) is False:
        return "querystring_auth=False"
    domain = getattr(storage, "custom_domain", None)
    if domain and getattr(storage, "cloudfront_signer", None) is None:
        return f"custom_domain={domain!r}, whose URLs are not signed"
    acl = getattr(storage, "default_acl", None)
    return f"default_acl={acl!r}" if str(acl).startswith("public") else None
