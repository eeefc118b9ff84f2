from proxy_storage.meta_backends.orm import FileFactsMixin, ProxyStorageModelBase


class StoredFile(FileFactsMixin, ProxyStorageModelBase):
    """Records of all files of the site."""
