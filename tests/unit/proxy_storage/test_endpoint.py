import pytest
from django.core.files.base import ContentFile

from proxy_storage.endpoint import get_file_url
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.registry import get_proxy_storage


def use_one_meta_backend(settings, **changes):
    classes = settings.PROXY_STORAGE["PROXY_STORAGE_CLASSES"]
    settings.PROXY_STORAGE = {"PROXY_STORAGE_CLASSES": {"d": classes["orm_disk"]}, **changes}
    settings.STORAGES = {}


def test_url_of_the_api(settings):
    use_one_meta_backend(settings)
    assert get_file_url("/a b/é&?.txt", "d") == "/files/?path=%2Fa+b%2F%C3%A9%26%3F.txt"


def test_url_has_the_storage_if_there_are_several_meta_backends():
    assert get_file_url("/a.txt", "orm_disk") == "/files/?path=%2Fa.txt&storage=orm_disk"


def test_url_name_of_the_project(settings):
    use_one_meta_backend(settings, FILE_URL_NAME="admin:index")
    assert get_file_url("/a.txt", "d") == "/admin/?path=%2Fa.txt"


def test_unknown_url_name_is_an_error(settings):
    settings.PROXY_STORAGE = {"FILE_URL_NAME": "nowhere"}
    with pytest.raises(ConfigurationError, match="No URL with the name 'nowhere'"):
        get_file_url("/a.txt", "orm_disk")


@pytest.mark.usefixtures("empty_storages")
def test_url_of_the_original_storage_without_endpoint(settings):
    settings.MEDIA_URL = "/media/"
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "proxy_storage_api"]
    storage = get_proxy_storage("orm_disk")
    path = storage.save("a.txt", ContentFile(b""))
    assert get_file_url(path, "orm_disk") is None
    assert storage.url(path) == "/media/a.txt"
