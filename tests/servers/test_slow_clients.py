"""A slow download does not keep a connection to the database."""

import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
import pytest
from django.conf import settings

from tests import programs
from tests.programs import TIMEOUT, wait_for
from tests.servers.site.client import get_url
from tests.servers.site.running import running_site

pytestmark = pytest.mark.long

SIZE = 40 * 1024 * 1024
# gunicorn has ten threads, and each slow client occupies one of them.
CLIENTS = {"gunicorn": 8, "uvicorn": 50}
POOL_TIMEOUT = 30  # seconds that a request waits for a connection from the pool
POOLS = {
    "without a pool": {},
    "pool": {"SITE_DATABASE_POOL": "4", "SITE_DATABASE_POOL_TIMEOUT": str(POOL_TIMEOUT)},
}


@pytest.fixture(scope="module")
def postgresql(need_program):
    need_program("postgres")
    with (
        # A server of another user could not enter pytest's folder.
        TemporaryDirectory(prefix="proxy-storage-slow-") as folder,
        programs.running_postgresql(Path(folder)) as url,
    ):
        yield url


@pytest.fixture(scope="module", params=POOLS)
def site(request, postgresql, mongodb_uri):
    """A site with its own database, a large file and a small file."""
    if request.param == "pool":
        pytest.importorskip("psycopg_pool")
    host = unquote(urlsplit(postgresql).netloc.rpartition("@")[2])
    with psycopg.connect(host=host, user="tests", dbname="postgres", autocommit=True) as control:
        control.execute("CREATE DATABASE slow")
        variables = {"SITE_DATABASE_URL": f"{postgresql.rpartition('/')[0]}/slow"}
        name = f"proxy_storage_slow_{settings.RUN}"
        # None of its files is in S3.
        s3_url = "http://127.0.0.1:9"
        with running_site(mongodb_uri, name, s3_url, **variables, **POOLS[request.param]) as site:
            large = site.save("python", "large.bin", bytes(SIZE))
            small = site.save("python", "small.txt", b"small")
            yield Site(site, get_url(large), get_url(small), control, request.param == "pool")
        control.execute("DROP DATABASE slow WITH (FORCE)")


@dataclass(frozen=True)
class Site:
    """A running site.

    Args:
        running: its programs.
        large: URL of a large file.
        small: URL of a small one.
        control: a connection to another database of its server.
        has_pool: whether the site has a pool of connections.
    """

    running: Any
    large: str
    small: str
    control: psycopg.Connection
    has_pool: bool

    def count_connections(self):
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'slow'"
        return self.control.execute(query).fetchone()[0]


def open_slowly(front, url, headers=""):
    """Begin a download and read only the first bytes."""
    host, port = front.address.split(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(TIMEOUT)
    connection.connect((host, int(port)))
    request = f"GET {url} HTTP/1.1\r\nHost: {host}\r\nCookie: reader=yes\r\n{headers}\r\n"
    connection.sendall(request.encode())
    assert connection.recv(12).startswith(b"HTTP/1.1 20")
    return connection


def get_time(front, url):
    """Return the duration of a request in seconds."""
    start = time.perf_counter()
    assert front.ask(url).body == b"small"
    return time.perf_counter() - start


# The kernel sends a whole file for gunicorn; Python reads a part of a file.
@pytest.mark.parametrize("headers", ["", "Range: bytes=1-\r\n"], ids=["whole", "part"])
@pytest.mark.parametrize("name", CLIENTS)
def test_slow_clients_hold_no_connection(site, name, headers):
    front = site.running.get_front(name)
    with ExitStack() as stack:
        for _ in range(CLIENTS[name]):
            stack.enter_context(open_slowly(front, site.large, headers))
        # If the slow clients held the four connections of the pool, a request would wait until
        # the pool gives up.
        assert get_time(front, site.small) < POOL_TIMEOUT / 2
        if not site.has_pool:
            assert wait_for(site.count_connections, lambda count: count == 0) == 0
