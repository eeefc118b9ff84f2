"""Proxy storages, and an original storage in MongoDB's GridFS.

To define a proxy storage, name `ProxyStorage` in ``STORAGES``, or subclass
`base.ProxyStorageBase`, with the mixins of `multiple`, `fallback` and `metadata` if needed.
"""

from proxy_storage.storages.configured import ProxyStorage

__all__ = ["ProxyStorage"]
