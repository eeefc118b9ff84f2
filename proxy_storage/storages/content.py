"""The content of a save: a file that is measured while an original storage reads it."""

from __future__ import annotations

import hashlib
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cached_property
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.core.files.base import File
from django.core.files.uploadedfile import UploadedFile

from proxy_storage.exceptions import ContentError
from proxy_storage.mime_types import Utf8Check
from proxy_storage.paths import MAX_EXTENSION_BYTES, MAX_NAME_LENGTH, strip_control_characters

if TYPE_CHECKING:
    AnyFile = File[Any]
else:
    AnyFile = File

# The errors of a stream that cannot be read from another position: it has no such method, is not
# seekable, or is closed.
NOT_SEEKABLE_ERRORS = (AttributeError, OSError, ValueError)

# Django moves a file that has this method instead of copying it. It looks for a free name first
# and renames the file then, so that another save may take the name in between.
HIDDEN = frozenset({"temporary_file_path"})
# Methods that read bytes without measuring them.
UNMEASURED = frozenset({"read1", "readall", "readinto", "readinto1", "readlines", "peek", "detach"})

# A File has an attribute file, which may have one as well. Some files are their own file.
MAX_WRAPPERS = 5


def encode(data: Any) -> bytes:
    """Return data as the bytes that are stored. Text is encoded in UTF-8 on every storage.

    Raises:
        ContentError: the data is text that UTF-8 cannot encode.
        TypeError: the data is neither text nor bytes. Numbers are refused, as in Django's
            storages, since ``bytes(5)`` would be five NUL bytes.
    """
    if isinstance(data, bytes):
        return data
    try:
        return data.encode() if isinstance(data, str) else bytes(memoryview(data))
    except UnicodeEncodeError as error:
        raise ContentError(f"The text cannot be encoded in UTF-8: {error}") from error


def is_text(content: Any) -> bool:
    """Return whether content is a stream of text. Its positions are not positions of bytes."""
    for _wrapper in range(MAX_WRAPPERS):
        if isinstance(content, io.TextIOBase):
            return True
        content = getattr(content, "file", None)
    return False


def has_own_chunks(content: Any) -> bool:
    """Return whether the content's ``chunks`` method is not one of Django's.

    Then the stored bytes are those of ``chunks``, since ``read`` may return others.
    """
    chunks = getattr(content, "chunks", None)
    if chunks is None or isinstance(content, MeasuredFile):
        return False
    function = getattr(chunks, "__func__", chunks)
    return not str(getattr(function, "__module__", "")).startswith("django.")


class ChunkReader(io.RawIOBase):
    """A file of bytes that reads the chunks of a content.

    ``chunks`` is called once, since a second call may return the rest of a source, or other
    bytes. A temporary file keeps the bytes for a second read. A small one is kept in memory.

    Args:
        content: an object whose ``chunks`` returns bytes or text.
    """

    def __init__(self, content: Any) -> None:
        super().__init__()
        self._content = content
        self._chunks: Iterator[Any] | None = None
        self._error: BaseException | None = None
        self._kept = SpooledTemporaryFile(  # noqa: SIM115  (closed by `close`)
            settings.FILE_UPLOAD_MAX_MEMORY_SIZE
        )
        self._length = 0  # The number of bytes that are kept.
        self._position = 0

    def iterate(self, *arguments: Any) -> Iterator[bytes]:
        """Yield all bytes from the first one on.

        Args:
            arguments: the arguments for ``chunks``, if it was not called yet.
        """
        if self._chunks is None:
            self._chunks = iter(self._content.chunks(*arguments))
        self._position = 0
        while data := self.read(File.DEFAULT_CHUNK_SIZE):
            yield data

    @property
    def has_failed(self) -> bool:
        """Whether ``chunks`` has raised an error."""
        return self._error is not None

    def restart(self) -> None:
        """Discard the kept bytes: the content is at its first byte and is read again."""
        self._chunks = self._error = None
        self._kept.seek(0)
        self._kept.truncate()
        self._length = self._position = 0

    def _fetch(self) -> bool:
        """Keep the next chunk that is not empty; return whether there is one."""
        if self._error is not None:  # A generator that has failed would end without an error.
            raise self._error
        try:
            if self._chunks is None:
                self._chunks = iter(self._content.chunks())
            for raw in map(encode, self._chunks):
                if raw:
                    self._kept.seek(self._length)
                    self._length += self._kept.write(raw)
                    return True
        except BaseException as error:
            self._error = error
            raise
        return False

    def readable(self) -> bool:
        """Return ``True``."""
        return True

    def seekable(self) -> bool:
        """Return ``True``."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read from the kept bytes, or from the next chunk."""
        if self._position >= self._length:
            self._fetch()
        self._kept.seek(self._position)
        data = self._kept.read(len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Change the position; all chunks before it are read."""
        if whence == io.SEEK_END:
            while self._fetch():
                pass
            offset += self._length
        elif whence == io.SEEK_CUR:
            offset += self._position
        while offset > self._length and self._fetch():
            pass
        self._position = max(0, offset)
        return self._position

    def close(self) -> None:
        """Delete the kept bytes."""
        self._kept.close()
        super().close()


class _Meter:
    """A file that counts and hashes each byte once while it is read.

    Original storages read in different ways: from the start to the end, in two passes, or with
    a look at the end first. Only the first pass over each byte counts.

    Args:
        content: the file to read.
        algorithm: the algorithm of the checksum, or ``None``.
    """

    def __init__(self, content: Any, algorithm: str | None) -> None:
        self._content = content
        self.algorithm = algorithm
        self.digest = None if algorithm is None else hashlib.new(algorithm)
        self.utf8 = None if algorithm is None else Utf8Check()
        self.length = 0  # The number of measured bytes, from the first one on.
        self.was_read = False
        self.complete = False
        self._position = 0

    def measure_chunks(
        self, get_chunks: Callable[..., Iterable[Any]], *arguments: Any
    ) -> Iterator[bytes]:
        """Yield all chunks of the content as bytes, and measure them."""
        self.was_read = True
        self._position = 0
        for chunk in get_chunks(*arguments):
            yield self._measure(chunk)
        self.complete = True

    def _measure(self, data: bytes | str) -> bytes:
        """Measure data that was read at the current position; return it as bytes."""
        raw = data if isinstance(data, bytes) else encode(data)
        if self._position <= self.length:
            new = raw[self.length - self._position :]
            self.length += len(new)
            if self.digest is not None and self.utf8 is not None:
                self.digest.update(new)
                self.utf8.update(new)
        self._position += len(raw)
        return raw

    def read(self, size: int | None = -1) -> Any:
        """Read and measure bytes; fewer than ``size`` only at the end of the content."""
        self.was_read = True
        size = -1 if size is None else size
        pieces: list[bytes] = []
        length = 0
        while size < 0 or length < size:
            piece = self._content.read(size - length if size > 0 else size)
            if not piece:
                self.complete |= self._position + length >= self.length
                break
            pieces.append(encode(piece))
            length += len(pieces[-1])
        return self._measure(b"".join(pieces))

    def readline(self, size: int = -1) -> Any:
        """Read and measure a line."""
        self.was_read = True
        return self._measure(self._content.readline(size))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Change the position in the content."""
        self._content.seek(offset, whence)
        self._position = offset if whence == io.SEEK_SET else self._content.tell()
        return self._position

    @property
    def closed(self) -> bool:
        """Whether the content is closed."""
        return bool(getattr(self._content, "closed", False))

    def __getattr__(self, name: str) -> Any:
        if name == "_content" or name in HIDDEN or name in UNMEASURED:
            raise AttributeError(name)
        return getattr(self._content, name)


class MeasuredFile(AnyFile):
    """A file that measures the bytes that an original storage reads.

    Other attributes are those of the content. ``close`` does nothing: the content belongs to the
    caller, and another attempt may need it.

    Args:
        content: a Django ``File``, or an object with ``chunks`` or ``read``.
        name: the name for content without a name.
        algorithm: an algorithm of ``hashlib``, such as ``"sha256"``; ``None`` for no checksum.

    Raises:
        ContentError: the content is closed, is not a file, or is text that UTF-8 cannot encode.
            A closed ``File`` is not opened again, since its name may be the path of any file on
            this machine.
    """

    file: Any

    def __init__(self, content: Any, name: str, algorithm: str | None = None) -> None:
        if not (hasattr(content, "chunks") or hasattr(content, "read")):
            raise ContentError(
                f"The content of {name!r} must be a file object, not {type(content).__name__}."
            )
        self.original_content = content
        self._wanted_name = name
        self._content = content if hasattr(content, "chunks") else File(content, name)
        self._seekable = True
        try:
            self._content.seek(0)
        except NOT_SEEKABLE_ERRORS as error:
            self._seekable = False
            reads = getattr(type(self._content), "chunks", None) is not File.chunks
            if getattr(self._content, "closed", False) and (
                isinstance(error, ValueError) or not reads
            ):
                raise ContentError(
                    f"The content of {name!r} is closed. Save it before it is closed."
                ) from error
        self._bytes_of_text: Any = None
        self._chunks = ChunkReader(self._content) if has_own_chunks(self._content) else None
        if self._chunks is None and is_text(self._content):
            self._content = self._get_bytes_of_text()
            self._seekable = True
        source = self._content if self._chunks is None else self._chunks
        meter: Any = _Meter(source, algorithm)
        super().__init__(meter, getattr(content, "name", None) or name)

    def _get_bytes_of_text(self) -> AnyFile:
        """Return a file of bytes in place of a file of text; a small one is kept in memory."""
        spool = SpooledTemporaryFile(  # noqa: SIM115  (closed by `discard`)
            settings.FILE_UPLOAD_MAX_MEMORY_SIZE
        )
        self._bytes_of_text = spool
        try:
            while piece := self._content.read(self.DEFAULT_CHUNK_SIZE):
                spool.write(encode(piece))
            spool.seek(0)
        except BaseException:
            spool.close()
            raise
        return File(spool)

    @cached_property
    def uploaded_name(self) -> str:
        """The name of the uploaded file, or else the wanted name; see `get_uploaded_name`."""
        return get_uploaded_name(self.original_content, self._wanted_name)

    def discard(self) -> None:
        """Delete temporary copies of the content. It cannot be read any more."""
        if self._chunks is not None:
            self._chunks.close()
        if self._bytes_of_text is not None:
            self._bytes_of_text.close()

    def seekable(self) -> bool:
        """Return whether the content can be read from another position."""
        return self._seekable

    def __getattr__(self, name: str) -> Any:
        if name in ("_content", "_chunks") or name in HIDDEN:
            raise AttributeError(name)
        return getattr(self._content, name)

    @property
    def size(self) -> int:
        """The size of the content in bytes, or else the number of bytes that were read."""
        return int(getattr(self._content, "size", self.file.length))

    @property
    def length(self) -> int:
        """The number of measured bytes."""
        return int(self.file.length)

    @property
    def checksum(self) -> str | None:
        """The hexadecimal checksum of the measured bytes, if there is an algorithm."""
        return None if self.file.digest is None else str(self.file.digest.hexdigest())

    @property
    def is_utf8(self) -> bool:
        """Whether the measured bytes are text in UTF-8; computed along with the checksum."""
        return self.file.utf8 is not None and bool(self.file.utf8.finish())

    def chunks(self, chunk_size: int | None = None) -> Iterator[Any]:
        """Return all bytes from the first one on, in the chunks of the content."""
        arguments = () if chunk_size is None else (chunk_size,)
        read = self._content.chunks if self._chunks is None else self._chunks.iterate
        chunks: Iterator[Any] = self.file.measure_chunks(read, *arguments)
        return chunks

    def open(self, mode: str | None = None, *args: Any, **kwargs: Any) -> Self:
        """Go to the first byte. No file is opened: the name is not a path on this machine."""
        self.seek(0)
        return self

    def close(self) -> None:
        """Leave the content open."""

    @property
    def was_read(self) -> bool:
        """Whether a byte was read."""
        return bool(self.file.was_read)

    def rewind(self) -> bool:
        """Go to the first byte for another attempt; return whether that is possible."""
        if not self.was_read:
            return True
        if self._chunks is not None and not self._chunks.has_failed:
            self._chunks.seek(0)  # The content itself is in the middle of its chunks.
        else:
            try:
                self._content.seek(0)
            except NOT_SEEKABLE_ERRORS:
                return False
            if self._chunks is not None:
                self._chunks.restart()
        source = self._content if self._chunks is None else self._chunks
        self.file = _Meter(source, self.file.algorithm)
        return True

    def finish(self) -> None:
        """Measure the rest of the content, which the original storage has not read."""
        if self.file.complete:
            return
        with suppress(*NOT_SEEKABLE_ERRORS):
            self.seek(self.length)
            while self.read(self.DEFAULT_CHUNK_SIZE):
                pass


# Zero width joiner, which joins several emoji to one.
_JOINER = "\u200d"
# The characters of Unicode that embed, isolate or override the direction of text.
_DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")

# The content that is being saved, and the name that was passed to the field for it.
_named: ContextVar[tuple[Any, str] | None] = ContextVar("named", default=None)


@contextmanager
def uploaded_as(content: Any, name: str) -> Iterator[None]:
    """Record this name for a file that is saved inside the block. Downloads have the name.

    Args:
        content: the file. Other files that are saved inside the block have their own names.
        name: the name before ``upload_to`` and the storage change it.
    """
    token = _named.set((content, name))
    try:
        yield
    finally:
        _named.reset(token)


def get_uploaded_name(content: Any, name: str) -> str:
    """Return the name that a file has on the user's machine.

    Args:
        content: the file. An uploaded file has the name that the browser has sent.
        name: the name that was passed to ``save``.

    Returns:
        The last part of the name, at most `MAX_NAME_LENGTH` characters, without control
        characters, and without characters that reverse the direction of text: with them,
        ``cod.exe`` can look like ``exe.doc``.
    """
    named = _named.get()
    is_named = named is not None and named[0] is content
    name = named[1] if named and is_named else get_own_name(content) or name
    name = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    # No database can hold a lone surrogate.
    name = strip_control_characters(name).encode(errors="ignore").decode()
    name = _DIRECTIONS.sub("", name)
    if len(name) <= MAX_NAME_LENGTH:
        return name
    stem, dot, extension = name.rpartition(".")
    ending = dot + extension if stem and len(extension) < MAX_EXTENSION_BYTES else ""
    return _cut_characters(name, MAX_NAME_LENGTH - len(ending)) + ending


def _cut_characters(text: str, length: int) -> str:
    """Truncate a text to at most this many code points, after a whole visible character.

    A character may have several: a letter and its accents, or an emoji and its variations. A text
    that has no boundary is cut after exactly this many.
    """
    cut = length
    while cut and (_is_continuation(text[cut]) or text[cut - 1] == _JOINER):
        cut -= 1
    return text[: cut or length]


def _is_continuation(character: str) -> bool:
    """Return whether a code point belongs to the character before it."""
    is_mark = unicodedata.category(character).startswith("M")
    return is_mark or character == _JOINER or "\U0001f3fb" <= character <= "\U0001f3ff"


# The content that is being saved, and further values of its record.
_recorded: ContextVar[tuple[Any, Mapping[str, Any]] | None] = ContextVar("recorded", default=None)


@contextmanager
def recorded_with(content: Any, values: Mapping[str, Any]) -> Iterator[None]:
    """Write these values into the record of a file that is saved inside the block.

    The record is created with them, so that it never exists without them.

    Args:
        content: the file. Other files that are saved inside the block do not get the values.
        values: the values by key. The meta backend must be able to hold the keys.
    """
    token = _recorded.set((content, values))
    try:
        yield
    finally:
        _recorded.reset(token)


def get_recorded_values(content: Any) -> Mapping[str, Any]:
    """Return the values of `recorded_with` for a content.

    Args:
        content: the file that was passed to ``save``, or its `MeasuredFile`.
    """
    if isinstance(content, MeasuredFile):
        content = content.original_content
    recorded = _recorded.get()
    return recorded[1] if recorded is not None and recorded[0] is content else {}


def get_own_name(content: Any) -> str | None:
    """Return the name of an uploaded file; ``None`` for others, whose name may be a local path."""
    return content.name if isinstance(content, UploadedFile) else None
