"""From a name to its record, and from a path to the bytes: names as callers give them.

A record has one literal path. Callers also use a name relative to the storage, the path on
the local disk, or a name that another storage has returned.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping
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
from proxy_storage.storages import lookup
from proxy_storage.transactions import savepoint

if TYPE_CHECKING:
    from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
    from proxy_storage.storages.base import ProxyStorageBase

FULL, PREFIXED, RELATIVE = PATH_KINDS = ("full", "prefixed", "relative")

# Characters of a stem by which records are looked for whose path had to be cut.
KEPT_OF_STEM = 8


def get_path_kind(storage: ProxyStorageBase) -> str:
    """Return the kind of a storage's paths: ``"full"``, ``"prefixed"`` or ``"relative"``.

    What is nearest decides: the instance, then its class, then each of its bases. A prefix
    makes paths prefixed, and a ``get_path`` of a project's own makes them full.
    """
    for namespace in _get_namespaces(storage):
        if namespace.get("path_prefix") is not None:
            return PREFIXED
        if namespace.get("paths") is not None:
            return str(namespace["paths"])
        if "get_path" in namespace:
            return FULL
    raise AssertionError("unreachable: ProxyStorageBase has the attribute")  # pragma: no cover


def _get_namespaces(storage: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the attributes of an instance itself, of its class, and of each of its bases."""
    if isinstance(storage, LazyObject):
        # Django's default_storage; the methods are those of the storage that it stands for.
        storage = storage.get_meta_backend_obj.__self__
    yield vars(storage)
    yield from map(vars, type(storage).__mro__)


def check_path_kind(storage: ProxyStorageBase) -> None:
    """Make sure that the attributes about paths fit together.

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
    """Tell whether bytes get a name of their own, which their path does not show."""
    return get_path_kind(storage) == RELATIVE and (
        storage.unique_original_names or not supports_exclusive_create(original)
    )


def get_all_originals(storage: Any) -> list[NamedStorage]:
    """Return all original storages, also those that a save does not try."""
    if hasattr(storage, "get_original_storages"):
        named = storage.get_original_storages()
        return [NamedStorage(original, name) for name, original in named.items()]
    return [NamedStorage(storage.get_original_storage())]


def get_root(storage: ProxyStorageBase, original: Storage) -> str | None:
    """Return the text that the paths of an original's files begin with.

    Returns:
        ``None`` if a ``get_path`` of a project's own makes paths of another form.
    """
    path = storage.get_path(original, "x")
    return path.removesuffix("x") if path.endswith("x") else None


def get_local_root(original: Storage) -> str | None:
    """Return the folder of an original storage as its ``path()`` has it, with a slash."""
    try:
        return posixpath.join(clean_path(os.fspath(original.path(""))), "")
    except (NotImplementedError, SuspiciousFileOperation):
        return None


def get_roots(storage: ProxyStorageBase) -> list[str]:
    """Return what stands before a relative name in the paths of records, the longest first.

    Records from before the paths of a storage were relative have the full path.
    """
    roots: set[str | None] = set()
    for original, _name in get_all_originals(storage):
        roots.add(get_root(storage, original))
        if get_path_kind(storage) == RELATIVE:
            roots.add(get_full_path(original, "x").removesuffix("x"))
    return sorted((root for root in roots if root is not None), key=len, reverse=True)


def split_path(storage: ProxyStorageBase, path: str) -> Iterator[tuple[NamedStorage, str]]:
    """Return where the bytes of a path lie, by the path alone: the inverse of ``get_path``.

    Returns:
        Each original storage that has such paths, and the name there. Nothing of a path of
        another form.
    """
    for original in get_all_originals(storage):
        root = get_root(storage, original.storage)
        name = path[len(root or "") :]
        if root is None or not path.startswith(root) or not is_plain_name(name):
            continue
        if storage.get_path(original.storage, name) == path:
            yield original, name


def is_plain_name(name: str) -> bool:
    """Tell whether a name is relative and has nothing to resolve."""
    return get_plain_name(name) == name


def get_plain_name(name: Any) -> str | None:
    """Return a relative name in its normal form; ``None`` for anything else."""
    try:
        return normalize_name(validate_name(name))
    except InvalidNameError:
        return None


def find_record(storage: ProxyStorageBase, name: Any) -> MetaBackendObject | None:
    """Return the record that a name means; one query if it is the record's path."""
    own_name = registry.get_proxy_storage_name(storage)
    for path in chain((name,), _get_other_paths(storage, name)):
        with suppress(MetaBackendObjectDoesNotExist):
            record = storage.meta_backend.get(path)
            if record["proxy_storage_name"] == own_name:
                return record
    if is_literal_path(name) and name.startswith("/") and get_path_kind(storage) != FULL:
        return _find_by_local_path(storage, clean_path(name))
    return None


def _get_other_paths(storage: ProxyStorageBase, name: Any) -> Iterator[str]:
    """Return the paths that a relative name stands for, other than the name itself."""
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


def _find_by_local_path(storage: ProxyStorageBase, path: str) -> MetaBackendObject | None:
    """Return the record of the bytes at a path on the local disk.

    No index helps to find bytes, but their name and their path are usually alike. All
    records are read only for a file that is there, and that has another name.
    """
    for original, name in split_local_path(storage, path):
        record = _find_by_bytes(storage, original, name) if name else None
        if record is not None:
            return record
    return None


def split_local_path(storage: ProxyStorageBase, path: str) -> Iterator[tuple[NamedStorage, str]]:
    """Return where the bytes at a path on the local disk lie.

    Args:
        storage: the proxy storage.
        path: an absolute path, in its clean form.

    Returns:
        Each original storage that the path is in, and the name there; an empty one for the
        folder of the original storage itself.
    """
    for original in get_all_originals(storage):
        root = get_local_root(original.storage)
        if root is not None and posixpath.join(path, "").startswith(root):
            yield original, path[len(root) :]


def _find_by_bytes(
    storage: ProxyStorageBase, original: NamedStorage, original_storage_path: str
) -> MetaBackendObject | None:
    where = {
        "proxy_storage_name": registry.get_proxy_storage_name(storage),
        "original_storage_path": original_storage_path,
    }

    def is_meant(record: MetaBackendObject) -> bool:
        name = storage.get_original_storage_name(record)
        return original.name in (None, name) and all(
            record.get(key) == value for key, value in where.items()
        )

    stripped = strip_token(original_storage_path)
    paths = [storage.get_path(original.storage, name) for name in (stripped, original_storage_path)]
    for path in dict.fromkeys(paths):
        with suppress(MetaBackendObjectDoesNotExist):
            record = storage.meta_backend.get(path)
            if is_meant(record):
                return record
    folder, file_name = posixpath.split(paths[0])
    near = posixpath.join(folder, file_name[:KEPT_OF_STEM])
    for path_prefix in (near, ""):
        for record in filter(is_meant, storage.meta_backend.filter(where, path_prefix=path_prefix)):
            return record
        if not original.storage.exists(original_storage_path):
            break
    return None


def get_returned_name(storage: Any, name: Any) -> Any:
    """Return the last part of a name that a proxy storage has returned; others unchanged.

    Such a name is the path of a record, or a path on the local disk. It may be handed to
    ``save`` again, to this storage or to another one. Any absolute path can begin with ``/``,
    so the paths of a storage without another root need a record.
    """
    name = get_text(name)
    if not is_literal_path(name) or not name.startswith("/") or clean_path(name) != name:
        return name
    # With the prefix "/", each absolute name can be a path of this storage.
    is_returned = _is_prefixed(storage) or _is_below_a_root(name) or _has_record(storage, name)
    return posixpath.basename(name) if is_returned else name


def _is_prefixed(storage: Any) -> bool:
    return getattr(storage, "path_prefix", None) == "/" and get_path_kind(storage) == PREFIXED


def _is_below_a_root(name: str) -> bool:
    """Tell whether a path lies below the prefix or the folder of any registered proxy storage."""
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
    """Tell whether a record has an absolute name with nothing but a slash in front of it.

    It could also be a mistake or an attack. The records of the storage itself are asked first:
    those of others may be in a database that does not answer, or in a table that does not exist
    yet.
    """
    own = getattr(storage, "meta_backend", None)
    others = dict.fromkeys(
        each.meta_backend for each in _get_storages() if "/" in _get_outer_roots(each)
    )
    if own in others and _has_own_record(own, name):
        return True
    return any(_has_record_elsewhere(other, name) for other in others if other != own)


def _has_own_record(meta_backend: MetaBackendBase, name: str) -> bool:
    """Tell whether a record has this path, or the one that ``get_available_name`` makes it of."""
    paths = dict.fromkeys((name, strip_token(name, SHORT_TOKEN_LENGTH)))
    return any(map(meta_backend.exists, paths))


def _has_record_elsewhere(meta_backend: MetaBackendBase, name: str) -> bool:
    """Tell whether a record of other storages has a path; not if they cannot be asked."""
    # Without a savepoint, a query that fails would end the transaction that the save is part of.
    is_no_answer = suppress(MetaBackendError, ImproperlyConfigured)
    with is_no_answer, savepoint(meta_backend.get_transaction_alias()):
        return meta_backend.exists(name)
    return False


def get_name_to_save(storage: ProxyStorageBase, name: Any) -> Any:
    """Return the relative name that a storage saves a file under; others unchanged.

    A library makes the name of a variation of the name of a file, ``/pics/a.thumb.png`` of
    ``/pics/a.png``, and comes back for it: below the root of this storage it keeps its folder. A
    name that a record has already is one that a storage has returned: its last part is used.
    """
    name = get_text(name)
    returned = get_returned_name(storage, name)
    if returned is name or storage.meta_backend.exists(name):
        return returned
    for root in get_roots(storage):
        if root and name.startswith(root):
            return name.removeprefix(root)
    return returned


def _get_storages() -> Iterator[ProxyStorageBase]:
    """Yield the registered proxy storages."""
    for proxy_storage_name in registry.get_proxy_storage_names():
        # A storage that cannot be built has not returned names.
        with suppress(ImproperlyConfigured):
            yield registry.get_proxy_storage(proxy_storage_name)


def get_path_of_name(storage: ProxyStorageBase, name: str) -> str:
    """Return the path that a relative name stands for, without looking for a record."""
    plain = get_plain_name(name)
    if plain is None:
        return name
    if get_path_kind(storage) == RELATIVE:
        return plain
    return storage.get_path(get_all_originals(storage)[0].storage, plain)


def get_local_path_to_be(storage: ProxyStorageBase, name: Any) -> str:
    """Return where a file without record would lie on the local disk.

    Raises:
        LocalPathError: the original storage has no local paths, or this name is not one of
            its names.
    """
    if is_literal_path(name):
        for original, plain in _get_places(storage, name):
            with suppress(NotImplementedError, SuspiciousFileOperation):
                return original.path(plain)
    raise LocalPathError(
        f"No record has the path {name!r}, and the original storage of "
        f"{type(storage).__name__} has no local path for it.",
        path=name,
    )


def _get_places(storage: ProxyStorageBase, name: str) -> Iterator[tuple[Storage, str]]:
    """Yield where a file of this name could lie; the original storage decides whether it may."""
    if not name.startswith("/"):
        yield get_all_originals(storage)[0].storage, name
        return
    # A path on the local disk comes first: with the prefix "/", it has the form of other paths.
    for original, plain in chain(
        split_local_path(storage, clean_path(name)), split_path(storage, name)
    ):
        yield original.storage, plain


# JOINED The URL of a file where a project has no download endpoint: the original storage's own.
#
# Pages list many files, and one of them must not take the page down. Django's admin does not
# catch errors of ``url()`` in its lists.
#

# no record, no database, no event loop that may wait for one, no URLs, not a valid name
NO_URL = (
    ConfigurationError,
    FileNotFoundError,
    MetaBackendError,
    NotImplementedError,
    SuspiciousOperation,
    SynchronousOnlyOperation,
    ValueError,
)


def get_original_url(storage: ProxyStorageBase, name: str | None) -> str:
    """Return the URL that the original storage has for a file.

    The path alone decides wherever it shows the name of the bytes. A record is read for
    relative paths, whose bytes have another name.

    Returns:
        ``#`` and the name, if the original storage does not have a URL for it.
    """
    try:
        original, original_name = _locate(storage, name)
        return original.url(original_name)
    except NO_URL:
        return f"#{quote(_get_shown_name(storage, str(name or '')), errors='replace')}"


def _locate(storage: ProxyStorageBase, name: str | None) -> tuple[Storage, str | None]:
    originals = [original for original, _name in lookup.get_all_originals(storage)]
    if not name:
        return originals[0], name
    if not any(lookup.uses_unique_names(storage, original) for original in originals):
        # the shorter the name, the longer the root that the path begins with
        places = sorted(lookup.split_path(storage, name), key=lambda place: len(place[1]))
        if not places and len(originals) == 1 and not name.startswith("/"):
            return originals[0], name
        if len(places) == 1 or (places and len(places[0][1]) < len(places[1][1])):
            original, original_name = places[0]
            return original.storage, original_name
    record = storage.get_meta_backend_obj(name)
    return storage.get_original_storage(record), record["original_storage_path"]


def _get_shown_name(storage: ProxyStorageBase, name: str) -> str:
    """Return a name as it is inside of the original storage: no URL shows a local folder."""
    if not name.startswith("/"):
        return name
    for _original, plain in lookup.split_path(storage, name):
        return plain
    return posixpath.basename(name)
