"""Proxy storages, and an original storage of our own in MongoDB's GridFS.

The ways to build a proxy storage: subclass `base.ProxyStorageBase`, with the mixins of
`multiple`, `fallback` and `facts`, or name `ProxyStorage` in ``STORAGES``.
"""

from proxy_storage.storages.configured import ProxyStorage

__all__ = ["ProxyStorage"]
