"""An original storage in MongoDB's GridFS."""

from __future__ import annotations

import io
import posixpath
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, BinaryIO, Self, cast

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import Storage
from django.utils import timezone
from django.utils.deconstruct import deconstructible

from proxy_storage.exceptions import ProxyFileNotFoundError
from proxy_storage.mongodb import (
    AnyDatabase,
    DatabaseUserMixin,
    DuplicateKeyError,
    GridFSBucket,
    GridOut,
    LazyDatabase,
    NoFile,
    ObjectId,
    PyMongoError,
)
from proxy_storage.original_storages.sources import Readable, Source

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


if TYPE_CHECKING:
    BinaryFile = File[bytes]
else:
    BinaryFile = File


# the last two give text
READ_MODES = ("rb", "r", "rt")


class GridFSFile(BinaryFile):
    """A file in GridFS, opened for reading.

    Args:
        storage: the storage that has it.
        name: its name there.
        mode: ``"rb"``, or ``"r"`` or ``"rt"`` for text in UTF-8, with the line ends that
            Python's ``open`` gives. A file in GridFS is never changed.
    """

    def __init__(self, storage: GridFSStorage, name: str, mode: str = "rb") -> None:
        self._storage = storage
        super().__init__(self._download(name, mode), name)
        self.mode = mode

    def open(self, mode: str | None = None, *args: Any, **kwargs: Any) -> Self:
        """Go back to the start, with a new download for a closed file or for another mode.

        Django's own would look for a file of this name on the local disk.
        """
        mode = mode or self.mode
        if self.closed or mode != self.mode:
            file = self._download(str(self.name), mode)
            self.close()
            self.file, self.mode = file, mode
        else:
            self.seek(0)
        return self

    @property
    def size(self) -> int:
        """Length in bytes, from the file's document."""
        return int(self._grid_out.length)

    def _download(self, name: str, mode: str) -> Any:
        if mode not in READ_MODES:
            raise ValueError(
                f"A file in GridFS can only be opened as 'rb' or, for text, as 'r', not {mode!r}."
            )
        self._grid_out = self._storage.get_grid_out(name)
        if mode == "rb":
            return self._grid_out
        return io.TextIOWrapper(cast("BinaryIO", self._grid_out), encoding="utf-8")


@deconstructible
class GridFSStorage(DatabaseUserMixin, Storage):
    """A Django storage that keeps each file in a GridFS bucket under its name.

    GridFS itself lets many files have one name. To be a storage, a name is claimed
    before the upload, in the collection ``<collection>_names``, whose ``_id`` is the
    name: of two saves at once, one gets the name and the other finds a new one. A claim
    is of one upload, whose ``file_id`` it has, and goes with that file only.

    Args:
        database: a pymongo ``Database``, a callable that returns one, or the dotted path
            of such a callable. Migrations can write down only the latter two.
        collection: the bucket's name, the prefix of its collections.

    Source: https://www.mongodb.com/docs/manual/core/gridfs/
    """

    supports_exclusive_create = True

    def __init__(
        self,
        database: AnyDatabase | Callable[[], AnyDatabase] | str,
        collection: str = "fs",
    ) -> None:
        self.collection_name = collection
        self._database = LazyDatabase(database)

    @property
    def _bucket(self) -> GridFSBucket:
        return GridFSBucket(self._database.get(), bucket_name=self.collection_name)

    @property
    def _names(self) -> Any:
        return self._database.get()[f"{self.collection_name}_names"]

    def _find(self, name: str) -> GridOut | None:
        # an equality match on text, on the driver's own index (filename, uploadDate)
        return next(iter(self._bucket.find({"filename": str(name)}, limit=1)), None)

    def get_grid_out(self, name: str) -> GridOut:
        """Return pymongo's reader of a file.

        Raises:
            ProxyFileNotFoundError: there is no file of this name.
        """
        grid_out = self._find(name)
        if grid_out is None:
            raise ProxyFileNotFoundError(f"GridFS has no file {name!r}.", path=name)
        return grid_out

    def _open(self, name: str, mode: str = "rb") -> GridFSFile:
        return GridFSFile(self, name, mode)

    def get_chunks(self) -> Any:
        """Return the collection that has the bytes."""
        return self._database.get()[f"{self.collection_name}.chunks"]

    def get_source(self, name: str) -> GridFSSource:
        """Return a file to be read from any place on. It is looked up when first asked."""
        return GridFSSource(self, name)

    def _save(self, name: str, content: File[Any]) -> str:
        file_id = ObjectId()
        name = self._claim(name, file_id)
        grid_in = self._bucket.open_upload_stream_with_id(file_id, name)
        try:
            for chunk in content.chunks():
                grid_in.write(chunk.encode() if isinstance(chunk, str) else chunk)
            grid_in.close()
        except BaseException as error:
            self._give_up(file_id, name, grid_in, error)
            raise
        return name

    def _claim(self, name: str, file_id: ObjectId) -> str:
        while True:
            try:
                self._names.insert_one({"_id": name, "file_id": str(file_id)})
                return name
            except DuplicateKeyError:
                alternative = self.get_alternative_name(*posixpath.splitext(name))
                name = self.get_available_name(alternative)

    def _release(self, name: str, file_id: ObjectId) -> None:
        self._names.delete_one({"_id": name, "file_id": str(file_id)})

    def _release_unless_there(self, name: str, file_id: ObjectId) -> None:
        if not list(self._bucket.find({"_id": file_id}, limit=1)):
            self._release(name, file_id)

    def _give_up(self, file_id: ObjectId, name: str, grid_in: Any, error: BaseException) -> None:
        """Remove what a failed upload has left: its chunks, then its claim.

        The upload may have been done, and its answer lost. As long as there is such a file
        its name is not given to another one.
        """
        for remove in (grid_in.abort, partial(self._release_unless_there, name, file_id)):
            try:
                remove()
            except PyMongoError as failure:
                error.add_note(f"A part of {name!r} may be left in GridFS: {failure}")

    def exists(self, name: str) -> bool:
        """Tell whether there is a file of this name."""
        return self._find(name) is not None

    def delete(self, name: str) -> None:
        """Delete a file; it is no error if there is none."""
        grid_out = self._find(name)
        if grid_out is None:
            return  # the name may be claimed, for an upload that is under way
        # somebody else may be faster, as with Django's own storage
        with suppress(NoFile):
            self._bucket.delete(grid_out._id)
        self._release(name, grid_out._id)

    def size(self, name: str) -> int:
        """Return the size in bytes."""
        return int(self.get_grid_out(name).length)

    def get_created_time(self, name: str) -> datetime:
        """Return when the upload began, to the second."""
        created = get_generation_time(self.get_grid_out(name))
        return created if settings.USE_TZ else timezone.make_naive(created)

    def get_modified_time(self, name: str) -> datetime:
        """Return the time of creation: a file in GridFS is never changed."""
        return self.get_created_time(name)
