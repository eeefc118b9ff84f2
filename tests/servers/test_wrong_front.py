"""A file is offloaded only to a web server that supports the header; otherwise it is an error."""

import re
import sys
from contextlib import contextmanager
from functools import partial

import pytest

from demo import services
from tests.programs import ROOT
from tests.servers.site.client import get_url
from tests.servers.site.running import WEB_SERVERS, Front

CONTENT = b"bytes that one web server delivers"
# Proxy storage: the header of its server, and the web servers that support it.
OFFLOADED = {
    "nginx": ("X-Accel-Redirect", {"nginx"}),
    "sendfile": ("X-Accel-Redirect", {"nginx"}),
    "s3-nginx": ("X-Accel-Redirect", {"nginx"}),
    "apache": ("X-Sendfile", {"apache", "lighttpd"}),
    "lighttpd": ("X-Sendfile", {"apache", "lighttpd"}),
}


@pytest.fixture(params=OFFLOADED)
def storage(request):
    return request.param


@pytest.fixture
def url(site, storage):
    if storage != "s3-nginx":
        return get_url(site.keep(storage, f"{storage}-front.txt", CONTENT))
    site.bucket.put_object(Key="front.txt", Body=CONTENT)
    return get_url(site.adopt(storage, "front.txt"))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_other_web_server_gets_an_error(site, need_program, storage, url, method):
    header, understanding = OFFLOADED[storage]
    for name in WEB_SERVERS.keys() - understanding:
        need_program(WEB_SERVERS[name])
        logged = site.log()
        answer = site.get_front(name).ask(url, method=method)
        assert answer.status == 500
        assert CONTENT not in answer.body
        for header_name in ("X-Accel-Redirect", "X-Sendfile"):
            assert header_name not in answer.headers
        message = r"supports '[\w-]+' according to X-Sendfile-Type, but .*needs " + header
        assert re.search(message, site.log().removeprefix(logged))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_offloaded_response_has_no_content_length_of_the_file(
    python_front, site, storage, url, method
):
    logged = site.log(python_front.name)
    answer = python_front.ask(url, method=method)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers[OFFLOADED[storage][0]]
    assert answer.headers.get("Content-Length", "0") == "0"
    assert answer.headers["Content-Type"].split(";")[0] == "text/plain"
    # uvicorn would log an error about a Content-Length that differs from the body.
    assert "Content-Length" not in site.log(python_front.name).removeprefix(logged)


@contextmanager
def running_development_server(site, **env):
    """Run ``manage.py runserver`` without a web server in front; yield it and its log."""
    port = services.free_port()
    command = [sys.executable, "-m", "django", "runserver", "--noreload", str(port)]
    is_ready = partial(services.accepts_connections, port)
    log = site.folder / f"runserver-{port}.log"
    with services.running(command, is_ready, log, {**site.env, **env}, ROOT):
        yield Front("runserver", f"127.0.0.1:{port}"), log


@pytest.fixture(scope="module")
def development_server(site):
    with running_development_server(site) as server:
        yield server


@pytest.fixture(scope="module")
def debug_server(site):
    with running_development_server(site, SITE_DEBUG="1") as server:
        yield server


class TestDevelopmentServer:
    def test_raises_an_error(self, development_server, storage, url):
        front, log = development_server
        logged = len(log.read_text())
        assert front.ask(url).status == 500
        message = "no web server in front of Django that supports " + OFFLOADED[storage][0]
        assert message in log.read_text()[logged:]

    def test_refuses_strangers(self, development_server, url):
        assert development_server[0].ask(url, {"Cookie": "reader=no"}).status == 403

    def test_delivers_by_python(self, development_server, site):
        url = get_url(site.keep("python", "development.txt", CONTENT))
        for headers, expected in (({}, CONTENT), ({"Range": "bytes=3-5"}, CONTENT[3:6])):
            assert development_server[0].ask(url, headers).body == expected


class TestDevelopmentServerInDebug:
    def test_delivers_by_python(self, debug_server, storage, url):
        front, log = debug_server
        for headers, expected in (({}, CONTENT), ({"Range": "bytes=3-5"}, CONTENT[3:6])):
            answer = front.ask(url, headers)
            assert answer.body == expected
            assert "X-Accel-Redirect" not in answer.headers
            assert "X-Sendfile" not in answer.headers
        message = "Python delivers the files that {} would offload"
        servers = ("XAccelRedirectServer", "XSendfileServer", "SendfileServer")
        counts = [log.read_text().count(message.format(server)) for server in servers]
        assert max(counts) == 1

    def test_refuses_strangers(self, debug_server, url):
        assert debug_server[0].ask(url, {"Cookie": "reader=no"}).status == 403

    def test_offloads_to_a_web_server(self, debug_server, storage, url):
        header = OFFLOADED[storage][0]
        answer = debug_server[0].ask(url, {"X-Sendfile-Type": header})
        assert (answer.body, header in answer.headers) == (b"", True)
