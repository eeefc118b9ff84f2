"""What has to be known about an original storage, whichever class it is of."""

import os

from django.core.files.storage import FileSystemStorage, Storage


def get_local_path(storage: Storage, original_storage_path: str) -> str | None:
    """Return where a file lies on this machine, or ``None`` for a storage without paths.

    Raises:
        SuspiciousFileOperation: the path leads out of the storage.
    """
    try:
        return storage.path(original_storage_path)
    except NotImplementedError:
        return None


def saves_exclusively(storage: Storage) -> bool:
    """Tell whether two saves at once can never end in one object of this storage.

    Django's `FileSystemStorage` creates files with ``O_EXCL`` and so promises it, unless
    it is told to overwrite. Other storages make the promise with the attribute
    ``saves_exclusively = True``. For all the rest a proxy storage adds a random token to
    each name, since the exists-then-write of object stores has lost files of many
    projects.
    """
    promise = getattr(storage, "saves_exclusively", None)
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
