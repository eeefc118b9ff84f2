"""The first chapter: the purpose of the package, the first example and the use cases."""

import pytest
from bson import ObjectId
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.test import Client

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.storages.base import MultipleOriginalStoragesMixin, ProxyStorageBase
from proxy_storage.storages.fallback import FallbackProxyStorageMixin
from tests.contract.reading import read


class TestDjangoProxyStorage:
    @pytest.fixture
    def storage(self, original_storage, meta_backend, register):
        original, records = original_storage, meta_backend

        class AnyProxyStorage(ProxyStorageBase):
            original_storage = original
            meta_backend = records

        register("any", AnyProxyStorage)
        return AnyProxyStorage()

    def test_any_original_storage_can_be_used(self, storage, original_storage):
        path = storage.save("hello.txt", ContentFile(b"world"))
        assert read(storage, path) == b"world"
        name = storage.meta_backend.get(path)["original_storage_path"]
        assert read(original_storage, name) == b"world"
        storage.delete(path)
        assert not original_storage.exists(name)

    def test_meta_information_is_saved_to_a_database(self, storage, meta_backend):
        path = storage.save("hello.txt", ContentFile(b"world"))
        assert [record["path"] for record in meta_backend] == [path]
        storage.delete(path)
        assert list(meta_backend) == []


class TestQuickStart:
    def test_file_system_storage_alone_returns_the_name(self, folder):
        """The documentation incorrectly states that it returns the full path."""
        storage = FileSystemStorage(location=folder)
        assert storage.save("hello.txt", ContentFile(b"world")) == "hello.txt"

    def test_every_subclass_must_be_registered_in_settings(self, meta_backend, folder, register):
        records = meta_backend

        class FileSystemProxyStorage(ProxyStorageBase):
            original_storage = FileSystemStorage(location=folder)
            meta_backend = records

        with pytest.raises(ConfigurationError, match="not registered"):
            FileSystemProxyStorage().save("hello.txt", ContentFile(b"world"))
        assert not folder.exists()
        register("file_system_proxy_storage", FileSystemProxyStorage)
        path = FileSystemProxyStorage().save("hello.txt", ContentFile(b"world"))
        assert meta_backend.get(path)["proxy_storage_name"] == "file_system_proxy_storage"

    def test_save_returns_the_full_path(self, storage, folder):
        assert storage.save("hello.txt", ContentFile(b"world")) == f"{folder}/hello.txt"

    def test_content_can_be_text(self, storage, folder):
        """The examples were written for Python 2, where text and bytes are equal."""
        storage.save("hello.txt", ContentFile("world"))
        assert (folder / "hello.txt").read_bytes() == b"world"

    def test_file_is_saved_to_disk(self, storage, folder):
        storage.save("hello.txt", ContentFile(b"world"))
        assert (folder / "hello.txt").read_bytes() == b"world"

    def test_record_is_saved_to_the_meta_backend(self, file_system_proxy_storage, folder, key_name):
        file_system_proxy_storage().save("hello.txt", ContentFile(b"world"))
        storage = file_system_proxy_storage()
        record = storage.meta_backend.get(f"{folder}/hello.txt")
        key = record.pop(key_name)
        assert isinstance(key, ObjectId if key_name == "_id" else int)
        assert record == {
            "proxy_storage_name": "file_system_proxy_storage",
            "path": f"{folder}/hello.txt",
            "original_storage_path": "hello.txt",
        }


class TestUseCases:
    @pytest.fixture
    def paths(self, file_system_proxy_storage, gridfs_proxy_storage):
        return [
            file_system_proxy_storage().save("disk.txt", ContentFile(b"on disk")),
            gridfs_proxy_storage().save("gridfs.txt", ContentFile(b"in GridFS")),
        ]

    def test_single_endpoint_has_information_about_files_from_different_storages(
        self, paths, meta_backend
    ):
        names = [meta_backend.get(path)["proxy_storage_name"] for path in paths]
        assert names == ["file_system_proxy_storage", "gridfs_proxy_storage"]

    @pytest.mark.parametrize(("permission", "status"), [("AllowAny", 200), ("IsAdminUser", 403)])
    def test_authorization_for_files_from_different_storages(
        self, paths, settings, permission, status
    ):
        settings.PROXY_STORAGE = {
            **settings.PROXY_STORAGE,
            "DEFAULT_PERMISSION_CLASSES": [f"rest_framework.permissions.{permission}"],
        }
        for path in paths:
            assert Client().head("/files/", {"path": path}).status_code == status

    def test_fallback_is_an_example_of_multiple_original_storages(self):
        assert issubclass(FallbackProxyStorageMixin, MultipleOriginalStoragesMixin)
