"""The chapter about the proxy storage: its base class and its four methods."""

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, Storage

from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObjectDoesNotExist
from proxy_storage.storages.base import ProxyStorageBase
from tests.contract.reading import read


class TestProxyStorage:
    def test_is_a_subclass_of_djangos_storage(self, storage):
        assert isinstance(storage, ProxyStorageBase)
        assert isinstance(storage, Storage)

    def test_does_not_break_the_interface_of_djangos_storage(self, storage, folder):
        path = storage.save("hello.txt", ContentFile(b"world"), max_length=255)
        assert storage.path(path) == f"{folder}/hello.txt"
        assert storage.size(path) == 5
        assert storage.listdir(str(folder)) == ([], ["hello.txt"])
        original = storage.get_original_storage()
        assert storage.get_modified_time(path) == original.get_modified_time("hello.txt")
        assert storage.get_available_name("new.txt") == "new.txt"


class TestBaseClass:
    def test_original_storage_and_meta_backend_are_instances(self, storage):
        assert isinstance(storage.original_storage, Storage)
        assert isinstance(storage.meta_backend, MetaBackendBase)

    def test_every_action_is_proxied_to_the_original_storage(self, storage):
        original = storage.get_original_storage()
        path = storage.save("hello.txt", ContentFile(b"world"))
        assert storage.exists(path)
        assert original.exists("hello.txt")
        assert read(storage, path) == read(original, "hello.txt") == b"world"
        storage.delete(path)
        assert not storage.exists(path)
        assert not original.exists("hello.txt")

    def test_meta_backend_stores_information_about_files(self, storage, meta_backend):
        path = storage.save("hello.txt", ContentFile(b"world"))
        assert storage.meta_backend is meta_backend
        assert meta_backend.exists(path)


class TestHowItWorks:
    @pytest.fixture
    def path(self, storage, folder):
        """Return the path of a record that differs from the path of the original file."""
        storage.get_original_storage().save("hello.txt", ContentFile(b"world"))
        path = f"{folder}/hello_1.txt"
        storage.meta_backend.create(
            {
                "path": path,
                "proxy_storage_name": "file_system_proxy_storage",
                "original_storage_path": "hello.txt",
            }
        )
        return path

    def test_save_writes_meta_information_under_the_path_of_the_original(self, storage, folder):
        path = storage.save("hello.txt", ContentFile(b"world"))
        assert path == storage.get_original_storage().path("hello.txt") == f"{folder}/hello.txt"
        assert storage.meta_backend.get(path)["original_storage_path"] == "hello.txt"

    def test_save_chooses_another_path_if_a_record_exists(self, storage, folder):
        """Today the other path has a random suffix instead of a number."""
        taken = {"proxy_storage_name": "x", "original_storage_path": "x"}
        storage.meta_backend.create({**taken, "path": f"{folder}/hello.txt"})
        path = storage.save("hello.txt", ContentFile(b"world"))
        assert path.startswith(f"{folder}/hello_")
        assert path.endswith(".txt")
        assert read(storage, path) == b"world"
        assert storage.meta_backend.get(f"{folder}/hello.txt")["proxy_storage_name"] == "x"

    def test_second_save_creates_another_file(self, storage):
        first, second = (storage.save("hello.txt", ContentFile(text)) for text in (b"1", b"2"))
        assert first != second
        assert (read(storage, first), read(storage, second)) == (b"1", b"2")

    def test_save_with_original_storage_path_saves_nothing_to_the_original(self, storage, folder):
        storage.get_original_storage().save("there.txt", ContentFile(b"there"))
        path = storage.save("a.txt", ContentFile(b"ignored"), original_storage_path="there.txt")
        assert path == f"{folder}/there.txt"
        assert read(storage, path) == b"there"
        assert [file.name for file in folder.iterdir()] == ["there.txt"]

    def test_exists_is_true_with_a_meta_backend_object(self, storage, folder, path):
        assert storage.exists(path)
        (folder / "hello.txt").unlink()
        assert storage.exists(path)

    def test_exists_is_false_without_a_meta_backend_object(self, storage, folder, path):
        assert (folder / "hello.txt").is_file()
        assert not storage.exists(f"{folder}/hello.txt")

    def test_open_without_meta_backend_object_raises_io_error(self, storage, folder, path):
        with pytest.raises(IOError):
            storage.open(f"{folder}/hello.txt")

    def test_open_returns_the_file_at_original_storage_path(self, storage, folder, path):
        with storage.open(path) as file:
            assert type(file) is File
            assert file.name == f"{folder}/hello.txt"
            assert file.read() == b"world"

    def test_open_accepts_a_mode(self, storage, path):
        with storage.open(path, "r") as file:
            assert file.read() == "world"

    def test_delete_without_meta_backend_object_raises_io_error(self, storage, folder, path):
        with pytest.raises(IOError):
            storage.delete(f"{folder}/hello.txt")
        assert (folder / "hello.txt").is_file()

    def test_delete_deletes_at_original_storage_path(self, storage, folder, path):
        storage.delete(path)
        assert list(folder.iterdir()) == []

    def test_delete_removes_the_meta_backend_object(self, storage, path):
        storage.delete(path)
        with pytest.raises(MetaBackendObjectDoesNotExist):
            storage.meta_backend.get(path)

    def test_get_original_storage(self, storage, folder):
        original = storage.get_original_storage()
        assert isinstance(original, FileSystemStorage)
        assert original.location == str(folder)
