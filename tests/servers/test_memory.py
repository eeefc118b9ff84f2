"""Memory and open files of the Python process while it delivers large files."""

import os
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.programs import TIMEOUT, wait_for
from tests.servers.site.client import get_url

pytestmark = pytest.mark.long

MIB = 1024 * 1024
GIB = 1024 * MIB
SMALL = b"a small one"


class Process:
    """The kernel's figures about a process."""

    def __init__(self, pid):
        self.folder = Path("/proc") / str(pid)

    def reset_peak(self):
        # Without permission the peak is the one since the start, which is at least as strict.
        with suppress(PermissionError):
            (self.folder / "clear_refs").write_text("5")

    def get_peak(self):
        """Return the peak of its memory, in bytes."""
        status = (self.folder / "status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def get_open_files(self):
        """Return the targets of its file descriptors."""
        targets = []
        for descriptor in (self.folder / "fd").iterdir():
            with suppress(FileNotFoundError):  # The file has been closed in the meantime.
                targets.append(os.readlink(descriptor))
        return targets

    def wait_for(self, condition):
        """Wait until a condition holds for its open files; return them."""
        return wait_for(self.get_open_files, condition)


@pytest.fixture
def process(python_front):
    return Process(python_front.pid)


@pytest.fixture(scope="module")
def huge(site):
    """A sparse file of 1 GiB."""
    path = site.files_root / "huge.bin"
    with path.open("wb") as file:
        file.truncate(GIB)
    yield "python-plain", site.adopt("python-plain", "huge.bin"), GIB
    path.unlink()


@pytest.fixture(scope="module")
def large_object(site):
    site.bucket.put_object(Key="memory.bin", Body=bytes(100 * MIB))
    yield "s3", site.adopt("s3", "memory.bin"), 100 * MIB
    site.bucket.Object("memory.bin").delete()


@pytest.fixture(scope="module")
def large_gridfs(site):
    return "gridfs", site.save("gridfs", "memory.bin", bytes(32 * MIB)), 32 * MIB


@pytest.fixture(params=["huge", "large_object", "large_gridfs"])
def large(request, site):
    """A large file of each kind: the URL of a small file beside it, its URL, and its length."""
    storage, path, length = request.getfixturevalue(request.param)
    small = site.keep(storage, "beside.txt", SMALL)
    return get_url(small), get_url(path), length


def warm_up(front, url):
    """Load all that is kept for later requests: modules, threads, connections."""
    with ThreadPoolExecutor(8) as pool:
        assert {answer.body for answer in pool.map(front.ask, [url] * 24)} == {SMALL}


def download(curl, front, url, *options):
    """Download a file with curl, discard it, and return the number of bytes."""
    done = subprocess.run(
        [
            *(curl, "--silent", "--show-error", "--fail", "--output", "/dev/null"),
            *("--cookie", "reader=yes", "--write-out", "%{size_download}", *options),
            f"http://{front.address}{url}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return int(done.stdout)


# The kernel sends a whole local file for gunicorn.
@pytest.mark.parametrize("start", [0, 1], ids=["whole", "part"])
def test_memory_does_not_grow_with_the_file(python_front, process, curl, large, start):
    small, url, length = large
    options = ["--range", f"{start}-"] if start else []
    warm_up(python_front, small)
    process.reset_peak()
    before = process.get_peak()
    assert download(curl, python_front, url, *options) == length - start
    assert process.get_peak() - before < 16 * MIB


def test_head_reads_nothing(python_front, process, large):
    small, url, length = large
    warm_up(python_front, small)
    process.reset_peak()
    before = process.get_peak()
    answer = python_front.ask(url, method="HEAD")
    assert (answer.status, answer.headers["Content-Length"]) == (200, str(length))
    assert process.get_peak() - before < 4 * MIB


def count_sockets(process):
    """Count the connections of a process to clients and to MongoDB."""
    return sum(file.startswith("socket:") for file in process.get_open_files())


def open_download(front, url):
    """Begin to download a file; return the connection before the end of the file."""
    host, port = front.address.split(":")
    connection = socket.create_connection((host, int(port)), timeout=TIMEOUT)
    connection.sendall(f"GET {url} HTTP/1.1\r\nHost: {host}\r\nCookie: reader=yes\r\n\r\n".encode())
    assert connection.recv(12) == b"HTTP/1.1 200"
    return connection


def test_aborted_downloads_release_all_resources(python_front, process, large):
    small, url, length = large
    rounds = 25 if length == GIB else 3
    warm_up(python_front, small)
    before = len(process.get_open_files())
    # A pool of connections grows to the number that is used at once.
    pool = 0 if length == GIB else 8
    for _ in range(rounds):
        with ExitStack() as stack:
            for _ in range(8):
                stack.enter_context(open_download(python_front, url))
            # The files of databases are closed by then.
            assert count_sockets(process) >= 8
    files = process.wait_for(lambda files: len(files) <= before + pool)
    assert [file for file in files if file.endswith("huge.bin")] == []
    assert len(files) <= before + pool
    # The next request is answered.
    assert python_front.ask(small).body == SMALL


class TestGridFS:
    @pytest.fixture
    def relay(self, site, large_gridfs):
        relay = site.relays["mongo"]
        relay.reset()
        return relay

    @pytest.mark.parametrize("value", ["0-3", "20000000-20000003", "-4"])
    def test_small_part_moves_few_bytes(self, python_front, large_gridfs, relay, value):
        _, path, _ = large_gridfs
        answer = python_front.ask(get_url(path), {"Range": f"bytes={value}"})
        assert (answer.status, answer.body) == (206, bytes(4))
        assert 4 <= relay.received < MIB

    def test_head_moves_no_bytes_of_the_file(self, python_front, large_gridfs, relay):
        _, path, length = large_gridfs
        answer = python_front.ask(get_url(path), method="HEAD")
        assert (answer.status, answer.headers["Content-Length"]) == (200, str(length))
        assert relay.received < 100_000
