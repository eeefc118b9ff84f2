"""Unusual content is saved completely or raises an error."""

import io
from array import array

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile

from tests.safety.content_checks import STORAGES, check_is_saved, check_raises
from tests.testapp.storages import FallbackStorage

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.parametrize("storage", STORAGES, indirect=True),
]

DATA = bytes(range(256)) * 3
TEXT = "straße, \u2028 é e\u0301 \U0001f4f7\n" * 100
LATIN = "straße é\n" * 100


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Change to an empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_temporary_upload(data=DATA):
    upload = TemporaryUploadedFile("a.txt", "text/plain", len(data), None)
    upload.write(data)
    upload.seek(0)
    return upload


class RaisingSize:
    @property
    def size(self):
        raise RuntimeError("The size is unknown.")

    @size.setter
    def size(self, size):
        pass


def set_wrong_size(content, size):
    if size is RaisingSize:
        content.__class__ = type("ContentWithRaisingSize", (RaisingSize, type(content)), {})
        vars(content).pop("size", None)
    else:
        content.size = size
    return content


@pytest.mark.slow
class TestWrongSize:
    @pytest.mark.parametrize("size", [0, 1, 10**9, -1, None, "many", RaisingSize], ids=str)
    @pytest.mark.parametrize(
        "make",
        [
            lambda: ContentFile(DATA),
            lambda: SimpleUploadedFile("a.txt", DATA),
            make_temporary_upload,
        ],
        ids=["ContentFile", "SimpleUploadedFile", "TemporaryUploadedFile"],
    )
    def test_wrong_size_is_ignored(self, storage, make, size):
        with make() as content:
            check_is_saved(storage, set_wrong_size(content, size), DATA)


class ShortReads(io.BytesIO):
    """``read`` returns fewer bytes than requested, like sockets."""

    def read(self, size=-1):
        return super().read(min(size, 5) if size and size > 0 else 5)


class LongReads(io.BytesIO):
    """``read`` returns more bytes than requested."""

    def read(self, size=-1):
        return super().read(size + 3 if size and size > 0 else size)


class CompleteReads(io.BytesIO):
    """``read`` ignores the size."""

    def read(self, size=-1):
        return super().read()


class ByteArrayReads(io.BytesIO):
    def read(self, size=-1):
        return bytearray(super().read(size))


class MemoryViewReads(io.BytesIO):
    def read(self, size=-1):
        return memoryview(super().read(size))


class ReadOnly:
    """An object that has only the method ``read``."""

    def __init__(self, data):
        self._file = io.BytesIO(data)

    def read(self, size=-1):
        return self._file.read(min(size, 5) if size and size > 0 else 5)


class Stream(ReadOnly):
    """A stream whose ``seekable`` returns False."""

    closed = False

    def seekable(self):
        return False


class MixedChunks(ContentFile):
    """``chunks`` returns bytes-like objects of several types, some of them empty."""

    def chunks(self, chunk_size=None):
        yield from (b"", DATA[:3], bytearray(DATA[3:6]), memoryview(DATA)[6:9], b"", DATA[9:])


@pytest.mark.slow
class TestReading:
    @pytest.mark.parametrize(
        "kind", [ShortReads, LongReads, CompleteReads, ByteArrayReads, MemoryViewReads]
    )
    @pytest.mark.parametrize("wrap", [lambda file: file, File], ids=["file", "File"])
    def test_content_of_any_reader_is_complete(self, storage, kind, wrap):
        check_is_saved(storage, wrap(kind(DATA)), DATA)

    @pytest.mark.parametrize("kind", [ReadOnly, Stream])
    @pytest.mark.parametrize("wrap", [lambda file: file, File], ids=["file", "File"])
    def test_content_that_can_be_read_once_is_complete(self, storage, wrap, kind):
        content = wrap(kind(DATA))
        if isinstance(storage, FallbackStorage):
            # The first original storage has read a part of it.
            check_raises(storage, content, OSError)
        else:
            check_is_saved(storage, content, DATA)

    def test_content_of_mixed_chunks_is_complete(self, storage):
        check_is_saved(storage, MixedChunks(DATA), DATA)

    @pytest.mark.parametrize(
        "make", [lambda: File(io.BytesIO(DATA)), make_temporary_upload], ids=["File", "Temporary"]
    )
    def test_content_is_read_from_its_first_byte(self, storage, make):
        with make() as content:
            for position in (1, len(DATA), 10 * len(DATA)):
                content.seek(position)
                check_is_saved(storage, content, DATA)

    @pytest.mark.parametrize(
        "make",
        [
            lambda: ContentFile(""),
            io.StringIO,
            lambda: SimpleUploadedFile("a.txt", b""),
            lambda: make_temporary_upload(b""),
            lambda: File(io.BytesIO(), ""),
        ],
        ids=["text", "StringIO", "upload", "temporary upload", "File"],
    )
    def test_empty_content_is_an_empty_file(self, storage, make):
        content = make()
        check_is_saved(storage, content, b"")
        content.close()


class GivenChunks(ContentFile):
    """``chunks`` returns the given values."""

    def __init__(self, *parts):
        super().__init__(b"x")
        self.parts = parts

    def chunks(self, chunk_size=None):
        yield from self.parts


@pytest.mark.slow
class TestInvalidChunks:
    @pytest.mark.parametrize("part", [3, True, 0, None, [104, 105], range(3), 1.5, object()])
    def test_other_values_raise_type_error(self, storage, part):
        check_raises(storage, GivenChunks(part), TypeError)
        check_raises(storage, GivenChunks(b"first", part), TypeError)

    def test_number_from_read_raises_type_error(self, storage):
        class Reader:
            name = "a.txt"
            results = iter([3, b""])

            def read(self, size=-1):
                return next(self.results, b"")

        check_raises(storage, Reader(), TypeError)

    def test_bytes_like_objects_are_saved(self, storage):
        parts = (bytearray(b"a"), memoryview(b"bcd")[::2], array("B", b"e"), "é")
        check_is_saved(storage, GivenChunks(*parts), "abdeé".encode())


@pytest.mark.slow
class TestText:
    @pytest.mark.parametrize(
        "make",
        [
            lambda: io.StringIO(TEXT),
            lambda: ContentFile(TEXT),
            lambda: File(io.StringIO(TEXT), "a.txt"),
            lambda: io.TextIOWrapper(io.BytesIO(TEXT.encode()), "utf-8"),
        ],
        ids=["StringIO", "ContentFile", "File", "TextIOWrapper"],
    )
    def test_text_is_stored_as_utf_8(self, storage, make):
        check_is_saved(storage, make(), TEXT.encode())

    @pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
    @pytest.mark.parametrize("wrap", [lambda file: file, File], ids=["file", "File"])
    def test_open_text_file_is_stored_as_utf_8(self, storage, folder, encoding, wrap):
        source = folder / "source.txt"
        source.write_text(LATIN, encoding)
        with source.open(encoding=encoding) as file:
            file.readline()
            check_is_saved(storage, wrap(file), LATIN.encode())
            assert not file.closed

    @pytest.mark.parametrize("make", [io.StringIO, ContentFile], ids=["StringIO", "ContentFile"])
    def test_text_with_surrogates_raises(self, storage, make):
        check_raises(storage, make(f"{TEXT}\ud800"))

    def test_open_text_file_with_surrogates_raises(self, storage, folder):
        source = folder / "source.txt"
        source.write_bytes(TEXT.encode() + b"\xff")
        with source.open(encoding="utf-8", errors="surrogateescape") as file:
            check_raises(storage, file)
