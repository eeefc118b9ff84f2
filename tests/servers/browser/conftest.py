"""Chromium at a Django site in this process, and at the example project."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.test.testcases import QuietWSGIRequestHandler

from demo import services
from demo.__main__ import running_site as running_example
from tests.local_servers import serving
from tests.servers.browser import site as uploads_site
from tests.servers.browser.chromium import Browser


@pytest.fixture(scope="session")
def running_site():
    """The URL of the site. Its threads do not use a database: the tests pass them the records."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), QuietWSGIRequestHandler)
    server.set_app(WSGIHandler())
    with serving(server):
        yield f"http://localhost:{server.server_port}"


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


@pytest.fixture(scope="module")
def example():
    """The URL of the example project, which each file of tests starts with new data."""
    with TemporaryDirectory(prefix="proxy-storage-site-") as folder:
        port = services.free_port()
        with running_example(Path(folder), "stream", port, throw_away=True) as base_url:
            yield base_url


@pytest.fixture
def example_browser(driver, example, tmp_path):
    """Chromium without cookies of the example project."""
    return Browser(driver, example, tmp_path / "downloads")
