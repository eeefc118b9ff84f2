"""Several original storages, and what has no place among them."""

import pytest
from django.core.files.base import ContentFile

from proxy_storage.exceptions import ConfigurationError, MetaBackendObjectAlreadyExists
from proxy_storage.registry import get_proxy_storage
from tests.testapp.storages import MemoryStorage

pytestmark = pytest.mark.usefixtures("empty_storages")


@pytest.fixture
def storage(settings):
    """Two places without local paths, so that the same name gives the same path."""
    settings.STORAGES = {
        "multiple": {
            "BACKEND": "tests.testapp.storages.MultipleStorage",
            "OPTIONS": {
                "original_storages": {"one": MemoryStorage(), "two": MemoryStorage()},
                "meta_backend": settings.META_BACKENDS["orm"],
            },
        }
    }
    return get_proxy_storage("multiple")


def test_unknown_name(storage):
    with pytest.raises(
        ConfigurationError, match="no original storage 'three'; it has 'one', 'two'"
    ):
        storage.save("a.txt", ContentFile(b""), using="three")


@pytest.mark.parametrize("name", ["three", "", None])
def test_record_of_another_place_is_not_looked_for_here(storage, name):
    path = storage.save("a.txt", ContentFile(b"x"))
    record = storage.meta_backend.get(path)
    record["original_storage_name"] = name
    with pytest.raises(ConfigurationError, match="has no original storage"):
        record.get_original_storage()


def test_same_name_in_two_places_is_two_files(storage):
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
    with pytest.raises(MetaBackendObjectAlreadyExists, match="have a record already") as caught:
        storage.save("a.txt", None, original_storage_path="a.txt", using="two")
    assert caught.value.path == paths["two"]


def test_delete_goes_where_the_file_is(storage):
    paths = {
        using: storage.save("a.txt", ContentFile(b""), using=using) for using in ("one", "two")
    }
    storage.delete(paths["two"])
    originals = storage.get_original_storages()
    assert originals["one"].listdir("")[1] != []
    assert originals["two"].listdir("")[1] == []


def test_known_path_of_a_single_storage_behind_a_prefix(settings):
    storage = get_proxy_storage("orm-prefix")
    taken = {"proxy_storage_name": "x", "original_storage_path": "x", "path": "/private/a.txt"}
    storage.meta_backend.create(taken)
    known = storage.get_original_storage().save("a.txt", ContentFile(b""))
    path = storage.save("a.txt", None, original_storage_path=known)
    assert path.startswith("/private/a_")
    with pytest.raises(MetaBackendObjectAlreadyExists):
        storage.save("a.txt", None, original_storage_path=known)
