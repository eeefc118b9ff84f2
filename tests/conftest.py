"""Services that tests need: started once, on free ports, and stopped."""

import os
import shutil

import pytest
from django.conf import settings
from django.core.files.storage import InMemoryStorage
from gridfs import GridFSBucket

from demo import services
from proxy_storage.registry import get_proxy_storage
from tests.testapp.storages import get_mongo_db


@pytest.fixture(scope="session", autouse=True)
def mongodb_uri(tmp_path_factory):
    """A MongoDB over TCP: the one that MONGODB_URI names, or one of our own."""
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


@pytest.fixture
def empty_storages(db, mongodb_uri):
    """No records and no files anywhere, whatever the test before has left."""
    from jobs.storages import get_mongo_db as get_example_db

    for root in (settings.FILES_ROOT, settings.TEST_FILES_ROOT):
        shutil.rmtree(root, ignore_errors=True)
    for get_database, records, bucket in (
        (get_mongo_db, "file_records", "fs"),
        (get_example_db, "meta_backend_collection", "files"),
    ):
        database = get_database()
        # not dropped: the storages made their indexes once and will not again
        database[records].delete_many({})
        database[f"{bucket}_names"].delete_many({})
        files = GridFSBucket(database, bucket)
        for grid_out in files.find({}):
            files.delete(grid_out._id)
    for name in ("orm_memory", "mongo_memory"):
        get_proxy_storage(name).original_storage.__dict__.update(InMemoryStorage().__dict__)


@pytest.fixture(scope="session")
def need_web_server():
    """Skip a test whose web server is missing; on a machine of CI that is a failure."""

    def need(name):
        if name is None or services.find_web_server(name) is not None:
            return
        message = f"{name} is missing. On Debian: apt-get install {services.DEBIAN_PACKAGES[name]}"
        if "CI" in os.environ:
            pytest.fail(message)
        pytest.skip(message)

    return need
