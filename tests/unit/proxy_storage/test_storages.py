"""What the contract leaves open: details of one storage class."""

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.migrations.writer import MigrationWriter
from pymongo import MongoClient

from demo.services import free_port
from proxy_storage.exceptions import (
    ConfigurationError,
    InvalidNameError,
    MetaBackendError,
    MetaBackendObjectAlreadyExists,
    MetaBackendUnavailable,
    ProxyFileNotFoundError,
)
from proxy_storage.meta_backends.mongo import MongoMetaBackend
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.mongo import LazyDatabase, PyMongoError
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages.gridfs import GridFSStorage
from tests.testapp.storages import OrmDiskStorage, get_mongo_db

GET_MONGO_DB = "tests.testapp.storages.get_mongo_db"


def test_proxy_storage_in_a_migration():
    text, imports = MigrationWriter.serialize(OrmDiskStorage())
    assert text == "tests.testapp.storages.OrmDiskStorage()"
    assert imports == {"import tests.testapp.storages"}


@pytest.mark.usefixtures("empty_storages")
class TestProxyStorage:
    def test_path_and_times_of_a_file_on_disk(self):
        storage = get_proxy_storage("orm_disk")
        path = storage.save("a.txt", ContentFile(b""))
        assert storage.path(path) == path
        assert storage.get_accessed_time(path).tzinfo

    def test_paths_of_another_kind(self, monkeypatch):
        storage = get_proxy_storage("orm_disk")
        monkeypatch.setattr(OrmDiskStorage, "get_path", lambda self, original, path: "/p/" + path)
        assert storage.save("a.txt", ContentFile(b"")) == "/p/a.txt"

    def test_path_that_grows_beyond_max_length_is_cut(self, monkeypatch):
        storage = get_proxy_storage("orm_disk")
        long = {"x": "/x", "a.txt": "/" + "p" * 60 + ".txt"}
        monkeypatch.setattr(OrmDiskStorage, "get_path", lambda self, original, path: long[path])
        path = storage.save("a.txt", ContentFile(b""), max_length=40)
        assert len(path) <= 40
        assert storage.exists(path)

    def test_record_deleted_by_somebody_else_meanwhile(self, monkeypatch, caplog):
        caplog.set_level("INFO")
        storage = get_proxy_storage("orm_disk")
        path = storage.save("a.txt", ContentFile(b"old"))
        get = type(storage).get_meta_backend_obj

        def get_and_lose_the_race(self, path):
            """Somebody deletes the file, and the same path is given to a new one."""
            record = get(self, path)
            monkeypatch.undo()
            storage.delete(path)
            assert storage.save("a.txt", ContentFile(b"new")) == path
            return record

        monkeypatch.setattr(type(storage), "get_meta_backend_obj", get_and_lose_the_race)
        storage.delete(path)
        assert "was deleted by somebody else" in caplog.text
        with storage.open(path) as file:
            assert file.read() == b"new"

    def test_in_a_transaction_the_bytes_are_left_to_who_deleted_the_record(self, monkeypatch):
        storage = get_proxy_storage("orm_disk")
        path = storage.save("a.txt", ContentFile(b"x"))
        record = storage.get_meta_backend_obj(path)
        monkeypatch.setattr(type(storage), "get_meta_backend_obj", lambda self, path: record)
        storage.meta_backend.delete(path)
        with transaction.atomic():
            storage.delete(path)
        assert storage.original_storage.exists("a.txt")

    def test_record_stays_where_the_bytes_cannot_be_deleted(self, monkeypatch):
        storage = get_proxy_storage("orm_disk")
        path = storage.save("a.txt", ContentFile(b"x"))

        def fail(original, name):
            raise PermissionError(name)

        with monkeypatch.context() as patch:
            patch.setattr(FileSystemStorage, "delete", fail)
            with pytest.raises(PermissionError):
                storage.delete(path)
        assert storage.exists(path)

    def test_temporary_upload_without_content_type(self, tmp_path):
        file = File((tmp_path / "upload").open("w+b"), "a.txt")
        file.write(b"x")
        file.temporary_file_path = lambda: str(tmp_path / "upload")
        storage = get_proxy_storage("orm_disk")
        with file, storage.open(storage.save("a.txt", file)) as saved:
            assert saved.read() == b"x"

    @pytest.mark.parametrize("other", ["orm_disk", "orm_subfolder"])
    @pytest.mark.parametrize("spelling", ["b.txt", "./b.txt", "x/../b.txt", "absolute"])
    def test_bytes_are_not_recorded_twice(self, settings, other, spelling):
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

    def test_folder_is_no_file_to_record(self):
        storage = get_proxy_storage("orm_disk")
        storage.original_storage.save("sub/b.txt", ContentFile(b"x"))
        with pytest.raises(ProxyFileNotFoundError):
            storage.save("sub", None, original_storage_path="sub")

    def test_original_that_misses_the_bytes_does_not_keep_the_record(self, monkeypatch, caplog):
        caplog.set_level("INFO")
        storage = get_proxy_storage("orm_disk")
        path = storage.save("a.txt", ContentFile(b""))

        def fail(original, name):
            raise FileNotFoundError(name)

        monkeypatch.setattr(FileSystemStorage, "delete", fail)
        storage.delete(path)
        assert "were gone already" in caplog.text
        assert not storage.exists(path)


class TestORMMetaBackend:
    @pytest.mark.parametrize("label", ["testapp.Nothing", "nowhere.Model", "no label"])
    def test_unknown_model(self, label):
        with pytest.raises(ConfigurationError, match="ORMMetaBackend"):
            _ = ORMMetaBackend(label).model

    def test_model_that_holds_no_records(self):
        with pytest.raises(ConfigurationError, match="no subclass of ProxyStorageModelBase"):
            _ = ORMMetaBackend("auth.User").model

    def test_model_without_the_field(self):
        backend = ORMMetaBackend("testapp.PlainStoredFile")
        with pytest.raises(ConfigurationError, match="has no field 'original_storage_name'"):
            backend.create({"path": "/a", "original_storage_name": "disk"})


RECORD = {"path": "/a", "proxy_storage_name": "b", "original_storage_path": "c"}


@pytest.mark.django_db
class TestDatabaseThatRefuses:
    def test_table_is_missing(self):
        backend = ORMMetaBackend("testapp.TablelessStoredFile")
        for ask in (backend.get, backend.exists, backend.delete):
            with pytest.raises(MetaBackendError) as caught, transaction.atomic():
                ask("/a")
            assert isinstance(caught.value.__cause__, DatabaseError)
            assert caught.value.path == "/a"
        with pytest.raises(MetaBackendError), transaction.atomic():
            backend.create(RECORD)
        with pytest.raises(MetaBackendError), transaction.atomic():
            backend.update("/a", {"original_storage_path": "d"})

    def test_database_does_not_answer(self):
        def fail(*args):
            raise OperationalError("server closed the connection")

        backend = ORMMetaBackend("testapp.StoredFile")
        with connection.execute_wrapper(fail), pytest.raises(MetaBackendUnavailable):
            backend.get("/a")

    def test_value_does_not_fit(self):
        with pytest.raises(MetaBackendError, match="refused"):
            ORMMetaBackend("testapp.StoredFile").create({**RECORD, "content_type_id": "no number"})


class TestMongoThatDoesNotAnswer:
    def test_every_method_says_so(self):
        with MongoClient(port=free_port(), serverSelectionTimeoutMS=50) as client:
            backend = MongoMetaBackend(database=client["nowhere"], collection="records")
            for ask in (backend.get, backend.exists, backend.delete):
                with pytest.raises(MetaBackendUnavailable, match="did not answer"):
                    ask("/a")
            with pytest.raises(MetaBackendUnavailable):
                backend.create(RECORD)
            with pytest.raises(MetaBackendUnavailable):
                backend.update("/a", {"original_storage_path": "d"})


@pytest.mark.usefixtures("empty_storages")
class TestGridFSStorage:
    @pytest.fixture
    def storage(self):
        return GridFSStorage(database=get_mongo_db)

    def test_in_a_migration(self):
        text, _ = MigrationWriter.serialize(GridFSStorage(database=GET_MONGO_DB, collection="cv"))
        assert text == (
            "proxy_storage.storages.gridfs.GridFSStorage("
            f"collection='cv', database='{GET_MONGO_DB}')"
        )

    def test_text_content(self, storage):
        name = storage.save("a.txt", ContentFile("é"))
        assert storage.open(name).read() == "é".encode()

    def test_file_can_be_opened_again_after_it_was_closed(self, storage):
        name = storage.save("a.txt", ContentFile(b"hello"))
        file = storage.open(name)
        assert file.read(2) == b"he"
        assert file.open().read() == b"hello"
        file.close()
        assert file.open("rb").read() == b"hello"
        file.close()

    def test_file_is_never_looked_for_on_the_local_disk(self, storage, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "a.txt").write_bytes(b"local")
        name = storage.save("a.txt", ContentFile(b"grid"))
        file = storage.open(name)
        file.close()
        storage.delete(name)
        with pytest.raises(FileNotFoundError):
            file.open()

    def test_only_for_reading(self, storage):
        name = storage.save("a.txt", ContentFile(b""))
        with pytest.raises(ValueError, match="only be opened as 'rb'"):
            storage.open(name, "wb")

    def test_missing_file(self, storage):
        assert not storage.exists("nothing")
        storage.delete("nothing")
        for ask in (storage.open, storage.size, storage.get_modified_time):
            with pytest.raises(ProxyFileNotFoundError):
                ask("nothing")

    def test_naive_times(self, storage, settings):
        settings.USE_TZ = False
        name = storage.save("a.txt", ContentFile(b""))
        assert storage.get_created_time(name).tzinfo is None

    def test_name_that_is_being_uploaded_is_taken(self, storage):
        storage._names.insert_one({"_id": "folder.d/a.txt"})
        name = storage.save("folder.d/a.txt", ContentFile(b"x"))
        assert name.startswith("folder.d/a_")
        assert name.endswith(".txt")

    def test_failed_upload_leaves_nothing(self, storage):
        class Failing(ContentFile):
            def chunks(self, chunk_size=None):
                yield b"x" * 600_000
                raise OSError("unreadable")

        with pytest.raises(OSError, match="unreadable"):
            storage.save("a.txt", Failing(b""))
        assert not storage.exists("a.txt")
        assert storage._names.find_one({"_id": "a.txt"}) is None
        assert get_mongo_db()["fs.chunks"].find_one({}) is None

    def test_failed_cleaning_is_noted(self, storage):
        class GridIn:
            def abort(self):
                raise PyMongoError("no answer")

        error = OSError("disk full")
        storage._give_up("a.txt", GridIn(), error)
        assert error.__notes__ == ["A part of 'a.txt' may be left in GridFS: no answer"]


class TestLazyDatabase:
    def test_sources(self):
        database = get_mongo_db()
        assert LazyDatabase(database).get() is database
        assert LazyDatabase(lambda: database).get() is database
        assert LazyDatabase(GET_MONGO_DB).get() == database

    def test_called_once_in_a_process(self, monkeypatch):
        calls = []
        lazy = LazyDatabase(lambda: calls.append(1) or database, prepare=calls.append)
        database = get_mongo_db()
        assert lazy.get() is lazy.get()
        assert calls == [1, database]
        monkeypatch.setattr("os.getpid", lambda: -1)
        lazy.get()
        assert len(calls) == 4

    def test_source_that_gives_something_else(self):
        with pytest.raises(ConfigurationError, match="gave dict"):
            LazyDatabase(dict).get()


def test_max_length_below_the_folder():
    with pytest.raises(InvalidNameError):
        get_proxy_storage("orm_disk").save("a.txt", ContentFile(b""), max_length=3)
