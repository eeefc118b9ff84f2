"""Former import path of the names in `proxy_storage.original_storages`."""

from proxy_storage.original_storages import Readable, Source, StorageSource

__all__ = ["Readable", "Source", "StorageSource"]
