"""What is being saved: a file that is measured while an original storage reads it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
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

# what a stream raises that cannot be read from another place: no such method, not
# seekable, closed
NOT_SEEKABLE = (AttributeError, OSError, ValueError)

# Django moves a file that has such a path instead of copying it: it looks for a free name
# first and renames then, and another save may come in between
HIDDEN = frozenset({"temporary_file_path"})
UNSEEN = frozenset({"read1", "readall", "readinto", "readinto1", "readlines", "peek", "detach"})

# a File has a file, which may have one; some have themselves
MAX_WRAPPERS = 5


def encode(data: Any) -> bytes:
    """Return data as the bytes that are stored.

    Raises:
        ContentError: it is text that cannot be UTF-8.
        TypeError: it is neither text nor bytes. A number, of which ``bytes`` would make so many
            NUL bytes, is refused as by Django's storages.
    """
    if isinstance(data, bytes):
        return data
    try:
        return data.encode() if isinstance(data, str) else bytes(memoryview(data))
    except UnicodeEncodeError as error:
        raise ContentError(f"Text that cannot be UTF-8: {error}") from error


def is_text(content: Any) -> bool:
    """Tell whether content is a stream of text, whose positions are none of bytes."""
    for _wrapper in range(MAX_WRAPPERS):
        if isinstance(content, io.TextIOBase):
            return True
        content = getattr(content, "file", None)
    return False


def has_own_chunks(content: Any) -> bool:
    """Tell whether content is read by a ``chunks`` that is not Django's own.

    Its bytes are those of the chunks: ``read`` may give others, or none.
    """
    chunks = getattr(content, "chunks", None)
    if chunks is None or isinstance(content, MeasuredFile):
        return False
    function = getattr(chunks, "__func__", chunks)
    return not str(getattr(function, "__module__", "")).startswith("django.")


class ChunkReader(io.RawIOBase):
    """The chunks of a content as a file of bytes.

    ``chunks`` is called once: a second call may give the rest of a source, or other bytes. A
    temporary file, in memory as long as it is small, keeps the bytes for another read.

    Args:
        content: an object with ``chunks``, of bytes or text.
    """

    def __init__(self, content: Any) -> None:
        super().__init__()
        self._content = content
        self._chunks: Iterator[Any] | None = None
        self._error: BaseException | None = None
        self._kept = SpooledTemporaryFile(  # noqa: SIM115  (closed by `close`)
            settings.FILE_UPLOAD_MAX_MEMORY_SIZE
        )
        self._length = 0  # bytes that have been kept
        self._position = 0

    def iterate(self, *arguments: Any) -> Iterator[bytes]:
        """Give out all bytes from the first one on.

        Args:
            arguments: those of ``chunks``, if it has not been called yet.
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
        """Forget the chunks: the content has gone back to its first byte, and is read anew."""
        self._chunks = self._error = None
        self._kept.seek(0)
        self._kept.truncate()
        self._length = self._position = 0

    def _fetch(self) -> bool:
        """Keep the next chunk that is not empty; return whether there is one."""
        if self._error is not None:  # otherwise the end of the generator would follow
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
        """Tell that this file is for reading."""
        return True

    def seekable(self) -> bool:
        """Tell that this file can be read from any place."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read from the kept bytes, or the next chunk."""
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
        """Go to another position; all chunks before it are read."""
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
        """Remove the kept bytes."""
        self._kept.close()
        super().close()


class _Meter:
    """The bytes of a file on their way; counts and hashes each of them once.

    Original storages read as they like: from the start to the end, in two passes, with a
    look at the end before. Only the first pass over each byte counts.
    """

    def __init__(self, content: Any, algorithm: str | None) -> None:
        self._content = content
        self._algorithm = algorithm
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next byte is the first one."""
        self.digest = None if self._algorithm is None else hashlib.new(self._algorithm)
        self.length = 0  # bytes measured so far, all from the first on
        self.utf8 = Utf8Check()
        self.was_read = False
        self.complete = False
        self._position = 0

    def start(self) -> None:
        """Begin a pass over the content from its first byte."""
        self.was_read = True
        self._position = 0

    def note(self, data: bytes | str) -> bytes:
        """Take in what has just been read; return it as the bytes that are stored.

        Text is UTF-8, whatever the locale of the process says, and so it is on every storage.
        """
        raw = encode(data)
        if self._position <= self.length:
            new = raw[self.length - self._position :]
            self.length += len(new)
            if self.digest is not None:
                self.digest.update(new)
                self.utf8.update(new)
        self._position += len(raw)
        return raw

    def read(self, size: int | None = -1) -> Any:
        """Read, and measure what came."""
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
        return self.note(b"".join(pieces))

    def readline(self, size: int = -1) -> Any:
        """Read a line, and measure it."""
        self.was_read = True
        return self.note(self._content.readline(size))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to another place of the content."""
        self._content.seek(offset, whence)
        self._position = offset if whence == io.SEEK_SET else self._content.tell()
        return self._position

    @property
    def closed(self) -> bool:
        """Whether nothing can be read any more."""
        return bool(getattr(self._content, "closed", False))

    def __getattr__(self, name: str) -> Any:
        # Bytes that other methods read would not be measured, so these are hidden.
        if name == "_content" or name in HIDDEN or name in UNSEEN:
            raise AttributeError(name)
        return getattr(self._content, name)


class MeasuredFile(AnyFile):
    """A file that knows what an original storage has read of it.

    Everything else is asked of the content itself. Closing it does nothing: the content is
    the caller's, and may be needed for another attempt.

    Args:
        content: a Django ``File``, or anything with ``chunks`` or ``read``.
        name: the name for content that is no ``File``.
        algorithm: of ``hashlib``, such as ``"sha256"``; ``None`` to compute no checksum.

    Raises:
        ContentError: the content is closed, no file at all, or text that cannot be UTF-8.
            A closed ``File`` is not opened again: that would read whatever lies under its
            name on this machine.
    """

    file: Any

    def __init__(self, content: Any, name: str, algorithm: str | None = None) -> None:
        if not (hasattr(content, "chunks") or hasattr(content, "read")):
            raise ContentError(f"The content of {name!r} is no file: {type(content).__name__}.")
        #: the name of the file that was uploaded, or else the one that the caller wanted
        self.uploaded_name = get_uploaded_name(content, name)
        self._content = content if hasattr(content, "chunks") else File(content, name)
        self._seekable = True
        try:
            self._content.seek(0)
        except NOT_SEEKABLE as error:
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
        """Return a file of bytes in place of one of text; in memory as long as it is small."""
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

    def discard(self) -> None:
        """Remove temporary copies of the content; it is not read any more."""
        if self._chunks is not None:
            self._chunks.close()
        if self._bytes_of_text is not None:
            self._bytes_of_text.close()

    def seekable(self) -> bool:
        """Tell whether the content can be read from another place."""
        return self._seekable

    def __getattr__(self, name: str) -> Any:
        if name in ("_content", "_chunks") or name in HIDDEN:
            raise AttributeError(name)
        return getattr(self._content, name)

    @property
    def size(self) -> int:
        """Length in bytes: what the content says, or else what has been read."""
        return int(getattr(self._content, "size", self.file.length))

    @property
    def length(self) -> int:
        """How many bytes have been measured."""
        return int(self.file.length)

    @property
    def checksum(self) -> str | None:
        """Checksum of the measured bytes in hexadecimal, if there is to be one."""
        return None if self.file.digest is None else str(self.file.digest.hexdigest())

    @property
    def is_utf8(self) -> bool:
        """Whether the measured bytes are text in UTF-8. Computed if a checksum is."""
        return self.file.digest is not None and bool(self.file.utf8.finish())

    def chunks(self, chunk_size: int | None = None) -> Iterator[Any]:
        """Read from the first byte to the last, as the content itself does it."""
        self.file.start()
        arguments = () if chunk_size is None else (chunk_size,)
        read = self._content.chunks if self._chunks is None else self._chunks.iterate
        for chunk in read(*arguments):
            yield self.file.note(chunk)
        self.file.complete = True

    def open(self, mode: str | None = None, *args: Any, **kwargs: Any) -> Self:
        """Go to the first byte. Nothing is opened: a name is no place on this machine."""
        self.seek(0)
        return self

    def close(self) -> None:
        """Leave the content open."""

    @property
    def was_read(self) -> bool:
        """Whether anything has been read yet."""
        return bool(self.file.was_read)

    def rewind(self) -> bool:
        """Get ready to be read once more; return whether the first byte can be had."""
        if not self.was_read:
            return True
        if self._chunks is not None and not self._chunks.has_failed:
            self._chunks.seek(0)  # The content itself is in the middle of its chunks.
        else:
            try:
                self._content.seek(0)
            except NOT_SEEKABLE:
                return False
            if self._chunks is not None:
                self._chunks.restart()
        self.file.reset()
        return True

    def finish(self) -> None:
        """Measure what the original storage has not read up to its end."""
        if self.file.complete:
            return
        with suppress(*NOT_SEEKABLE):
            self.seek(self.length)
            while self.read(self.DEFAULT_CHUNK_SIZE):
                pass


# The file that is being saved, and the name that a field's caller has given to it.
_named: ContextVar[tuple[Any, str] | None] = ContextVar("named", default=None)


@contextmanager
def uploaded_as(content: Any, name: str) -> Iterator[None]:
    """Save a file under this name for downloads, whatever name its bytes get.

    Args:
        content: the file. Other files that are saved meanwhile have names of their own.
        name: the name before ``upload_to`` and the storage change it.
    """
    token = _named.set((content, name))
    try:
        yield
    finally:
        _named.reset(token)


def get_uploaded_name(content: Any, name: str) -> str:
    """Return the name that a file has for the person who uploaded it.

    Args:
        content: the file. An uploaded file has the name that the browser has sent.
        name: the name that ``save`` was called with.

    Returns:
        The last part of the name, at most `MAX_NAME_LENGTH` characters, without control
        characters.
    """
    named = _named.get()
    is_named = named is not None and named[0] is content
    name = named[1] if named and is_named else get_own_name(content) or name
    name = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    # No database can hold a lone surrogate.
    name = strip_control_characters(name).encode(errors="ignore").decode()
    if len(name) <= MAX_NAME_LENGTH:
        return name
    stem, dot, extension = name.rpartition(".")
    ending = dot + extension if stem and len(extension) < MAX_EXTENSION_BYTES else ""
    return name[: MAX_NAME_LENGTH - len(ending)] + ending


def get_own_name(content: Any) -> str | None:
    """Return the name of an uploaded file, or ``None`` for other files.

    The name of any other file may be a place on this machine.
    """
    return content.name if isinstance(content, UploadedFile) else None
