import pytest

from proxy_storage.registry import get_proxy_storage
from tests.archive.migrating import Archive
from tests.testapp.memory_backend import MemoryMetaBackend
from tests.unit.proxy_storage.records import PATHS, SIZES, create


@pytest.fixture(params=["one", "several"])
def meta_backends(request, empty_storages):
    """Where the records are: in one meta backend, or here and there."""
    meta_backends = [get_proxy_storage("orm-disk").meta_backend]
    if request.param == "several":
        meta_backends += [get_proxy_storage("mongo-disk").meta_backend, MemoryMetaBackend()]
    # the second one has all in the middle, so that they are not just taken by turns
    places = [0, 1, 1, 1, 1, 2]
    for number, path in enumerate(PATHS):
        create(meta_backends[places[number % 6] % len(meta_backends)], path, size=SIZES[path])
    return meta_backends


@pytest.fixture
def archive(tmp_path, monkeypatch, settings, transactional_db, empty_storages):
    """An app whose tables are made by migrations that the test writes."""
    monkeypatch.syspath_prepend(tmp_path)
    archive = Archive(tmp_path, settings)
    yield archive
    archive.drop()
