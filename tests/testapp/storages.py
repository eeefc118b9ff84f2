"""Every meta backend in front of every kind of original storage."""

from functools import cache

from django.conf import settings
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from pymongo import MongoClient

from proxy_storage.meta_backends.mongo import MongoMetaBackend
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.storages.base import ProxyStorageBase
from proxy_storage.storages.gridfs import GridFSStorage


@cache
def get_mongo_db():
    return MongoClient(settings.MONGODB_URI, serverSelectionTimeoutMS=5000)[settings.MONGODB_NAME]


class OrmStorage(ProxyStorageBase):
    meta_backend = ORMMetaBackend(model="testapp.StoredFile")


class MongoStorage(ProxyStorageBase):
    meta_backend = MongoMetaBackend(database=get_mongo_db, collection="file_records")


class OrmDiskStorage(OrmStorage):
    original_storage = FileSystemStorage(location=settings.TEST_FILES_ROOT, base_url="/media/")


class OrmSubfolderStorage(OrmStorage):
    """A folder within the folder of another one."""

    original_storage = FileSystemStorage(location=settings.TEST_FILES_ROOT / "sub")


class OrmGridFSStorage(OrmStorage):
    original_storage = GridFSStorage(database=get_mongo_db)


class OrmMemoryStorage(OrmStorage):
    original_storage = InMemoryStorage()


class OrmOverwritingStorage(OrmStorage):
    original_storage = FileSystemStorage(settings.TEST_FILES_ROOT / "over", allow_overwrite=True)


class MongoDiskStorage(MongoStorage):
    original_storage = FileSystemStorage(location=settings.TEST_FILES_ROOT, base_url="/media/")


class MongoGridFSStorage(MongoStorage):
    original_storage = GridFSStorage(database=get_mongo_db)


class MongoMemoryStorage(MongoStorage):
    original_storage = InMemoryStorage()


class MongoOverwritingStorage(MongoStorage):
    original_storage = FileSystemStorage(settings.TEST_FILES_ROOT / "over", allow_overwrite=True)


class ElsewhereStorage(ProxyStorageBase):
    original_storage = FileSystemStorage(location=settings.TEST_FILES_ROOT / "elsewhere")
    meta_backend = ORMMetaBackend(model="testapp.ElsewhereStoredFile")


class UnregisteredStorage(OrmDiskStorage):
    """Nobody has put it into the settings."""
