import pytest

from proxy_storage_api.checks import (
    check_getters,
    check_permission_classes,
    check_values,
)

KEYS = [
    "DEFAULT_PERMISSION_CLASSES",
    "UPLOAD_PERMISSION_CLASSES",
    "DELETE_PERMISSION_CLASSES",
]


def test_settings_of_the_tests_are_right():
    assert check_permission_classes(None) == []
    assert check_values(None) == []
    assert check_getters(None) == []


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["no.such.Permission"], "cannot be imported"),
        ("jobs.permissions.JobApplyFiles", "must be a list"),
        (5, "must be a list"),
    ],
)
def test_permission_classes(change, key, value, message):
    change(**{key: value})
    (error,) = check_permission_classes(None)
    assert error.id == "proxy_storage_api.E001"
    assert key in error.msg
    assert message in error.msg
    assert error.hint


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"HIDE_FORBIDDEN": "yes"}, "must be a bool"),
        ({"LINK_MAX_AGE": "1h"}, "whole number of seconds"),
        ({"LINK_MAX_AGE": 0}, "whole number of seconds"),
        ({"LINK_KEY": ""}, "hard to guess"),
        ({"AUTHORIZE_URI_HEADER": ""}, "name of a header"),
        ({"AUTHORIZE_URI_HEADER": True}, "name of a header"),
        ({"UPLOAD_MAX_SIZE": "10 MB"}, "number of bytes"),
        ({"UPLOAD_MAX_SIZE": True}, "number of bytes"),
        ({"UPLOAD_MAX_SIZE": 0}, "number of bytes"),
        ({"UPLOAD_STORAGES": "orm_disk"}, "list of names"),
        ({"UPLOAD_STORAGES": ["orm_disk", "nothing"]}, "'nothing', which is no proxy storage"),
        ({"UPLOAD_PERMISSION_CLASSES": ["jobs.permissions.JobApplyFiles"]}, "is empty"),
    ],
)
def test_values(change, values, message):
    change(**values)
    (error,) = check_values(None)
    assert error.id == "proxy_storage_api.E002"
    assert message in error.msg
    assert error.hint


@pytest.mark.parametrize("value", [-1, 0.1, "300", True, None])
def test_link_rounding(change, value):
    assert check_getters(None) == []
    change(LINK_ROUNDING=value)
    (error,) = check_getters(None)
    assert error.id == "proxy_storage_api.E007"
    assert "whole number of seconds" in error.msg
    assert error.hint


@pytest.mark.parametrize("broken", [[], {"PROXY_STORAGE_CLASSES": {"a": "no.such.Storage"}}])
def test_what_the_checks_of_the_storages_say_is_not_said_twice(settings, broken):
    settings.PROXY_STORAGE = broken
    assert check_permission_classes(None) == []
    assert check_values(None) == []
    assert check_getters(None) == []
