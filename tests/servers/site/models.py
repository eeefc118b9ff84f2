from proxy_storage.meta_backends.orm import FileMetadataMixin, ProxyStorageModelBase


class StoredFile(FileMetadataMixin, ProxyStorageModelBase):
    """Records of all files of the site."""
