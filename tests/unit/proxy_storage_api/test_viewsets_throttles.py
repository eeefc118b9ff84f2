"""Throttles of files, which differ from those of the other actions."""

import pytest
from django.core.cache import cache
from django.core.files.base import ContentFile
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.throttling import AnonRateThrottle, UserRateThrottle

from jobs.models import JobApply
from proxy_storage_api.checks import check_settings
from proxy_storage_api.viewsets import FileViewSet

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]


class Twice(UserRateThrottle):
    rate = "2/day"
    scope = "twice"


class Often(UserRateThrottle):
    rate = "5/day"
    scope = "often"


class Files(FileViewSet):
    throttle_classes = [Twice]


@pytest.fixture(autouse=True)
def empty_cache():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def ask(log_in):
    """Send ten requests to an action, and return the number of successful ones."""
    user = log_in("messi").user
    application = JobApply(user=user)
    application.resume.save("resume.txt", ContentFile(b"resume"))

    def ask(action, view_class=Files, **options):
        view = view_class.as_view({"get": action}, **options)
        answered = 0
        for _ in range(10):
            request = APIRequestFactory().get("/files/", {"path": application.resume.name})
            force_authenticate(request, user)
            response = view(request)
            response.close()
            answered += response.status_code != 429
        return answered

    return ask


@pytest.mark.parametrize("action", ["list", "download", "authorize"])
def test_throttles_of_the_project_are_the_default(ask, action):
    assert ask(action) == 2


@pytest.mark.parametrize("action", ["list", "download", "authorize"])
@pytest.mark.parametrize(
    ("classes", "expected"),
    [([], 10), ([Often], 5), ([f"{__name__}.Often"], 5), ([Often, AnonRateThrottle], 5)],
)
def test_setting_changes_the_throttles_of_files(ask, change, action, classes, expected):
    change(DOWNLOAD_THROTTLE_CLASSES=classes)
    assert ask(action) == expected
    assert ask("record") == 2


def test_attribute_changes_the_throttles_of_files(ask, change):
    change(DOWNLOAD_THROTTLE_CLASSES=[Twice])
    assert ask("download", download_throttle_classes=[Often]) == 5
    cache.clear()
    assert ask("download", download_throttle_classes=[]) == 10


@pytest.mark.parametrize("value", ["a.b.C", ["no.such.Throttle"], 5])
def test_invalid_setting_is_reported(change, value):
    assert check_settings(None) == []
    change(DOWNLOAD_THROTTLE_CLASSES=value)
    (error,) = check_settings(None)
    assert error.id == "proxy_storage_api.E006"
    assert "DOWNLOAD_THROTTLE_CLASSES" in error.msg
    assert error.hint


def test_unreadable_settings_are_not_reported_here(settings):
    settings.PROXY_STORAGE = []
    assert check_settings(None) == []
