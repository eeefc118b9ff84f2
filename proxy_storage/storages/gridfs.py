"""An original storage in MongoDB's GridFS."""

from __future__ import annotations

import io
import posixpath
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Self, cast

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import Storage
from django.utils import timezone
from django.utils.deconstruct import deconstructible

from proxy_storage.exceptions import ProxyFileNotFoundError
from proxy_storage.mongo import (
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
from proxy_storage.storages.gridfs_source import GridFSSource, get_generation_time

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

    saves_exclusively = True

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
