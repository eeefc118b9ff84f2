"""The services that tests need: each process starts its own on free ports, and stops them."""

import atexit
import os
import shutil
import tempfile
from functools import cache

import pytest
from django.conf import settings
from django.core.files.storage import FileSystemStorage, storages
from django.db import connection
from gridfs import GridFSBucket
from hypothesis.configuration import set_hypothesis_home_dir
from pymongo import monitoring

from demo import services
from proxy_storage.registry import get_proxy_storage
from tests import programs
from tests.contract.temporary_storages import configure_proxy_storage
from tests.testapp.memory_backend import MemoryMetaBackend
from tests.testapp.storages import MemoryStorage, get_mongo_db

# Several folders of tests import these modules. pytest has to know them before the first import.
pytest.register_assert_rewrite("tests.safety.content_checks", "tests.safety.stored_files")

# These tests have settings of their own, and are run by their folder.
collect_ignore = ["applications"]

# hypothesis writes its files neither into the working tree nor into the folder of the tests.
HYPOTHESIS = tempfile.mkdtemp(prefix="proxy-storage-tests-hypothesis-")
atexit.register(shutil.rmtree, HYPOTHESIS, ignore_errors=True)
set_hypothesis_home_dir(HYPOTHESIS)


class WrittenCollections(monitoring.CommandListener):
    """The names of the MongoDB collections with writes since they were emptied."""

    def __init__(self):
        self.names = set()

    def started(self, event):
        if event.command_name in ("insert", "update", "findAndModify"):
            self.names.add(event.command[event.command_name])

    def succeeded(self, event):
        pass

    def failed(self, event):
        pass


written_collections = WrittenCollections()
monitoring.register(written_collections)


def pytest_report_header():
    return f"database: {connection.vendor}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark tests of a storage in `LONG_CONTRACT` as long, unless the test names its storages."""
    for item in items:
        if not hasattr(item, "callspec"):
            continue
        named = {mark.args[0] for mark in item.iter_markers("parametrize")}
        storage = item.callspec.params.get("storage")
        if "storage" not in named and storage in settings.LONG_CONTRACT:
            item.add_marker("long")


@pytest.fixture(scope="session", autouse=True)
def mongodb_uri(tmp_path_factory):
    """The URI of the MongoDB server of MONGODB_URI, or of one that this process starts."""
    if "MONGODB_URI" in os.environ:
        settings.MONGODB_URI = os.environ["MONGODB_URI"]
        yield settings.MONGODB_URI
        _close_clients()
        return
    with services.running_mongo(tmp_path_factory.mktemp("mongo")) as uri:
        settings.MONGODB_URI = uri
        yield uri
        _close_clients()


def _close_clients():
    from jobs.storages import get_mongo_db as get_example_db

    for get_database in (get_mongo_db, get_example_db):
        database = get_database()
        database.client.drop_database(database.name)
        database.client.close()


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory):
    """The URL of an S3 server that this process starts, with the bucket of the settings."""
    with programs.running_s3(tmp_path_factory.mktemp("s3")) as url:
        settings.S3_ENDPOINT_URL = settings.AWS_S3_ENDPOINT_URL = url
        for alias in settings.STORAGES:
            if alias.endswith("s3"):  # A storage that is in use keeps its URL.
                storages[alias].original_storage.endpoint_url = url
        bucket = _get_bucket()
        bucket.create()
        yield url
        bucket.meta.client.close()
        settings.S3_ENDPOINT_URL = ""


@cache
def _get_bucket():
    # The import takes long, and most runs of a few tests do not need it.
    import boto3

    session = boto3.Session(
        settings.AWS_ACCESS_KEY_ID,
        settings.AWS_SECRET_ACCESS_KEY,
        region_name=settings.AWS_S3_REGION_NAME,
    )
    s3 = session.resource("s3", endpoint_url=settings.S3_ENDPOINT_URL)
    return s3.Bucket(settings.AWS_STORAGE_BUCKET_NAME)


@pytest.fixture
def empty_storages(db, mongodb_uri, request):
    """Delete all records and files of the test before.

    Nearly each test does this, so it asks a server only if the test before has written to it.
    """
    from jobs.storages import get_mongo_db as get_example_db

    for root in (settings.FILES_ROOT, settings.TEST_FILES_ROOT):
        shutil.rmtree(root, ignore_errors=True)
    for get_database, collections, bucket in (
        (get_mongo_db, {"records", "fs_names"}, "fs"),
        (get_example_db, {"files_names"}, "files"),
    ):
        # The collection is not dropped, because the storages create their indexes only once.
        for collection in written_collections.names & collections:
            get_database()[collection].delete_many({})
        if f"{bucket}.files" in written_collections.names:
            files = GridFSBucket(get_database(), bucket)
            for grid_out in files.find({}):
                files.delete(grid_out._id)
    written_collections.names.clear()
    for memory in MemoryStorage.instances:
        if any(memory.listdir("")):
            memory.clear()
    if "s3_endpoint" in request.fixturenames:
        _get_bucket().objects.delete()


@pytest.fixture(params=settings.CONTRACT)
def storage(request):
    """Each storage of the contract, or the one that the test names, without files.

    The storage "simple" has a meta backend with only the required methods.
    """
    if request.param.endswith("s3"):
        request.getfixturevalue("s3_endpoint")
    request.getfixturevalue("empty_storages")
    if request.param != "simple":
        return get_proxy_storage(request.param)
    changed_settings = request.getfixturevalue("settings")
    changed_settings.META_BACKENDS = {"simple": MemoryMetaBackend()}
    original = FileSystemStorage(settings.TEST_FILES_ROOT)
    return configure_proxy_storage(original, "simple", changed_settings)


@pytest.fixture(scope="session")
def need_program():
    """Skip the test if a program is missing, or fail it if ``CI`` is set.

    Call it with the name of the program; ``None`` needs nothing.
    """

    def need(name):
        if name is not None and programs.find_program(name) is None:
            packages = programs.DEBIAN_PACKAGES[name]
            _skip_or_fail(f"{name} is missing. On Debian: apt-get install {packages}")

    return need


@pytest.fixture(scope="session")
def need_node_package():
    """Skip the test if an npm package is missing, or fail it if ``CI`` is set.

    Call it with the name of the package; it returns the folder.
    """

    def need(name):
        folder = programs.NODE_MODULES / name
        if not folder.is_dir():
            _skip_or_fail(f"The npm package {name} is missing. Run: make .venv/node")
        return folder

    return need


@pytest.fixture(scope="session")
def driver(need_program):
    """The driver of one Chromium, which all tests of a process share."""
    # The import takes long, and most tests do not need it.
    from tests.servers.browser.chromium import running_chromium

    need_program("chromium")
    need_program("chromedriver")
    with running_chromium() as driver:
        yield driver


def _skip_or_fail(message):
    if "CI" in os.environ:
        pytest.fail(message)
    pytest.skip(message)
