"""Find the record, the path or the bytes that a name means.

A record has one path. Callers may also pass a name relative to the storage, the path of the bytes
on the local disk, or a name that another proxy storage has returned.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.core.exceptions import (
    ImproperlyConfigured,
    SuspiciousFileOperation,
    SuspiciousOperation,
    SynchronousOnlyOperation,
)
from django.core.files.storage import Storage
from django.db.models import Q
from django.utils.functional import LazyObject

from proxy_storage import registry
from proxy_storage.exceptions import (
    ConfigurationError,
    InvalidNameError,
    LocalPathError,
    MetaBackendError,
    MetaBackendObjectDoesNotExist,
)
from proxy_storage.original_storages.inspect import (
    NamedStorage,
    get_full_path,
    supports_exclusive_create,
)
from proxy_storage.paths import (
    SHORT_TOKEN_LENGTH,
    clean_path,
    get_text,
    is_literal_path,
    normalize_name,
    strip_token,
    validate_name,
)
from proxy_storage.transactions import savepoint

if TYPE_CHECKING:
    from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
    from proxy_storage.storages.base import ProxyStorageBase

FULL, PREFIXED, RELATIVE = PATH_KINDS = ("full", "prefixed", "relative")

# The number of characters of a stem that are compared to find records whose path was shortened.
KEPT_OF_STEM = 8

# The errors for which `get_original_url` returns a URL without a file: the record or the URL does
# not exist, the name is not valid, or the database does not answer or must not block an event loop.
NO_URL_ERRORS = (
    ConfigurationError,
    FileNotFoundError,
    MetaBackendError,
    NotImplementedError,
    SuspiciousOperation,
    SynchronousOnlyOperation,
    ValueError,
)


# The kind of the paths


def get_path_kind(storage: ProxyStorageBase) -> str:
    """Return the kind of a storage's paths: ``"full"``, ``"prefixed"`` or ``"relative"``.

    The instance decides, then its class, then each of its bases. A ``path_prefix`` makes paths
    prefixed, and a ``get_path`` method of a project makes them full.
    """
    for namespace in _get_namespaces(storage):
        if namespace.get("path_prefix") is not None:
            return PREFIXED
        if namespace.get("paths") is not None:
            return str(namespace["paths"])
        if "get_path" in namespace:
            return FULL
    raise AssertionError("unreachable: ProxyStorageBase has the attribute")  # pragma: no cover


def _get_namespaces(storage: Any) -> list[Mapping[str, Any]]:
    """Return the attributes of an instance itself, of its class, and of each of its bases."""
    if isinstance(storage, LazyObject):
        # Django's default_storage. Its methods are those of the storage that it wraps.
        storage = storage.get_meta_backend_obj.__self__
    return [vars(storage), *map(vars, type(storage).__mro__)]


def check_path_kind(storage: ProxyStorageBase) -> None:
    """Check that the attributes ``paths``, ``path_prefix`` and ``get_path`` fit together.

    Raises:
        ConfigurationError: they do not.
    """
    cls = type(storage).__qualname__
    kind = storage.paths
    if kind not in PATH_KINDS:
        raise ConfigurationError(
            f"paths of {cls} must be one of {', '.join(map(repr, PATH_KINDS))}, not {kind!r}."
        )
    for namespace in _get_namespaces(storage):
        kind = namespace.get("paths", "")
        prefix = namespace.get("path_prefix")
        if kind == PREFIXED and storage.path_prefix is None:
            raise ConfigurationError(f"paths='prefixed' of {cls} needs a path_prefix.")
        if kind in (FULL, RELATIVE) and prefix is not None:
            raise ConfigurationError(
                f"{cls} has paths={kind!r} and path_prefix={prefix!r}. Remove one of the two."
            )
        if kind == RELATIVE and "get_path" in namespace:
            raise ConfigurationError(
                f"{cls} has paths='relative', which does not call its get_path(). Remove one of "
                "the two."
            )


def uses_unique_names(storage: ProxyStorageBase, original: Storage) -> bool:
    """Return whether bytes get a name of their own, which the path of the record does not show."""
    return get_path_kind(storage) == RELATIVE and (
        storage.unique_original_names or not supports_exclusive_create(original)
    )


# Original storages, and the beginnings of the paths of their files


def get_all_originals(storage: Any) -> list[NamedStorage]:
    """Return all original storages, including those that a save does not try."""
    if hasattr(storage, "get_original_storages"):
        named = storage.get_original_storages()
        return [NamedStorage(original, name) for name, original in named.items()]
    return [NamedStorage(storage.get_original_storage())]


def get_root(storage: ProxyStorageBase, original: Storage) -> str | None:
    """Return the text that the paths of an original storage's files begin with.

    Returns:
        ``None`` if a project's ``get_path`` makes paths of another form.
    """
    path = storage.get_path(original, "x")
    return path.removesuffix("x") if path.endswith("x") else None


def get_local_root(original: Storage) -> str | None:
    """Return the local folder of an original storage with a slash, or ``None``."""
    try:
        return posixpath.join(clean_path(os.fspath(original.path(""))), "")
    except (NotImplementedError, SuspiciousFileOperation):
        return None


def get_roots(storage: ProxyStorageBase) -> list[str]:
    """Return the texts that precede a relative name in the paths of records, the longest first.

    If the paths of the storage have become relative, earlier records have full paths.
    """
    is_relative = get_path_kind(storage) == RELATIVE
    roots: set[str | None] = set()
    for original, _name in get_all_originals(storage):
        roots.add(get_root(storage, original))
        if is_relative:
            roots.add(get_full_path(original, "x").removesuffix("x"))
    return sorted((root for root in roots if root is not None), key=len, reverse=True)


def get_display_path(storage: ProxyStorageBase, record: Mapping[str, Any]) -> str:
    """Return the path of a record without the folders of the server.

    A record may be older than the present kind of the paths, or than the present folder. So an
    absolute path of another form is shortened to its last part.
    """
    path: str = record["path"]
    if not path.startswith("/"):
        return path
    full_roots = get_full_roots(storage)
    for root in full_roots:
        if root != "/" and path.startswith(root):
            return path.removeprefix(root)
    if get_path_kind(storage) == PREFIXED and path.startswith(get_roots(storage)[0]):
        return path
    if "/" in full_roots and path == clean_path(record["original_storage_path"]):
        return path.removeprefix("/")
    return posixpath.basename(path)


def get_full_roots(storage: ProxyStorageBase) -> list[str]:
    """Return the texts that full paths begin with, the longest first.

    For an original storage without local files, this is a slash.
    """
    roots = {
        get_full_path(one.storage, "x").removesuffix("x") for one in get_all_originals(storage)
    }
    return sorted(roots, key=len, reverse=True)


def get_plain_name(name: Any) -> str | None:
    """Return a valid relative name in its normal form; ``None`` for any other value."""
    try:
        return normalize_name(validate_name(name))
    except InvalidNameError:
        return None


def split_path(storage: ProxyStorageBase, path: str) -> Iterator[tuple[NamedStorage, str]]:
    """Return the places that the bytes of a path may have: the inverse of ``get_path``.

    Returns:
        Each original storage that has such paths, and the name there. A path of another form
        has no places.
    """
    for original in get_all_originals(storage):
        root = get_root(storage, original.storage)
        if root is None or not path.startswith(root):
            continue
        name = path.removeprefix(root)
        if get_plain_name(name) == name and storage.get_path(original.storage, name) == path:
            yield original, name


def split_local_path(storage: ProxyStorageBase, path: str) -> Iterator[tuple[NamedStorage, str]]:
    """Return the places that the bytes at a local path may have.

    Args:
        storage: the proxy storage.
        path: an absolute path, in its clean form.

    Returns:
        Each original storage whose folder has the path, and the name there. The name is empty
        for the folder itself.
    """
    for original in get_all_originals(storage):
        root = get_local_root(original.storage)
        if root is not None and posixpath.join(path, "").startswith(root):
            yield original, path[len(root) :]


# Records


def find_record(storage: ProxyStorageBase, name: Any) -> MetaBackendObject | None:
    """Return the record that a name means. If it is the path of the record, this is one query."""
    own_name = registry.get_proxy_storage_name(storage)
    for path in chain((name,), _get_other_paths(storage, name)):
        with suppress(MetaBackendObjectDoesNotExist):
            record = storage.meta_backend.get(path)
            if record["proxy_storage_name"] == own_name:
                return record
    if is_literal_path(name) and name.startswith("/") and get_path_kind(storage) != FULL:
        for original, original_name in split_local_path(storage, clean_path(name)):
            if original_name:
                found = _find_by_bytes(storage, own_name, original, original_name)
                if found is not None:
                    return found
    return None


def find_records(
    files: Iterable[tuple[ProxyStorageBase, str]],
) -> list[MetaBackendObject | None]:
    """Return the records of many files; one query for each meta backend.

    Args:
        files: the proxy storage and the name of each file. The name is the path of a record or a
            relative name; the path of the bytes on the local disk is not looked up.

    Returns:
        The records in the same order; ``None`` for a file without record.
    """
    wanted = []
    paths: dict[MetaBackendBase, dict[str, None]] = {}
    for storage, name in files:
        own_name = registry.get_proxy_storage_name(storage)
        names = (name, *_get_other_paths(storage, name))
        paths.setdefault(storage.meta_backend, {}).update(dict.fromkeys(names))
        wanted.append([(storage.meta_backend, path, own_name) for path in names])
    found = {
        (meta_backend, record["path"], record["proxy_storage_name"]): record
        for meta_backend, all_names in paths.items()
        for record in meta_backend.select(Q(path__in=list(all_names)))
    }
    return [next((found[key] for key in keys if key in found), None) for keys in wanted]


def _get_other_paths(storage: ProxyStorageBase, name: Any) -> Iterator[str]:
    """Return the paths that a relative name means, except the name itself."""
    plain = get_plain_name(name)
    if plain is None:
        return
    is_relative = get_path_kind(storage) == RELATIVE
    if is_relative and plain != name:
        yield plain
    make_path = get_full_path if is_relative else storage.get_path
    yield from dict.fromkeys(
        make_path(original.storage, plain) for original in get_all_originals(storage)
    )


def _find_by_bytes(
    storage: ProxyStorageBase, own_name: str, original: NamedStorage, original_storage_path: str
) -> MetaBackendObject | None:
    """Return the record of a file of an original storage.

    Records have no index for this. The path of the record is usually similar to the path of the
    bytes, so that similar paths are tried first. All records of the storage are read only if the
    file exists and has a different name.
    """
    where = {"proxy_storage_name": own_name, "original_storage_path": original_storage_path}

    def is_wanted(record: MetaBackendObject) -> bool:
        name = storage.get_original_storage_name(record)
        return original.name in (None, name) and all(
            record.get(key) == value for key, value in where.items()
        )

    stripped = strip_token(original_storage_path)
    paths = [storage.get_path(original.storage, name) for name in (stripped, original_storage_path)]
    for path in dict.fromkeys(paths):
        with suppress(MetaBackendObjectDoesNotExist):
            record = storage.meta_backend.get(path)
            if is_wanted(record):
                return record
    folder, file_name = posixpath.split(paths[0])
    similar = posixpath.join(folder, file_name[:KEPT_OF_STEM])
    for path_prefix in (similar, ""):
        records = storage.meta_backend.filter(where, path_prefix=path_prefix)
        for record in filter(is_wanted, records):
            return record
        if not original.storage.exists(original_storage_path):
            break
    return None


# Names for new files


def get_name_to_save(storage: ProxyStorageBase, name: Any) -> Any:
    """Return the relative name that a storage saves a file under; other names unchanged.

    Libraries derive the name of a variation from the name of a file, ``/pics/a.thumb.png`` from
    ``/pics/a.png``, and open it later. So an absolute name below the root of this storage keeps
    its folder. If a record has the name, it was returned by a storage: its last part is used.
    """
    if isinstance(name, str) and not name.startswith("/"):
        return name
    name = get_text(name)
    returned = get_returned_name(storage, name)
    if returned is name or storage.meta_backend.exists(name):
        return returned
    for root in get_roots(storage):
        if root and name.startswith(root):
            return name.removeprefix(root)
    return returned


def get_returned_name(storage: Any, name: Any) -> Any:
    """Return the last part of a name that a proxy storage has returned; other names unchanged.

    Such a name is the path of a record, or a path on the local disk. It may be passed to
    ``save`` again, of this storage or of another one. If the paths of a storage have no root
    except ``/``, any absolute name could be one of them, so that a record must have it.
    """
    if isinstance(name, str) and not name.startswith("/"):
        return name
    name = get_text(name)
    if not is_literal_path(name) or not name.startswith("/") or clean_path(name) != name:
        return name
    # With the prefix "/", each absolute name can be a path of this storage.
    has_root_prefix = getattr(storage, "path_prefix", None) == "/"
    if (
        (has_root_prefix and get_path_kind(storage) == PREFIXED)
        or _is_below_a_root(name)
        or _has_record(storage, name)
    ):
        return posixpath.basename(name)
    return name


def _is_below_a_root(name: str) -> bool:
    """Return whether a path lies below the prefix or the folder of a registered proxy storage."""
    roots = set().union(*map(_get_outer_roots, _get_storages()))
    return any(name.startswith(root) for root in roots - {"/"})


def _get_outer_roots(storage: ProxyStorageBase) -> set[str]:
    """Return the prefixes of the paths of a storage, and its folders on the local disk."""
    return {
        root
        for original, _name in get_all_originals(storage)
        for root in (get_root(storage, original), get_local_root(original))
        if root
    }


def _has_record(storage: Any, name: str) -> bool:
    """Return whether a record of any storage whose root is ``/`` has an absolute name.

    The meta backend of the storage itself comes first, since the database of another one may not
    answer, or may not have the table yet.
    """
    own = getattr(storage, "meta_backend", None)
    others = dict.fromkeys(
        each.meta_backend for each in _get_storages() if "/" in _get_outer_roots(each)
    )
    # The name may be one to which `get_available_name` has added a random part.
    paths = dict.fromkeys((name, strip_token(name, SHORT_TOKEN_LENGTH)))
    if own in others and any(map(own.exists, paths)):
        return True
    return any(_has_record_elsewhere(other, name) for other in others if other != own)


def _has_record_elsewhere(meta_backend: MetaBackendBase, name: str) -> bool:
    """Return whether a record of another storage has a path. A failed query is a no."""
    # Without a savepoint, a failed query would end the transaction around the save.
    no_answer = suppress(MetaBackendError, ImproperlyConfigured)
    with no_answer, savepoint(meta_backend.get_transaction_alias()):
        return meta_backend.exists(name)
    return False


def _get_storages() -> Iterator[ProxyStorageBase]:
    """Yield the registered proxy storages."""
    for proxy_storage_name in registry.get_proxy_storage_names():
        # A storage that cannot be built has not returned names.
        with suppress(ImproperlyConfigured):
            yield registry.get_proxy_storage(proxy_storage_name)


# Files without a look at their records


def get_path_of_name(storage: ProxyStorageBase, name: str) -> str:
    """Return the path that a relative name means, without a query."""
    plain = get_plain_name(name)
    if plain is None:
        return name
    if get_path_kind(storage) == RELATIVE:
        return plain
    return storage.get_path(get_all_originals(storage)[0].storage, plain)


def get_paths_of_name(storage: ProxyStorageBase, name: str) -> list[str]:
    """Return all paths that a relative name can mean, without a query.

    Args:
        storage: the proxy storage.
        name: the name. One that is not valid, or not in its normal form, has no paths.
    """
    if get_plain_name(name) != name:
        return []
    own = [name] if get_path_kind(storage) == RELATIVE else []
    return list(dict.fromkeys((*own, *_get_other_paths(storage, name))))


def get_local_path_of_missing(storage: ProxyStorageBase, name: Any) -> str:
    """Return the local path that a file without record would have.

    Raises:
        LocalPathError: the original storage has no local paths, or does not accept the name.
    """
    places: Iterator[tuple[NamedStorage, str]] = iter(())
    if is_literal_path(name):
        if name.startswith("/"):
            # Local paths come first. With the prefix "/", they look like other paths.
            local_places = split_local_path(storage, clean_path(name))
            places = chain(local_places, split_path(storage, name))
        else:
            places = iter([(get_all_originals(storage)[0], name)])
    for original, original_name in places:
        with suppress(NotImplementedError, SuspiciousFileOperation):
            return original.storage.path(original_name)
    raise LocalPathError(
        f"No record has the path {name!r}, and the original storage of "
        f"{type(storage).__name__} has no local path for it.",
        path=name,
    )


def get_original_url(storage: ProxyStorageBase, name: str | None) -> str:
    """Return the URL that the original storage has for a file.

    A record is read only if the bytes have a name that the path does not show. Errors are not
    raised: Django's admin does not catch errors of ``url()`` in its lists, so that one file
    would make the whole page fail.

    Returns:
        ``#`` and the name, if the original storage does not have a URL for it.
    """
    try:
        original, original_name = _locate(storage, name)
        return original.url(original_name)
    except NO_URL_ERRORS:
        shown = str(name or "")
        if shown.startswith("/"):
            # No URL shows a local folder.
            places = split_path(storage, shown)
            shown = next((plain for _original, plain in places), posixpath.basename(shown))
        return f"#{quote(shown, errors='replace')}"


def _locate(storage: ProxyStorageBase, name: str | None) -> tuple[Storage, str | None]:
    """Return the original storage of a file, and its name there; from the path if possible."""
    originals = [original for original, _name in get_all_originals(storage)]
    if not name:
        return originals[0], name
    if not any(uses_unique_names(storage, original) for original in originals):
        # The shorter the name, the longer the root that the path begins with.
        places = sorted(split_path(storage, name), key=lambda place: len(place[1]))
        if not places and len(originals) == 1 and not name.startswith("/"):
            return originals[0], name
        if len(places) == 1 or (places and len(places[0][1]) < len(places[1][1])):
            original, original_name = places[0]
            return original.storage, original_name
    record = storage.get_meta_backend_obj(name)
    return storage.get_original_storage(record), record["original_storage_path"]
