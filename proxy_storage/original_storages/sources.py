"""The bytes of one file in an original storage, to be read from any place on."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from django.core.files.storage import FileSystemStorage, Storage
from django.utils import timezone

from proxy_storage.exceptions import ServingError


class Readable(Protocol):
    """What is read from: ``read`` may give fewer bytes than asked for, none at the end."""

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes."""

    def close(self) -> None:
        """Give up what it holds."""


class Source(ABC):
    """One file in an original storage, not yet opened.

    A storage that can read a part of a file without what comes before has a method
    ``get_source(name)``, which returns one of these. `StreamingServer` then moves no other
    bytes for a range.

    Where the file is gone, any of the methods raises `FileNotFoundError`.
    """

    @property
    @abstractmethod
    def size(self) -> int:
        """Length in bytes."""

    @property
    def etag(self) -> str | None:
        """A strong entity tag with its quotes (RFC 9110 section 8.8.3), if there is one."""
        return None

    @property
    def last_modified(self) -> datetime | None:
        """When the bytes were written, with a time zone, if anybody knows."""
        return None

    @abstractmethod
    def open(self, start: int, stop: int) -> Readable:
        """Open the bytes from ``start`` up to ``stop``, which is not among them.

        More than these may come; they are not sent.

        Raises:
            FileNotFoundError: the file is gone.
        """

    def is_as_recorded(self, record: Mapping[str, Any]) -> bool:
        """Tell whether the facts of a record can be those of these bytes.

        Only what is known without asking anybody is compared.
        """
        return True


class StorageSource(Source):
    """A file of any Django storage: the file is opened, and read from its place on.

    Args:
        storage: the storage.
        name: the file's name there.
    """

    def __init__(self, storage: Storage, name: str) -> None:
        self.storage = storage
        self.name = name

    @cached_property
    def size(self) -> int:
        """Length in bytes, as the storage says.

        One that changes the bytes of files on disk on their way often says how long they are
        there. Its files are measured, or what comes would be cut off.
        """
        if isinstance(self.storage, FileSystemStorage):
            with self.storage.open(self.name, "rb") as file:
                return sum(map(len, file.chunks()))
        return self.storage.size(self.name)

    @property
    def etag(self) -> str | None:
        """An entity tag of time and size, as web servers make them of files."""
        if self.last_modified is None:
            return None
        return make_etag(int(self.last_modified.timestamp() * 1_000_000), self.size)

    @cached_property
    def last_modified(self) -> datetime | None:
        """The storage's own time of the file; many storages have none."""
        try:
            modified = self.storage.get_modified_time(self.name)
        except NotImplementedError:
            return None
        return modified if timezone.is_aware(modified) else timezone.make_aware(modified)

    def open(self, start: int, stop: int) -> Readable:
        """Open the file and go to the first byte that is wanted."""
        file = self.storage.open(self.name, "rb")
        try:
            go_to(file, start)
        except BaseException:
            file.close()
            raise
        return file


def make_etag(time: int, size: int) -> str:
    """Return the entity tag that time and size of a file make."""
    return f'"{time:x}-{size:x}"'


def go_to(file: Any, position: int) -> None:
    """Go forward in a file that has just been opened, reading only where it cannot seek."""
    if not position:
        return
    with suppress(AttributeError, OSError):  # io.UnsupportedOperation is an OSError
        file.seek(position, os.SEEK_SET)
        return
    while position:
        skipped = len(file.read(min(position, 65536)))
        if not skipped:
            raise ServingError("The file ended before the part that was asked for.")
        position -= skipped


class Body:
    """A fixed number of bytes of a readable object. It is closed once, in any thread.

    Args:
        readable: the object to read from; the body closes it.
        length: the number of bytes. If there are fewer, `read` raises an error, since the
            client was promised this number and must not take a part for the whole.
        before_first_byte: called once, before anything is read.
    """

    def __init__(
        self,
        readable: Readable,
        length: int,
        before_first_byte: Callable[[], object] | None = None,
    ) -> None:
        self._readable = readable
        self._left = length
        self._before_first_byte = before_first_byte
        # A thread that has the lock does not wait for itself: see `_acquire`.
        self._lock = threading.RLock()
        self.closed = False

    def read(self, size: int) -> bytes:
        """Return up to so many bytes, and none after the last one or after `close`.

        Raises:
            ServingError: the source ended early.
        """
        self._start()
        self._acquire()
        try:
            if self.closed or not self._left:
                return b""
            data = self._readable.read(min(size, self._left))
            if not data:
                raise ServingError(f"The source ended {self._left} bytes too early.")
            self._left -= len(data)
            return data
        finally:
            self._lock.release()

    def close(self) -> None:
        """Close the readable object, after a read that another thread is in."""
        self._acquire()
        try:
            if not self.closed:
                self.closed = True
                self._readable.close()
        finally:
            self._lock.release()

    def _start(self) -> None:
        function, self._before_first_byte = self._before_first_byte, None
        if function is not None:
            function()

    def _acquire(self) -> None:
        """Take the lock, or raise an error without it.

        mod_wsgi closes a response while an error of its own is set. Python then takes the lock
        and raises SystemError, and a ``with`` statement would never release it.
        """
        try:
            self._lock.acquire()
        except BaseException:
            with suppress(RuntimeError):  # This thread does not have the lock.
                self._lock.release()
            raise


class FileBody(Body):
    """The whole of a local file, which a WSGI server may send by its descriptor.

    Args:
        readable: the file, at its first byte.
        length: its length in bytes.
        before_first_byte: as for `Body`.

    Source: PEP 3333 (wsgi.file_wrapper). mod_wsgi 4 and 5 call ``tell`` after ``fileno``.
    """

    _readable: Any

    def fileno(self) -> int:
        """Return the descriptor of the file."""
        self._start()
        return int(self._readable.fileno())

    def tell(self) -> int:
        """Return the place of the next byte in the file."""
        return int(self._readable.tell())
