import pytest
from django.core.files.base import ContentFile
from django.db.migrations.writer import MigrationWriter

from proxy_storage.exceptions import (
    ConfigurationError,
    ProxyFileNotFoundError,
)
from proxy_storage.mongo import LazyDatabase, ObjectId, PyMongoError
from proxy_storage.storages.gridfs import GridFSStorage
from tests.testapp.storages import get_mongo_db

GET_MONGO_DB = "tests.testapp.storages.get_mongo_db"


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
        storage._give_up(ObjectId(), "a.txt", GridIn(), error)
        assert error.__notes__ == ["A part of 'a.txt' may be left in GridFS: no answer"]

    def test_name_of_an_upload_that_was_done_after_all_stays_taken(self, storage):
        class GridIn:
            def abort(self):
                raise PyMongoError("no answer")

        storage.save("a.txt", ContentFile(b"x"))
        grid_out = storage.get_grid_out("a.txt")
        storage._give_up(grid_out._id, "a.txt", GridIn(), OSError("connection lost"))
        assert storage._names.find_one({"_id": "a.txt"}) is not None


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
