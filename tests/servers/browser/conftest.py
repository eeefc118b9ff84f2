"""A site of Django's in this process, and one Chromium for all tests."""

import os
import shutil
import threading

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.test.testcases import QuietWSGIRequestHandler

from demo.services import SERVER_PATH
from tests.servers.browser import site as uploads_site
from tests.servers.browser.chromium import Browser, running_chromium

# program -> the package that brings it
DEBIAN_PACKAGES = {"chromium": "chromium", "chromedriver": "chromium-driver"}


@pytest.fixture(scope="session")
def programs():
    """Chromium and its driver. Skip where one is missing; on a machine of CI that is a failure."""
    found = {name: shutil.which(name, path=SERVER_PATH) for name in DEBIAN_PACKAGES}
    missing = [name for name, program in found.items() if program is None]
    if missing:
        packages = " ".join(DEBIAN_PACKAGES[name] for name in missing)
        message = f"{', '.join(missing)} missing. On Debian: apt-get install {packages}"
        if "CI" in os.environ:
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="session")
def running_site():
    """The address of the site. Its threads ask no database: the tests give them the records."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), QuietWSGIRequestHandler)
    server.set_app(WSGIHandler())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def driver(programs):
    with running_chromium(programs) as driver:
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
    """Chromium, which knows nothing of the site yet."""
    return Browser(driver, running_site, tmp_path / "downloads")
