"""Permissions outside of DRF, with may_read."""

import asyncio
import logging

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.core.files.base import ContentFile
from django.db import OperationalError
from django.http import Http404
from django.test import RequestFactory
from rest_framework import exceptions
from rest_framework.exceptions import APIException
from rest_framework.permissions import AllowAny, BasePermission, DjangoModelPermissions, IsAdminUser
from rest_framework.request import Request

from proxy_storage.exceptions import MetaBackendUnavailable
from proxy_storage_permissions import (
    FieldPermissions,
    HasValidSignature,
    IsOwner,
    evaluate,
    get_signed_url,
    may_read,
)
from tests.testapp.models import Document

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]


class DocumentFiles(FieldPermissions):
    model = Document
    permissions = {
        "orm_file": IsOwner("user") | IsAdminUser | HasValidSignature,
        "mongo_file": AllowAny,
    }


class LooksAtTheView(BasePermission):
    def has_permission(self, request, view):
        return view.action == "download" and request.query_params == {}


@pytest.fixture
def rules(settings):
    settings.PROXY_STORAGE = settings.PROXY_STORAGE | {
        "DEFAULT_PERMISSION_CLASSES": [f"{__name__}.DocumentFiles", LooksAtTheView]
    }


@pytest.fixture
def records(people):
    document = Document(user=people["owner"])
    for name in ("orm_file", "mongo_file"):
        getattr(document, name).save("a.txt", ContentFile(b"a"))
    return {
        name: Document._meta.get_field(name).storage.get_meta_backend_obj(
            getattr(document, name).name
        )
        for name in ("orm_file", "mongo_file")
    }


@pytest.mark.usefixtures("rules")
def test_permission_classes_of_the_settings(people, records):
    readers = {
        name: {who for who, user in people.items() if may_read(user, record)}
        for name, record in records.items()
    }
    assert readers == {"orm_file": {"owner", "staff"}, "mongo_file": set(people)}
    assert not may_read(None, records["orm_file"])
    assert may_read(None, records["mongo_file"])


def test_default_allows_staff_only(people, records, settings):
    settings.PROXY_STORAGE = {
        key: value
        for key, value in settings.PROXY_STORAGE.items()
        if key != "DEFAULT_PERMISSION_CLASSES"
    }
    for record in records.values():
        assert {who for who, user in people.items() if may_read(user, record)} == {"staff"}


def test_permission_classes_as_an_argument(people, records):
    record = records["orm_file"]
    assert may_read(people["owner"], record, permission_classes=[IsOwner])
    assert not may_read(people["owner"], record, permission_classes=[IsOwner, IsAdminUser])
    assert may_read(people["stranger"], record, permission_classes=[~IsOwner("user")])


def test_signed_link_in_a_django_request(people, records):
    record = records["orm_file"]
    url = get_signed_url(record).url
    for request, expected in (
        (RequestFactory().get(url), True),
        (RequestFactory().get(url.replace("signature=", "signature=x")), False),
        (RequestFactory().delete(url), False),
    ):
        request.user = people["staff"]
        found = may_read(None, record, request=request, permission_classes=[DocumentFiles])
        assert found is expected
        assert request.user == people["staff"]


class ReadsAuth(BasePermission):
    def has_object_permission(self, request, view, obj):
        return request.auth in (None, "token") and request.successful_authenticator is not False


@pytest.mark.parametrize("auth", [None, "token"])
def test_permission_that_reads_request_auth(people, records, auth):
    request = RequestFactory().get("/")
    request.user, request.auth = people["staff"], auth
    assert evaluate((ReadsAuth & IsAdminUser)(), request, None, records["orm_file"]) is True
    rules = [ReadsAuth, IsAdminUser]
    assert may_read(people["staff"], records["orm_file"], permission_classes=rules)
    assert (request.user, request.auth) == (people["staff"], auth)


class HasToken(BasePermission):
    def has_object_permission(self, request, view, obj):
        return request.auth == "token"


def test_drf_request_is_not_changed(people, records):
    plain = RequestFactory().get("/")
    request = Request(plain)
    request.user, request.auth = people["staff"], "token"
    record = records["orm_file"]
    for who, expected in (("owner", False), ("staff", True)):
        rules = {"request": request, "permission_classes": [IsAdminUser]}
        assert may_read(people[who], record, **rules) is expected
        rules["permission_classes"] = [HasToken]
        assert may_read(people[who], record, **rules) is expected
        assert request.user == plain.user == people["staff"]
        assert request.auth == "token"


def test_evaluate_with_a_django_request_and_no_view(people, records):
    for who, expected in (("owner", True), ("stranger", False), ("anonymous", False)):
        request = RequestFactory().get("/")
        request.user = people[who]
        assert evaluate(DocumentFiles(), request, None, records["orm_file"]) is expected
    without = RequestFactory().get("/")
    assert evaluate(DocumentFiles(), without, None, records["orm_file"]) is False
    assert evaluate(IsAdminUser(), without) is False


@pytest.mark.parametrize("permission", [DjangoModelPermissions, ~DjangoModelPermissions])
def test_permission_that_cannot_be_evaluated_denies_and_is_logged(
    people, records, caplog, permission
):
    with caplog.at_level(logging.ERROR, "proxy_storage_permissions"):
        assert not may_read(people["staff"], records["orm_file"], permission_classes=[permission])
    (line,) = caplog.messages
    assert "Use HasModelPermission" in line
    assert records["orm_file"]["path"] in line


class Teapot(APIException):
    status_code = 418


class Broken(APIException):
    status_code = 502


def raising(error):
    class Raises(BasePermission):
        def has_object_permission(self, request, view, obj):
            raise error

    return Raises


@pytest.mark.parametrize(
    "error",
    [
        exceptions.PermissionDenied(),
        exceptions.NotAuthenticated(),
        exceptions.NotFound(),
        exceptions.Throttled(5),
        Teapot(),
        Http404(),
        PermissionDenied(),
    ],
)
def test_refusal_raised_by_a_permission_denies(people, records, error):
    rules = [raising(error)]
    assert may_read(people["staff"], records["orm_file"], permission_classes=rules) is False


@pytest.mark.parametrize(
    "error", [Broken(), OperationalError(), MetaBackendUnavailable(""), KeyError()]
)
def test_other_exceptions_are_raised(people, records, error):
    with pytest.raises(type(error)):
        may_read(people["staff"], records["orm_file"], permission_classes=[raising(error)])


@pytest.mark.django_db(databases=["default", "other"], transaction=True)
@pytest.mark.usefixtures("rules")
def test_call_from_a_coroutine():
    owner = User.objects.create(username="owner")
    document = Document(user=owner)
    document.mongo_file.save("a.txt", ContentFile(b"a"))
    record = document.mongo_file.storage.get_meta_backend_obj(document.mongo_file.name)
    assert asyncio.run(sync_to_async(may_read)(AnonymousUser(), record)) is True
