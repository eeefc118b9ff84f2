"""Original storages are replaced by files in memory during a test."""

import threading
import unittest

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, InMemoryStorage, Storage, storages

from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages import ProxyStorage
from proxy_storage.storages.base import ProxyStorageBase
from proxy_storage_permissions.testing import override_storages
from tests.testapp.models import Document
from tests.testapp.storages import FallbackStorage, MultipleStorage, OrmStorage

pytestmark = pytest.mark.usefixtures("empty_storages")


class ChoosingStorage(ProxyStorageBase):
    """Chooses the original storage for each call, and makes it anew."""

    meta_backend = OrmStorage.meta_backend
    folder = None

    def get_original_storage(self, meta_backend_obj=None):
        return FileSystemStorage(self.folder)


class OtherStorage(ChoosingStorage):
    def get_original_storage(self, meta_backend_obj=None):
        return super().get_original_storage(meta_backend_obj)


class NamelessStorage(Storage):
    """Its arguments are not recorded, since it is not deconstructible."""


def save(storage, name="a.txt", content=b"new", **options):
    return storage.save(name, ContentFile(content), **options)


def read(storage, path):
    with storage.open(path) as file:
        return file.read()


def get_files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "alias",
    [
        *("orm-disk", "orm-relative-disk", "orm-prefix", "orm-metadata", "orm-overwriting"),
        *("orm-relative-fallback", "orm-relative-multiple", "orm-fallback", "orm_disk"),
        *("orm-gridfs", "orm-relative-s3", "mongo-disk"),
    ],
)
def test_no_storage_is_written_to(alias, settings):
    storage = get_proxy_storage(alias)
    original = storage.get_original_storage()
    with override_storages():
        assert type(storage.get_original_storage()) is InMemoryStorage
        path, other = save(storage), save(storage, content=b"other")
        assert (read(storage, path), read(storage, other)) == (b"new", b"other")
        assert storage.size(path) == 3
        storage.delete(other)
        assert not storage.exists(other)
    assert get_files(settings.FILES_ROOT) == get_files(settings.TEST_FILES_ROOT) == []
    assert storage.get_original_storage() is original


def test_files_of_a_field(settings):
    document = Document()
    with override_storages():
        document.orm_file.save("a.txt", ContentFile(b"new"))
        assert read(get_proxy_storage("orm_disk"), document.orm_file.name) == b"new"
        assert document.orm_file.read() == b"new"
        document.orm_file.close()
    assert get_files(settings.TEST_FILES_ROOT) == []
    with pytest.raises(FileNotFoundError):
        get_proxy_storage("orm_disk").open(document.orm_file.name)


def test_one_of_several_original_storages():
    storage = get_proxy_storage("orm-relative-multiple")
    with override_storages():
        path = save(storage, using="disk")
        record = storage.get_meta_backend_obj(path)
        assert record["original_storage_name"] == "disk"
        original = storage.get_original_storages()["disk"]
        assert original.exists(record["original_storage_path"])
        assert not storage.get_original_storage().exists(record["original_storage_path"])


def test_files_are_gone_afterwards():
    storage = get_proxy_storage("orm-relative-disk")
    with override_storages():
        path = save(storage)
    with override_storages(), pytest.raises(FileNotFoundError):
        read(storage, path)


def test_nested():
    storage = get_proxy_storage("orm-relative-disk")
    with override_storages():
        path = save(storage)
        with override_storages(), pytest.raises(FileNotFoundError):
            read(storage, path)
        assert read(storage, path) == b"new"


def test_methods_are_restored_after_an_error():
    names = ("get_original_storage", "get_originals", "get_original_storages")
    classes = (ProxyStorageBase, ProxyStorage, MultipleStorage, FallbackStorage)
    before = [{name: vars(cls).get(name) for name in names} for cls in classes]
    override = override_storages()
    with pytest.raises(ZeroDivisionError), override:
        raise ZeroDivisionError
    assert ProxyStorageBase in {cls for cls, _name, _method in override._replaced}
    assert [{name: vars(cls).get(name) for name in names} for cls in classes] == before


@pytest.mark.parametrize("cls", [ChoosingStorage, OtherStorage])
def test_storage_that_is_made_for_each_call(cls, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(ChoosingStorage, "folder", tmp_path)
    settings.PROXY_STORAGE = {"PROXY_STORAGE_CLASSES": {"chosen": f"{__name__}.{cls.__name__}"}}
    storage = get_proxy_storage("chosen")
    with override_storages():
        path = save(storage)
        assert read(storage, path) == b"new"
        monkeypatch.setattr(ChoosingStorage, "folder", tmp_path / "other")
        with pytest.raises(FileNotFoundError):
            read(storage, path)
    assert get_files(tmp_path) == []


def test_storages_without_recorded_arguments():
    first, second = NamelessStorage(), NamelessStorage()
    override = override_storages()
    with override:
        assert override._replace(first) is override._replace(first)
        assert override._replace(first) is not override._replace(second)


def test_storage_that_is_built_inside(settings):
    with override_storages():
        settings.STORAGES = {
            "new": {
                "BACKEND": "proxy_storage.storages.ProxyStorage",
                "OPTIONS": {"meta_backend": OrmStorage.meta_backend},
            }
        }
        assert read(storages["new"], save(storages["new"])) == b"new"
    assert isinstance(storages["new"].get_original_storage(), FileSystemStorage)


def test_threads():
    storage = get_proxy_storage("orm-relative-disk")
    found = []
    with override_storages():
        threads = [
            threading.Thread(target=lambda: found.append(storage.get_original_storage()))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(map(id, found)) == {id(storage.get_original_storage())}


class TestDecorator:
    def test_function(self):
        @override_storages()
        def get():
            return get_proxy_storage("orm-disk").get_original_storage()

        assert isinstance(get(), InMemoryStorage)

    def test_test_case_and_its_subclass(self):
        seen = []

        @override_storages()
        class Tests(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                super().setUpClass()
                cls.original = get_proxy_storage("orm-disk").get_original_storage()

            def test_one(self):
                seen.append(self.original is get_proxy_storage("orm-disk").get_original_storage())

            test_two = test_one

        class Subclass(Tests):
            pass

        for cls in (Tests, Subclass):
            tests = unittest.defaultTestLoader.loadTestsFromTestCase(cls)
            assert tests.run(unittest.TestResult()).wasSuccessful()
            assert isinstance(cls.original, InMemoryStorage)
        assert seen == [True] * 4
        assert Tests.original is not Subclass.original
        assert not isinstance(get_proxy_storage("orm-disk").get_original_storage(), InMemoryStorage)

    def test_other_class(self):
        with pytest.raises(TypeError, match="subclasses of TestCase"):
            override_storages()(dict)
