"""A stored file that is opened when its content is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.files.base import File

if TYPE_CHECKING:
    AnyFile = File[Any]
else:
    AnyFile = File


class LazyFile(AnyFile):
    """A stored file that is opened when its content is read.

    Some storages download a file as soon as it is opened.

    Args:
        name: the name of the file.
        open_file: opens the file.
        get_size: returns its size in bytes. It is called once, if the size is needed.
    """

    def __init__(
        self, name: str, open_file: Callable[[], Any], get_size: Callable[[], int]
    ) -> None:
        self.name = name
        self._open_file, self._get_size = open_file, get_size

    @cached_property
    def file(self) -> Any:  # type: ignore[override]  # An attribute that can be set, in Django.
        """The open file."""
        return self._open_file()

    @cached_property
    def size(self) -> int:
        """The size in bytes."""
        return int(self._get_size())

    @property
    def closed(self) -> bool:
        """Whether the file is not open."""
        return "file" not in vars(self) or self.file.closed

    def read(self, size: int = -1) -> Any:
        """Return up to this many bytes."""
        return self.file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position. A file that is not open is at its start."""
        is_at_start = "file" not in vars(self) and (offset, whence) == (0, os.SEEK_SET)
        return 0 if is_at_start else int(self.file.seek(offset, whence))

    def close(self) -> None:
        """Close the file if it is open."""
        if not self.closed:
            self.file.close()
