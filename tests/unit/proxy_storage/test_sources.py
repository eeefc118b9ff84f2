import io
from datetime import UTC, datetime

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import InMemoryStorage
from django.test import RequestFactory

from proxy_storage import original_storages, sources
from proxy_storage.exceptions import ServingError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.original_storages.sources import Source, StorageSource, go_to
from proxy_storage.serving.conditional import check_preconditions, get_validators


class OneWay(io.RawIOBase):
    """A stream as from a network: short reads, and it cannot seek."""

    def __init__(self, content):
        self.content = content

    def read(self, size=-1):
        data, self.content = self.content[: min(size, 3)], self.content[min(size, 3) :]
        return data


class LeastSource(Source):
    """A source with the required methods only."""

    size = 4

    def open(self, start, stop):
        return io.BytesIO(b"0123"[start:])


def test_former_import_path():
    for name in sources.__all__:
        assert getattr(sources, name) is getattr(original_storages, name)
    assert sources.__all__ == original_storages.__all__


def test_defaults_of_a_source():
    source = LeastSource()
    assert (source.etag, source.last_modified) == (None, None)
    assert source.is_as_recorded({"size": 5})


class TestGoTo:
    def test_seeks_if_possible(self):
        file = io.BytesIO(b"0123456789")
        go_to(file, 4)
        assert file.read() == b"456789"

    def test_reads_if_it_cannot_seek(self):
        file = OneWay(b"0123456789")
        go_to(file, 4)
        assert file.read(99) == b"456"

    def test_position_after_the_end_raises_serving_error(self):
        with pytest.raises(ServingError, match="1 bytes before the requested range"):
            go_to(OneWay(b"0123"), 5)


class TestStorageSource:
    @pytest.fixture
    def storage(self):
        storage = InMemoryStorage()
        storage.save("a.txt", ContentFile(b"0123456789"))
        return storage

    def test_metadata(self, storage):
        source = StorageSource(storage, "a.txt")
        assert source.size == 10
        assert source.last_modified == storage.get_modified_time("a.txt")
        assert source.etag.startswith('"')
        assert source.etag == StorageSource(storage, "a.txt").etag

    def test_naive_time_gets_a_time_zone(self, storage, settings):
        settings.USE_TZ = False
        assert StorageSource(storage, "a.txt").last_modified.utcoffset() is not None

    def test_storage_without_modification_times(self, storage, monkeypatch):
        def get_modified_time(name):
            raise NotImplementedError

        monkeypatch.setattr(storage, "get_modified_time", get_modified_time)
        source = StorageSource(storage, "a.txt")
        assert source.last_modified is None
        assert source.etag is None
        validators = get_validators(MetaBackendObject(), source)
        assert validators.headers == {}
        request = RequestFactory().get("/", headers={"If-None-Match": '"a"'})
        assert check_preconditions(request, validators, {}) is None

    def test_etag_changes_with_the_time(self, storage, monkeypatch):
        before = StorageSource(storage, "a.txt").etag
        later = datetime(2040, 1, 1, tzinfo=UTC)
        monkeypatch.setattr(storage, "get_modified_time", lambda name: later)
        assert StorageSource(storage, "a.txt").etag != before

    def test_file_is_closed_if_it_is_shorter_than_the_position(self, storage, monkeypatch):
        file = File(OneWay(b"0123"), "a.txt")
        monkeypatch.setattr(storage, "_open", lambda *args: file)
        with pytest.raises(ServingError):
            StorageSource(storage, "a.txt").open(5, 9)
        assert file.closed
