"""What has to be known about an original storage, whichever class it is of."""

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
    SHORT_TOKEN_LENGTH,
    clean_path,
    has_long_part,
    unique_name,
)


class NamedStorage(NamedTuple):
    """An original storage, and its name where a proxy storage has several."""

    storage: Storage
    name: str | None = None


def get_local_path(storage: Storage, original_storage_path: str) -> str | None:
    """Return where a file lies on this machine, or ``None`` for a storage without paths.

    Raises:
        SuspiciousFileOperation: the path leads out of the storage.
    """
    if isinstance(storage, InMemoryStorage):
        return None  # its path() names a place on disk where its files are not
    try:
        return storage.path(original_storage_path)
    except NotImplementedError:
        return None


def leads_out(storage: Storage, name: str) -> bool:
    """Return whether the folder of a name is a symbolic link, or below one, out of a storage.

    Files there are never delivered: see `proxy_storage.serving.local`.

    Args:
        storage: an original storage.
        name: the name of a file to save.

    Raises:
        SuspiciousFileOperation: the name leads out of the storage by itself.
    """
    root, path = get_local_path(storage, ""), get_local_path(storage, name)
    if root is None or path is None:
        return False
    folder = Path(os.path.realpath(os.path.dirname(path)))
    return not folder.is_relative_to(os.path.realpath(root))


def get_own_path(storage: Storage, path: str) -> str:
    """Return the path of an object in the one form in which records have it.

    Raises:
        InvalidNameError: the storage has no paths of its own, and this is no plain one.
    """
    if isinstance(storage, FileSystemStorage | InMemoryStorage):
        return os.path.relpath(storage.path(path), storage.location)
    if path.lstrip("/") != posixpath.normpath(path.lstrip("/")):
        raise InvalidNameError(f"{path!r} has empty or dot parts.", name=path)
    return path


def get_full_path(storage: Storage, original_storage_path: str) -> str:
    """Return the full path of an object of a storage, cleaned.

    That is what its ``path()`` says, or the path under ``/`` where it has no ``path()``.
    """
    local_path = get_local_path(storage, original_storage_path)
    return clean_path(original_storage_path if local_path is None else local_path)


def supports_exclusive_create(storage: Storage) -> bool:
    """Tell whether two saves at once can never end in one object of this storage.

    Django's `FileSystemStorage` creates files with ``O_EXCL`` and so promises it, unless
    it is told to overwrite. Other storages make the promise with the attribute
    ``supports_exclusive_create = True``; they also clean up after a save of theirs that fails.
    For all the rest a proxy storage adds a random token to each name, since the
    exists-then-write of object stores has lost files of many projects.
    """
    promise = getattr(storage, "supports_exclusive_create", None)
    if promise is not None:
        return bool(promise)
    # a subclass with a method of its own may do anything
    for method in ("_save", "get_available_name"):
        # through getattr, so that Django's lazy default storage is seen as what it wraps
        function = getattr(getattr(storage, method, None), "__func__", None)
        if function is not getattr(FileSystemStorage, method):
            return False
    flags = getattr(storage, "OS_OPEN_FLAGS", os.O_EXCL)  # gone in Django 6.0
    return bool(flags & os.O_EXCL) and not getattr(storage, "_allow_overwrite", False)


def may_save_exclusively(storage: Storage) -> bool:
    """Tell whether a class can declare ``supports_exclusive_create = True`` and keep the promise.

    One that overwrites by its options cannot, and object stores look for a name before they
    write.
    """
    overwrites = getattr(storage, "_allow_overwrite", False) or is_s3(storage)
    is_declared = getattr(storage, "supports_exclusive_create", None) is not None
    return not (overwrites or is_declared or isinstance(storage, InMemoryStorage))


def get_max_name_bytes(storage: Storage) -> int | None:
    """Return how many bytes a whole name may have, or ``None`` for files on the local disk.

    Object stores count the folder that the storage puts in front of each name.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
    """
    if get_local_path(storage, "x") is not None:
        return None
    location = getattr(storage, "location", "")
    folder = f"{location.strip('/')}/" if isinstance(location, str) and location else ""
    return MAX_KEY_BYTES - len(folder.encode())


def watch_names(storage: Storage) -> tuple[Storage, list[str]]:
    """Return a twin of a storage for one save, and the list of names that it will try.

    The last of them is where a save that failed half way has left its part of the file.
    """
    twin = copy.copy(storage)
    get_available_name = twin.get_available_name
    tried: list[str] = []

    def get_and_note(name: str, max_length: int | None = None) -> str:
        found = get_available_name(name, max_length=max_length)
        # Another process has created this file and removed it, or a file system refuses a name
        # that has become too long by its random part.
        if found in tried or has_long_part(found):
            found = unique_name(name, max_length, SHORT_TOKEN_LENGTH)
        tried.append(found)
        return found

    vars(twin)["get_available_name"] = get_and_note  # before the method of its class
    return twin, tried


def remove_bytes(storage: Storage, original_storage_path: str, error: BaseException) -> None:
    """Remove what an operation that failed has written; note on its error what is left."""
    try:
        storage.delete(original_storage_path)
    except Exception as failure:  # noqa: BLE001  (the first error is the one to see)
        error.add_note(f"The bytes at {original_storage_path!r} are left behind: {failure}")


def get_public_address(storage: Storage) -> str | None:
    """Return what makes the files of a storage public by a URL of its own, if anything does.

    Whoever knows or guesses such a URL reads the file without being asked who they are.
    """
    if isinstance(storage, FileSystemStorage):
        if getattr(storage, "_base_url", None) is not None:
            return f"base_url={storage.base_url!r}"
        media_root = Path(settings.MEDIA_ROOT).resolve()
        is_published = settings.MEDIA_ROOT and settings.MEDIA_URL not in ("", "/")
        if is_published and Path(storage.location).resolve().is_relative_to(media_root):
            return f"its location in MEDIA_ROOT, which {settings.MEDIA_URL!r} shows"
    # options of django-storages
    if getattr(storage, "querystring_auth", True) is False:
        return "querystring_auth=False"
    domain = getattr(storage, "custom_domain", None)
    if domain and getattr(storage, "cloudfront_signer", None) is None:
        return f"custom_domain={domain!r}, whose URLs nobody signs"
    acl = getattr(storage, "default_acl", None)
    return f"default_acl={acl!r}" if str(acl).startswith("public") else None
