"""The section about several original storages behind one proxy storage."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from proxy_storage.storages.base import MultipleOriginalStoragesMixin, ProxyStorageBase
from proxy_storage.storages.gridfs import GridFSStorage
from tests.contract.reading import read
from tests.testapp.models import NamedStoredFile
from tests.testapp.storages import get_mongo_db


@pytest.fixture
def record_model():
    return NamedStoredFile


class TestMultipleOriginalStorages:
    @pytest.fixture
    def original_storages(self, folder):
        """The documentation incorrectly has a proxy storage in the second place."""
        return (
            ("file_system", FileSystemStorage(location=folder)),
            ("gridfs", GridFSStorage(database=get_mongo_db)),
        )

    @pytest.fixture
    def storage_class(self, original_storages, meta_backend, register):
        originals, records = original_storages, meta_backend

        class FileSystemOrGridFSProxyStorage(MultipleOriginalStoragesMixin, ProxyStorageBase):
            original_storages = originals
            meta_backend = records

        register("file_system_or_gridfs_proxy_storage", FileSystemOrGridFSProxyStorage)
        return FileSystemOrGridFSProxyStorage

    @pytest.fixture
    def storage(self, storage_class):
        return storage_class()

    @pytest.fixture
    def gridfs(self, original_storages):
        return original_storages[1][1]

    def test_first_original_storage_is_the_default(self, storage, folder, gridfs):
        path = storage.save("hello.txt", ContentFile(b"world"))
        assert path == f"{folder}/hello.txt"
        assert (folder / "hello.txt").read_bytes() == b"world"
        assert not gridfs.exists("hello.txt")

    def test_using_selects_an_original_storage(self, storage, folder, gridfs):
        path = storage.save("hello.txt", ContentFile(b"world"), using="gridfs")
        assert path == "/hello.txt"
        assert read(gridfs, "hello.txt") == b"world"
        assert not folder.exists()

    def test_using_applies_to_one_call(self, storage):
        storage.save("hello.txt", ContentFile(b"world"), using="gridfs")
        path = storage.save("hello.txt", ContentFile(b"world"))
        assert storage.meta_backend.get(path)["original_storage_name"] == "file_system"

    def test_using_can_name_the_first_original_storage(self, storage, folder):
        path = storage.save("hello.txt", ContentFile(b"world"), using="file_system")
        assert path == f"{folder}/hello.txt"

    def test_using_applies_to_original_storage_path(self, storage, gridfs):
        gridfs.save("there.txt", ContentFile(b"there"))
        path = storage.save("a.txt", None, original_storage_path="there.txt", using="gridfs")
        assert path == "/there.txt"
        assert read(storage, path) == b"there"

    def test_first_by_ordering_is_used_in_operations(self, storage, original_storages):
        assert storage.get_original_storage() is original_storages[0][1]
        assert storage.get_valid_name("a b.txt") == "a_b.txt"

    def test_operations_use_the_original_storage_of_the_file(self, storage, gridfs, folder):
        on_disk = storage.save("hello.txt", ContentFile(b"on disk"))
        path = storage.save("hello.txt", ContentFile(b"in GridFS"), using="gridfs")
        assert read(storage, path) == b"in GridFS"
        assert storage.size(path) == 9
        storage.delete(path)
        assert not gridfs.exists("hello.txt")
        assert not storage.exists(path)
        assert read(storage, on_disk) == b"on disk"

    def test_meta_backend_object_has_original_storage_name(
        self, storage, storage_class, folder, key_name
    ):
        storage.save("hello.txt", ContentFile(b"world"))
        record = storage_class().meta_backend.get(f"{folder}/hello.txt")
        assert record.pop(key_name)
        assert record == {
            "proxy_storage_name": "file_system_or_gridfs_proxy_storage",
            "path": f"{folder}/hello.txt",
            "original_storage_path": "hello.txt",
            "original_storage_name": "file_system",
        }

    @pytest.mark.parametrize(("using", "place"), [("file_system", 0), ("gridfs", 1)])
    def test_get_original_storage_accepts_a_meta_backend_object(
        self, storage, original_storages, using, place
    ):
        path = storage.save("hello.txt", ContentFile(b"world"), using=using)
        meta_backend_obj = storage.meta_backend.get(path)
        assert meta_backend_obj["original_storage_name"] == using
        assert storage.get_original_storage(meta_backend_obj) is original_storages[place][1]
        assert meta_backend_obj.get_original_storage() is original_storages[place][1]

    @pytest.mark.parametrize("kind", [tuple, list, lambda pairs: dict(pairs).items()])
    def test_original_storages_are_an_iterable_of_pairs(
        self, storage, storage_class, original_storages, monkeypatch, kind
    ):
        pairs = kind([list(pair) for pair in original_storages])
        monkeypatch.setattr(storage_class, "original_storages", pairs)
        self.save_in_both_storages(storage)

    def test_original_storages_may_be_an_iterator(self, original_storages, meta_backend, register):
        originals, records = original_storages, meta_backend

        class IteratorProxyStorage(MultipleOriginalStoragesMixin, ProxyStorageBase):
            original_storages = (pair for pair in originals)
            meta_backend = records

        register("iterator", IteratorProxyStorage)
        self.save_in_both_storages(IteratorProxyStorage())

    def save_in_both_storages(self, storage):
        for using, content in (("gridfs", b"1"), ("file_system", b"2"), ("gridfs", b"3")):
            path = storage.save("hello.txt", ContentFile(content), using=using)
            assert read(storage, path) == content
