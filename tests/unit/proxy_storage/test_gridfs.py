import copy
import csv
import os
import pickle
import re
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.db.migrations.writer import MigrationWriter

from proxy_storage.exceptions import (
    ConfigurationError,
    ProxyFileNotFoundError,
)
from proxy_storage.meta_backends.mongo import MongoMetaBackend
from proxy_storage.mongodb import LazyDatabase, ObjectId, PyMongoError
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages.gridfs import GridFSStorage
from tests.testapp.models import Document
from tests.testapp.storages import MongoStorage, get_mongo_db

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
        with pytest.raises(ValueError, match="only be opened with the mode 'rb'"):
            storage.open(name, "wb")
        for mode in ("w", "a", "r+", "rb+", "x", "wt", ""):
            with pytest.raises(ValueError, match=f"not '{re.escape(mode)}'"):
                storage.open(name, mode)

    @pytest.mark.parametrize("mode", ["r", "rt"])
    def test_text(self, storage, mode):
        name = storage.save("a.csv", ContentFile("é,b\r\nc,\U0001f4f7\n".encode()))
        with storage.open(name, mode) as file:
            assert file.mode == mode
            assert file.read() == "é,b\nc,\U0001f4f7\n"
            file.seek(0)
            assert file.read(1) == "é"
            assert list(file) == ["é,b\n", "c,\U0001f4f7\n"]
            assert "".join(file.chunks(2)) == "é,b\nc,\U0001f4f7\n"
            assert file.size == storage.size(name)
            assert list(csv.reader(file)) == [["é", "b"], ["c", "\U0001f4f7"]]
        assert file.closed

    def test_text_of_many_chunks(self, storage):
        text = "é" * 600_000
        name = storage.save("a.txt", ContentFile(text))
        with storage.open(name, "r") as file:
            assert file.read() == text

    def test_bytes_that_are_not_text(self, storage):
        name = storage.save("a.txt", ContentFile(b"\xff"))
        with storage.open(name, "r") as file, pytest.raises(UnicodeDecodeError):
            file.read()

    def test_text_and_bytes_in_turn(self, storage):
        name = storage.save("a.txt", ContentFile("é"))
        file = storage.open(name)
        for mode, content in (("r", "é"), ("r", "é"), ("rb", "é".encode()), ("rt", "é")):
            assert file.open(mode).read() == content
        assert file.open().read() == "é"
        file.close()
        assert file.open().read() == "é"
        with pytest.raises(ValueError, match="only be opened"):
            file.open("w")
        assert file.open("rb").read() == "é".encode()
        file.close()

    @pytest.mark.parametrize("name", ["mongo-gridfs", "orm-gridfs"])
    def test_text_by_a_proxy_storage(self, name):
        proxy_storage = get_proxy_storage(name)
        path = proxy_storage.save("a.csv", ContentFile(b"a,b\n"))
        with proxy_storage.open(path, "r") as file:
            assert list(csv.reader(file)) == [["a", "b"]]

    @pytest.mark.django_db
    def test_text_by_a_field(self):
        document = Document.objects.create(mongo_file=ContentFile(b"a,b\nc,d\n", "a.csv"))
        rows = [["a", "b"], ["c", "d"]]
        assert list(csv.reader(document.mongo_file.open("r"))) == rows
        assert document.mongo_file.open().read() == b"a,b\nc,d\n"
        with Document.objects.get().mongo_file.open("rt") as file:
            assert list(csv.reader(file)) == rows
        document.mongo_file.close()

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
        storage._clean_up(ObjectId(), "a.txt", GridIn(), error)
        assert error.__notes__ == ["A part of 'a.txt' may be left in GridFS: no answer"]

    def test_name_of_an_upload_that_was_done_after_all_stays_taken(self, storage):
        class GridIn:
            def abort(self):
                raise PyMongoError("no answer")

        storage.save("a.txt", ContentFile(b"x"))
        grid_out = storage.get_grid_out("a.txt")
        storage._clean_up(grid_out._id, "a.txt", GridIn(), OSError("connection lost"))
        assert storage._names.find_one({"_id": "a.txt"}) is not None


COPIES = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "oldest pickle": lambda value: pickle.loads(pickle.dumps(value, protocol=0)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


READ_FROM_A_PICKLE = """
import pickle, sys
import django

django.setup()
storage = pickle.load(sys.stdin.buffer)
with storage.open("a.txt") as file:
    sys.stdout.buffer.write(file.read())
"""


class OwnStorage(GridFSStorage):
    """A storage with a value of its own."""

    def __init__(self, **options):
        super().__init__(**options)
        self.tags = ["a"]


@pytest.mark.usefixtures("empty_storages")
class TestCopies:
    @pytest.mark.parametrize("make_copy", COPIES.values(), ids=COPIES)
    @pytest.mark.parametrize("database", [get_mongo_db, GET_MONGO_DB])
    def test_of_a_storage(self, make_copy, database):
        storage = OwnStorage(database=database, collection="fs")
        name = storage.save("a.txt", ContentFile(b"world"))  # it has looked the database up
        copied = make_copy(storage)
        assert copied.deconstruct() == storage.deconstruct()
        assert copied.tags == ["a"]
        with copied.open(name) as file:
            assert file.read() == b"world"
        copied.delete(name)
        assert not storage.exists(name)

    @pytest.mark.parametrize("make_copy", COPIES.values(), ids=COPIES)
    def test_of_a_meta_backend(self, make_copy):
        backend = MongoStorage.meta_backend
        backend.exists("/a")
        copied = make_copy(backend)
        assert copied == backend
        assert not copied.exists("/a")
        own = make_copy(backend._database)
        assert own == backend._database
        assert own.get() == backend._database.get()

    @pytest.mark.parametrize("name", ["copy", "deepcopy"])
    def test_share_a_database(self, name):
        database = get_mongo_db()
        storage = OwnStorage(database=database)
        copied = COPIES[name](storage)
        assert copied._database.get() is database
        assert (copied.tags is storage.tags) == (name == "copy")
        backend = COPIES[name](MongoMetaBackend(database, "records"))
        assert backend._database.get() is database
        assert COPIES[name](backend._database).get() is database

    @pytest.mark.parametrize(
        "make", [GridFSStorage, LazyDatabase, lambda database: MongoMetaBackend(database, "files")]
    )
    def test_of_a_database_cannot_be_pickled(self, make):
        with pytest.raises(TypeError, match="give a function that returns it"):
            pickle.dumps(make(get_mongo_db()))

    def test_in_another_process(self):
        storage = GridFSStorage(database=get_mongo_db)
        storage.save("a.txt", ContentFile(b"world"))
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": os.pathsep.join(sys.path),
            "MONGODB_URI": settings.MONGODB_URI,
            "TEST_RUN": settings.RUN,
            "TEST_FOLDER": str(settings.FOLDER),
        }
        command = [sys.executable, "-c", READ_FROM_A_PICKLE]
        arguments = {"input": pickle.dumps(storage), "capture_output": True, "env": environment}
        assert subprocess.run(command, check=True, **arguments).stdout == b"world"


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
        with pytest.raises(ConfigurationError, match="returned an object of the type dict"):
            LazyDatabase(dict).get()
