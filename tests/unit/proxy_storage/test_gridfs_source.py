from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone
from gridfs import GridFSBucket
from pymongo import monitoring

from proxy_storage.exceptions import ProxyFileNotFoundError, ServingError
from proxy_storage.original_storages.sources import Body
from proxy_storage.storages.gridfs import CHUNKS_AT_A_TIME, GridFSStorage
from tests.testapp.storages import get_mongo_db

pytestmark = pytest.mark.usefixtures("empty_storages")

CHUNK = 10
CONTENT = bytes(range(10 * CHUNK + 3))


class ChunkListener(monitoring.CommandListener):
    """Notes which chunks were asked for."""

    def __init__(self):
        self.asked = []

    def started(self, event):
        if event.command.get("find") == "fs.chunks":
            numbers = event.command["filter"]["n"]
            self.asked.append((numbers["$gte"], numbers["$lt"]))

    def succeeded(self, event):
        pass

    def failed(self, event):
        pass


class Lossy:
    """A collection that has lost a chunk; the server of the tests deletes all of a file."""

    def __init__(self, chunks):
        self.chunks = chunks

    def find(self, *args, **options):
        return [chunk for chunk in self.chunks.find(*args, **options) if chunk["n"] != 6]


@pytest.fixture
def storage(django_db_blocker):
    storage = GridFSStorage(database=get_mongo_db)
    with GridFSBucket(get_mongo_db(), "fs").open_upload_stream(
        "a.bin", chunk_size_bytes=CHUNK
    ) as stream:
        stream.write(CONTENT)
    return storage


def read(storage, start, stop, block=7):
    body = Body(storage.get_source("a.bin").open(start, stop), stop - start)
    blocks = list(iter(lambda: body.read(block), b""))
    body.close()
    return b"".join(blocks)


class TestGridFSSource:
    def test_facts(self, storage):
        source = storage.get_source("a.bin")
        assert source.size == len(CONTENT)
        assert source.etag == f'"{storage.get_grid_out("a.bin")._id}"'
        assert timezone.now() - source.last_modified < timedelta(minutes=1)

    def test_nothing_is_asked_before_something_is_wanted(self, storage, monkeypatch):
        monkeypatch.setattr(storage, "get_grid_out", None)
        assert storage.get_source("a.bin").is_as_recorded({"size": 1})

    def test_file_that_is_gone(self, storage):
        storage.delete("a.bin")
        with pytest.raises(ProxyFileNotFoundError):
            storage.get_source("a.bin").open(0, 3)

    @pytest.mark.parametrize("block", [1, 7, CHUNK, 1000])
    @pytest.mark.parametrize(
        ("start", "stop"),
        [(0, 103), (0, 4), (0, 10), (9, 11), (10, 20), (15, 95), (100, 103), (102, 103), (50, 50)],
    )
    def test_part(self, storage, start, stop, block):
        assert read(storage, start, stop, block) == CONTENT[start:stop]

    def test_empty_file(self, storage):
        storage.save("empty.bin", ContentFile(b""))
        source = storage.get_source("empty.bin")
        assert source.size == 0
        assert source.open(0, 0).read(9) == b""

    def test_chunk_that_is_missing_breaks_off(self, storage, monkeypatch):
        chunks = Lossy(storage.get_chunks())
        monkeypatch.setattr(storage, "get_chunks", lambda: chunks)
        part = storage.get_source("a.bin").open(0, 103)
        body = Body(part, 103)
        # none of those that were asked for together
        known = CHUNKS_AT_A_TIME * CHUNK
        assert b"".join(body.read(CHUNK) for _ in range(CHUNKS_AT_A_TIME)) == CONTENT[:known]
        with pytest.raises(ServingError, match="too early"):
            body.read(CHUNK)
        assert part.read(CHUNK) == b""

    def test_only_chunks_of_the_part_are_asked_for(self, storage, settings):
        from pymongo import MongoClient

        listener = ChunkListener()
        with MongoClient(settings.MONGODB_URI, event_listeners=[listener]) as client:
            watched = GridFSStorage(database=lambda: client[settings.MONGODB_NAME])
            assert read(watched, 15, 95) == CONTENT[15:95]
            assert listener.asked == [(1, 5), (5, 9), (9, 10)]
            listener.asked.clear()
            assert read(watched, 12, 16) == CONTENT[12:16]
            assert listener.asked == [(1, 2)]
