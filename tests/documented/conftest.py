"""What the documentation of 0.1.2 builds its examples with, on each of the two meta backends.

There is a module for every chapter and a class for every section, by its heading.
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
    """The model of the records; chapters that need more fields have another one."""
    return PlainStoredFile


@pytest.fixture(params=["orm", "mongo"])
def meta_backend(request, record_model, empty_storages):
    if request.param == "orm":
        return ORMMetaBackend(model=record_model)
    return MongoMetaBackend(database=get_mongo_db(), collection="records")


@pytest.fixture
def key_name(meta_backend):
    """The key of a record that its meta backend adds."""
    return "id" if isinstance(meta_backend, ORMMetaBackend) else "_id"


@pytest.fixture
def folder(tmp_path):
    """Stands for ``/tmp/`` and ``/var/files/``."""
    return tmp_path / "files"


@pytest.fixture
def register(request, monkeypatch, settings):
    """Register a class that a test defines, as settings name one of a module."""

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
    """The storage of most examples."""
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
    """The other storage of the examples about models."""
    records = meta_backend

    class GridFSProxyStorage(ProxyStorageBase):
        original_storage = GridFSStorage(database=get_mongo_db)
        meta_backend = records

    register("gridfs_proxy_storage", GridFSProxyStorage)
    return GridFSProxyStorage


@pytest.fixture(params=django_settings.ORIGINAL_STORAGES)
def original_storage(request):
    """Every kind of original storage."""
    if request.param == "s3":
        request.getfixturevalue("s3_endpoint")
    request.getfixturevalue("empty_storages")
    return storages[f"orm-{request.param}"].get_original_storage()
