from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.files.storage import (
    FileSystemStorage,
    InMemoryStorage,
    storages,
)
from rest_framework.test import APIClient
from storages.backends.s3 import S3Storage

from proxy_storage.records.models import StoredFile
from tests import programs
from tests.applications.files import read_all
from tests.applications.settings import ORIGINAL_ALIASES

S3_OPTIONS = {"access_key": "tests", "secret_key": "tests", "region_name": "us-east-1"}


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory):
    """Run an S3 server; return its URL."""
    with programs.running_s3(tmp_path_factory.mktemp("s3")) as url:
        yield url


def make_disk(alias, request):
    folder = request.getfixturevalue("tmp_path") / alias
    return FileSystemStorage(location=str(folder), base_url=f"/{alias}/")


def make_s3(alias, request):
    storage = S3Storage(
        **S3_OPTIONS,
        endpoint_url=request.getfixturevalue("s3_endpoint"),
        bucket_name=f"{alias}-{uuid4().hex}",
        location="below",
    )
    storage.bucket.create()
    request.addfinalizer(storage.connection.meta.client.close)
    return storage


def make_memory(alias, request):
    return InMemoryStorage()


ORIGINAL_STORAGES = {"disk": make_disk, "s3": make_s3, "memory": make_memory}


@pytest.fixture(params=ORIGINAL_STORAGES, autouse=True)
def original(request, monkeypatch):
    """Run each test on each kind of original storage, without files.

    Applications keep storages from the start of the process, and make others from the same
    options. So the proxy storages stay the same, and the original storages are replaced.
    """
    for alias, original_alias in ORIGINAL_ALIASES.items():
        storage = ORIGINAL_STORAGES[request.param](original_alias, request)
        monkeypatch.setitem(storages._storages, original_alias, storage)
        monkeypatch.setattr(storages[alias], "original_storage", storage)
    cache.clear()
    return request.param


@pytest.fixture
def records(db):
    """The records of all files."""
    return StoredFile.objects


@pytest.fixture
def media(db):
    """Read the default storage: a function that returns the bytes of all files by name."""
    return lambda: read_all("default")


@pytest.fixture
def owner(db):
    return User.objects.create_user("owner")


@pytest.fixture
def stranger(db):
    return User.objects.create_user("stranger")


@pytest.fixture
def read(original):
    """Download a file from the endpoint as a user: a function that returns the status."""

    def read(file, user=None):
        client = APIClient()
        client.force_authenticate(user)
        response = client.get("/files/", {"path": file.name})
        if response.streaming:
            b"".join(response.streaming_content)  # Closes the file.
        return response.status_code

    return read


@pytest.fixture
def list_files(original):
    """List the files of the endpoint as a user: a function that returns the paths."""

    def list_files(user):
        client = APIClient()
        client.force_authenticate(user)
        return {item["path"] for item in client.get("/files/").json()["results"]}

    return list_files


@pytest.fixture
def staff_client(db, client):
    client.force_login(User.objects.create_superuser("staff"))
    return client
