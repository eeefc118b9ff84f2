"""The example that chooses the original storage by the file name."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from proxy_storage.storages.base import MultipleOriginalStoragesMixin, ProxyStorageBase
from proxy_storage.storages.gridfs import GridFSStorage
from tests.contract.reading import read
from tests.testapp.models import NamedStoredFile, PlainDocument
from tests.testapp.storages import get_mongo_db


class ByFileType(MultipleOriginalStoragesMixin, ProxyStorageBase):
    """The documented override of `save`."""

    def save(self, name, content, original_storage_path=None, using=None):
        if not using:
            using = "gridfs" if name.endswith(".txt") else "file_system"
        return super().save(
            name=name,
            content=content,
            original_storage_path=original_storage_path,
            using=using,
        )


class ByFileTypeForFields(MultipleOriginalStoragesMixin, ProxyStorageBase):
    """The documented override with the argument `max_length`, which fields pass."""

    def save(self, name, content, max_length=None, original_storage_path=None, using=None):
        if not using:
            using = "gridfs" if name.endswith(".txt") else "file_system"
        return super().save(
            name=name,
            content=content,
            max_length=max_length,
            original_storage_path=original_storage_path,
            using=using,
        )


@pytest.fixture
def record_model():
    return NamedStoredFile


class TestOriginalStorageByFileType:
    @pytest.fixture
    def create_storage(self, meta_backend, folder, register):
        records = meta_backend

        def create_storage(by_file_type):
            class FileSystemOrGridFSProxyStorage(by_file_type):
                original_storages = (
                    ("file_system", FileSystemStorage(location=folder)),
                    ("gridfs", GridFSStorage(database=get_mongo_db)),
                )
                meta_backend = records

            register("file_system_or_gridfs_proxy_storage", FileSystemOrGridFSProxyStorage)
            return FileSystemOrGridFSProxyStorage()

        return create_storage

    @pytest.fixture
    def storage(self, create_storage):
        return create_storage(ByFileType)

    def save_in_field(self, storage, monkeypatch, name):
        monkeypatch.setattr(PlainDocument._meta.get_field("orm_file"), "storage", storage)
        document = PlainDocument()
        document.orm_file.save(name, ContentFile(b"world"))
        return PlainDocument.objects.get(pk=document.pk).orm_file

    def get_original_storage_name(self, storage, path):
        return storage.meta_backend.get(path)["original_storage_name"]

    def test_text_files_are_stored_in_gridfs(self, storage, folder):
        path = storage.save("hello.txt", ContentFile(b"world"))
        assert path == "/hello.txt"
        assert self.get_original_storage_name(storage, path) == "gridfs"
        assert read(storage, path) == b"world"
        assert not folder.exists()

    def test_other_files_are_stored_in_the_file_system(self, storage, folder):
        path = storage.save("hello.jpg", ContentFile(b"world"))
        assert path == f"{folder}/hello.jpg"
        assert self.get_original_storage_name(storage, path) == "file_system"
        assert (folder / "hello.jpg").read_bytes() == b"world"

    @pytest.mark.parametrize(
        ("name", "using"), [("hello.txt", "file_system"), ("hello.jpg", "gridfs")]
    )
    def test_using_forces_exact_original_storage(self, storage, name, using):
        path = storage.save(name, ContentFile(b"world"), using=using)
        assert self.get_original_storage_name(storage, path) == using

    def test_choice_applies_to_original_storage_path(self, storage):
        storage.get_original_storages()["gridfs"].save("there.txt", ContentFile(b"there"))
        path = storage.save("there.txt", None, original_storage_path="there.txt")
        assert self.get_original_storage_name(storage, path) == "gridfs"
        assert read(storage, path) == b"there"

    def test_documented_override_fails_in_a_file_field(self, storage, monkeypatch):
        """The documented signature lacks `max_length`, which every field passes today."""
        with pytest.raises(TypeError, match="max_length"):
            self.save_in_field(storage, monkeypatch, "hello.txt")
        assert list(storage.meta_backend) == []

    @pytest.mark.parametrize(("name", "using"), [("a.txt", "gridfs"), ("a.jpg", "file_system")])
    def test_override_with_max_length_works_in_a_file_field(
        self, create_storage, monkeypatch, name, using
    ):
        storage = create_storage(ByFileTypeForFields)
        file = self.save_in_field(storage, monkeypatch, name)
        assert self.get_original_storage_name(storage, file.name) == using
        with file.open() as opened:
            assert opened.read() == b"world"

    def test_override_with_max_length_limits_the_path(self, create_storage):
        storage = create_storage(ByFileTypeForFields)
        path = storage.save("a" * 100 + ".txt", ContentFile(b"world"), max_length=50)
        assert len(path) <= 50
        assert path.endswith(".txt")
