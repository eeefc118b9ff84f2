"""The chapter about settings."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.registry import get_proxy_storage
from proxy_storage.settings import proxy_storage_settings
from proxy_storage.storages.base import ProxyStorageBase


class TestSettings:
    @pytest.fixture
    def storage_class(self, meta_backend, folder, request, monkeypatch):
        records = meta_backend

        class FileSystemProxyStorage(ProxyStorageBase):
            original_storage = FileSystemStorage(location=folder)
            meta_backend = records

        monkeypatch.setattr(
            request.module, "FileSystemProxyStorage", FileSystemProxyStorage, raising=False
        )
        return FileSystemProxyStorage

    def test_one_setting_has_all_values(self, storage_class, settings, meta_backend):
        settings.PROXY_STORAGE = {
            "PROXY_STORAGE_CLASSES": {
                "file_system_proxy_storage": f"{__name__}.FileSystemProxyStorage",
            }
        }
        path = storage_class().save("hello.txt", ContentFile(b"world"))
        assert meta_backend.get(path)["proxy_storage_name"] == "file_system_proxy_storage"
        assert type(get_proxy_storage("file_system_proxy_storage")) is storage_class

    def test_without_the_setting_no_class_is_registered(self, storage_class, settings):
        settings.PROXY_STORAGE = {}
        with pytest.raises(ConfigurationError, match="not registered"):
            storage_class().save("hello.txt", ContentFile(b"world"))


class TestAccessingSettings:
    def test_values_are_attributes_of_proxy_storage_settings(self, settings):
        classes = settings.PROXY_STORAGE["PROXY_STORAGE_CLASSES"]
        assert classes
        assert classes == proxy_storage_settings.PROXY_STORAGE_CLASSES

    def test_values_follow_changes_of_the_setting(self, settings):
        settings.PROXY_STORAGE = {"PROXY_STORAGE_CLASSES": {"a_name": "some.module.Class"}}
        assert proxy_storage_settings.PROXY_STORAGE_CLASSES == {"a_name": "some.module.Class"}

    def test_missing_values_have_defaults(self, settings):
        settings.PROXY_STORAGE = {}
        assert proxy_storage_settings.PROXY_STORAGE_CLASSES == {}
