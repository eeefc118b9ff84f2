"""A Django site in this process, and one Chromium for all tests."""

import threading

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.test.testcases import QuietWSGIRequestHandler

from tests.servers.browser import site as uploads_site
from tests.servers.browser.chromium import Browser, running_chromium


@pytest.fixture(scope="session")
def running_site():
    """The URL of the site. Its threads do not use a database: the tests pass them the records."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), QuietWSGIRequestHandler)
    server.set_app(WSGIHandler())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def driver(need_program):
    need_program("chromium")
    need_program("chromedriver")
    with running_chromium() as driver:
        yield driver


@pytest.fixture
def site(empty_storages, settings):
    """The site, without uploads."""
    settings.ROOT_URLCONF = "tests.servers.browser.site"
    settings.ALLOWED_HOSTS = ["localhost"]
    uploads_site.uploads.clear()
    uploads_site.beacons.clear()
    return uploads_site


@pytest.fixture
def browser(driver, running_site, site, tmp_path):
    """Chromium without cookies and cached files of the site."""
    return Browser(driver, running_site, tmp_path / "downloads")
