"""Failed original storages keep no partial file, and the next one gets the complete content."""

import io
import os

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import TemporaryUploadedFile

from proxy_storage.exceptions import InvalidNameError, MetaBackendError, MetaBackendUnavailable
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages.fallback import OriginalStorageFallbackMixin
from proxy_storage.storages.gridfs import GridFSStorage
from tests.contract.reading import read
from tests.safety.stored_files import get_original_files
from tests.testapp.storages import MemoryStorage, get_mongo_db

pytestmark = pytest.mark.usefixtures("empty_storages")

DATA = bytes(range(256)) * 1000


class FallbackMixin(OriginalStorageFallbackMixin):
    fallback_exceptions = (OSError,)
    always_fails = False


class Disk(FallbackMixin, FileSystemStorage):
    pass


class Memory(FallbackMixin, MemoryStorage):
    pass


class GridFS(FallbackMixin, GridFSStorage):
    pass


class FailsAfterWriting(Disk):
    """Fails to change the group of the complete file."""

    always_fails = True

    def _ensure_location_group_id(self, full_path):
        raise PermissionError(full_path)


class MovesUpload(Disk):
    """Moves the temporary file of an upload and fails."""

    always_fails = True

    def _save(self, name, content):
        if hasattr(content, "temporary_file_path"):
            os.rename(content.temporary_file_path(), self.path(name))
        else:
            super()._save(name, content)
        raise OSError("quota exceeded")


class Interrupted(Memory):
    """Stores the first bytes of the content and fails."""

    always_fails = True

    def __init__(self, size):
        super().__init__()
        self.size = size

    def _save(self, name, content):
        if self.size:
            super()._save(name, ContentFile(content.read(self.size)))
        raise OSError(f"connection lost after {self.size} bytes")


class FailsOnceMixin:
    """Content that raises an error once if ``fails`` is set."""

    fails = False

    def chunks(self, chunk_size=None):
        for number, chunk in enumerate(super().chunks(1000)):
            if number and self.fails:
                self.fails = False
                raise OSError("broken pipe")
            yield chunk


class Content(FailsOnceMixin, ContentFile):
    pass


class Temporary(FailsOnceMixin, TemporaryUploadedFile):
    def __init__(self, data):
        super().__init__("upload.bin", "application/x-upload", len(data), None)
        self.write(data)


class Stream:
    """Content that can be read once, because it has no ``seek``."""

    def __init__(self, data):
        self.file = io.BytesIO(data)

    def read(self, size=-1):
        return self.file.read(size)


class FailingStream(Stream):
    def read(self, size=-1):
        if self.file.tell():
            raise OSError("broken pipe")
        return self.file.read(1000)


@pytest.fixture(params=settings.META_BACKENDS)
def chain(request, settings):
    """Return a function that creates a proxy storage with several original storages."""

    def chain(*originals):
        originals = {f"number {number}": each for number, each in enumerate(originals, 1)}
        meta_backend = settings.META_BACKENDS[request.param]
        options = {
            "original_storages": originals,
            "meta_backend": meta_backend,
            "paths": "full",
        }
        backend = {"BACKEND": "tests.testapp.storages.FallbackStorage", "OPTIONS": options}
        settings.STORAGES = {"chain": backend}
        return get_proxy_storage("chain")

    return chain


def get_original_storage_name(storage, path):
    return storage.meta_backend.get(path)["original_storage_name"]


@pytest.fixture(
    params=[
        Disk,
        lambda folder: Disk(folder, allow_overwrite=True),
        lambda folder: Memory(),
        lambda folder: GridFS(get_mongo_db),
        FailsAfterWriting,
        MovesUpload,
        lambda folder: Interrupted(1000),
    ],
    ids=["disk", "overwriting", "memory", "gridfs", "after writing", "moves upload", "interrupted"],
)
def first(request, tmp_path):
    return request.param(tmp_path)


class TestFailedAttempt:
    @pytest.mark.parametrize("content", [Content, Temporary])
    def test_next_original_storage_gets_the_complete_content(self, chain, first, content):
        storage = chain(first, Memory())
        with content(DATA) as file:
            file.fails = not first.always_fails
            path = storage.save("hello.bin", file)
            file.seek(0)
            assert file.read() == DATA
        assert get_original_storage_name(storage, path) == "number 2"
        assert read(storage, path) == DATA
        assert get_original_files(first) == []

    def test_temporary_file_of_an_upload_is_kept(self, chain, tmp_path):
        with TemporaryUploadedFile("upload.bin", "application/x-upload", 5, None) as upload:
            upload.write(b"world")
            storage = chain(MovesUpload(tmp_path), Disk(tmp_path / "next"))
            path = storage.save("hello.bin", upload)
            assert os.path.exists(upload.temporary_file_path())
        assert read(storage, path) == b"world"
        assert [str(file) for file in get_original_files(Disk(tmp_path))] == [path]

    def test_content_without_seek_is_not_read_again(self, chain, first):
        stream = (Stream if first.always_fails else FailingStream)(DATA)
        second = Memory()
        storage = chain(first, second)
        with pytest.raises(OSError) as caught:
            storage.save("hello.bin", stream)
        assert "cannot be read a second time" in caught.value.__notes__[-1]
        assert get_original_files(first) == get_original_files(second) == []
        assert list(storage.meta_backend) == []

    def test_unread_content_without_seek_goes_to_the_next(self, chain, tmp_path):
        (tmp_path / "file").write_bytes(b"no folder")
        storage = chain(Interrupted(0), Disk(tmp_path / "file"), Memory())
        path = storage.save("hello.bin", Stream(DATA))
        assert get_original_storage_name(storage, path) == "number 3"
        assert read(storage, path) == DATA


class TestRaisedError:
    def test_last_error_is_raised_with_notes_about_the_others(self, chain):
        originals = [Interrupted(size) for size in (100, 50, 10)]
        with pytest.raises(OSError, match="lost after 10 bytes") as caught:
            chain(*originals).save("hello.bin", ContentFile(DATA))
        assert caught.value.__notes__ == [
            "The original storage 'number 1' failed: OSError('connection lost after 100 bytes')",
            "The original storage 'number 2' failed: OSError('connection lost after 50 bytes')",
        ]
        assert [get_original_files(original) for original in originals] == [[], [], []]

    def test_error_of_the_next_name_has_notes_about_the_others(self, chain, tmp_path):
        storage = chain(Interrupted(100), Disk(tmp_path))
        with pytest.raises(InvalidNameError) as caught:
            storage.save("hello.bin", ContentFile(DATA), max_length=len(str(tmp_path)))
        assert "'number 1' failed" in getattr(caught.value, "__notes__", [""])[0]


class TestErrorOfTheMetaBackend:
    """It never selects the next original storage, regardless of ``fallback_exceptions``."""

    class CatchAllStorage(Disk):
        fallback_exceptions = (Exception,)

    @pytest.fixture
    def originals(self, tmp_path):
        return [self.CatchAllStorage(tmp_path / "1"), self.CatchAllStorage(tmp_path / "2")]

    def test_error_before_the_write(self, chain, originals, monkeypatch):
        def fail(path):
            raise MetaBackendUnavailable("gone")

        storage = chain(*originals)
        monkeypatch.setattr(storage.meta_backend, "exists", fail)
        with pytest.raises(MetaBackendUnavailable):
            storage.save("hello.bin", ContentFile(DATA))
        assert [get_original_files(original) for original in originals] == [[], []]

    def test_error_after_the_write(self, chain, originals, monkeypatch):
        storage, tried = chain(*originals), []
        get_data = storage.get_data_for_meta_backend_save
        invalid = None if storage.meta_backend.get_transaction_alias() else object()

        def get_invalid_data(**kwargs):
            tried.append(kwargs["path"])
            return {**get_data(**kwargs), "checksum": invalid}

        monkeypatch.setattr(storage, "get_data_for_meta_backend_save", get_invalid_data)
        with pytest.raises(MetaBackendError, match="refused"):
            storage.save("hello.bin", ContentFile(DATA))
        assert len(tried) == 1
        assert [get_original_files(original) for original in originals] == [[], []]
