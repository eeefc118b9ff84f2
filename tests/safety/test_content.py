"""Contents that are odd, or lie about themselves: stored whole, or refused."""

import io
from array import array

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile

from tests.safety.contents import STORAGES, check_is_refused, check_is_saved
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
    """The working directory, which nobody reads from or writes to."""
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
        raise RuntimeError("Nobody knows.")

    @size.setter
    def size(self, size):
        pass


def lie(content, size):
    if size is RaisingSize:
        content.__class__ = type("Liar", (RaisingSize, type(content)), {})
        vars(content).pop("size", None)
    else:
        content.size = size
    return content


class TestSizeThatLies:
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
    def test_is_not_believed(self, storage, make, size):
        with make() as content:
            check_is_saved(storage, lie(content, size), DATA)


class Short(io.BytesIO):
    """Gives less than it is asked for, as sockets do."""

    def read(self, size=-1):
        return super().read(min(size, 5) if size and size > 0 else 5)


class Generous(io.BytesIO):
    """Gives more than it is asked for."""

    def read(self, size=-1):
        return super().read(size + 3 if size and size > 0 else size)


class Everything(io.BytesIO):
    """Does not know of sizes."""

    def read(self, size=-1):
        return super().read()


class Buffers(io.BytesIO):
    def read(self, size=-1):
        return bytearray(super().read(size))


class Views(io.BytesIO):
    def read(self, size=-1):
        return memoryview(super().read(size))


class Once:
    """Can be read, and nothing else."""

    def __init__(self, data):
        self._file = io.BytesIO(data)

    def read(self, size=-1):
        return self._file.read(min(size, 5) if size and size > 0 else 5)


class Stream(Once):
    """Says so."""

    closed = False

    def seekable(self):
        return False


class Pieces(ContentFile):
    """Gives its chunks as bytes of all kinds, some of them empty."""

    def chunks(self, chunk_size=None):
        yield from (b"", DATA[:3], bytearray(DATA[3:6]), memoryview(DATA)[6:9], b"", DATA[9:])


class TestReading:
    @pytest.mark.parametrize("kind", [Short, Generous, Everything, Buffers, Views])
    @pytest.mark.parametrize("wrap", [lambda file: file, File], ids=["file", "File"])
    def test_of_any_kind_is_whole(self, storage, kind, wrap):
        check_is_saved(storage, wrap(kind(DATA)), DATA)

    @pytest.mark.parametrize("kind", [Once, Stream])
    @pytest.mark.parametrize("wrap", [lambda file: file, File], ids=["file", "File"])
    def test_of_what_can_be_read_but_once_is_whole(self, storage, wrap, kind):
        content = wrap(kind(DATA))
        if isinstance(storage, FallbackStorage):
            # the first original storage has had a part of it
            check_is_refused(storage, content, OSError)
        else:
            check_is_saved(storage, content, DATA)

    def test_of_pieces_is_whole(self, storage):
        check_is_saved(storage, Pieces(DATA), DATA)

    @pytest.mark.parametrize(
        "make", [lambda: File(io.BytesIO(DATA)), make_temporary_upload], ids=["File", "Temporary"]
    )
    def test_begins_with_the_first_byte_wherever_it_stands(self, storage, make):
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
    def test_of_nothing_is_an_empty_file(self, storage, make):
        content = make()
        check_is_saved(storage, content, b"")
        content.close()


class Parts(ContentFile):
    """Gives these parts, whatever they are."""

    def __init__(self, *parts):
        super().__init__(b"x")
        self.parts = parts

    def chunks(self, chunk_size=None):
        yield from self.parts


class TestPartsThatAreNotBytes:
    @pytest.mark.parametrize("part", [3, True, 0, None, [104, 105], range(3), 1.5, object()])
    def test_are_refused(self, storage, part):
        check_is_refused(storage, Parts(part), TypeError)
        check_is_refused(storage, Parts(b"first", part), TypeError)

    def test_number_from_read_is_refused(self, storage):
        class Reader:
            name = "a.txt"
            answers = iter([3, b""])

            def read(self, size=-1):
                return next(self.answers, b"")

        check_is_refused(storage, Reader(), TypeError)

    def test_other_buffers_are_bytes(self, storage):
        parts = (bytearray(b"a"), memoryview(b"bcd")[::2], array("B", b"e"), "é")
        check_is_saved(storage, Parts(*parts), "abdeé".encode())


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
    def test_is_stored_as_utf_8(self, storage, make):
        check_is_saved(storage, make(), TEXT.encode())

    @pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
    @pytest.mark.parametrize("wrap", [lambda file: file, File], ids=["file", "File"])
    def test_of_an_open_file_is_stored_as_utf_8(self, storage, folder, encoding, wrap):
        source = folder / "source.txt"
        source.write_text(LATIN, encoding)
        with source.open(encoding=encoding) as file:
            file.readline()
            check_is_saved(storage, wrap(file), LATIN.encode())
            assert not file.closed

    @pytest.mark.parametrize("make", [io.StringIO, ContentFile], ids=["StringIO", "ContentFile"])
    def test_that_cannot_be_utf_8_is_refused(self, storage, make):
        check_is_refused(storage, make(f"{TEXT}\ud800"))

    def test_of_an_open_file_that_cannot_be_utf_8_is_refused(self, storage, folder):
        source = folder / "source.txt"
        source.write_bytes(TEXT.encode() + b"\xff")
        with source.open(encoding="utf-8", errors="surrogateescape") as file:
            check_is_refused(storage, file)
