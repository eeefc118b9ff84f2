"""Folders and files, as the paths of records make them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from proxy_storage.exceptions import ProxyFileNotFoundError
from proxy_storage.paths import clean_path, is_literal_path, normalize_name
from proxy_storage.registry import get_proxy_storage_name
from proxy_storage.storages.lookup import get_roots

if TYPE_CHECKING:
    from proxy_storage.storages.base import ProxyStorageBase


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
