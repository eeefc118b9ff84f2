"""The storages of the examples in the documentation of 0.1.2, on both meta backends.

Each chapter has a module. Each section has a class whose name is the heading.
"""

import pytest
from django.conf import settings as django_settings
from django.core.files.storage import FileSystemStorage, storages

from proxy_storage.meta_backends.mongo import MongoMetaBackend
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.storages.base import ProxyStorageBase
from proxy_storage.storages.gridfs import GridFSStorage
from tests.testapp.models import PlainStoredFile
from tests.testapp.storages import get_mongo_db


@pytest.fixture
def record_model():
    """Return the model of the records. Chapters that need more fields override it."""
    return PlainStoredFile


@pytest.fixture(params=["orm", "mongo"])
def meta_backend(request, record_model, empty_storages):
    if request.param == "orm":
        return ORMMetaBackend(model=record_model)
    return MongoMetaBackend(database=get_mongo_db(), collection="records")


@pytest.fixture
def key_name(meta_backend):
    """Return the key that the meta backend adds to a record."""
    return "id" if isinstance(meta_backend, ORMMetaBackend) else "_id"


@pytest.fixture
def folder(tmp_path):
    """Return the folder that replaces ``/tmp/`` and ``/var/files/``."""
    return tmp_path / "files"


@pytest.fixture
def register(request, monkeypatch, settings):
    """Return a function that registers a class of a test in the settings."""

    def register(name, cls):
        monkeypatch.setattr(request.module, cls.__name__, cls, raising=False)
        classes = {
            **settings.PROXY_STORAGE["PROXY_STORAGE_CLASSES"],
            name: f"{request.module.__name__}.{cls.__name__}",
        }
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "PROXY_STORAGE_CLASSES": classes}

    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "PROXY_STORAGE_CLASSES": {}}
    return register


@pytest.fixture
def file_system_proxy_storage(meta_backend, folder, register):
    """Return the storage class of most examples."""
    records = meta_backend

    class FileSystemProxyStorage(ProxyStorageBase):
        original_storage = FileSystemStorage(location=folder)
        meta_backend = records

    register("file_system_proxy_storage", FileSystemProxyStorage)
    return FileSystemProxyStorage


@pytest.fixture
def storage(file_system_proxy_storage):
    return file_system_proxy_storage()


@pytest.fixture
def gridfs_proxy_storage(meta_backend, register):
    """Return the second storage class of the examples about models."""
    records = meta_backend

    class GridFSProxyStorage(ProxyStorageBase):
        original_storage = GridFSStorage(database=get_mongo_db)
        meta_backend = records

    register("gridfs_proxy_storage", GridFSProxyStorage)
    return GridFSProxyStorage


@pytest.fixture(params=django_settings.ORIGINAL_STORAGES)
def original_storage(request):
    """Return each configured original storage."""
    if request.param == "s3":
        request.getfixturevalue("s3_endpoint")
    request.getfixturevalue("empty_storages")
    return storages[f"orm-{request.param}"].get_original_storage()
