"""System checks of the API's settings."""

import pytest
from rest_framework.throttling import AnonRateThrottle

from proxy_storage_api.checks import check_settings

PERMISSIONS = ["jobs.permissions.JobApplyFiles"]
NO_CLASSES = [["no.such.Class"], "jobs.permissions.JobApplyFiles", 5, [5], {"a": "b"}, True]
INVALID = {
    "DEFAULT_PERMISSION_CLASSES": ("E001", NO_CLASSES),
    "HIDE_FORBIDDEN": ("E002", ["False", None, 1]),
    "ANONYMOUS_LISTS": ("E003", ["False", None, 0]),
    "LIST_MAX_DECISIONS": ("E004", [0, True, "5", None, 1.5]),
    "DOWNLOAD_THROTTLE_CLASSES": ("E006", NO_CLASSES),
    "LINK_ROUNDING": ("E007", [-1, 0.1, "300", True, None]),
    "LINK_KEY": ("E008", ["", 5, True]),
    "LINK_MAX_AGE": ("E009", ["1h", 0, True, None]),
    "AUTHORIZE_URI_HEADER": ("E010", ["", True, 5]),
    "UPLOAD_MAX_SIZE": ("E011", ["10 MB", True, 0, None]),
    "UPLOAD_STORAGES": ("E012", ["orm_disk", None, ["orm_disk", "nothing"], [5]]),
    "UPLOAD_PERMISSION_CLASSES": ("E013", NO_CLASSES),
    "DELETE_PERMISSION_CLASSES": ("E014", NO_CLASSES),
    "UPLOAD_ATTACH_MAX_AGE": ("E015", ["1 day", True, 0, None]),
    "BASE_URL": ("E019", ["example.com", "https://example.com/files/", "ftp://example.com", 5]),
}
CASES = [(key, number, value) for key, (number, values) in INVALID.items() for value in values]


def test_settings_of_the_tests_are_valid():
    assert check_settings(None) == []


@pytest.mark.parametrize(("key", "number", "value"), CASES)
def test_invalid_value_is_an_error_with_the_number_of_its_setting(change, key, number, value):
    change(**{"UPLOAD_STORAGES": ["orm_disk"], key: value})
    (error,) = check_settings(None)
    assert error.id == f"proxy_storage_api.{number}"
    assert f"['{key}']" in error.msg
    assert error.hint


def test_each_setting_has_its_own_number():
    numbers = [number for number, _ in INVALID.values()]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ANONYMOUS_LISTS", False),
        ("DELETE_PERMISSION_CLASSES", []),
        ("DOWNLOAD_THROTTLE_CLASSES", []),
        ("DOWNLOAD_THROTTLE_CLASSES", [AnonRateThrottle]),
        ("LINK_ROUNDING", 0),
        ("LIST_MAX_DECISIONS", 1),
        ("UPLOAD_STORAGES", ("orm_disk",)),
    ],
)
def test_valid_value_is_not_an_error(change, key, value):
    change(**{key: value})
    assert check_settings(None) == []


def test_uploads_without_a_storage_are_an_error(change):
    change(UPLOAD_PERMISSION_CLASSES=PERMISSIONS)
    (error,) = check_settings(None)
    assert error.id == "proxy_storage_api.E012"
    assert "is empty" in error.msg


@pytest.mark.parametrize("broken", [[], {"PROXY_STORAGE_CLASSES": {"a": "no.such.Storage"}}])
def test_unreadable_settings_are_reported_by_the_checks_of_the_storages(settings, broken):
    settings.PROXY_STORAGE = broken
    assert check_settings(None) == []
