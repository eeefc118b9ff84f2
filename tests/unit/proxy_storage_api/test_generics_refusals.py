"""Errors that a permission raises to refuse the requester."""

import logging

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.base import ContentFile
from django.db import OperationalError
from django.http import Http404
from django.test import Client
from rest_framework import exceptions
from rest_framework.exceptions import APIException
from rest_framework.permissions import AllowAny, BasePermission

from proxy_storage.exceptions import MetaBackendUnavailable
from proxy_storage_api.signals import file_refused
from tests.testapp.models import Document

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]


class NotPaid(APIException):
    status_code = 402
    default_detail = "This file is not paid for."


class BadGateway(APIException):
    status_code = 502


class AsksForRecords(BasePermission):
    """Raise an error for one file, and allow the others."""

    error = None

    def has_object_permission(self, request, view, obj):
        if "secret" in obj["path"]:
            raise self.error
        return True


REFUSALS = [
    (NotPaid(), 402),
    (exceptions.PermissionDenied(), 403),
    (exceptions.NotAuthenticated(), 403),
    (exceptions.NotFound(), 404),
    (exceptions.ValidationError("no"), 400),
    (exceptions.Throttled(5), 429),
    (Http404(), 404),
    (PermissionDenied(), 403),
]
FAILURES = [
    (BadGateway(), 502),
    (MetaBackendUnavailable("gone"), 503),
    (OperationalError("server closed the connection"), 503),
]
REQUESTS = [
    ("get", "/files/", "download"),
    ("head", "/files/", "download"),
    ("get", "/files/record/", "retrieve"),
    ("get", "/files/authorize/", "authorize"),
    ("post", "/files/link/", "link"),
    ("delete", "/files/", "destroy"),
]


@pytest.fixture
def paths(change):
    change(
        DEFAULT_PERMISSION_CLASSES=[AllowAny, AsksForRecords],
        DELETE_PERMISSION_CLASSES=[AsksForRecords],
    )
    field = Document._meta.get_field("orm_file")
    names = ("open.txt", "secret.txt")
    return [field.storage.save(name, ContentFile(b"content")) for name in names]


@pytest.fixture
def raising(paths, monkeypatch):
    def raising(error):
        monkeypatch.setattr(AsksForRecords, "error", error)

    return raising


@pytest.fixture
def refused():
    received = []

    def receive(action, record, **kwargs):
        received.append((action, record["path"]))

    file_refused.connect(receive)
    yield received
    file_refused.disconnect(receive)


def ask(method, url, path):
    options = {"data": {"path": path}} if method == "post" else {"query_params": {"path": path}}
    return getattr(Client(), method)(url, **options)


@pytest.mark.parametrize(("error", "status"), REFUSALS)
class TestRefusals:
    @pytest.mark.parametrize(("method", "url", "action"), REQUESTS)
    def test_refusal_is_reported(
        self, raising, paths, refused, caplog, error, status, method, url, action
    ):
        raising(error)
        with caplog.at_level(logging.WARNING, "proxy_storage_api"):
            assert ask(method, url, paths[1]).status_code == status
        assert refused == [(action, paths[1])]
        messages = [one.getMessage() for one in caplog.records if one.name == "proxy_storage_api"]
        assert messages == [
            f"{action} of {paths[1]!r} was refused to an anonymous user by AsksForRecords "
            f"(raised {type(error).__name__})."
        ]

    @pytest.mark.parametrize(("method", "url", "action"), REQUESTS)
    def test_refusal_is_hidden(
        self, raising, paths, refused, change, error, status, method, url, action
    ):
        change(HIDE_FORBIDDEN=True)
        raising(error)
        hidden, missing = ask(method, url, paths[1]), ask(method, url, "/secret/nothing.txt")
        assert hidden.status_code == missing.status_code == 404
        assert hidden.content == missing.content
        assert hidden.headers == missing.headers
        assert refused == [(action, paths[1])]

    @pytest.mark.parametrize("hide", [True, False])
    def test_refused_file_is_not_in_a_list(
        self, raising, paths, change, refused, error, status, hide
    ):
        change(HIDE_FORBIDDEN=hide)
        raising(error)
        response = Client().get("/files/")
        assert [one["path"] for one in response.json()["results"]] == paths[:1]
        assert refused == []


@pytest.mark.parametrize(("error", "status"), FAILURES)
class TestFailures:
    @pytest.mark.parametrize("hide", [True, False])
    def test_failure_is_not_reported_as_a_refusal(
        self, raising, paths, change, refused, error, status, hide
    ):
        change(HIDE_FORBIDDEN=hide)
        raising(error)
        assert ask("get", "/files/", paths[1]).status_code == status
        assert Client().get("/files/").status_code == status
        assert refused == []

    def test_failure_is_the_same_for_missing_files(self, raising, change, error, status):
        change(HIDE_FORBIDDEN=True)
        raising(error)
        assert ask("get", "/files/", "/secret/nothing.txt").status_code == status
