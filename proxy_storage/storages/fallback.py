"""Another original storage where one fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from proxy_storage.original_storages.inspect import NamedStorage
from proxy_storage.storages.lookup import get_all_originals
from proxy_storage.storages.multiple import MultipleOriginalStoragesMixin


class OriginalStorageFallbackMixin:
    """Mixed into an original storage, to say which of its errors are no reason to give up."""

    #: what a save may fail with for the next original storage to be tried
    fallback_exceptions: ClassVar[Sequence[type[BaseException]]] = ()


class FallbackProxyStorageMixin(MultipleOriginalStoragesMixin):
    """A proxy storage that saves to the first original storage that works.

    A save tries the original storages in their order. Where one fails with one of its
    ``fallback_exceptions`` (see `OriginalStorageFallbackMixin`), what it may have written
    is removed, and the next one gets the content from the first byte. Content that cannot
    be read again is not tried again. What the last one raises is raised.

    With ``using`` there is only the storage that it names; with ``original_storage_path``
    the first one.
    """

    def get_originals(self) -> Sequence[NamedStorage]:
        """Return all original storages."""
        return get_all_originals(self)
