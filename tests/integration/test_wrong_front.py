"""A file is handed over to somebody who understands, or there is an error that says why not."""

import re
import sys
from functools import partial

import pytest

from demo import services
from tests.programs import ROOT
from tests.site.client import get_url
from tests.site.running import WEB_SERVERS, Front

CONTENT = b"bytes that one web server delivers"
# proxy storage -> the header by which its server hands over, and who understands it
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
def test_other_web_server_gets_an_error(site, need_web_server, storage, url, method):
    header, understanding = OFFLOADED[storage]
    for name in WEB_SERVERS.keys() - understanding:
        need_web_server(WEB_SERVERS[name])
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
    # what uvicorn says of a length that no body has
    assert "Content-Length" not in site.log(python_front.name).removeprefix(logged)


@pytest.fixture(scope="module")
def development_server(site):
    """``manage.py runserver``, with nobody in front; its log as well."""
    port = services.free_port()
    command = [sys.executable, "-m", "django", "runserver", "--noreload", str(port)]
    is_ready = partial(services.accepts_connections, port)
    log = site.folder / "runserver.log"
    with services.running(command, is_ready, log, site.env, ROOT):
        yield Front("runserver", f"127.0.0.1:{port}"), log


class TestDevelopmentServer:
    def test_gets_an_error(self, development_server, storage, url):
        front, log = development_server
        logged = len(log.read_text())
        assert front.ask(url).status == 500
        message = "no web server in front of Django that supports " + OFFLOADED[storage][0]
        assert message in log.read_text()[logged:]

    def test_says_nothing_to_strangers(self, development_server, url):
        assert development_server[0].ask(url, {"Cookie": "reader=no"}).status == 403

    def test_delivers_by_python(self, development_server, site):
        url = get_url(site.keep("python", "development.txt", CONTENT))
        for headers, expected in (({}, CONTENT), ({"Range": "bytes=3-5"}, CONTENT[3:6])):
            assert development_server[0].ask(url, headers).body == expected
