"""Absolute names that are handed to ``save``."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from proxy_storage.exceptions import InvalidNameError
from proxy_storage.registry import get_proxy_storage
from tests.contract.special_storages import put_in_front_of

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


def test_name_that_a_record_has_is_used_by_its_last_part(root_prefixed):
    path = save(root_prefixed, "pics/a.png")
    assert save(root_prefixed, path) == "/a.png"


def test_name_below_the_folder_of_the_original_keeps_its_folder():
    storage = get_proxy_storage("orm_disk")
    path = f"{storage.original_storage.location}/pics/a.thumb.png"
    assert save(storage, path) == path


def test_name_of_another_storage_is_used_by_its_last_part():
    path = save(get_proxy_storage("orm_disk"), "pics/a.png")
    assert save(get_proxy_storage("orm-relative-disk"), path) == "a.png"


@pytest.mark.parametrize("name", ["/", "/../a.png", "/pics/../../a.png", "//a.png", "/pics/"])
def test_name_that_is_not_plain_is_refused(root_prefixed, name):
    with pytest.raises(InvalidNameError):
        save(root_prefixed, name)
    assert list(root_prefixed.meta_backend) == []


def test_name_that_the_file_system_does_not_take(settings, tmp_path):
    """The whole path is longer than the 4,096 bytes that Linux allows."""
    location = tmp_path
    while len(str(location)) < 3900:
        location /= "d" * 100
    storage = put_in_front_of(FileSystemStorage(location), "orm", settings, paths="relative")
    with pytest.raises(InvalidNameError, match="is longer than the original storage allows"):
        save(storage, f"{'x' * 200}/a.txt")
    assert list(storage.meta_backend.filter({})) == []
