from django.conf import settings
from django.core.files.storage import FileSystemStorage

from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.storages.base import MultipleOriginalStoragesMixin, ProxyStorageBase
from proxy_storage.storages.metadata import FileMetadataProxyStorageMixin


class ArchiveStorage(
    FileMetadataProxyStorageMixin, MultipleOriginalStoragesMixin, ProxyStorageBase
):
    original_storages = [
        (name, FileSystemStorage(settings.TEST_FILES_ROOT / name)) for name in ("first", "second")
    ]
    meta_backend = ORMMetaBackend(model="archive.StoredFile")
