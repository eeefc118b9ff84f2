"""Content whose class has a ``chunks`` of its own: it is read by it, by every original storage."""

import io
import tracemalloc

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import InMemoryStorage
from django.core.files.uploadedfile import InMemoryUploadedFile, SimpleUploadedFile

from proxy_storage.exceptions import ContentError
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages.content import MeasuredFile, has_own_chunks
from proxy_storage.storages.fallback import OriginalStorageFallbackMixin
from tests.contract.reading import read
from tests.safety.content_checks import STORAGES
from tests.testapp.storages import MemoryStorage

pytestmark = pytest.mark.usefixtures("empty_storages")

PARTS = [b"first,", b"", b"second,", b"x" * 70_000, b"last"]
WHOLE = b"".join(PARTS)


class Made(ContentFile):
    """What is inside has nothing to do with what it gives."""

    def __init__(self, parts=PARTS, inside=b"inside"):
        super().__init__(inside, name="made.txt")
        self.parts = parts
        self.passes = 0

    def chunks(self, chunk_size=None):
        self.passes += 1
        yield from self.parts


class Breaking(Made):
    def chunks(self, chunk_size=None):
        yield self.parts[0]
        raise RuntimeError("the source is gone")


class Once(Made):
    """Gives what is left of a source, as one on a network does."""

    def __init__(self, parts=PARTS):
        super().__init__(parts)
        self.source = iter(parts)

    def chunks(self, chunk_size=None):
        yield from self.source


class ByReading(MemoryStorage):
    """Reads as object stores do, in blocks of its own size."""

    size_of_block = 5

    def _save(self, name, content):
        content.seek(0)
        data = b""
        while block := content.read(self.size_of_block):
            data += block
        return super()._save(name, ContentFile(data))


class InTwoPasses(MemoryStorage):
    """Computes a hash before it writes."""

    def _save(self, name, content):
        content.read()
        content.seek(0)
        return super()._save(name, ContentFile(content.read()))


class Failing(OriginalStorageFallbackMixin, InMemoryStorage):
    """Takes a part, and fails."""

    fallback_exceptions = (OSError,)

    def __init__(self, by_chunks):
        super().__init__()
        self.by_chunks = by_chunks

    def _save(self, name, content):
        if self.by_chunks:
            next(iter(content.chunks()))
        else:
            content.read(8)
        raise OSError("no space")


@pytest.fixture
def in_front_of(settings):
    def put(*originals, meta_backend="orm"):
        settings.STORAGES = {
            "special": {
                "BACKEND": "tests.testapp.storages.FallbackStorage",
                "OPTIONS": {
                    "original_storages": {str(n): each for n, each in enumerate(originals)},
                    "meta_backend": settings.META_BACKENDS[meta_backend],
                },
            }
        }
        return get_proxy_storage("special")

    return put


@pytest.mark.parametrize("storage", [*STORAGES, "orm-relative-s3"], indirect=True)
class TestEveryOriginal:
    def test_stores_what_the_chunks_give(self, storage):
        path = storage.save("a.txt", Made())
        assert read(storage, path) == WHOLE
        assert storage.size(path) == len(WHOLE)
        assert storage.meta_backend.get(path).get("size") in (None, len(WHOLE))

    def test_stores_text_as_utf_8(self, storage):
        for inside in (b"bytes", "text"):
            path = storage.save("a.txt", Made(["größe, ", "日本"], inside))
            assert read(storage, path) == "größe, 日本".encode()

    def test_leaves_nothing_of_chunks_that_break(self, storage):
        for inside in (b"bytes", "text"):
            with pytest.raises(RuntimeError, match="the source is gone"):
                storage.save("a.txt", Breaking(inside=inside))
        assert list(storage.meta_backend) == []
        assert storage.listdir("") == ([], [])

    def test_stores_nothing_for_no_chunks(self, storage):
        assert read(storage, storage.save("a.txt", Made([]))) == b""
        assert read(storage, storage.save("b.txt", Made([b"", b""]))) == b""

    def test_refuses_text_that_cannot_be_stored(self, storage):
        with pytest.raises(ContentError):
            storage.save("a.txt", Made(["a", "\ud800"]))
        assert list(storage.meta_backend) == []


class TestOriginalThatReads:
    @pytest.mark.parametrize("original", [ByReading, InTwoPasses])
    def test_gets_the_chunks(self, in_front_of, original):
        storage = in_front_of(original())
        assert read(storage, storage.save("a.txt", Made())) == WHOLE

    @pytest.mark.parametrize("original", [ByReading, InTwoPasses])
    def test_gets_the_error(self, in_front_of, original):
        with pytest.raises(RuntimeError, match="the source is gone"):
            in_front_of(original()).save("a.txt", Breaking())

    def test_does_not_take_an_error_for_the_end(self, in_front_of):
        class Stubborn(MemoryStorage):
            def _save(self, name, content):
                data = b""
                for _attempt in range(3):
                    try:
                        data += content.read()
                    except RuntimeError as error:
                        failure = error
                    else:
                        return super()._save(name, ContentFile(data))
                raise failure

        with pytest.raises(RuntimeError, match="the source is gone"):
            in_front_of(Stubborn()).save("a.txt", Breaking())

    @pytest.mark.parametrize("original", [ByReading, InTwoPasses])
    def test_gets_the_whole_of_what_comes_once(self, in_front_of, original):
        storage, content = in_front_of(original()), Once()
        assert read(storage, storage.save("a.txt", content)) == WHOLE


class TestNextOriginal:
    @pytest.mark.parametrize("by_chunks", [True, False])
    @pytest.mark.parametrize("second", [MemoryStorage, ByReading])
    def test_gets_all_of_it(self, in_front_of, by_chunks, second):
        storage = in_front_of(Failing(by_chunks), second())
        path = storage.save("a.txt", Made())
        assert read(storage, path) == WHOLE
        assert storage.meta_backend.get(path)["original_storage_name"] == "1"

    @pytest.mark.parametrize("by_chunks", [True, False])
    @pytest.mark.parametrize(
        "parts", [PARTS, [b"0123456789"] * 50, [b"abcdefgh"], [b"x" * 10**6] * 9]
    )
    def test_gets_the_whole_of_what_comes_once(self, in_front_of, by_chunks, parts):
        """Of a source that has been used up in part, nothing else would be left."""
        storage = in_front_of(Failing(by_chunks), MemoryStorage())
        assert read(storage, storage.save("a.txt", Once(parts))) == b"".join(parts)

    def test_gets_the_error_again(self, in_front_of):
        class NoSource(Made):
            def chunks(self, chunk_size=None):
                self.passes += 1
                yield self.parts[0]
                raise OSError("the source is gone")

        class Tolerant(OriginalStorageFallbackMixin, MemoryStorage):
            fallback_exceptions = (OSError,)

        content, storage = NoSource(), in_front_of(Tolerant(), Tolerant())
        with pytest.raises(OSError, match="the source is gone"):
            storage.save("a.txt", content)
        assert list(storage.meta_backend) == []


def test_memory_stays_the_same(in_front_of):
    class Sink(MemoryStorage):
        """Reads all, and keeps nothing."""

        def _save(self, name, content):
            while content.read(65536):
                pass
            return super()._save(name, ContentFile(b""))

    class Large(Made):
        def chunks(self, chunk_size=None):
            for _number in range(500):
                yield bytes(65536)

    storage = in_front_of(Sink())
    tracemalloc.start()
    try:
        storage.save("a.txt", Large())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 2**20


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (Made(), True),
        (ContentFile(b""), False),
        (File(io.BytesIO()), False),
        (SimpleUploadedFile("a", b""), False),
        (InMemoryUploadedFile(io.BytesIO(), None, "a", None, 0, None), False),
        (io.BytesIO(), False),
        (MeasuredFile(Made(), "a"), False),
    ],
)
def test_whose_chunks_they_are(content, expected):
    assert has_own_chunks(content) is expected


class TestReader:
    """The file that an original storage sees."""

    def test_reads_lines_and_positions(self):
        file = MeasuredFile(Made([b"one\ntw", b"o\nthree"]), "a.txt")
        assert file.file.readline() == b"one\n"
        assert file.tell() == 4
        assert file.file.readline() == b"two\n"
        assert file.seek(8) == 8
        assert file.read() == b"three"
        assert file.read() == b""
        assert file.seek(0) == 0
        assert file.read(3) == b"one"
        assert file.seekable()
        assert file.seek(-2, io.SEEK_END) == 11
        assert file.read() == b"ee"
        assert file.seek(-3, io.SEEK_CUR) == 10
        assert file.read(1) == b"r"
        assert file.seek(100) == 100
        assert file.read() == b""

    def test_goes_to_the_end_at_once(self):
        file = MeasuredFile(Made(), "a.txt", "sha256")
        assert file.seek(0, io.SEEK_END) == len(WHOLE)
        file.seek(0)
        assert file.read() == WHOLE
        assert file.length == len(WHOLE)

    def test_hides_what_is_inside(self):
        file = MeasuredFile(Made(), "a.txt")
        for name in ("getvalue", "getbuffer"):
            assert not hasattr(file.file, name)
        with pytest.raises(OSError):
            file.file.fileno()

    def test_is_measured_to_its_end(self):
        file = MeasuredFile(Made(), "a.txt", "sha256")
        file.read(3)
        file.finish()
        assert file.length == len(WHOLE)

    def test_chunks_of_a_size(self):
        class Sized(Made):
            def chunks(self, chunk_size=7):
                data = b"".join(self.parts)
                yield from (data[n : n + chunk_size] for n in range(0, len(data), chunk_size))

        file = MeasuredFile(Sized([b"0123456789"]), "a.txt")
        assert list(file.chunks(4)) == [b"0123", b"4567", b"89"]
        assert list(file.chunks()) == [b"0123456789"]
