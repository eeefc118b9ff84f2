"""GridFSStorage, its sources, and copies of objects with a MongoDB database."""

import copy
import csv
import os
import pickle
import re
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.db.migrations.writer import MigrationWriter
from django.utils import timezone
from gridfs import GridFSBucket
from pymongo import MongoClient, monitoring

from proxy_storage.exceptions import ConfigurationError, ProxyFileNotFoundError, ServingError
from proxy_storage.meta_backends.mongo import MongoMetaBackend
from proxy_storage.mongodb import LazyDatabase, ObjectId, PyMongoError
from proxy_storage.registry import get_proxy_storage
from proxy_storage.serving.streaming import Body
from proxy_storage.storages.gridfs import CHUNKS_AT_A_TIME, GridFSStorage
from tests.testapp.models import Document
from tests.testapp.storages import MongoStorage, get_mongo_db

GET_MONGO_DB = "tests.testapp.storages.get_mongo_db"


@pytest.mark.usefixtures("empty_storages")
class TestGridFSStorage:
    @pytest.fixture
    def storage(self):
        return GridFSStorage(database=get_mongo_db)

    def test_migration_writes_the_dotted_path(self):
        text, _ = MigrationWriter.serialize(GridFSStorage(database=GET_MONGO_DB, collection="cv"))
        assert text == (
            "proxy_storage.storages.gridfs.GridFSStorage("
            f"collection='cv', database='{GET_MONGO_DB}')"
        )

    def test_text_is_saved_in_utf_8(self, storage):
        name = storage.save("a.txt", ContentFile("é"))
        assert storage.open(name).read() == "é".encode()

    def test_closed_file_can_be_opened_again(self, storage):
        name = storage.save("a.txt", ContentFile(b"hello"))
        file = storage.open(name)
        assert file.read(2) == b"he"
        assert file.open().read() == b"hello"
        file.close()
        assert file.open("rb").read() == b"hello"
        file.close()

    def test_open_does_not_read_the_local_disk(self, storage, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "a.txt").write_bytes(b"local")
        name = storage.save("a.txt", ContentFile(b"grid"))
        file = storage.open(name)
        file.close()
        storage.delete(name)
        with pytest.raises(FileNotFoundError):
            file.open()

    def test_modes_for_writing_are_refused(self, storage):
        name = storage.save("a.txt", ContentFile(b""))
        with pytest.raises(ValueError, match="only be opened with the mode 'rb'"):
            storage.open(name, "wb")
        for mode in ("w", "a", "r+", "rb+", "x", "wt", ""):
            with pytest.raises(ValueError, match=f"not '{re.escape(mode)}'"):
                storage.open(name, mode)

    @pytest.mark.parametrize("mode", ["r", "rt"])
    def test_text_mode(self, storage, mode):
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

    def test_text_mode_with_many_chunks(self, storage):
        text = "é" * 600_000
        name = storage.save("a.txt", ContentFile(text))
        with storage.open(name, "r") as file:
            assert file.read() == text

    def test_text_mode_with_invalid_utf_8(self, storage):
        name = storage.save("a.txt", ContentFile(b"\xff"))
        with storage.open(name, "r") as file, pytest.raises(UnicodeDecodeError):
            file.read()

    def test_open_changes_the_mode(self, storage):
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
    def test_text_mode_of_a_proxy_storage(self, name):
        proxy_storage = get_proxy_storage(name)
        path = proxy_storage.save("a.csv", ContentFile(b"a,b\n"))
        with proxy_storage.open(path, "r") as file:
            assert list(csv.reader(file)) == [["a", "b"]]

    @pytest.mark.django_db
    def test_text_mode_of_a_field(self):
        document = Document.objects.create(mongo_file=ContentFile(b"a,b\nc,d\n", "a.csv"))
        rows = [["a", "b"], ["c", "d"]]
        assert list(csv.reader(document.mongo_file.open("r"))) == rows
        assert document.mongo_file.open().read() == b"a,b\nc,d\n"
        with Document.objects.get().mongo_file.open("rt") as file:
            assert list(csv.reader(file)) == rows
        document.mongo_file.close()

    def test_missing_file_raises_file_not_found(self, storage):
        assert not storage.exists("nothing")
        storage.delete("nothing")
        for ask in (storage.open, storage.size, storage.get_modified_time):
            with pytest.raises(ProxyFileNotFoundError):
                ask("nothing")

    def test_times_are_naive_without_time_zones(self, storage, settings):
        settings.USE_TZ = False
        name = storage.save("a.txt", ContentFile(b""))
        assert storage.get_created_time(name).tzinfo is None

    def test_reserved_name_is_not_used(self, storage):
        storage._names.insert_one({"_id": "folder.d/a.txt"})
        name = storage.save("folder.d/a.txt", ContentFile(b"x"))
        assert name.startswith("folder.d/a_")
        assert name.endswith(".txt")

    def test_failed_upload_is_deleted(self, storage):
        class Failing(ContentFile):
            def chunks(self, chunk_size=None):
                yield b"x" * 600_000
                raise OSError("unreadable")

        with pytest.raises(OSError, match="unreadable"):
            storage.save("a.txt", Failing(b""))
        assert not storage.exists("a.txt")
        assert storage._names.find_one({"_id": "a.txt"}) is None
        assert get_mongo_db()["fs.chunks"].find_one({}) is None

    def test_failed_cleanup_adds_a_note(self, storage):
        class GridIn:
            def abort(self):
                raise PyMongoError("no answer")

        error = OSError("disk full")
        storage._clean_up(ObjectId(), "a.txt", GridIn(), error)
        assert error.__notes__ == ["A part of 'a.txt' may be left in GridFS: no answer"]

    def test_reservation_of_a_completed_upload_is_kept(self, storage):
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
    """A storage with an attribute of its own."""

    def __init__(self, **options):
        super().__init__(**options)
        self.tags = ["a"]


@pytest.mark.usefixtures("empty_storages")
class TestCopies:
    @pytest.mark.parametrize("make_copy", COPIES.values(), ids=COPIES)
    @pytest.mark.parametrize("database", [get_mongo_db, GET_MONGO_DB])
    def test_copy_of_a_storage(self, make_copy, database):
        storage = OwnStorage(database=database, collection="fs")
        name = storage.save("a.txt", ContentFile(b"world"))  # This opens the database.
        copied = make_copy(storage)
        assert copied.deconstruct() == storage.deconstruct()
        assert copied.tags == ["a"]
        with copied.open(name) as file:
            assert file.read() == b"world"
        copied.delete(name)
        assert not storage.exists(name)

    @pytest.mark.parametrize("make_copy", COPIES.values(), ids=COPIES)
    def test_copy_of_a_meta_backend(self, make_copy):
        backend = MongoStorage.meta_backend
        backend.exists("/a")
        copied = make_copy(backend)
        assert copied == backend
        assert not copied.exists("/a")
        own = make_copy(backend._database)
        assert own == backend._database
        assert own.get() == backend._database.get()

    @pytest.mark.parametrize("name", ["copy", "deepcopy"])
    def test_copies_share_a_database(self, name):
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
    def test_database_cannot_be_pickled(self, make):
        with pytest.raises(TypeError, match="give a function that returns it"):
            pickle.dumps(make(get_mongo_db()))

    def test_pickle_is_read_in_another_process(self):
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
    def test_source_is_a_database_a_function_or_a_path(self):
        database = get_mongo_db()
        assert LazyDatabase(database).get() is database
        assert LazyDatabase(lambda: database).get() is database
        assert LazyDatabase(GET_MONGO_DB).get() == database

    def test_source_is_called_once_in_a_process(self, monkeypatch):
        calls = []
        lazy = LazyDatabase(lambda: calls.append(1) or database, prepare=calls.append)
        database = get_mongo_db()
        assert lazy.get() is lazy.get()
        assert calls == [1, database]
        monkeypatch.setattr("os.getpid", lambda: -1)
        lazy.get()
        assert len(calls) == 4

    def test_source_of_another_type_is_refused(self):
        with pytest.raises(ConfigurationError, match="returned an object of the type dict"):
            LazyDatabase(dict).get()


CHUNK = 10
CONTENT = bytes(range(10 * CHUNK + 3))


class ChunkListener(monitoring.CommandListener):
    """Records the queries of chunks."""

    def __init__(self):
        self.queried = []

    def started(self, event):
        if event.command.get("find") == "fs.chunks":
            numbers = event.command["filter"]["n"]
            self.queried.append((numbers["$gte"], numbers["$lt"]))

    def succeeded(self, event):
        pass

    def failed(self, event):
        pass


class IncompleteChunks:
    """A collection without one of the chunks."""

    def __init__(self, chunks):
        self.chunks = chunks

    def find(self, *args, **options):
        return [chunk for chunk in self.chunks.find(*args, **options) if chunk["n"] != 6]


def read_part(storage, start, stop, block=7):
    body = Body(storage.get_source("a.bin").open(start, stop), stop - start)
    blocks = list(iter(lambda: body.read(block), b""))
    body.close()
    return b"".join(blocks)


@pytest.mark.usefixtures("empty_storages")
class TestGridFSSource:
    @pytest.fixture
    def storage(self):
        storage = GridFSStorage(database=get_mongo_db)
        with GridFSBucket(get_mongo_db(), "fs").open_upload_stream(
            "a.bin", chunk_size_bytes=CHUNK
        ) as stream:
            stream.write(CONTENT)
        return storage

    def test_size_etag_and_time(self, storage):
        source = storage.get_source("a.bin")
        assert source.size == len(CONTENT)
        assert source.etag == f'"{storage.get_grid_out("a.bin")._id}"'
        assert timezone.now() - source.last_modified < timedelta(minutes=1)

    def test_source_makes_no_query_before_its_use(self, storage, monkeypatch):
        monkeypatch.setattr(storage, "get_grid_out", None)
        assert storage.get_source("a.bin").is_as_recorded({"size": 1})

    def test_missing_file_raises_file_not_found(self, storage):
        storage.delete("a.bin")
        with pytest.raises(ProxyFileNotFoundError):
            storage.get_source("a.bin").open(0, 3)

    @pytest.mark.parametrize("block", [1, 7, CHUNK, 1000])
    @pytest.mark.parametrize(
        ("start", "stop"),
        [(0, 103), (0, 4), (0, 10), (9, 11), (10, 20), (15, 95), (100, 103), (102, 103), (50, 50)],
    )
    def test_part_of_the_file(self, storage, start, stop, block):
        assert read_part(storage, start, stop, block) == CONTENT[start:stop]

    def test_empty_file(self, storage):
        storage.save("empty.bin", ContentFile(b""))
        source = storage.get_source("empty.bin")
        assert source.size == 0
        assert source.open(0, 0).read(9) == b""

    def test_missing_chunk_ends_the_part(self, storage, monkeypatch):
        chunks = IncompleteChunks(storage.get_chunks())
        monkeypatch.setattr(storage, "get_chunks", lambda: chunks)
        part = storage.get_source("a.bin").open(0, 103)
        body = Body(part, 103)
        # Chunks of the same query as the missing one are not returned.
        known = CHUNKS_AT_A_TIME * CHUNK
        assert b"".join(body.read(CHUNK) for _ in range(CHUNKS_AT_A_TIME)) == CONTENT[:known]
        with pytest.raises(ServingError, match="too early"):
            body.read(CHUNK)
        assert part.read(CHUNK) == b""

    def test_only_the_chunks_of_the_part_are_queried(self, storage, settings):
        listener = ChunkListener()
        with MongoClient(settings.MONGODB_URI, event_listeners=[listener]) as client:
            watched = GridFSStorage(database=lambda: client[settings.MONGODB_NAME])
            assert read_part(watched, 15, 95) == CONTENT[15:95]
            assert listener.queried == [(1, 5), (5, 9), (9, 10)]
            listener.queried.clear()
            assert read_part(watched, 12, 16) == CONTENT[12:16]
            assert listener.queried == [(1, 2)]
