"""One site for all tests of delivery. Each program is started once."""

import pytest
from django.conf import settings

from tests.programs import find_program, new_bucket
from tests.servers.site.checks import CONTENT
from tests.servers.site.client import get_url
from tests.servers.site.running import FRONTS, STORAGES, WEB_SERVERS, running_site


@pytest.fixture(scope="session")
def site(mongodb_uri, s3_endpoint):
    """The running site and its bucket."""
    with (
        new_bucket(s3_endpoint, "site") as bucket,
        running_site(mongodb_uri, f"proxy_storage_site_{settings.RUN}", s3_endpoint) as site,
    ):
        site.bucket = bucket
        yield site


@pytest.fixture(params=FRONTS)
def front(request, site, need_program):
    """Each program that clients send requests to."""
    need_program(WEB_SERVERS.get(request.param))
    return site.get_front(request.param)


@pytest.fixture(params=["recorded", "unrecorded"])
def file_storage(request, front):
    """A storage with size and checksum in its records, and one without."""
    return STORAGES[front.name][request.param == "unrecorded"]


@pytest.fixture
def url(site, file_storage):
    return get_url(site.keep(file_storage, f"{file_storage}.txt", CONTENT))


@pytest.fixture
def get(front, url):
    """Return a function that requests the file; its keywords are headers."""

    def get(method="GET", **headers):
        return front.ask(url, {k.replace("_", "-"): v for k, v in headers.items()}, method=method)

    return get


@pytest.fixture(params=["gunicorn", "uvicorn"])
def python_front(request, site):
    """The programs in which Python itself sends the bytes."""
    return site.get_front(request.param)


@pytest.fixture(scope="session")
def curl(need_program):
    need_program("curl")
    return find_program("curl")
