"""Two proxy storages with one meta backend: avatars on disk, resumes in GridFS."""

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
    """Return the database in the settings. A process has one client."""
    client: MongoClient[dict[str, Any]] = MongoClient(
        settings.MONGODB_URI, serverSelectionTimeoutMS=5000
    )
    if settings.MONGODB_NAME:
        return client[settings.MONGODB_NAME]
    return client.get_default_database("proxy_storage_example")


class ApplicationStorage(ProxyStorageBase):
    """Base class of both storages."""

    meta_backend = MongoMetaBackend(database=get_mongo_db, collection="meta_backend_collection")
    paths = settings.FILE_PATHS

    def get_valid_name(self, name: str) -> str:
        """Keep the name of the uploaded file, which is validated when the file is saved."""
        return name


class FileSystemProxyStorage(ApplicationStorage):
    """Files on disk."""

    original_storage = FileSystemStorage(location=settings.FILES_ROOT)


class GridFSProxyStorage(ApplicationStorage):
    """Files in GridFS."""

    original_storage = GridFSStorage(database=get_mongo_db, collection="files")
