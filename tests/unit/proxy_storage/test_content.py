"""Content that is measured while it is read."""

import hashlib
import io

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import SimpleUploadedFile

from proxy_storage.storages.content import ChunkReader, MeasuredFile

DATA = bytes(range(256)) * 40


class Stream:
    """A stream that can be read once, such as a socket."""

    def __init__(self, data):
        self.read = io.BytesIO(data).read


class Chunks:
    """Has only the method ``chunks``."""

    name = "chunks.bin"

    def chunks(self):
        yield DATA[:100]
        yield DATA[100:]


class Packed(ContentFile):
    """Has chunks with other bytes than ``read`` returns."""

    def chunks(self, chunk_size=None):
        for chunk in super().chunks(chunk_size):
            yield chunk[::2]


def read_in_chunks(file):
    return list(file.chunks())


def read_in_small_chunks(file):
    return list(file.chunks(7))


def read_at_once(file):
    file.read()


def read_without_size(file):
    file.read(None)


def read_up_to_its_size(file):
    file.read(len(DATA))


def read_twice(file):
    file.read()
    file.seek(0)
    file.read()


def read_after_a_seek_to_the_end(file):
    assert file.seek(0, io.SEEK_END) == len(DATA)
    assert file.tell() == len(DATA)
    file.seek(0)
    while file.read(100):
        pass


def read_from_the_middle(file):
    file.seek(5000)
    file.read(100)


def read_in_lines(file):
    while file.file.readline():
        pass


def read_half(file):
    file.read(100)


def read_nothing(file):
    assert file.read(0) == b""


def open_and_read(file):
    file.read(5)
    assert file.open() is file
    file.read()


READERS = [
    read_in_chunks,
    read_in_small_chunks,
    read_at_once,
    read_without_size,
    read_up_to_its_size,
    read_twice,
    read_after_a_seek_to_the_end,
    read_from_the_middle,
    read_in_lines,
    read_half,
    read_nothing,
    open_and_read,
]
CONTENTS = [
    lambda: ContentFile(DATA),
    lambda: io.BytesIO(DATA),
    lambda: SimpleUploadedFile("a.bin", DATA),
    lambda: File(io.BytesIO(DATA)),
    lambda: ContentFile(DATA.decode("latin-1").encode("utf-8").decode("utf-8").encode("latin-1")),
]


@pytest.mark.parametrize("make", CONTENTS)
@pytest.mark.parametrize("reader", READERS)
def test_each_byte_is_measured_once(make, reader):
    file = MeasuredFile(make(), "a.bin", "sha256")
    reader(file)
    file.finish()
    assert file.length == len(DATA)
    assert file.checksum == hashlib.sha256(DATA).hexdigest()


@pytest.mark.parametrize("content", [ContentFile("é\n" * 50), io.StringIO("é\n" * 50)])
def test_text_is_measured_in_utf_8(content):
    file = MeasuredFile(content, "a.txt", "sha256")
    assert file.read() == "é\n".encode() * 50
    file.finish()
    assert file.length == 150
    file.discard()


def test_chunks_of_text_are_encoded():
    class Text(Chunks):
        def chunks(self):
            yield "é"

    file = MeasuredFile(Text(), "a.txt", "sha256")
    assert list(file.chunks()) == ["é".encode()]
    assert file.checksum == hashlib.sha256("é".encode()).hexdigest()


def test_stream_cannot_be_rewound():
    file = MeasuredFile(Stream(DATA), "a.bin", "sha256")
    assert file.rewind()
    assert b"".join(file.chunks()) == DATA
    file.finish()
    assert file.length == len(DATA)
    assert not file.rewind()


def test_chunks_are_kept_for_a_second_read():
    file = MeasuredFile(Chunks(), "a.bin", "sha256")
    assert file.rewind()
    for _attempt in range(2):
        assert b"".join(file.chunks()) == DATA
        file.finish()
        assert (file.length, file.checksum) == (len(DATA), hashlib.sha256(DATA).hexdigest())
        assert file.rewind()
    file.discard()


def test_rest_of_a_stream_is_not_read():
    file = MeasuredFile(Stream(DATA), "a.bin", "sha256")
    file.read(5)
    file.finish()
    assert file.length == 5


def test_bytes_of_the_chunks_are_measured():
    file = MeasuredFile(Packed(DATA), "a.bin", "sha256")
    stored = b"".join(file.chunks())
    file.finish()
    assert file.checksum == hashlib.sha256(stored).hexdigest()
    assert file.length == len(DATA) / 2


def test_rewind_resets_the_measurement():
    file = MeasuredFile(ContentFile(DATA), "a.bin", "sha256")
    file.read(100)
    assert file.was_read
    assert file.rewind()
    assert not file.was_read
    assert file.length == 0
    assert file.read() == DATA
    assert file.checksum == hashlib.sha256(DATA).hexdigest()


def test_attributes_of_the_content_are_kept():
    upload = SimpleUploadedFile("a.pdf", DATA, "application/pdf")
    file = MeasuredFile(upload, "b.pdf")
    assert (file.name, file.content_type, file.size) == ("a.pdf", "application/pdf", len(DATA))
    assert file.checksum is None
    file.close()
    assert not upload.closed
    assert MeasuredFile(Stream(b""), "b.pdf").name == "b.pdf"
    assert MeasuredFile(Chunks(), "b.pdf").size == 0


def test_methods_that_read_unmeasured_bytes_are_hidden():
    content = File(io.BytesIO(DATA), "a.bin")
    content.temporary_file_path = lambda: "/tmp/upload"
    file = MeasuredFile(content, "a.bin")
    for name in ("temporary_file_path", "nonsense"):
        assert not hasattr(file, name)
    for name in ("temporary_file_path", "readinto", "peek"):
        assert not hasattr(file.file, name)


def test_chunk_reader_seeks():
    reader = ChunkReader(Chunks())
    assert reader.readable()
    assert reader.seekable()
    assert reader.seek(150) == 150
    assert reader.read(2) == DATA[150:152]
    assert reader.seek(0) == 0
    assert reader.read(3) == DATA[:3]
    assert reader.seek(2, io.SEEK_CUR) == 5
    assert reader.read(3) == DATA[5:8]
    assert reader.seek(-3, io.SEEK_END) == len(DATA) - 3
    assert reader.read() == DATA[-3:]
    reader.close()
