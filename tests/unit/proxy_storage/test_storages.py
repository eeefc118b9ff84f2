"""Details of proxy storages that the contract does not test."""

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage
from django.db import transaction
from django.db.migrations.writer import MigrationWriter

from proxy_storage.exceptions import (
    InvalidNameError,
    MetaBackendObjectAlreadyExists,
    ProxyFileNotFoundError,
)
from proxy_storage.registry import get_proxy_storage
from tests.testapp.storages import OrmDiskStorage

pytestmark = pytest.mark.database


def test_migration_writes_a_call_of_the_class():
    text, imports = MigrationWriter.serialize(OrmDiskStorage())
    assert text == "tests.testapp.storages.OrmDiskStorage()"
    assert imports == {"import tests.testapp.storages"}


@pytest.mark.usefixtures("empty_storages")
class TestProxyStorage:
    def test_path_and_access_time_of_a_file_on_disk(self):
        storage = get_proxy_storage("orm_disk")
        path = storage.save("a.txt", ContentFile(b""))
        assert storage.path(path) == path
        assert storage.get_accessed_time(path).tzinfo

    def test_overridden_get_path_makes_the_path(self, monkeypatch):
        storage = get_proxy_storage("orm_disk")
        monkeypatch.setattr(OrmDiskStorage, "get_path", lambda self, original, path: "/p/" + path)
        assert storage.save("a.txt", ContentFile(b"")) == "/p/a.txt"

    def test_path_longer_than_max_length_is_shortened(self, monkeypatch):
        storage = get_proxy_storage("orm_disk")
        long = {"x": "/x", "a.txt": "/" + "p" * 60 + ".txt"}
        monkeypatch.setattr(OrmDiskStorage, "get_path", lambda self, original, path: long[path])
        path = storage.save("a.txt", ContentFile(b""), max_length=40)
        assert len(path) <= 40
        assert storage.exists(path)

    def test_delete_keeps_a_later_record_of_the_same_path(self, monkeypatch, caplog):
        caplog.set_level("INFO")
        storage = get_proxy_storage("orm_disk")
        path = storage.save("a.txt", ContentFile(b"old"))
        get = type(storage).get_meta_backend_obj

        def get_and_replace(self, path):
            """Return the record; another call replaces the file then."""
            record = get(self, path)
            monkeypatch.undo()
            storage.delete(path)
            assert storage.save("a.txt", ContentFile(b"new")) == path
            return record

        monkeypatch.setattr(type(storage), "get_meta_backend_obj", get_and_replace)
        storage.delete(path)
        assert "was deleted by another call" in caplog.text
        with storage.open(path) as file:
            assert file.read() == b"new"

    def test_record_that_has_changed_is_kept(self, caplog):
        """Records in MongoDB are locked before they are compared."""
        caplog.set_level("INFO")
        storage = get_proxy_storage("mongo_disk")
        path = storage.save("a.txt", ContentFile(b"x"))
        record = storage.get_meta_backend_obj(path)
        storage.meta_backend.update(path, {"field": "scan"})
        assert storage.delete_record(record, where={"field": None}) is False
        assert f"record of {path!r} has changed and is not deleted" in caplog.text
        with storage.open(path) as file:
            assert file.read() == b"x"

    def test_delete_without_record_in_a_transaction_keeps_the_bytes(self, monkeypatch):
        storage = get_proxy_storage("orm_disk")
        path = storage.save("a.txt", ContentFile(b"x"))
        record = storage.get_meta_backend_obj(path)
        monkeypatch.setattr(type(storage), "get_meta_backend_obj", lambda self, path: record)
        storage.meta_backend.delete(path)
        with transaction.atomic():
            storage.delete(path)
        assert storage.original_storage.exists("a.txt")

    def test_record_is_kept_if_the_bytes_cannot_be_deleted(self, monkeypatch):
        storage = get_proxy_storage("orm_disk")
        path = storage.save("a.txt", ContentFile(b"x"))

        def fail(original, name):
            raise PermissionError(name)

        with monkeypatch.context() as patch:
            patch.setattr(FileSystemStorage, "delete", fail)
            with pytest.raises(PermissionError):
                storage.delete(path)
        assert storage.exists(path)

    def test_temporary_file_without_mime_type_is_saved(self, tmp_path):
        file = File((tmp_path / "upload").open("w+b"), "a.txt")
        file.write(b"x")
        file.temporary_file_path = lambda: str(tmp_path / "upload")
        storage = get_proxy_storage("orm_disk")
        with file, storage.open(storage.save("a.txt", file)) as saved:
            assert saved.read() == b"x"

    @pytest.mark.parametrize("other", ["orm_disk", "orm_subfolder"])
    @pytest.mark.parametrize("spelling", ["b.txt", "./b.txt", "x/../b.txt", "absolute"])
    def test_bytes_get_only_one_record(self, settings, other, spelling):
        storage, other = get_proxy_storage("orm_disk"), get_proxy_storage(other)
        known = storage.original_storage.save("sub/b.txt", ContentFile(b"x"))
        path = storage.save("b.txt", None, original_storage_path=known)
        if spelling == "absolute":
            spelling = path
        elif other is storage:
            spelling = f"sub/{spelling}"
        expected = InvalidNameError if ".." in spelling else MetaBackendObjectAlreadyExists
        with pytest.raises(expected):
            other.save("b.txt", None, original_storage_path=spelling)

    def test_folder_as_original_storage_path_is_refused(self):
        storage = get_proxy_storage("orm_disk")
        storage.original_storage.save("sub/b.txt", ContentFile(b"x"))
        with pytest.raises(ProxyFileNotFoundError):
            storage.save("sub", None, original_storage_path="sub")

    def test_record_of_missing_bytes_is_deleted(self, monkeypatch, caplog):
        caplog.set_level("INFO")
        storage = get_proxy_storage("orm_disk")
        path = storage.save("a.txt", ContentFile(b""))

        def fail(original, name):
            raise FileNotFoundError(name)

        monkeypatch.setattr(FileSystemStorage, "delete", fail)
        storage.delete(path)
        assert "were missing already" in caplog.text
        assert not storage.exists(path)


@pytest.mark.usefixtures("empty_storages")
def test_max_length_shorter_than_the_folder_is_refused():
    with pytest.raises(InvalidNameError):
        get_proxy_storage("orm_disk").save("a.txt", ContentFile(b""), max_length=3)
