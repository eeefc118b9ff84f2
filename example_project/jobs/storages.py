"""Two proxy storages on one meta backend: avatars on disk, resumes in GridFS."""

from functools import cache
from typing import Any

from django.conf import settings
from django.core.files.storage import FileSystemStorage
from pymongo import MongoClient
from pymongo.database import Database

from proxy_storage.meta_backends.mongo import MongoMetaBackend
from proxy_storage.storages.base import ProxyStorageBase
from proxy_storage.storages.gridfs import GridFSStorage


@cache
def get_mongo_db() -> Database[dict[str, Any]]:
    """Return the database that the settings name; one client a process."""
    client: MongoClient[dict[str, Any]] = MongoClient(
        settings.MONGODB_URI, serverSelectionTimeoutMS=5000
    )
    if settings.MONGODB_NAME:
        return client[settings.MONGODB_NAME]
    return client.get_default_database("proxy_storage_example")


class ApplicationStorage(ProxyStorageBase):
    """What both storages have in common."""

    meta_backend = MongoMetaBackend(database=get_mongo_db, collection="meta_backend_collection")
    paths = settings.FILE_PATHS

    def get_valid_name(self, name: str) -> str:
        """Keep the name that people gave their file; saving it checks that it is safe."""
        return name


class FileSystemProxyStorage(ApplicationStorage):
    """Files on disk."""

    original_storage = FileSystemStorage(location=settings.FILES_ROOT)


class GridFSProxyStorage(ApplicationStorage):
    """Files in GridFS."""

    original_storage = GridFSStorage(database=get_mongo_db, collection="files")
