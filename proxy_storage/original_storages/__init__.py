"""Original storages: their properties, reading from the middle of a file, presigned URLs."""

from proxy_storage.original_storages.sources import Readable, Source, StorageSource

__all__ = ["Readable", "Source", "StorageSource"]
