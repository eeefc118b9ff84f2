"""Apps that are missing in INSTALLED_APPS."""

from importlib import reload

import pytest
from django.urls import path
from rest_framework.renderers import JSONRenderer

from proxy_storage_api import urls
from proxy_storage_api.checks import check_apps
from proxy_storage_api.viewsets import FileViewSet


class Urls:
    def __init__(self, *urlpatterns):
        self.urlpatterns = list(urlpatterns)


@pytest.fixture
def remove(settings):
    """Remove an app from the settings."""

    def remove(name):
        settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != name]

    return remove


def get_ids():
    return [message.id.removeprefix("proxy_storage_api.") for message in check_apps(None)]


def test_all_apps_are_installed():
    assert get_ids() == []


def test_missing_app_of_the_storages(remove):
    remove("proxy_storage")
    assert get_ids() == ["E016"]


class TestRestFramework:
    def test_pages_need_it(self, remove):
        remove("rest_framework")
        assert get_ids() == ["E017"]

    def test_json_does_not(self, remove, settings):
        remove("rest_framework")
        view = FileViewSet.as_view({"get": "list"}, renderer_classes=[JSONRenderer])
        settings.ROOT_URLCONF = Urls(path("files/", view))
        assert get_ids() == []


def test_urls_without_the_app_are_logged(remove, caplog):
    remove("proxy_storage_api")
    reload(urls)
    (record,) = caplog.records
    assert "'proxy_storage_api' is not in INSTALLED_APPS. Add it" in record.getMessage()
