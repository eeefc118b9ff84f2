"""Folders and files, as the paths of records make them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy_storage.exceptions import ProxyFileNotFoundError
from proxy_storage.paths import clean_path, is_literal_path
from proxy_storage.registry import get_proxy_storage_name

if TYPE_CHECKING:
    from proxy_storage.storages.base import ProxyStorageBase


def list_folder(storage: ProxyStorageBase, path: str) -> tuple[list[str], list[str]]:
    """Return the names of folders and of files right below a path, both sorted.

    Raises:
        ProxyFileNotFoundError: the storage has no record below this path.
    """
    if not is_literal_path(path):
        raise ProxyFileNotFoundError(f"A path is text; {path!r} is none.", path=path)
    folder = clean_path(path).rstrip("/") + "/"
    folders: set[str] = set()
    files: set[str] = set()
    where = {"proxy_storage_name": get_proxy_storage_name(storage)}
    for record in storage.meta_backend.filter(where, path_prefix=folder):
        name, slash, _ = record["path"][len(folder) :].partition("/")
        (folders if slash else files).add(name)
    if folder != "/" and not folders and not files:
        raise ProxyFileNotFoundError(f"No record has a path below {folder!r}.", path=path)
    return sorted(folders), sorted(files)
