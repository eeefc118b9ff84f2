"""The former module of `proxy_storage.storages.metadata`, for existing imports."""

from proxy_storage.storages.metadata import FileFactsProxyStorageMixin as FileFactsProxyStorageMixin
