"""Original storages that fail: nothing is left in them, and the next one gets all or nothing."""

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
from tests.contract.proxy_storages import read
from tests.safety.originals import get_files
from tests.testapp.storages import MemoryStorage, get_mongo_db

pytestmark = pytest.mark.usefixtures("empty_storages")

DATA = bytes(range(256)) * 1000


class Passing(OriginalStorageFallbackMixin):
    fallback_exceptions = (OSError,)
    fails_by_itself = False


class Disk(Passing, FileSystemStorage):
    pass


class Memory(Passing, MemoryStorage):
    pass


class GridFS(Passing, GridFSStorage):
    pass


class Late(Disk):
    """Cannot give the file, which is whole by then, to the group of its folder."""

    fails_by_itself = True

    def _ensure_location_group_id(self, full_path):
        raise PermissionError(full_path)


class Moving(Disk):
    """Takes an upload away from its place before it fails."""

    fails_by_itself = True

    def _save(self, name, content):
        if hasattr(content, "temporary_file_path"):
            os.rename(content.temporary_file_path(), self.path(name))
        else:
            super()._save(name, content)
        raise OSError("quota exceeded")


class Interrupted(Memory):
    """Keeps what it got before it fails, after some bytes or after none."""

    fails_by_itself = True

    def __init__(self, size):
        super().__init__()
        self.size = size

    def _save(self, name, content):
        if self.size:
            super()._save(name, ContentFile(content.read(self.size)))
        raise OSError(f"connection lost after {self.size} bytes")


class BreaksOnce:
    """Mixed into content that breaks once, if it is told to."""

    is_to_break = False

    def chunks(self, chunk_size=None):
        for number, chunk in enumerate(super().chunks(1000)):
            if number and self.is_to_break:
                self.is_to_break = False
                raise OSError("broken pipe")
            yield chunk


class Content(BreaksOnce, ContentFile):
    pass


class Temporary(BreaksOnce, TemporaryUploadedFile):
    def __init__(self, data):
        super().__init__("upload.bin", "application/x-upload", len(data), None)
        self.write(data)


class Stream:
    """Can be read once: it has no ``seek``."""

    def __init__(self, data):
        self.file = io.BytesIO(data)

    def read(self, size=-1):
        return self.file.read(size)


class BreakingStream(Stream):
    def read(self, size=-1):
        if self.file.tell():
            raise OSError("broken pipe")
        return self.file.read(1000)


@pytest.fixture(params=settings.META_BACKENDS)
def chain(request, settings):
    """Configure a proxy storage that goes from one original to the next."""

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


def saved_by(storage, path):
    return storage.meta_backend.get(path)["original_storage_name"]


@pytest.fixture(
    params=[
        Disk,
        lambda folder: Disk(folder, allow_overwrite=True),
        lambda folder: Memory(),
        lambda folder: GridFS(get_mongo_db),
        Late,
        Moving,
        lambda folder: Interrupted(1000),
    ],
    ids=["disk", "overwriting", "memory", "gridfs", "late", "moving", "interrupted"],
)
def first(request, tmp_path):
    return request.param(tmp_path)


class TestAttemptThatFails:
    @pytest.mark.parametrize("content", [Content, Temporary])
    def test_leaves_nothing_and_the_next_one_gets_all(self, chain, first, content):
        storage = chain(first, Memory())
        with content(DATA) as file:
            file.is_to_break = not first.fails_by_itself
            path = storage.save("hello.bin", file)
            file.seek(0)
            assert file.read() == DATA
        assert saved_by(storage, path) == "number 2"
        assert read(storage, path) == DATA
        assert get_files(first) == []

    def test_upload_stays_where_it_is(self, chain, tmp_path):
        with TemporaryUploadedFile("upload.bin", "application/x-upload", 5, None) as upload:
            upload.write(b"world")
            storage = chain(Moving(tmp_path), Disk(tmp_path / "next"))
            path = storage.save("hello.bin", upload)
            assert os.path.exists(upload.temporary_file_path())
        assert read(storage, path) == b"world"
        assert [str(file) for file in get_files(Disk(tmp_path))] == [path]

    def test_is_the_last_one_for_content_without_seek(self, chain, first):
        stream = (Stream if first.fails_by_itself else BreakingStream)(DATA)
        second = Memory()
        storage = chain(first, second)
        with pytest.raises(OSError) as caught:
            storage.save("hello.bin", stream)
        assert "cannot be read a second time" in caught.value.__notes__[-1]
        assert get_files(first) == get_files(second) == []
        assert list(storage.meta_backend) == []

    def test_content_without_seek_that_nobody_has_read_goes_on(self, chain, tmp_path):
        (tmp_path / "file").write_bytes(b"no folder")
        storage = chain(Interrupted(0), Disk(tmp_path / "file"), Memory())
        path = storage.save("hello.bin", Stream(DATA))
        assert saved_by(storage, path) == "number 3"
        assert read(storage, path) == DATA


class TestErrorThatIsRaised:
    def test_is_the_last_one_with_notes_on_those_before(self, chain):
        originals = [Interrupted(size) for size in (100, 50, 10)]
        with pytest.raises(OSError, match="lost after 10 bytes") as caught:
            chain(*originals).save("hello.bin", ContentFile(DATA))
        assert caught.value.__notes__ == [
            "The original storage 'number 1' failed: OSError('connection lost after 100 bytes')",
            "The original storage 'number 2' failed: OSError('connection lost after 50 bytes')",
        ]
        assert [get_files(original) for original in originals] == [[], [], []]

    def test_has_notes_where_no_name_is_found_for_the_next_one(self, chain, tmp_path):
        storage = chain(Interrupted(100), Disk(tmp_path))
        with pytest.raises(InvalidNameError) as caught:
            storage.save("hello.bin", ContentFile(DATA), max_length=len(str(tmp_path)))
        assert "'number 1' failed" in getattr(caught.value, "__notes__", [""])[0]


class TestErrorOfTheMetaBackend:
    """No second copy is written for it, whatever the original storages want to be passed for."""

    class Careless(Disk):
        fallback_exceptions = (Exception,)

    @pytest.fixture
    def originals(self, tmp_path):
        return [self.Careless(tmp_path / "1"), self.Careless(tmp_path / "2")]

    def test_before_the_bytes_are_written(self, chain, originals, monkeypatch):
        def fail(path):
            raise MetaBackendUnavailable("gone")

        storage = chain(*originals)
        monkeypatch.setattr(storage.meta_backend, "exists", fail)
        with pytest.raises(MetaBackendUnavailable):
            storage.save("hello.bin", ContentFile(DATA))
        assert [get_files(original) for original in originals] == [[], []]

    def test_after_they_were_written(self, chain, originals, monkeypatch):
        storage, tried = chain(*originals), []
        get_data = storage.get_data_for_meta_backend_save
        refused = None if storage.meta_backend.get_transaction_alias() else object()

        def spoil(**kwargs):
            tried.append(kwargs["path"])
            return {**get_data(**kwargs), "checksum": refused}

        monkeypatch.setattr(storage, "get_data_for_meta_backend_save", spoil)
        with pytest.raises(MetaBackendError, match="refused"):
            storage.save("hello.bin", ContentFile(DATA))
        assert len(tried) == 1
        assert [get_files(original) for original in originals] == [[], []]
