"""Two proxy storages with one table of records: avatars on disk, resumes in GridFS."""

from functools import cache
from typing import Any

from django.conf import settings
from django.core.files.storage import FileSystemStorage
from pymongo import MongoClient
from pymongo.database import Database

from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.storages.gridfs import GridFSStorage
from proxy_storage.storages.metadata import FileMetadataProxyStorageMixin


@cache
def get_mongo_db() -> Database[dict[str, Any]]:
    """Return the database in the settings. A process has one client."""
    client: MongoClient[dict[str, Any]] = MongoClient(
        settings.MONGODB_URI,
        # A server that does not answer must not occupy all threads of the site.
        serverSelectionTimeoutMS=5000,
        connectTimeoutMS=5000,
        socketTimeoutMS=10_000,
    )
    if settings.MONGODB_NAME:
        return client[settings.MONGODB_NAME]
    return client.get_default_database("proxy_storage_example")


class ApplicationStorage(FileMetadataProxyStorageMixin):
    """Base class of both storages. The records are in the ready model, with size, type and time."""

    meta_backend = ORMMetaBackend(model="proxy_storage_records.StoredFile")
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
