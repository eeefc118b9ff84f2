"""Proxy storages with several original storages."""

import pytest
from django.core.files.base import ContentFile
from django.db import transaction

from proxy_storage.exceptions import ConfigurationError, MetaBackendObjectAlreadyExists
from proxy_storage.registry import get_proxy_storage
from proxy_storage.serving import RedirectServer, StreamingServer, get_server
from tests.testapp.storages import MemoryStorage

pytestmark = pytest.mark.usefixtures("empty_storages")


@pytest.fixture
def storage(settings):
    """Two storages without local paths, so that the same name has the same path."""
    return make_storage(settings, "orm")


def make_storage(settings, meta_backend):
    settings.STORAGES = {
        "multiple": {
            "BACKEND": "tests.testapp.storages.MultipleStorage",
            "OPTIONS": {
                "original_storages": {"one": MemoryStorage(), "two": MemoryStorage()},
                "meta_backend": settings.META_BACKENDS[meta_backend],
                "paths": "full",
            },
        }
    }
    return get_proxy_storage("multiple")


def test_unknown_name_in_using_is_refused(storage):
    with pytest.raises(ConfigurationError, match="original_storages are 'one', 'two'"):
        storage.save("a.txt", ContentFile(b""), using="three")


def test_record_with_an_unknown_name_raises_an_error(storage):
    path = storage.save("a.txt", ContentFile(b"x"))
    record = storage.meta_backend.get(path)
    record["original_storage_name"] = "three"
    with pytest.raises(ConfigurationError, match="does not have an original storage"):
        record.get_original_storage()


def test_same_name_in_two_storages_is_two_files(storage):
    known = [
        storage.get_original_storages()[using].save("a.txt", ContentFile(using.encode()))
        for using in ("one", "two")
    ]
    assert known == ["a.txt", "a.txt"]
    paths = {
        using: storage.save("a.txt", None, original_storage_path="a.txt", using=using)
        for using in ("one", "two")
    }
    assert paths["one"] == "/a.txt"
    assert paths["two"].startswith("/a_")
    for using, path in paths.items():
        with storage.open(path) as file:
            assert file.read() == using.encode()
    with pytest.raises(MetaBackendObjectAlreadyExists, match="have the record") as caught:
        storage.save("a.txt", None, original_storage_path="a.txt", using="two")
    assert caught.value.path == paths["two"]


def test_delete_deletes_from_the_storage_of_the_record(storage):
    paths = {
        using: storage.save("a.txt", ContentFile(b""), using=using) for using in ("one", "two")
    }
    storage.delete(paths["two"])
    originals = storage.get_original_storages()
    assert originals["one"].listdir("")[1] != []
    assert originals["two"].listdir("")[1] == []


def test_existing_bytes_with_a_taken_prefixed_path(settings):
    storage = get_proxy_storage("orm-prefix")
    taken = {"proxy_storage_name": "x", "original_storage_path": "x", "path": "/private/a.txt"}
    storage.meta_backend.create(taken)
    known = storage.get_original_storage().save("a.txt", ContentFile(b""))
    path = storage.save("a.txt", None, original_storage_path=known)
    assert path.startswith("/private/a_")
    with pytest.raises(MetaBackendObjectAlreadyExists):
        storage.save("a.txt", None, original_storage_path=known)


class TestRecordWithoutName:
    """A record from before there were several storages. Its bytes are in the first one."""

    NAMES = [("orm", ""), ("mongo", ""), ("mongo", None), ("mongo", "missing")]

    @pytest.fixture(params=NAMES, ids=map(str, NAMES))
    def storage(self, request, settings):
        meta_backend, name = request.param
        storage = make_storage(settings, meta_backend)
        for using in ("one", "two"):
            storage.save("a.txt", ContentFile(using.encode()), using=using)
        (self.path,) = self.find(storage, "one")
        if name == "missing":
            collection = storage.meta_backend._collection
            collection.update_one({"path": self.path}, {"$unset": {"original_storage_name": ""}})
        else:
            storage.meta_backend.update(self.path, {"original_storage_name": name})
        return storage

    def find(self, storage, name):
        where = {"original_storage_name": name}
        return [record["path"] for record in storage.meta_backend.filter(where)]

    def get_files(self, storage):
        originals = storage.get_original_storages()
        return {name: len(original.listdir("")[1]) for name, original in originals.items()}

    def test_read(self, storage):
        with storage.open(self.path) as file:
            assert file.read() == b"one"
        record = storage.get_meta_backend_obj(self.path)
        assert record.get_original_storage_name() == "one"
        assert record.get_original_storage() is storage.get_original_storages()["one"]

    def test_server(self, storage, settings):
        servers = {"multiple/one": RedirectServer, "multiple/two": StreamingServer}
        settings.PROXY_STORAGE = {
            "SERVERS": {
                key: {"BACKEND": f"proxy_storage.serving.{server.__name__}"}
                for key, server in servers.items()
            }
        }
        record = storage.get_meta_backend_obj(self.path)
        assert isinstance(get_server(record), RedirectServer)

    def test_delete(self, storage):
        storage.delete(self.path)
        assert self.get_files(storage) == {"one": 0, "two": 1}

    def test_bytes_get_only_one_record(self, storage):
        known = storage.get_meta_backend_obj(self.path)["original_storage_path"]
        with pytest.raises(MetaBackendObjectAlreadyExists):
            storage.save("a.txt", None, original_storage_path=known)
        # The record may have a path that does not follow from the name of the bytes.
        storage.meta_backend.update(self.path, {"path": "/moved.txt"})
        other = {"proxy_storage_name": "x", "original_storage_path": "x", "path": self.path}
        storage.meta_backend.create(other)
        with pytest.raises(MetaBackendObjectAlreadyExists) as caught:
            storage.save("a.txt", None, original_storage_path=known)
        assert caught.value.path == "/moved.txt"
        # The bytes with the same name in the other storage are another file.
        storage.get_original_storages()["two"].save("b.txt", ContentFile(b""))
        storage.meta_backend.update("/moved.txt", {"original_storage_path": "b.txt"})
        storage.meta_backend.create({**other, "path": "/b.txt"})
        assert storage.save("b.txt", None, original_storage_path="b.txt", using="two")


@pytest.mark.django_db(transaction=True)
def test_bytes_recorded_again_in_the_same_transaction_are_kept(storage):
    path = storage.save("a.txt", ContentFile(b"one"))
    storage.meta_backend.update(path, {"original_storage_name": ""})
    known = storage.get_meta_backend_obj(path)["original_storage_path"]
    with transaction.atomic():
        storage.delete(path)
        assert storage.save("a.txt", None, original_storage_path=known) == path
    with storage.open(path) as file:
        assert file.read() == b"one"
