"""Proxy storages for combinations of meta backends and original storages."""

from functools import cache

from django.conf import settings
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from pymongo import MongoClient

from proxy_storage.meta_backends.mongo import MongoMetaBackend
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.storages import ProxyStorage
from proxy_storage.storages.base import MultipleOriginalStoragesMixin, ProxyStorageBase
from proxy_storage.storages.content import MeasuredFile
from proxy_storage.storages.fallback import (
    FallbackProxyStorageMixin,
    OriginalStorageFallbackMixin,
)
from proxy_storage.storages.gridfs import GridFSStorage
from proxy_storage.storages.metadata import FileMetadataProxyStorageMixin


@cache
def get_mongo_db():
    return MongoClient(settings.MONGODB_URI, serverSelectionTimeoutMS=5000)[settings.MONGODB_NAME]


class MemoryStorage(InMemoryStorage):
    """Files in memory that are cleared at the end of a test."""

    instances: list["MemoryStorage"] = []

    def __init__(self, **options):
        super().__init__(**options)
        self.instances.append(self)

    def clear(self):
        self._root._children.clear()


class BrokenStorage(OriginalStorageFallbackMixin, MemoryStorage):
    """Saving through a proxy storage always fails."""

    fallback_exceptions = [OSError]

    def _save(self, name, content):
        if not isinstance(content, MeasuredFile):
            return super()._save(name, content)
        content.read(3)
        raise OSError(f"no space for {name}")


class MetadataStorage(FileMetadataProxyStorageMixin, ProxyStorage):
    """Records the metadata of a file."""


class MultipleStorage(MultipleOriginalStoragesMixin, ProxyStorage):
    """Has several original storages."""


class FallbackStorage(FallbackProxyStorageMixin, ProxyStorage):
    """Uses the next original storage if one fails."""


class OrmStorage(ProxyStorageBase):
    meta_backend = ORMMetaBackend(model="testapp.StoredFile")


class MongoStorage(ProxyStorageBase):
    meta_backend = MongoMetaBackend(database=get_mongo_db, collection="records")


class OrmDiskStorage(OrmStorage):
    original_storage = FileSystemStorage(location=settings.TEST_FILES_ROOT)


class OrmSubfolderStorage(OrmStorage):
    """Its folder is inside the folder of another storage."""

    original_storage = FileSystemStorage(location=settings.TEST_FILES_ROOT / "sub")


class MongoDiskStorage(MongoStorage):
    original_storage = FileSystemStorage(location=settings.TEST_FILES_ROOT)


class MongoGridFSStorage(MongoStorage):
    original_storage = GridFSStorage(database=get_mongo_db)


class ElsewhereStorage(ProxyStorageBase):
    original_storage = FileSystemStorage(location=settings.TEST_FILES_ROOT / "elsewhere")
    meta_backend = ORMMetaBackend(model="testapp.ElsewhereStoredFile")


class CaseStorage(ProxyStorageBase):
    """A generic relation refers to its records."""

    original_storage = FileSystemStorage(location=settings.TEST_FILES_ROOT / "cases")
    meta_backend = ORMMetaBackend(model="testapp.CaseFile")


class UnregisteredStorage(OrmDiskStorage):
    """It is not in the settings."""
