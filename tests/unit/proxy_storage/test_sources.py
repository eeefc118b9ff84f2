import io
import os
import threading
from datetime import UTC, datetime

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import InMemoryStorage
from django.test import RequestFactory

from proxy_storage import original_storages, sources
from proxy_storage.exceptions import ServingError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.original_storages.sources import Body, FileBody, Source, StorageSource, go_to
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


class TestBody:
    def test_reads_no_more_than_its_length(self):
        body = Body(io.BytesIO(b"0123456789"), 7)
        assert [body.read(4), body.read(4), body.read(4)] == [b"0123", b"456", b""]

    def test_short_reads_do_not_end_it(self):
        body = Body(OneWay(b"0123456789"), 7)
        assert [body.read(99), body.read(99), body.read(99), body.read(99)] == [
            b"012",
            b"345",
            b"6",
            b"",
        ]

    def test_file_that_ends_early_raises_serving_error(self):
        body = Body(io.BytesIO(b"0123"), 7)
        assert body.read(99) == b"0123"
        with pytest.raises(ServingError, match="3 bytes too early"):
            body.read(99)

    def test_readable_is_closed_once(self):
        closed = []
        readable = io.BytesIO(b"0123")
        readable.close = lambda: closed.append(True)
        body = Body(readable, 4)
        body.close()
        body.close()
        assert closed == [True]
        assert body.read(4) == b""

    def test_close_waits_for_a_read_in_another_thread(self):
        events, may_go_on, reading = [], threading.Event(), threading.Event()

        class Slow(io.BytesIO):
            def read(self, size):
                reading.set()
                may_go_on.wait(10)
                events.append("read")
                return super().read(size)

            def close(self):
                events.append("closed")

        body = Body(Slow(b"0123"), 4)
        reader = threading.Thread(target=body.read, args=[4])
        reader.start()
        assert reading.wait(10)
        closer = threading.Thread(target=body.close)
        closer.start()
        may_go_on.set()
        reader.join()
        closer.join()
        assert events == ["read", "closed"]

    def test_before_first_byte_is_called_once(self):
        started = []
        body = FileBody(io.BytesIO(b"0123"), 4, lambda: started.append(True))
        assert started == []
        assert [body.tell(), body.read(2), body.read(2), body.tell()] == [0, b"01", b"23", 4]
        assert started == [True]

    def test_before_first_byte_is_called_for_the_descriptor(self, tmp_path):
        started = []
        path = tmp_path / "a.txt"
        path.write_bytes(b"0123")
        body = FileBody(path.open("rb"), 4, lambda: started.append(True))
        for _ in range(2):
            assert os.fstat(body.fileno()).st_size == 4
        assert body.read(4) == b"0123"
        assert started == [True]
        body.close()

    @pytest.mark.parametrize("method", ["read", "close"])
    def test_error_of_acquire_releases_the_lock(self, method):
        """In mod_wsgi, acquiring the lock can take it and raise SystemError all the same."""

        class FailingOnce:
            def __init__(self, lock):
                self.lock, self.has_failed = lock, False

            def acquire(self):
                self.lock.acquire()
                if not self.has_failed:
                    self.has_failed = True
                    raise SystemError("returned a result with an exception set")

            def release(self):
                self.lock.release()

        readable = io.BytesIO(b"0123")
        body = Body(readable, 4)
        body._lock = FailingOnce(body._lock)
        with pytest.raises(SystemError):
            body.read(4) if method == "read" else body.close()
        closing = threading.Thread(target=body.close, daemon=True)
        closing.start()
        closing.join(10)
        assert readable.closed

    def test_lock_of_another_thread_is_not_released(self):
        class Broken:
            def acquire(self):
                raise KeyboardInterrupt

            def release(self):
                raise RuntimeError("cannot release un-acquired lock")

        body = Body(io.BytesIO(b"0123"), 4)
        body._lock = Broken()
        with pytest.raises(KeyboardInterrupt):
            body.close()

    def test_error_of_a_read_releases_the_lock(self):
        class Failing(io.BytesIO):
            def read(self, size):
                raise OSError("gone")

        body = Body(Failing(b"0123"), 4)
        with pytest.raises(OSError, match="gone"):
            body.read(4)
        closing = threading.Thread(target=body.close, daemon=True)
        closing.start()
        closing.join(10)
        assert body.closed


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
