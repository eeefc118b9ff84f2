"""Read a file in an original storage from any position.

A storage of your own takes part with a method ``get_source(name)`` that returns a `Source`.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from django.core.files.storage import FileSystemStorage, Storage
from django.utils import timezone

from proxy_storage.exceptions import ServingError


class Readable(Protocol):
    """An open file, reduced to the two methods that are needed."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes. Only at the end it returns no bytes."""

    def close(self) -> None:
        """Close the file."""


class Source(ABC):
    """One file in an original storage, not opened yet.

    A storage that can read from the middle of a file has a method ``get_source(name)`` that
    returns an instance. `StreamingServer` then reads only the bytes of a range.

    If the file is missing, any of the methods raises `FileNotFoundError`.
    """

    @property
    @abstractmethod
    def size(self) -> int:
        """Size in bytes."""

    @property
    def etag(self) -> str | None:
        """A strong entity tag with its quotes (RFC 9110 section 8.8.3), or ``None``."""
        return None

    @property
    def last_modified(self) -> datetime | None:
        """The time of the last change, with a time zone, or ``None`` if it is not known."""
        return None

    @abstractmethod
    def open(self, start: int, stop: int) -> Readable:
        """Open the file for the bytes from ``start`` up to and not including ``stop``.

        The returned object may have more bytes than these. They are not sent.

        Raises:
            FileNotFoundError: the file is missing.
        """

    def is_as_recorded(self, record: Mapping[str, Any]) -> bool:
        """Return whether the metadata in a record can be that of this file.

        This compares only values that are known without a request to the storage.
        """
        return True


class StorageSource(Source):
    """A file in any Django storage. It is opened, and read from the start position.

    Args:
        storage: the storage.
        name: the file's name there.
    """

    def __init__(self, storage: Storage, name: str) -> None:
        self.storage = storage
        self.name = name

    @cached_property
    def size(self) -> int:
        """Size in bytes.

        A subclass of FileSystemStorage that encrypts or compresses files often returns the size
        on disk. Its files are read to measure them, because a wrong size truncates the response.
        """
        if isinstance(self.storage, FileSystemStorage):
            with self.storage.open(self.name, "rb") as file:
                return sum(map(len, file.chunks()))
        return self.storage.size(self.name)

    @property
    def etag(self) -> str | None:
        """An entity tag made of time and size, as web servers do."""
        if self.last_modified is None:
            return None
        return f'"{int(self.last_modified.timestamp() * 1_000_000):x}-{self.size:x}"'

    @cached_property
    def last_modified(self) -> datetime | None:
        """The modification time in the storage, or ``None`` if the storage does not have it."""
        try:
            modified = self.storage.get_modified_time(self.name)
        except NotImplementedError:
            return None
        return modified if timezone.is_aware(modified) else timezone.make_aware(modified)

    def open(self, start: int, stop: int) -> Readable:
        """Open the file and move to the start position."""
        file = self.storage.open(self.name, "rb")
        try:
            go_to(file, start)
        except BaseException:
            file.close()
            raise
        return file


def go_to(file: Any, position: int) -> None:
    """Move forward in a file that has just been opened; read only if it cannot seek.

    Args:
        file: the file, at its first byte.
        position: the new position in bytes.

    Raises:
        ServingError: the file is shorter.
    """
    if not position:
        return
    with suppress(AttributeError, OSError):  # io.UnsupportedOperation is an OSError.
        file.seek(position, os.SEEK_SET)
        return
    while position:
        skipped = len(file.read(min(position, 65536)))
        if not skipped:
            raise ServingError(f"The file ended {position} bytes before the requested range.")
        position -= skipped
