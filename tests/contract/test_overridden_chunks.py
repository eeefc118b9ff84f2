"""Content whose class overrides ``chunks`` is read through it, by every original storage."""

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


class GeneratedContent(ContentFile):
    """``chunks`` returns other content than the wrapped file."""

    def __init__(self, parts=PARTS, inside=b"inside"):
        super().__init__(inside, name="generated.txt")
        self.parts = parts
        self.passes = 0

    def chunks(self, chunk_size=None):
        self.passes += 1
        yield from self.parts


class FailingContent(GeneratedContent):
    def chunks(self, chunk_size=None):
        yield self.parts[0]
        raise RuntimeError("the source is gone")


class SinglePassContent(GeneratedContent):
    """``chunks`` returns each part only once, like a network connection."""

    def __init__(self, parts=PARTS):
        super().__init__(parts)
        self.source = iter(parts)

    def chunks(self, chunk_size=None):
        yield from self.source


class BlockReadingStorage(MemoryStorage):
    """Reads blocks of its own size, like the storages of object stores."""

    size_of_block = 5

    def _save(self, name, content):
        content.seek(0)
        data = b""
        while block := content.read(self.size_of_block):
            data += block
        return super()._save(name, ContentFile(data))


class TwoPassStorage(MemoryStorage):
    """Reads the content twice, like a storage that first computes a hash."""

    def _save(self, name, content):
        content.read()
        content.seek(0)
        return super()._save(name, ContentFile(content.read()))


class FailingStorage(OriginalStorageFallbackMixin, InMemoryStorage):
    """Reads a part of the content, and fails."""

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
def create_storage(settings):
    def create(*originals, meta_backend="orm"):
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

    return create


@pytest.mark.parametrize("storage", [*STORAGES, "orm-relative-s3"], indirect=True)
class TestEveryOriginalStorage:
    def test_content_of_chunks_is_stored(self, storage):
        path = storage.save("a.txt", GeneratedContent())
        assert read(storage, path) == WHOLE
        assert storage.size(path) == len(WHOLE)
        assert storage.meta_backend.get(path).get("size") in (None, len(WHOLE))

    def test_text_is_stored_as_utf_8(self, storage):
        for inside in (b"bytes", "text"):
            path = storage.save("a.txt", GeneratedContent(["größe, ", "日本"], inside))
            assert read(storage, path) == "größe, 日本".encode()

    def test_failing_chunks_leave_no_file(self, storage):
        for inside in (b"bytes", "text"):
            with pytest.raises(RuntimeError, match="the source is gone"):
                storage.save("a.txt", FailingContent(inside=inside))
        assert list(storage.meta_backend) == []
        assert storage.listdir("") == ([], [])

    def test_empty_chunks_are_stored_as_an_empty_file(self, storage):
        assert read(storage, storage.save("a.txt", GeneratedContent([]))) == b""
        assert read(storage, storage.save("b.txt", GeneratedContent([b"", b""]))) == b""

    def test_text_with_surrogates_raises(self, storage):
        with pytest.raises(ContentError):
            storage.save("a.txt", GeneratedContent(["a", "\ud800"]))
        assert list(storage.meta_backend) == []


class TestReadingOriginalStorage:
    @pytest.mark.parametrize("original", [BlockReadingStorage, TwoPassStorage])
    def test_read_returns_the_chunks(self, create_storage, original):
        storage = create_storage(original())
        assert read(storage, storage.save("a.txt", GeneratedContent())) == WHOLE

    @pytest.mark.parametrize("original", [BlockReadingStorage, TwoPassStorage])
    def test_read_raises_the_error_of_chunks(self, create_storage, original):
        with pytest.raises(RuntimeError, match="the source is gone"):
            create_storage(original()).save("a.txt", FailingContent())

    def test_error_is_raised_again_by_the_next_read(self, create_storage):
        class RetryingStorage(MemoryStorage):
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
            create_storage(RetryingStorage()).save("a.txt", FailingContent())

    @pytest.mark.parametrize("original", [BlockReadingStorage, TwoPassStorage])
    def test_single_pass_content_is_read_completely(self, create_storage, original):
        storage, content = create_storage(original()), SinglePassContent()
        assert read(storage, storage.save("a.txt", content)) == WHOLE


class TestFallback:
    @pytest.mark.parametrize("by_chunks", [True, False])
    @pytest.mark.parametrize("second", [MemoryStorage, BlockReadingStorage])
    def test_fallback_storage_gets_the_complete_content(self, create_storage, by_chunks, second):
        storage = create_storage(FailingStorage(by_chunks), second())
        path = storage.save("a.txt", GeneratedContent())
        assert read(storage, path) == WHOLE
        assert storage.meta_backend.get(path)["original_storage_name"] == "1"

    @pytest.mark.parametrize("by_chunks", [True, False])
    @pytest.mark.parametrize(
        "parts", [PARTS, [b"0123456789"] * 50, [b"abcdefgh"], [b"x" * 10**6] * 9]
    )
    def test_fallback_storage_gets_complete_single_pass_content(
        self, create_storage, by_chunks, parts
    ):
        """A second call of ``chunks`` would return only the remaining parts."""
        storage = create_storage(FailingStorage(by_chunks), MemoryStorage())
        assert read(storage, storage.save("a.txt", SinglePassContent(parts))) == b"".join(parts)

    def test_error_of_the_content_is_raised(self, create_storage):
        class UnavailableContent(GeneratedContent):
            def chunks(self, chunk_size=None):
                self.passes += 1
                yield self.parts[0]
                raise OSError("the source is gone")

        class FallbackStorage(OriginalStorageFallbackMixin, MemoryStorage):
            fallback_exceptions = (OSError,)

        content, storage = (
            UnavailableContent(),
            create_storage(FallbackStorage(), FallbackStorage()),
        )
        with pytest.raises(OSError, match="the source is gone"):
            storage.save("a.txt", content)
        assert list(storage.meta_backend) == []


def test_memory_is_constant(create_storage):
    class DiscardingStorage(MemoryStorage):
        """Reads the content and stores an empty file."""

        def _save(self, name, content):
            while content.read(65536):
                pass
            return super()._save(name, ContentFile(b""))

    class LargeContent(GeneratedContent):
        def chunks(self, chunk_size=None):
            for _number in range(500):
                yield bytes(65536)

    storage = create_storage(DiscardingStorage())
    tracemalloc.start()
    try:
        storage.save("a.txt", LargeContent())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 2**20


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (GeneratedContent(), True),
        (ContentFile(b""), False),
        (File(io.BytesIO()), False),
        (SimpleUploadedFile("a", b""), False),
        (InMemoryUploadedFile(io.BytesIO(), None, "a", None, 0, None), False),
        (io.BytesIO(), False),
        (MeasuredFile(GeneratedContent(), "a"), False),
    ],
)
def test_has_own_chunks(content, expected):
    assert has_own_chunks(content) is expected


class TestReader:
    """The file object that an original storage receives."""

    def test_readline_seek_and_tell(self):
        file = MeasuredFile(GeneratedContent([b"one\ntw", b"o\nthree"]), "a.txt")
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

    def test_seek_to_the_end(self):
        file = MeasuredFile(GeneratedContent(), "a.txt", "sha256")
        assert file.seek(0, io.SEEK_END) == len(WHOLE)
        file.seek(0)
        assert file.read() == WHOLE
        assert file.length == len(WHOLE)

    def test_wrapped_file_is_hidden(self):
        file = MeasuredFile(GeneratedContent(), "a.txt")
        for name in ("getvalue", "getbuffer"):
            assert not hasattr(file.file, name)
        with pytest.raises(OSError):
            file.file.fileno()

    def test_finish_measures_the_complete_content(self):
        file = MeasuredFile(GeneratedContent(), "a.txt", "sha256")
        file.read(3)
        file.finish()
        assert file.length == len(WHOLE)

    def test_chunk_size_is_passed_on(self):
        class ContentWithChunkSize(GeneratedContent):
            def chunks(self, chunk_size=7):
                data = b"".join(self.parts)
                yield from (data[n : n + chunk_size] for n in range(0, len(data), chunk_size))

        file = MeasuredFile(ContentWithChunkSize([b"0123456789"]), "a.txt")
        assert list(file.chunks(4)) == [b"0123", b"4567", b"89"]
        assert list(file.chunks()) == [b"0123456789"]
