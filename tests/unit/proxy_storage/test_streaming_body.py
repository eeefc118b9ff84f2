"""The body of a streamed response."""

import io
import os
import threading

import pytest

from proxy_storage.exceptions import ServingError
from proxy_storage.serving.streaming import Body, FileBody


class OneWay(io.BytesIO):
    """A stream with short reads, as from a network."""

    def read(self, size=-1):
        return super().read(min(size, 3))


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
