"""Absolute names that are passed to ``save``."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from proxy_storage.db.fields import ProxyStorageFieldFile, ProxyStorageFileField
from proxy_storage.exceptions import InvalidNameError, MetaBackendUnavailable
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages.lookup import get_returned_name
from tests.contract.temporary_storages import configure_proxy_storage
from tests.testapp.memory_backend import MemoryMetaBackend
from tests.testapp.models import Document

pytestmark = pytest.mark.usefixtures("empty_storages")


@pytest.fixture
def root_prefixed(settings, tmp_path):
    settings.STORAGES = {
        "bare": {
            "BACKEND": "proxy_storage.storages.ProxyStorage",
            "OPTIONS": {
                "original_storage": FileSystemStorage(tmp_path),
                "meta_backend": settings.META_BACKENDS["orm"],
                "path_prefix": "/",
            },
        }
    }
    return get_proxy_storage("bare")


def save(storage, name):
    return storage.save(name, ContentFile(b"world"))


def test_name_of_a_variation_keeps_its_folder(root_prefixed):
    assert save(root_prefixed, "pics/a.png") == "/pics/a.png"
    assert save(root_prefixed, "/pics/a.thumb.png") == "/pics/a.thumb.png"
    with root_prefixed.open("/pics/a.thumb.png") as file:
        assert file.read() == b"world"


def test_last_part_of_a_recorded_name_is_used(root_prefixed):
    path = save(root_prefixed, "pics/a.png")
    assert save(root_prefixed, path) == "/a.png"


def test_name_below_the_original_folder_keeps_its_folder():
    storage = get_proxy_storage("orm_disk")
    path = f"{storage.original_storage.location}/pics/a.thumb.png"
    assert save(storage, path) == path


def test_last_part_of_another_storages_name_is_used():
    path = save(get_proxy_storage("orm_disk"), "pics/a.png")
    assert save(get_proxy_storage("orm-relative-disk"), path) == "a.png"


def test_field_uses_the_last_part_of_an_absolute_name(settings, root_prefixed):
    settings.STORAGES = {"default": settings.STORAGES["bare"]}
    file = ProxyStorageFieldFile(Document(), ProxyStorageFileField(storage=default_storage), "")
    for expected in ("/a.png", "/b.png"):
        assert get_returned_name(file.storage, f"/pics{expected}") == expected[1:]


class UnavailableMetaBackend(MemoryMetaBackend):
    """The meta backend of a database that does not answer."""

    def __init__(self):
        super().__init__()
        self.queried = []

    def _exists(self, path):
        self.queried.append(path)
        raise MetaBackendUnavailable("The server is down.")


class TestUnavailableDatabaseOfAnotherStorage:
    """Its prefix is ``/``, so that any absolute name may be one of its paths."""

    @pytest.fixture
    def register(self, settings, tmp_path):
        def register(meta_backend):
            options = {
                "original_storage": FileSystemStorage(tmp_path),
                "meta_backend": meta_backend,
                "path_prefix": "/",
            }
            other = {"BACKEND": "proxy_storage.storages.ProxyStorage", "OPTIONS": options}
            settings.STORAGES = {"other": other, **settings.STORAGES}

        return register

    @pytest.mark.parametrize("name", ["orm-disk", "orm-prefix", "orm-gridfs", "mongo-gridfs"])
    def test_is_not_queried_for_own_names(self, register, name):
        backend = UnavailableMetaBackend()
        register(backend)
        storage = get_proxy_storage(name)
        path = save(storage, "a.txt")
        again = save(storage, path)
        assert again != path
        with storage.open(again) as file:
            assert file.read() == b"world"
        assert backend.queried == []

    @pytest.mark.parametrize("name", ["orm-disk", "mongo-gridfs"])
    def test_unknown_absolute_name_is_refused(self, register, name):
        backend = UnavailableMetaBackend()
        register(backend)
        with pytest.raises(InvalidNameError, match="Use its last part"):
            save(get_proxy_storage(name), "/a/b.txt")
        assert backend.queried == ["/a/b.txt"]

    @pytest.mark.parametrize(
        ("label", "expected"),
        [
            ("testapp.TablelessStoredFile", ["SAVEPOINT", "SELECT", "ROLLBACK"]),
            ("testapp.Nothing", ["SELECT", "SAVEPOINT", "INSERT"]),
        ],
    )
    def test_failed_query_keeps_the_transaction_usable(self, register, label, expected):
        register(ORMMetaBackend(label))
        storage = get_proxy_storage("orm-disk")
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            with pytest.raises(InvalidNameError):
                save(storage, "/a/b.txt")
            assert storage.exists(save(storage, "b.txt"))
        # Without a savepoint, PostgreSQL ends a transaction whose query has failed.
        statements = [query["sql"].split()[0] for query in queries]
        # The first ones are for the own records, and for those of the example project.
        assert statements[:4] == ["SELECT", "SAVEPOINT", "SELECT", "RELEASE"]
        assert statements[4:7] == expected


@pytest.mark.parametrize("name", ["/", "/../a.png", "/pics/../../a.png", "//a.png", "/pics/"])
def test_absolute_name_in_another_form_is_refused(root_prefixed, name):
    with pytest.raises(InvalidNameError):
        save(root_prefixed, name)
    assert list(root_prefixed.meta_backend) == []


def test_name_that_is_too_long_for_the_file_system_is_refused(settings, tmp_path):
    """The whole path is longer than the 4,096 bytes that Linux allows."""
    location = tmp_path
    while len(str(location)) < 3900:
        location /= "d" * 100
    storage = configure_proxy_storage(
        FileSystemStorage(location), "orm", settings, paths="relative"
    )
    with pytest.raises(InvalidNameError, match="is longer than the original storage allows"):
        save(storage, f"{'x' * 200}/a.txt")
    assert list(storage.meta_backend.filter({})) == []
