import pytest

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.settings import proxy_storage_settings


def test_values_of_the_project(settings):
    settings.PROXY_STORAGE = {"PROXY_STORAGE_CLASSES": {"a": "b.C"}}
    assert proxy_storage_settings.PROXY_STORAGE_CLASSES == {"a": "b.C"}


def test_defaults(settings):
    settings.PROXY_STORAGE = {}
    assert proxy_storage_settings.PROXY_STORAGE_CLASSES == {}
    del settings.PROXY_STORAGE
    assert proxy_storage_settings.SERVERS == {}


def test_unknown_setting():
    with pytest.raises(AttributeError, match="no setting 'NOTHING'"):
        _ = proxy_storage_settings.NOTHING


def test_setting_that_is_no_dict(settings):
    settings.PROXY_STORAGE = ["SERVERS"]
    with pytest.raises(ConfigurationError, match="must be a dict, not list"):
        _ = proxy_storage_settings.SERVERS
