"""The app with the ready model of records, and the storage that uses it by default."""

import pytest
from django.apps import apps
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, storages

from proxy_storage.checks import check_settings
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.records.models import StoredFile
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages import ProxyStorage
from proxy_storage.storages.metadata import FileMetadataProxyStorageMixin
from tests.testapp.storages import OrmStorage

PROXY = {"BACKEND": "proxy_storage.storages.ProxyStorage"}
CHECKSUM = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.fixture(autouse=True)
def configured(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.MEDIA_URL = ""
    settings.STORAGES = {"default": PROXY}
    settings.PROXY_STORAGE = {}


def test_options_are_not_needed(tmp_path, db):
    storage = storages["default"]
    path = storage.save("letters/hello.txt", ContentFile(b"hello"))
    record = StoredFile.objects.get()
    assert path == record.path == "letters/hello.txt"
    assert record.proxy_storage_name == "default"
    assert (tmp_path / record.original_storage_path).read_bytes() == b"hello"
    assert (record.size, record.checksum, record.mime_type) == (5, CHECKSUM, "text/plain")
    assert record.name == "hello.txt"
    assert storage.size(path) == 5
    assert storage.get_modified_time(path) == record.created_at
    with pytest.raises(ValueError, match="only be opened for reading"):
        storage.open(path, "wb")
    assert check_settings(None) == []


def test_original_storage_follows_media_root(settings, tmp_path):
    storage = ProxyStorage()
    assert isinstance(storage.original_storage, FileSystemStorage)
    settings.MEDIA_ROOT = tmp_path / "elsewhere"
    assert storage.location == str(tmp_path / "elsewhere")


def test_own_meta_backend_records_no_metadata_by_default(settings, db):
    settings.STORAGES = {
        "default": {**PROXY, "OPTIONS": {"meta_backend": OrmStorage.meta_backend}},
        "metadata": {
            **PROXY,
            "OPTIONS": {"meta_backend": OrmStorage.meta_backend, "records_metadata": True},
        },
    }
    for alias, size in (("default", None), ("metadata", 5)):
        storage = get_proxy_storage(alias)
        path = storage.save("hello.txt", ContentFile(b"hello"))
        assert storage.get_meta_backend_obj(path)["size"] == size
        assert storage.size(path) == 5


def test_metadata_needs_columns(settings):
    plain = {
        "BACKEND": "proxy_storage.meta_backends.orm.ORMMetaBackend",
        "OPTIONS": {"model": "testapp.PlainStoredFile"},
    }
    settings.STORAGES = {
        "default": {**PROXY, "OPTIONS": {"meta_backend": plain, "records_metadata": True}}
    }
    (error,) = check_settings(None)
    assert error.id == "proxy_storage.E005"
    assert "size" in error.msg


def test_metadata_of_the_ready_model_can_be_left_out():
    assert not ProxyStorage(records_metadata=False).records_metadata


def test_mixin_can_be_added_to_the_class():
    class Measured(FileMetadataProxyStorageMixin, ProxyStorage):
        meta_backend = OrmStorage.meta_backend

    assert Measured().records_metadata


def test_check_names_the_app_if_it_is_missing(settings):
    settings.INSTALLED_APPS = [
        app for app in settings.INSTALLED_APPS if app != "proxy_storage.records"
    ]
    (error,) = check_settings(None)
    assert error.id == "proxy_storage.E005"
    assert "Add 'proxy_storage.records' to INSTALLED_APPS and run migrate" in error.msg


def test_unknown_kind_of_urls(settings):
    settings.STORAGES = {"default": {**PROXY, "OPTIONS": {"url": "open"}}}
    (error,) = check_settings(None)
    assert "must be one of 'endpoint', 'signed', not 'open'" in error.msg


def test_content_types_are_required(settings):
    config = apps.get_app_config("proxy_storage_records")
    settings.INSTALLED_APPS = []
    with pytest.raises(ConfigurationError, match=r"needs 'django.contrib.contenttypes'"):
        config.import_models()
