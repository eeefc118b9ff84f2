"""The URL of a file where a project has no download endpoint: the original storage's own.

Pages list many files, and one of them must not take the page down. Django's admin does not
catch errors of ``url()`` in its lists.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING
from urllib.parse import quote

from django.core.exceptions import SuspiciousOperation, SynchronousOnlyOperation
from django.core.files.storage import Storage

from proxy_storage.exceptions import ConfigurationError, MetaBackendError
from proxy_storage.storages import lookup

if TYPE_CHECKING:
    from proxy_storage.storages.base import ProxyStorageBase

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
