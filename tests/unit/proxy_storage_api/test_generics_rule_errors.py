"""Permissions that cannot decide deny, and are logged."""

import logging

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import OperationalError
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, PermissionDenied
from rest_framework.permissions import (
    AllowAny,
    BasePermission,
    DjangoModelPermissions,
    DjangoModelPermissionsOrAnonReadOnly,
    DjangoObjectPermissions,
)
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate

from proxy_storage_api.generics import GenericFileViewSet
from proxy_storage_api.viewsets import FileViewSet
from proxy_storage_permissions import FieldPermissions
from tests.testapp.models import Document

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]


class AsyncRule(BasePermission):
    async def has_permission(self, request, view):
        return False


class AsyncAboutRecords(BasePermission):
    async def has_object_permission(self, request, view, obj):
        return False


class Nothing(BasePermission):
    def has_object_permission(self, request, view, obj):
        pass


class AsksForTheQueryset(BasePermission):
    """A permission like those of other packages."""

    def has_permission(self, request, view):
        return bool(view.get_queryset())


class DerivedModelPermissions(DjangoModelPermissions):
    def has_permission(self, request, view):
        return super().has_permission(request, view)


RULES = [
    AsyncRule,
    AsyncAboutRecords,
    Nothing,
    AsksForTheQueryset,
    DjangoModelPermissions,
    DjangoModelPermissionsOrAnonReadOnly,
    DjangoObjectPermissions,
    DerivedModelPermissions,
]
REQUESTS = [
    ("get", "list"),
    ("get", "download"),
    ("get", "retrieve"),
    ("get", "authorize"),
    ("post", "link"),
    ("post", "create"),
    ("delete", "destroy"),
]


@pytest.fixture
def admin():
    return User.objects.create(username="admin", is_staff=True, is_superuser=True)


@pytest.fixture
def path(admin):
    document = Document(user=admin)
    document.orm_file.save("a.txt", ContentFile(b"a"))
    return document.orm_file.name


@pytest.mark.parametrize("permission", RULES + [~rule for rule in RULES])
@pytest.mark.parametrize(("method", "action"), REQUESTS)
@pytest.mark.parametrize("hide", [True, False])
@pytest.mark.slow
def test_permission_that_cannot_decide_denies(
    permission, method, action, hide, admin, path, change, caplog
):
    change(HIDE_FORBIDDEN=hide, UPLOAD_STORAGES=["orm_disk"])
    view = FileViewSet.as_view(
        {method: action},
        permission_classes=[permission],
        upload_permission_classes=[permission],
        delete_permission_classes=[permission],
    )
    request = getattr(APIRequestFactory(), method)(
        "/" if action == "list" else f"/?path={path}", {"path": path} if method == "post" else None
    )
    force_authenticate(request, admin)
    with caplog.at_level(logging.ERROR, "proxy_storage_api"):
        response = view(request)
    shows_nothing = (
        action == "list" and response.status_code == 200 and not response.data["results"]
    )
    assert response.status_code in (403, 404) or shows_nothing
    # An upload has no record for which these permissions could be checked.
    if action != "create" or "Asks" in str(permission) or "Model" in str(permission):
        assert "A permission cannot decide. Access denied." in caplog.text
    assert Document.objects.get().orm_file.storage.exists(path)


def test_error_is_logged_once_for_a_list(admin, path, caplog):
    for name in ("b.txt", "c.txt"):
        Document(user=admin).orm_file.save(name, ContentFile(b""))
    view = FileViewSet.as_view({"get": "list"}, permission_classes=[AsyncAboutRecords])
    assert view(APIRequestFactory().get("/")).data["results"] == []
    assert len([one for one in caplog.records if one.levelno == logging.ERROR]) == 1


class RaisesForRecords(BasePermission):
    def has_object_permission(self, request, view, obj):
        return obj["no such key"]


class TestErrorsOfRules:
    """With HIDE_FORBIDDEN, a status 500 would reveal that a file exists."""

    def ask(self, admin, path, *permissions):
        view = FileViewSet.as_view({"get": "list"}, permission_classes=permissions)
        request = APIRequestFactory().get("/", {"path": path} if path else {})
        force_authenticate(request, admin)
        return view(request)

    def test_error_is_404_if_forbidden_files_are_hidden(self, admin, path, change, caplog):
        change(HIDE_FORBIDDEN=True)
        hidden = self.ask(admin, path, RaisesForRecords)
        assert f"A permission failed for {path!r}" in caplog.text
        unknown = self.ask(admin, "nothing", RaisesForRecords)
        assert hidden.status_code == unknown.status_code == 404
        assert hidden.data == unknown.data
        assert self.ask(admin, None, RaisesForRecords).data["results"] == []

    def test_error_is_raised_otherwise(self, admin, path):
        with pytest.raises(KeyError):
            self.ask(admin, path, RaisesForRecords)
        assert self.ask(admin, "nothing", RaisesForRecords).status_code == 404


@pytest.mark.parametrize("error", [PermissionDenied, NotAuthenticated, AuthenticationFailed])
class TestRulesThatRaiseRefusals:
    """The status would reveal that a file exists."""

    def get_rule(self, error):
        class Raises(BasePermission):
            def has_object_permission(self, request, view, obj):
                if obj.get("proxy_storage_name"):
                    raise error("This file is not for you.")
                return False

        return Raises

    def ask(self, admin, path, rule):
        view = FileViewSet.as_view({"get": "list"}, permission_classes=[rule])
        request = APIRequestFactory().get("/", {"path": path} if path else {})
        force_authenticate(request, admin)
        return view(request)

    def test_raised_refusal_is_hidden(self, admin, path, change, error):
        change(HIDE_FORBIDDEN=True)
        rule = self.get_rule(error)
        hidden, unknown = self.ask(admin, path, rule), self.ask(admin, "nothing", rule)
        assert hidden.status_code == unknown.status_code == 404
        assert hidden.data == unknown.data

    def test_raised_refusal_is_the_response_otherwise(self, admin, path, error):
        assert self.ask(admin, path, self.get_rule(error)).data["detail"] == (
            "This file is not for you."
        )

    @pytest.mark.parametrize("hide", [True, False])
    def test_refused_file_is_not_in_lists(self, admin, path, change, error, hide):
        change(HIDE_FORBIDDEN=hide)
        answer = self.ask(admin, None, self.get_rule(error))
        assert (answer.status_code, answer.data["results"]) == (200, [])


def test_all_permissions_must_allow(admin, path):
    view = FileViewSet.as_view({"get": "download"}, permission_classes=[AllowAny, AsyncRule])
    assert view(APIRequestFactory().get("/", {"path": path})).status_code in (401, 403)


class AsyncField(FieldPermissions):
    model = Document
    permissions = {"orm_file": AsyncRule}


def test_field_permission_that_cannot_decide_denies_in_lists(admin, path, caplog):
    view = FileViewSet.as_view({"get": "list"}, permission_classes=[AsyncField])
    assert view(APIRequestFactory().get("/")).status_code in (401, 403)
    assert "A permission cannot decide. Access denied." in caplog.text


class Unavailable(BasePermission):
    def has_object_permission(self, request, view, obj):
        raise OperationalError("server closed the connection unexpectedly")


def test_unavailable_database_is_the_same_for_missing_files(admin, path, change):
    change(HIDE_FORBIDDEN=True)
    view = FileViewSet.as_view({"get": "list"}, permission_classes=[Unavailable])
    for name in (path, "nothing"):
        assert view(APIRequestFactory().get("/", {"path": name})).status_code == 503


def test_viewset_without_lists(admin, path):
    class Bare(GenericFileViewSet):
        permission_classes = [AllowAny]
        one_file_actions = ["size"]

        def size(self, request):
            return Response(len(self.get_object()["path"]))

    view = Bare.as_view({"get": "size"})
    assert view(APIRequestFactory().get("/", {"path": path})).data == len(path)
