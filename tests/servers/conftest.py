"""One site for all tests of how files are delivered; each program is started once."""

import pytest
from django.conf import settings

from tests.programs import find_program, new_bucket
from tests.servers.site.checks import CONTENT
from tests.servers.site.client import get_url
from tests.servers.site.running import FRONTS, STORAGES, WEB_SERVERS, running_site


@pytest.fixture(scope="session")
def site(mongodb_uri, s3_endpoint):
    """The running site, with its bucket."""
    with (
        new_bucket(s3_endpoint, "site") as bucket,
        running_site(mongodb_uri, f"proxy_storage_site_{settings.RUN}", s3_endpoint) as site,
    ):
        site.bucket = bucket
        yield site


@pytest.fixture(params=FRONTS)
def front(request, site, need_program):
    """Each program that clients talk to."""
    need_program(WEB_SERVERS.get(request.param))
    return site.get_front(request.param)


@pytest.fixture(params=["recorded", "unrecorded"])
def file_storage(request, front):
    """A storage whose records know size and checksum, and one where the file is asked."""
    return STORAGES[front.name][request.param == "unrecorded"]


@pytest.fixture
def url(site, file_storage):
    return get_url(site.keep(file_storage, f"{file_storage}.txt", CONTENT))


@pytest.fixture
def get(front, url):
    """Ask for the file with headers, given as keywords."""

    def get(method="GET", **headers):
        return front.ask(url, {k.replace("_", "-"): v for k, v in headers.items()}, method=method)

    return get


@pytest.fixture(params=["gunicorn", "uvicorn"])
def python_front(request, site):
    """Those in which Python itself sends the bytes."""
    return site.get_front(request.param)


@pytest.fixture(scope="session")
def curl(need_program):
    need_program("curl")
    return find_program("curl")
