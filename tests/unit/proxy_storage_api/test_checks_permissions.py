"""System checks of the permissions, and of the URL of the endpoint."""

import pytest
from django.contrib.auth.models import User
from django.core import checks
from django.test.utils import override_script_prefix
from django.urls import include, path
from rest_framework.permissions import (
    AllowAny,
    BasePermission,
    DjangoModelPermissions,
    DjangoModelPermissionsOrAnonReadOnly,
    IsAdminUser,
    IsAuthenticatedOrReadOnly,
)
from rest_framework.routers import SimpleRouter

from proxy_storage_api.media import MediaViewSet
from proxy_storage_api.viewsets import FileViewSet
from proxy_storage_permissions import (
    CanReadFile,
    DenyAll,
    FieldPermissions,
    FilePermission,
    HasObjectPermission,
    HasValidSignature,
    IsOwner,
)
from tests.testapp.models import Document, ShardDocument

pytestmark = pytest.mark.django_db


class Slow(FilePermission):
    def has_object_permission(self, request, view, obj):
        return True


class Faster(Slow):
    def get_filter(self, request, view, models):
        return True


class AboutRecords(BasePermission):
    def has_object_permission(self, request, view, obj):
        return True


class AsyncRule(BasePermission):
    async def has_permission(self, request, view):
        return True


class WrongField(FieldPermissions):
    model = Document
    permissions = {"nothing": AllowAny}


class SlowField(FieldPermissions):
    model = Document
    permissions = {"orm_file": Slow | IsAdminUser, "mongo_file": None}


class OpenField(FieldPermissions):
    model = Document
    permissions = {"orm_file": ~(IsAdminUser & IsAuthenticatedOrReadOnly)}


def find(*ids):
    found = [one for one in checks.run_checks() if one.id.startswith("proxy_storage")]
    # The storages of the tests have messages of their own.
    return [one for one in found if one.id in ids or (not ids and "api" in one.id)]


def get_ids(messages):
    return [message.id.removeprefix("proxy_storage_api.") for message in messages]


@pytest.mark.parametrize(
    ("permission", "expected"),
    [
        (AllowAny, []),
        (DenyAll, []),
        (IsOwner, ["W005"]),
        (Faster, []),
        (HasValidSignature, []),
        (HasObjectPermission, []),
        (Slow, ["W001"]),
        (~Slow, ["W001"]),
        (IsAdminUser | Slow, ["W001"]),
        (AboutRecords, ["W001"]),
        (SlowField, ["W001"]),
        (WrongField, ["E005"]),
        (AsyncRule, ["E005"]),
        (DjangoModelPermissions, ["E005"]),
        (~DjangoModelPermissions, ["E005"]),
        (DjangoModelPermissionsOrAnonReadOnly, ["E005"]),
        (IsAuthenticatedOrReadOnly, ["W002"]),
        (OpenField, ["W002"]),
    ],
)
def test_permissions_of_the_settings(change, permission, expected):
    change(DEFAULT_PERMISSION_CLASSES=[permission])
    found = find()
    assert get_ids(found) == expected
    assert all(message.hint for message in found)
    for message in found:
        assert "DEFAULT_PERMISSION_CLASSES" in message.msg or message.id.endswith("E005")


def test_permission_without_a_filter_is_reported_if_only_users_may_list(change):
    change(DEFAULT_PERMISSION_CLASSES=[Slow])
    (warning,) = find()
    for text in ("get_filter()", "silence this check", "logged-in users"):
        assert text in warning.hint
    change(DEFAULT_PERMISSION_CLASSES=[Slow], ANONYMOUS_LISTS=False)
    assert find() == [warning]


@pytest.mark.parametrize("key", ["UPLOAD_PERMISSION_CLASSES", "DELETE_PERMISSION_CLASSES"])
@pytest.mark.parametrize(
    ("permission", "expected"),
    [(Slow, []), (IsAuthenticatedOrReadOnly, []), (DjangoModelPermissions, ["E005"])],
)
def test_permissions_for_uploads_and_deletes(change, key, permission, expected):
    change(**{key: [permission], "UPLOAD_STORAGES": ["orm_disk"]})
    assert get_ids(find()) == expected


def test_model_without_a_filter_is_reported(change, monkeypatch):
    change(DEFAULT_PERMISSION_CLASSES=[CanReadFile])
    assert not find()  # ShardDocument has both methods.
    monkeypatch.delattr(ShardDocument, "readable_by")
    (warning,) = find()
    assert "CanReadFile for testapp.ShardDocument" in warning.msg
    change(DEFAULT_PERMISSION_CLASSES=[CanReadFile("can_read_file", "nothing")])
    assert set(get_ids(find())) == {"W001"}


def test_authentication_backend_without_a_filter_is_reported(change, settings):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.AskedBackend"]
    change(DEFAULT_PERMISSION_CLASSES=[HasObjectPermission])
    (warning,) = find()
    assert "HasObjectPermission" in warning.msg


class AskedBackend:
    def has_perm(self, user, name, obj=None):
        return isinstance(user, User)


class Viewset(FileViewSet):
    permission_classes = [Slow]
    upload_permission_classes = [DjangoModelPermissions]


class Urls:
    def __init__(self, *patterns):
        self.urlpatterns = patterns


class TestViewsets:
    def test_permissions_of_viewsets_in_the_urls(self, settings):
        router = SimpleRouter()
        router.register("scans", Viewset, basename="scan")
        settings.ROOT_URLCONF = Urls(
            path("below/", include(router.urls)),
            path("files/", include("proxy_storage_api.urls")),
        )
        found = find()
        assert sorted(get_ids(found)) == ["E005", "W001"]
        assert {message.msg.partition(" ")[0] for message in found} == {
            "Viewset.permission_classes",
            "Viewset.upload_permission_classes",
        }

    def test_permissions_of_as_view(self, settings):
        view = FileViewSet.as_view({"get": "list"}, permission_classes=[Slow])
        settings.ROOT_URLCONF = Urls(
            path("x/", view), path("files/", include("proxy_storage_api.urls"))
        )
        (warning,) = find()
        assert warning.msg.startswith("FileViewSet.permission_classes")

    @pytest.mark.parametrize("urls", [None, "", "nowhere.urls"])
    def test_without_urls(self, settings, urls):
        settings.ROOT_URLCONF = urls
        from proxy_storage_api.urlconf import find_views

        assert find_views() == []


class TestUrl:
    def test_url_with_arguments_needs_a_setting(self, settings, change):
        settings.ROOT_URLCONF = Urls(path("<version>/files/", include("proxy_storage_api.urls")))
        (warning,) = find()
        assert get_ids([warning]) == ["W003"]
        assert "FILE_URL_KWARGS" in warning.hint
        change(FILE_URL_KWARGS={"version": "v1"})
        assert find() == []
        change(FILE_URL_KWARGS=f"{__name__}.fail")
        assert find() == []

    def test_unknown_url_name_is_reported(self, change):
        change(FILE_URL_NAME="nowhere")
        assert get_ids(find()) == ["W003"]

    def test_style_of_urls_that_do_not_exist(self, settings, change):
        change(FILE_URL_STYLE="path")
        assert find() == []
        router = SimpleRouter()
        router.register("scans", FileViewSet, basename="scan")
        settings.ROOT_URLCONF = Urls(*router.urls)
        change(FILE_URL_NAME="scan-list")
        (warning,) = find()
        assert get_ids([warning]) == ["W006"]
        assert "/scans/a.txt is not the URL of a file" in warning.msg
        view = FileViewSet.as_view({"get": "download"})
        settings.ROOT_URLCONF = Urls(*router.urls, path("scans/<path:file_path>", view))
        assert find() == []

    def test_style_of_urls_with_a_script_prefix(self, change):
        change(FILE_URL_STYLE="path")
        with override_script_prefix("/site/"):
            assert find() == []

    def test_without_urls(self, settings):
        settings.ROOT_URLCONF = ""
        from proxy_storage_api.checks import check_url

        assert check_url(None) == []

    @pytest.mark.parametrize("value", [5, ["version"], "nowhere.at_all", f"{__name__}.TEXT"])
    def test_invalid_arguments_are_an_error(self, change, value):
        change(FILE_URL_KWARGS=value)
        assert [message.id for message in find("proxy_storage.E014")] == ["proxy_storage.E014"]


class TestMediaViews:
    @pytest.mark.parametrize(
        ("options", "count"),
        [
            ({}, 1),
            ({"storage": "nowhere"}, 1),
            ({"storage": None}, 1),
            ({"storage": "orm_disk"}, 0),
        ],
    )
    def test_name_of_the_storage(self, settings, options, count):
        # "default" is not a proxy storage in the settings of the tests.
        settings.ROOT_URLCONF = Urls(
            path("files/", include("proxy_storage_api.urls")),
            path("media/<path:file_path>", MediaViewSet.as_view(**options)),
        )
        found = find()
        assert get_ids(found) == ["E018"] * count
        for error in found:
            assert repr(options.get("storage", "default")) in error.msg

    def test_unreadable_settings(self, settings):
        settings.PROXY_STORAGE = 5
        assert find() == []


TEXT = "not callable"


def fail():
    raise AssertionError("A check has no tenant.")


@pytest.mark.parametrize("value", [5, {"PROXY_STORAGE_CLASSES": {"a": "nowhere.A"}}])
def test_unreadable_settings_are_reported_once(settings, value):
    settings.PROXY_STORAGE = value
    assert find() == []  # The checks of proxy_storage report it.


def test_missing_class_is_reported_once(change):
    change(DEFAULT_PERMISSION_CLASSES=["nowhere.Rules"])
    assert get_ids(find()) == ["E001"]
