"""Delivery by Python while DEBUG is on, without a web server."""

from contextlib import closing

import pytest
from django.core.files.base import ContentFile
from django.test import RequestFactory

from proxy_storage.exceptions import ServingError
from proxy_storage.registry import get_proxy_storage
from proxy_storage.serving import get_server, serve, servers

pytestmark = pytest.mark.usefixtures("empty_storages")
OFFLOADING = {
    "X-Accel-Redirect": {
        "BACKEND": "proxy_storage.serving.XAccelRedirectServer",
        "OPTIONS": {"location": "/internal/"},
    },
    "X-Sendfile": {"BACKEND": "proxy_storage.serving.XSendfileServer"},
}
RUNSERVER = {"SERVER_SOFTWARE": "WSGIServer/0.2"}


@pytest.fixture(params=OFFLOADING)
def header(request, settings):
    settings.DEBUG = True
    settings.PROXY_STORAGE = {
        **settings.PROXY_STORAGE,
        "SERVERS": {"orm-disk": OFFLOADING[request.param]},
    }
    servers._log_streaming.cache_clear()
    return request.param


@pytest.fixture
def record(header):
    storage = get_proxy_storage("orm-disk")
    return storage.get_meta_backend_obj(storage.save("a.txt", ContentFile(b"content")))


def change(settings, **values):
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, **values}


def ask(record, headers=None, **environ):
    return serve(RequestFactory().get("/files/", headers=headers, **environ), record)


def read(response):
    with closing(response):
        return b"".join(response)


def test_runserver_delivers_by_python(record, header, caplog):
    for _ in range(2):
        response = ask(record, **RUNSERVER)
        assert read(response) == b"content"
        assert header not in response
    (line,) = [one for one in caplog.records if one.name == "proxy_storage"]
    assert line.levelname == "WARNING"
    assert "Python delivers the files that X" in line.getMessage()


def test_required_header_is_missing(record, settings):
    change(settings, REQUIRE_SENDFILE_TYPE=True)
    assert read(ask(record)) == b"content"


def test_web_server_that_supports_the_header(record, header, settings):
    change(settings, REQUIRE_SENDFILE_TYPE=True)
    response = ask(record, {"X-Sendfile-Type": header}, **RUNSERVER)
    assert (response.content, header in response) == (b"", True)


def test_web_server_without_the_header(record, header):
    """nginx in front of runserver, which does not declare support, is trusted."""
    for environ in ({}, {**RUNSERVER, "HTTP_X_FORWARDED_FOR": "127.0.0.1"}):
        assert header in ask(record, **environ)


def test_web_server_that_supports_another_header(record):
    with pytest.raises(ServingError, match="according to X-Sendfile-Type"):
        ask(record, {"X-Sendfile-Type": "X-Other"}, **RUNSERVER)


@pytest.mark.parametrize(("is_debug", "streams"), [(False, True), (True, False), (False, False)])
def test_error_otherwise(record, settings, is_debug, streams):
    settings.DEBUG = is_debug
    change(settings, STREAM_IN_DEBUG=streams)
    with pytest.raises(ServingError, match="no web server in front of Django"):
        ask(record, **RUNSERVER)


def test_server_without_a_request(record):
    assert get_server(record).offloads


def test_redirects_are_kept(settings):
    settings.DEBUG = True
    redirect = {"BACKEND": "proxy_storage.serving.RedirectServer"}
    change(settings, SERVERS={"orm-disk": redirect})
    storage = get_proxy_storage("orm-disk")
    record = storage.get_meta_backend_obj(storage.save("a.txt", ContentFile(b"content")))
    request = RequestFactory().get("/files/", **RUNSERVER)
    assert type(get_server(record, request)).__name__ == "RedirectServer"


@pytest.mark.parametrize(
    ("backend", "lines"), [("nginx", 1), ("xsendfile", 1), ("development", 0), ("simple", 0)]
)
def test_django_sendfile2(record, settings, caplog, backend, lines):
    settings.SENDFILE_BACKEND = f"django_sendfile.backends.{backend}"
    settings.SENDFILE_ROOT = settings.TEST_FILES_ROOT
    settings.SENDFILE_URL = "/internal"
    change(settings, SERVERS={})
    assert read(ask(record, **RUNSERVER)) == b"content"
    assert caplog.text.count("SendfileServer would offload") == lines
