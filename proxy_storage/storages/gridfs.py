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

# The number of chunks that are read with one query. A chunk has 255 KiB by default.
CHUNKS_AT_A_TIME = 4

# The last two read text.
READ_MODES = ("rb", "r", "rt")

if TYPE_CHECKING:
    BinaryFile = File[bytes]
else:
    BinaryFile = File


class GridFSSource(Source):
    """A source of parts of a file in GridFS, which reads only the chunks of the part.

    Args:
        storage: the storage of the file.
        name: the name of the file there.
    """

    def __init__(self, storage: GridFSStorage, name: str) -> None:
        self._storage = storage
        self._name = name

    @cached_property
    def _grid_out(self) -> GridOut:
        return self._storage.get_grid_out(self._name)

    @property
    def size(self) -> int:
        """The size in bytes."""
        return int(self._grid_out.length)

    @property
    def etag(self) -> str:
        """The id of the file's document. Each upload creates a document."""
        return f'"{self._grid_out._id}"'

    @property
    def last_modified(self) -> datetime:
        """The time at which the upload began, to the second."""
        return get_generation_time(self._grid_out)

    def open(self, start: int, stop: int) -> Readable:
        """Return a part of the file; the first query is made when it is read."""
        return GridFSPart(self._storage.get_chunks(), self._grid_out, start, stop)


def get_generation_time(grid_out: GridOut) -> datetime:
    """Return the time at which an upload began, in UTC.

    It is taken from the ObjectId. The driver returns ``uploadDate`` with or without a timezone,
    which depends on the options of the client.
    """
    generation_time: datetime = grid_out._id.generation_time
    return generation_time


class GridFSPart:
    """A part of a file in GridFS that reads a few chunks with each query.

    pymongo's own reader queries all chunks from the first one on, and MongoDB returns up to
    16 MiB of them at once. This class also keeps no cursor open, which MongoDB would close while
    a client reads slowly.

    Args:
        chunks: the collection of chunks.
        grid_out: the file.
        start: the position of the first byte.
        stop: the position after the last byte.

    Source: https://www.mongodb.com/docs/manual/core/gridfs/#the-chunks-collection
    """

    def __init__(self, chunks: Any, grid_out: Any, start: int, stop: int) -> None:
        self._chunks = chunks
        self._file_id = grid_out._id
        self._next, self._skip = divmod(start, grid_out.chunk_size)
        self._end = -(-stop // grid_out.chunk_size)
        self._fetched: deque[bytes] = deque()
        self._rest = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; none at the end, or if a chunk is missing."""
        if not self._rest:
            if not self._fetched:
                self._fetch()
            chunk = self._fetched.popleft() if self._fetched else b""
            self._rest, self._skip = memoryview(chunk)[self._skip :], 0
        part, self._rest = self._rest[:size], self._rest[size:]
        return bytes(part)

    def _fetch(self) -> None:
        numbers = range(self._next, min(self._next + CHUNKS_AT_A_TIME, self._end))
        query = {"files_id": self._file_id, "n": {"$gte": numbers.start, "$lt": numbers.stop}}
        found = list(self._chunks.find(query, sort=[("n", 1)])) if numbers else []
        if [chunk["n"] for chunk in found] == list(numbers):
            self._fetched.extend(chunk["data"] for chunk in found)
            self._next = numbers.stop
        else:  # A chunk is missing, and no other one must be returned in its place.
            self._end = self._next

    def close(self) -> None:
        """Discard the chunks that were fetched and not read."""
        self._fetched.clear()


class GridFSFile(BinaryFile):
    """A file in GridFS, opened for reading.

    Args:
        storage: the storage of the file.
        name: the name of the file there.
        mode: ``"rb"``, or ``"r"`` or ``"rt"`` for text in UTF-8, with line endings as in
            Python's ``open``. Files in GridFS are never changed.
    """

    def __init__(self, storage: GridFSStorage, name: str, mode: str = "rb") -> None:
        self._storage = storage
        super().__init__(self._download(name, mode), name)
        self.mode = mode

    def open(self, mode: str | None = None, *args: Any, **kwargs: Any) -> Self:
        """Go to the first byte; a closed file, or another mode, starts a new download.

        Django's method would open a file of this name on the local disk.
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
        """The size in bytes, from the file's document."""
        return int(self._grid_out.length)

    def _download(self, name: str, mode: str) -> Any:
        if mode not in READ_MODES:
            raise ValueError(
                "A file in GridFS can only be opened with the mode 'rb' or, for text, 'r', not "
                f"{mode!r}."
            )
        self._grid_out = self._storage.get_grid_out(name)
        if mode == "rb":
            return self._grid_out
        return io.TextIOWrapper(cast("BinaryIO", self._grid_out), encoding="utf-8")


@deconstructible
class GridFSStorage(DatabaseUserMixin, Storage):
    """A Django storage that keeps each file in a GridFS bucket under its name.

    In GridFS, several files can have the same name. A storage must not allow that. So a save
    reserves the name before the upload, in the collection ``<collection>_names``, whose ``_id``
    is the name. Of two saves at once, one gets the name and the other one chooses a new name. A
    reservation has the ``file_id`` of its upload and is deleted together with that file only.

    Args:
        database: a pymongo ``Database``, a callable that returns one, or the dotted path
            of such a callable. Migrations support only the latter two.
        collection: the name of the bucket, which is the prefix of its collections.

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
        # An equality match, for which MongoDB uses the driver's index (filename, uploadDate).
        return next(iter(self._bucket.find({"filename": str(name)}, limit=1)), None)

    def get_grid_out(self, name: str) -> GridOut:
        """Return pymongo's reader of a file.

        Raises:
            ProxyFileNotFoundError: no file has this name.
        """
        grid_out = self._find(name)
        if grid_out is None:
            raise ProxyFileNotFoundError(f"No file in GridFS has the name {name!r}.", path=name)
        return grid_out

    def _open(self, name: str, mode: str = "rb") -> GridFSFile:
        return GridFSFile(self, name, mode)

    def get_chunks(self) -> Any:
        """Return the collection of the chunks."""
        return self._database.get()[f"{self.collection_name}.chunks"]

    def get_source(self, name: str) -> GridFSSource:
        """Return a source of parts of a file. The first query is made when it is used."""
        return GridFSSource(self, name)

    def _save(self, name: str, content: File[Any]) -> str:
        file_id = ObjectId()
        name = self._reserve(name, file_id)
        grid_in = self._bucket.open_upload_stream_with_id(file_id, name)
        try:
            for chunk in content.chunks():
                grid_in.write(chunk.encode() if isinstance(chunk, str) else chunk)
            grid_in.close()
        except BaseException as error:
            self._clean_up(file_id, name, grid_in, error)
            raise
        return name

    def _reserve(self, name: str, file_id: ObjectId) -> str:
        """Reserve a name, or another one if it is taken; return the reserved name."""
        while True:
            try:
                self._names.insert_one({"_id": name, "file_id": str(file_id)})
                return name
            except DuplicateKeyError:
                alternative = self.get_alternative_name(*posixpath.splitext(name))
                name = self.get_available_name(alternative)

    def _delete_reservation(self, name: str, file_id: ObjectId) -> None:
        self._names.delete_one({"_id": name, "file_id": str(file_id)})

    def _delete_unused_reservation(self, name: str, file_id: ObjectId) -> None:
        """Delete a reservation, unless its file exists: the upload may have been completed."""
        if not list(self._bucket.find({"_id": file_id}, limit=1)):
            self._delete_reservation(name, file_id)

    def _clean_up(self, file_id: ObjectId, name: str, grid_in: Any, error: BaseException) -> None:
        """Delete the chunks of a failed upload, then its reservation."""
        for delete in (grid_in.abort, partial(self._delete_unused_reservation, name, file_id)):
            try:
                delete()
            except PyMongoError as failure:
                error.add_note(f"A part of {name!r} may be left in GridFS: {failure}")

    def exists(self, name: str) -> bool:
        """Return whether a file has this name."""
        return self._find(name) is not None

    def delete(self, name: str) -> None:
        """Delete a file. A name without file is not an error."""
        grid_out = self._find(name)
        if grid_out is None:
            return  # The name may be reserved for an upload that is not complete yet.
        with suppress(NoFile):  # Another call has deleted the file since.
            self._bucket.delete(grid_out._id)
        self._delete_reservation(name, grid_out._id)

    def size(self, name: str) -> int:
        """Return the size in bytes."""
        return int(self.get_grid_out(name).length)

    def get_created_time(self, name: str) -> datetime:
        """Return the time at which the upload began, to the second."""
        created = get_generation_time(self.get_grid_out(name))
        return created if settings.USE_TZ else timezone.make_naive(created)

    def get_modified_time(self, name: str) -> datetime:
        """Return the time of creation, since files in GridFS are never changed."""
        return self.get_created_time(name)
