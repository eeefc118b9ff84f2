import pytest

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.registry import get_proxy_storage
from proxy_storage.urls import get_file_url


def test_endpoint_of_the_api():
    assert get_file_url("/a b/é&?.txt") == "/files/?path=%2Fa+b%2F%C3%A9%26%3F.txt"


def test_endpoint_of_the_project(settings):
    settings.PROXY_STORAGE = {"FILE_URL_NAME": "admin:index"}
    assert get_file_url("/a.txt") == "/admin/?path=%2Fa.txt"


def test_endpoint_that_is_not_there(settings):
    settings.PROXY_STORAGE = {"FILE_URL_NAME": "nowhere"}
    with pytest.raises(ConfigurationError, match="No URL is named 'nowhere'"):
        get_file_url("/a.txt")


@pytest.mark.usefixtures("empty_storages")
def test_without_endpoint_the_original_answers(settings):
    from django.core.files.base import ContentFile

    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "proxy_storage_api"]
    storage = get_proxy_storage("orm_disk")
    path = storage.save("a.txt", ContentFile(b""))
    assert get_file_url(path) is None
    assert storage.url(path) == "/media/a.txt"
