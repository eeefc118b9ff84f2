"""The receivers in the documentation, and rows that are kept after a rollback."""

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.db import connections
from django.http import HttpResponse
from django.test import Client, RequestFactory
from rest_framework.exceptions import APIException
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request

from jobs.models import JobApply
from proxy_storage_api.signals import begins_download, file_refused, file_served
from proxy_storage_api.viewsets import FileViewSet
from proxy_storage_permissions import FilePermission, HasValidSignature, IsOwner, get_signed_url
from tests.testapp.models import Download

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
PAGE = Path(__file__).resolve().parents[3] / "docs/topics/api.md"
OwnersAndLinks = IsOwner("user") | HasValidSignature


@pytest.fixture
def file(log_in, change):
    change(DEFAULT_PERMISSION_CLASSES=[f"{__name__}.OwnersAndLinks"])
    application = JobApply(user=log_in("messi").user)
    application.resume.save("resume.txt", ContentFile(b"0123456789"))
    return application.resume


@pytest.fixture
def snippets():
    """The code of the page: a model and receivers."""
    text = PAGE.read_text().partition("\n## Audit trail\n")[2].partition("\n## ")[0]
    model, receivers = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return model, receivers


@pytest.fixture
def rows(snippets, monkeypatch):
    """Run the receivers of the page, and return the rows that they write."""
    letters = ModuleType("letters.models")
    letters.Download = Download
    monkeypatch.setitem(sys.modules, "letters.models", letters)
    before = {signal: list(signal.receivers) for signal in (file_served, file_refused)}
    namespace = {}
    exec(snippets[1], namespace)

    def get_rows():
        rows = Download.objects.order_by("pk")
        return [(row.user and row.user.username, row.by_link, row.is_allowed) for row in rows]

    yield get_rows
    for signal, receivers in before.items():
        signal.receivers = receivers
        signal.sender_receivers_cache.clear()


def read(response):
    status = response.status_code
    response.close()
    return status


def test_model_of_the_docs_equals_the_model_of_the_tests(snippets):
    assert snippets[0].rstrip().endswith(inspect.getsource(Download).rstrip())


class TestSnippet:
    def test_rows_have_user_path_and_result(self, file, rows, log_in):
        link = urlsplit(get_signed_url(file.storage.get_meta_backend_obj(file.name)).url)
        link = f"{link.path}?{link.query}"
        assert read(log_in("messi").get(file.url)) == 200
        assert read(Client().get(link)) == 200
        assert read(log_in("messi").get(link)) == 200
        assert read(log_in("ronaldo").get(file.url)) == 403
        assert read(Client().get(file.url)) == 403
        assert rows() == [
            ("messi", False, True),
            (None, True, True),
            ("messi", True, True),
            ("ronaldo", False, False),
            (None, False, False),
        ]
        assert {row.path for row in Download.objects.all()} == {file.name}

    def test_download_in_parts_writes_one_row(self, file, rows, log_in):
        client = log_in("messi")
        response = client.get(file.url)
        etag = response["ETag"]
        assert read(response) == 200
        for method, headers, status in (
            ("head", {}, 200),
            ("get", {"If-None-Match": etag}, 304),
            ("get", {"Range": "bytes=0-1"}, 206),
            ("get", {"Range": "bytes=4-7"}, 206),
            ("get", {"Range": "bytes=-4"}, 206),
            ("get", {"Range": "bytes=99-"}, 416),
        ):
            assert read(getattr(client, method)(file.url, headers=headers)) == status
        assert len(rows()) == 1
        assert read(client.get(file.url, headers={"Range": "bytes=0-"})) == 206
        assert len(rows()) == 2

    def test_authorize_writes_rows(self, file, rows, log_in):
        client = log_in("messi")
        assert client.get("/files/authorize/", {"path": file.name}).status_code == 204
        assert rows() == [("messi", False, True)]

    def test_row_without_user_if_the_project_has_no_anonymous_users(self, file, rows):
        class NoUser(BasePermission):
            def has_permission(self, request, view):
                request.user = None
                return True

        view = FileViewSet.as_view(
            {"get": "download"}, permission_classes=[NoUser, AllowAny], authentication_classes=[]
        )
        assert read(view(RequestFactory().get("/", {"path": file.name}))) == 200
        assert rows() == [(None, False, True)]


class TestBeginsDownload:
    @pytest.mark.parametrize(
        ("headers", "expected"),
        [
            ({}, True),
            ({"Range": "bytes=0-"}, True),
            ({"Range": "Bytes = 0-99"}, True),
            ({"Range": "bytes=0-0"}, True),
            ({"Range": "bytes=00-10"}, True),
            ({"Range": "bytes=0-1"}, False),
            ({"Range": "bytes=0-01"}, False),
            ({"Range": "bytes=1-"}, False),
            ({"Range": "bytes=-5"}, False),
            ({"If-None-Match": '"a"'}, False),
            ({"If-Modified-Since": "Thu, 29 Feb 2024 12:30:15 GMT"}, False),
        ],
    )
    @pytest.mark.parametrize("status", [200, 204, 206, 302])
    def test_depends_on_method_and_headers(self, headers, expected, status):
        request = RequestFactory().get("/", headers=headers)
        assert begins_download(request, HttpResponse(status=status)) is expected

    @pytest.mark.parametrize("status", [304, 412, 416])
    def test_response_without_the_file_is_not_a_download(self, status):
        assert not begins_download(RequestFactory().get("/"), HttpResponse(status=status))

    def test_conditional_request_for_a_changed_file_is_a_download(self, file, log_in):
        """The client has another version, so this response has the file."""
        responses = []
        file_served.connect(keep := lambda response, **kwargs: responses.append(response))
        try:
            headers = {"If-None-Match": '"other"'}
            assert read(log_in("messi").get(file.url, headers=headers)) == 200
        finally:
            file_served.disconnect(keep)
        assert begins_download(RequestFactory().get("/", headers=headers), responses[0])


class Writing(FilePermission):
    """A permission that writes a row before it denies, such as a counter of attempts."""

    def has_object_permission(self, request, view, obj):
        Group.objects.create(name="in the transaction")
        return request.user.username == "messi"


class TestAtomicRequests:
    @pytest.fixture(autouse=True)
    def atomic(self, monkeypatch, change):
        for alias in connections:
            monkeypatch.setitem(connections.settings[alias], "ATOMIC_REQUESTS", True)

    @pytest.fixture
    def written(self):
        def write(signal, request, record, **kwargs):
            Group.objects.create(name="refused" if signal is file_refused else "served")

        for signal in (file_served, file_refused):
            signal.connect(write)
        yield lambda: sorted(Group.objects.values_list("name", flat=True))
        for signal in (file_served, file_refused):
            signal.disconnect(write)

    @pytest.mark.parametrize("action", ["", "record/", "authorize/"])
    def test_rows_of_a_refusal_are_kept(self, file, written, log_in, change, action):
        change(DEFAULT_PERMISSION_CLASSES=[f"{__name__}.Writing"])
        assert read(log_in("ronaldo").get(f"/files/{action}", {"path": file.name})) == 403
        assert written() == ["refused"]

    def test_rows_of_a_hidden_refusal_are_kept(self, file, written, log_in, change):
        change(HIDE_FORBIDDEN=True)
        assert read(log_in("ronaldo").get(file.url)) == 404
        assert written() == ["refused"]

    def test_rows_of_a_refused_delete_are_kept(self, file, written, log_in, change):
        change(DELETE_PERMISSION_CLASSES=[f"{__name__}.Writing"])
        assert read(log_in("ronaldo").delete(file.url)) == 403
        assert written() == ["refused"]
        assert file.storage.exists(file.name)

    def test_rows_of_a_served_file_are_kept(self, file, written, log_in, change):
        change(DEFAULT_PERMISSION_CLASSES=[f"{__name__}.Writing"])
        assert read(log_in("messi").get(file.url)) == 200
        assert written() == ["in the transaction", "served"]

    def test_rows_of_an_error_are_rolled_back(self, file, written, log_in, change):
        def fail(**kwargs):
            raise RuntimeError("no place to write")

        change(DEFAULT_PERMISSION_CLASSES=[f"{__name__}.Writing"])
        file_served.connect(fail)
        try:
            client = log_in("messi", raise_request_exception=False)
            assert client.get(file.url).status_code == 500
        finally:
            file_served.disconnect(fail)
        assert written() == []


def test_refusal_outside_of_a_request_sends_the_signal_at_once(file, log_in):
    """A project may call check_object_permissions() in its own code."""
    received = []
    file_refused.connect(keep := lambda record, **kwargs: received.append(record["path"]))
    try:
        view = FileViewSet(action="retrieve", action_map={"get": "retrieve"})
        view.request = Request(RequestFactory().get("/"))
        with pytest.raises(APIException):
            view.check_object_permissions(
                view.request, file.storage.get_meta_backend_obj(file.name)
            )
        assert received == [file.name]
    finally:
        file_refused.disconnect(keep)
