"""A file in GridFS, read from any place on."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from proxy_storage.mongo import GridOut
from proxy_storage.sources import Readable, Source

if TYPE_CHECKING:
    from proxy_storage.storages.gridfs import GridFSStorage

# a chunk has 255 KiB, unless somebody has chosen otherwise
CHUNKS_AT_A_TIME = 4


class GridFSSource(Source):
    """A file in GridFS. A part of it is read from the chunks that have the part.

    Args:
        storage: the storage that has it.
        name: its name there.
    """

    def __init__(self, storage: GridFSStorage, name: str) -> None:
        self._storage = storage
        self._name = name

    @cached_property
    def _grid_out(self) -> GridOut:
        return self._storage.get_grid_out(self._name)

    @property
    def size(self) -> int:
        """Length in bytes."""
        return int(self._grid_out.length)

    @property
    def etag(self) -> str:
        """The id of the file's document: another upload is another document."""
        return f'"{self._grid_out._id}"'

    @property
    def last_modified(self) -> datetime:
        """When the upload began, to the second."""
        return get_generation_time(self._grid_out)

    def open(self, start: int, stop: int) -> Readable:
        """Go to the first byte that is wanted; nothing is asked for before it is read."""
        return GridFSPart(self._storage.get_chunks(), self._grid_out, start, stop)


def get_generation_time(grid_out: GridOut) -> datetime:
    """Return when an upload began.

    It is taken from the ObjectId, which always has UTC; the driver gives uploadDate with or
    without a zone, as the client was set up.
    """
    generation_time: datetime = grid_out._id.generation_time
    return generation_time


class GridFSPart:
    """A part of a file in GridFS; a few chunks at a time are asked for.

    pymongo's own reader asks for all chunks from the first one on, and MongoDB fills an
    answer with up to 16 MiB of them. Nor does a cursor stay open here, which the server would
    give up while a client reads slowly.

    Args:
        chunks: the collection of chunks.
        grid_out: the file.
        start: the first byte.
        stop: the byte after the last one.

    Source: https://www.mongodb.com/docs/manual/core/gridfs/#the-chunks-collection
    """

    def __init__(self, chunks: Any, grid_out: Any, start: int, stop: int) -> None:
        self._chunks = chunks
        self._file_id = grid_out._id
        self._next, self._skip = divmod(start, grid_out.chunk_size)
        self._end = -(-stop // grid_out.chunk_size)
        self._asked: deque[bytes] = deque()
        self._rest = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes; none at the end, and where a chunk is missing."""
        if not self._rest:
            if not self._asked:
                self._ask()
            chunk = self._asked.popleft() if self._asked else b""
            self._rest, self._skip = memoryview(chunk)[self._skip :], 0
        part, self._rest = self._rest[:size], self._rest[size:]
        return bytes(part)

    def _ask(self) -> None:
        numbers = range(self._next, min(self._next + CHUNKS_AT_A_TIME, self._end))
        query = {"files_id": self._file_id, "n": {"$gte": numbers.start, "$lt": numbers.stop}}
        found = list(self._chunks.find(query, sort=[("n", 1)])) if numbers else []
        if [chunk["n"] for chunk in found] == list(numbers):
            self._asked.extend(chunk["data"] for chunk in found)
            self._next = numbers.stop
        else:  # none of them must take the place of one that is missing
            self._end = self._next

    def close(self) -> None:
        """Forget what has been read and not been sent."""
        self._asked.clear()
