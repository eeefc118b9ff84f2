"""The functions and classes that the settings name."""

from functools import cache

from django.conf import settings
from pymongo import MongoClient

from proxy_storage.storages import ProxyStorage
from proxy_storage.storages.metadata import FileMetadataProxyStorageMixin


@cache
def get_mongo_db():
    return MongoClient(settings.MONGODB_URI, serverSelectionTimeoutMS=5000)[settings.MONGODB_NAME]


class MetadataStorage(FileMetadataProxyStorageMixin, ProxyStorage):
    """Stores metadata in its records."""
