import pytest
from django.core import checks
from django.core.files.storage import FileSystemStorage
from django.db import models
from django.test.utils import isolate_apps

from proxy_storage.checks import check_settings
from proxy_storage.db.fields import ProxyStorageFileField
from proxy_storage_api.checks import check_permission_classes


def ids(settings, value):
    settings.PROXY_STORAGE = value
    return [message.id for message in check_settings(None)]


def test_settings_of_the_tests_are_fine():
    assert checks.run_checks() == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", ["proxy_storage.E001"]),
        ({"PROXY_STORAGE_CLASES": {}}, ["proxy_storage.W001"]),
        ({"PROXY_STORAGE_CLASSES": {"a": "no.Where"}}, ["proxy_storage.E002"]),
        ({"SERVERS": {"default": {"BACKEND": "no.Where"}}}, ["proxy_storage.E003"]),
        ({"DEFAULT_PERMISSION_CLASSES": []}, []),
    ],
)
def test_wrong_settings(settings, value, expected):
    assert ids(settings, value) == expected


def test_permission_classes_that_cannot_be_imported(settings):
    settings.PROXY_STORAGE = {"DEFAULT_PERMISSION_CLASSES": ["no.Where"]}
    (error,) = check_permission_classes(None)
    assert error.id == "proxy_storage_api.E001"


def test_unknown_key_gets_a_hint(settings):
    settings.PROXY_STORAGE = {"SERVER": {}}
    (warning,) = check_settings(None)
    assert "'SERVER'" in warning.msg
    assert "SERVERS" in warning.hint


@isolate_apps("tests.testapp")
def test_field_without_a_proxy_storage():
    class Wrong(models.Model):
        file = ProxyStorageFileField(storage=FileSystemStorage())

        class Meta:
            app_label = "testapp"

    (error,) = Wrong.check()
    assert error.id == "proxy_storage.E101"
    assert "FileSystemStorage" in error.msg
