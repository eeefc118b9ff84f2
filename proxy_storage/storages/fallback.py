"""Save to another original storage if one fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from proxy_storage.original_storages.inspect import NamedStorage
from proxy_storage.storages.lookup import get_all_originals
from proxy_storage.storages.multiple import MultipleOriginalStoragesMixin


class OriginalStorageFallbackMixin:
    """A mixin for original storages that declares after which errors a fallback is tried."""

    #: the exceptions of a save after which the next original storage is tried
    fallback_exceptions: ClassVar[Sequence[type[BaseException]]] = ()


class FallbackProxyStorageMixin(MultipleOriginalStoragesMixin):
    """A proxy storage that saves to the first original storage that works.

    A save tries the original storages in their order. If one fails with one of its
    ``fallback_exceptions`` (see `OriginalStorageFallbackMixin`), the bytes that it has written
    are deleted, and the next one gets the content from the first byte. If the content cannot be
    read a second time, no other storage is tried. The error of the last storage is raised.

    With ``using``, only the named storage is tried; with ``original_storage_path``, only the
    first one.
    """

    def get_originals(self) -> Sequence[NamedStorage]:
        """Return all original storages."""
        return get_all_originals(self)
