"""The log of refused requests: user, path, action, and the rules that have refused them."""

import re
import sys

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.permissions import AllowAny, BasePermission, IsAdminUser, IsAuthenticated

from jobs.models import JobApply
from jobs.permissions import JobApplyFiles
from proxy_storage_api.viewsets import FileViewSet
from proxy_storage_permissions import CanReadSource, FilePermission, IsOwner

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
STAFF = [IsAuthenticated & IsAdminUser]


class Raises(BasePermission):
    def has_permission(self, request, view):
        raise PermissionDenied


class Unclear(FilePermission):
    def has_object_permission(self, request, view, obj):
        return "yes"


class OnlyRecords(FilePermission):
    """Allow what is not a download."""

    def has_object_permission(self, request, view, obj):
        return view.action != "download"


@pytest.fixture
def logged(caplog):
    def get():
        return [one.getMessage() for one in caplog.records if one.name == "proxy_storage_api"]

    return get


@pytest.fixture
def resume(log_in):
    application = JobApply(user=log_in("messi").user)
    application.resume.save("messi_resume.txt", ContentFile(b"resume"))
    return application.resume


@pytest.mark.parametrize(
    ("url", "action"),
    [
        ("/files/", "list"),
        ("/files/?path=a%0Ab&signature=secret", r"download of 'a\nb'"),
        ("/files/a/b%0A.txt?signature=secret", r"download of 'a/b\n.txt'"),
        ("/files/record/?path=a", "retrieve of 'a'"),
        ("/files/authorize/?path=a", "authorize of 'a'"),
        ("/files/authorize/", "authorize"),
    ],
)
def test_refusal_before_a_record_is_looked_up(change, log_in, logged, url, action):
    change(DEFAULT_PERMISSION_CLASSES=STAFF)
    ronaldo = log_in("ronaldo")
    ronaldo.get(url)
    Client().get(url)
    assert logged() == [
        f"{action} was refused to user {ronaldo.user.pk} by IsAdminUser.",
        f"{action} was refused to an anonymous user by IsAuthenticated.",
    ]


def test_refusal_by_an_exception(change, logged):
    change(DEFAULT_PERMISSION_CLASSES=[Raises])
    assert Client().get("/files/?path=a").status_code == 403
    assert logged() == [
        "download of 'a' was refused to an anonymous user by Raises (raised PermissionDenied)."
    ]


def test_error_of_a_rule(change, resume, logged):
    change(DEFAULT_PERMISSION_CLASSES=[Unclear | IsAdminUser])
    assert Client().get(resume.url).status_code == 403
    error, message = logged()
    assert error.startswith("A permission cannot decide. Access denied. Unclear.")
    assert message == (
        f"download of {resume.name!r} was refused to an anonymous user by "
        "Unclear (raised RuleError)."
    )


def test_anonymous_list(change, logged):
    change(DEFAULT_PERMISSION_CLASSES=[AllowAny], ANONYMOUS_LISTS=False)
    assert Client().get("/files/").status_code == 403
    assert logged() == ["list was refused to an anonymous user by the setting ANONYMOUS_LISTS."]


def test_client_target_of_authorize(change, logged):
    change(DEFAULT_PERMISSION_CLASSES=STAFF, AUTHORIZE_URI_HEADER="X-Original-URI")
    headers = {"X-Original-URI": "/secret.txt?path=other"}
    assert Client().get("/files/authorize/?storage=orm_disk", headers=headers).status_code == 403
    assert logged() == [
        "authorize of '/secret.txt' was refused to an anonymous user by IsAuthenticated."
    ]


def test_link_that_would_not_be_accepted(change, log_in, logged, resume):
    change(DEFAULT_PERMISSION_CLASSES=[OnlyRecords])
    messi = log_in("messi")
    assert messi.post("/files/link/", {"path": resume.name}).status_code == 403
    assert logged() == [
        f"link of {resume.name!r} was refused to user {messi.user.pk} by OnlyRecords."
    ]


@pytest.mark.parametrize("checks_token", [True, False])
def test_upload_is_logged_once(change, log_in, logged, checks_token):
    change(UPLOAD_PERMISSION_CLASSES=STAFF, UPLOAD_STORAGES=["orm_disk"])
    client = log_in("ronaldo", enforce_csrf_checks=checks_token)
    client.cookies["csrftoken"] = "a" * 32  # The token is in the body, or missing.
    data = {"storage": "orm_disk", "file": SimpleUploadedFile("a.txt", b"")}
    assert client.post("/files/", data).status_code == 403
    assert logged() == [f"create was refused to user {client.user.pk} by IsAdminUser."]


def test_refused_actions_that_are_not_requested_are_not_logged(change, log_in, logged):
    """OPTIONS and the browsable API check which forms they may show."""
    change(
        DEFAULT_PERMISSION_CLASSES=[AllowAny],
        UPLOAD_PERMISSION_CLASSES=STAFF,
        UPLOAD_STORAGES=["orm_disk"],
    )
    client = log_in("ronaldo")
    assert client.options("/files/").status_code == 200
    assert client.get("/files/", headers={"Accept": "text/html"}).status_code == 200
    assert logged() == []


def test_requester_of_another_model(change, resume, rf, logged):
    change(DEFAULT_PERMISSION_CLASSES=[IsOwner])
    request = rf.get(resume.url)
    request.user = request._force_auth_user = JobApply.objects.get()
    request.user.is_authenticated = True
    assert FileViewSet.as_view({"get": "list"})(request).status_code == 403
    assert logged() == [
        f"download of {resume.name!r} was refused to jobs.jobapply {request.user.pk} by "
        "IsOwner('user')."
    ]


def test_refusal_of_a_derived_file_contains_the_field_of_its_source(resume, log_in, logged, change):
    source = CanReadSource(re.compile(r"(?P<source>.+)\.small"), JobApplyFiles)
    change(DEFAULT_PERMISSION_CLASSES=[source])
    name = resume.storage.save("messi_resume.txt.small", ContentFile(b"small"))
    assert log_in("ronaldo").get("/files/", {"path": name}).status_code == 403
    (message,) = logged()
    assert message.partition(" by ")[2] == (
        "CanReadSource(_SourceByPattern, JobApplyFiles) (JobApplyFiles['resume'] "
        "(IsOwner('user'), IsAdminUser, HasValidSignature))."
    )


def test_project_that_overrides_the_evaluation(resume, rf, logged):
    class Project(FileViewSet):
        def _find_refusing(self, record):
            return AllowAny()

    request = rf.get(resume.url)
    view = Project.as_view({"get": "list"}, permission_classes=[AllowAny])
    assert view(request).status_code == 403
    (message,) = logged()
    assert message.startswith(f"download of {resume.name!r} was refused to an anonymous user by ")


def test_refusal_makes_no_query_for_the_log(log_in, resume, monkeypatch):
    ronaldo = log_in("ronaldo")

    def count():
        with CaptureQueriesContext(connection) as captured:
            assert ronaldo.get(resume.url).status_code == 403
        return len(captured)

    count()
    with_rules = count()
    monkeypatch.setattr("proxy_storage_api.generics.get_refusing_permissions", lambda *args: "a")
    assert count() == with_rules


def test_download_makes_no_explanation(log_in, resume):
    messi, called = log_in("messi"), set()

    def record(frame, event, argument):
        called.add(frame.f_code.co_filename.rpartition("/")[2])

    sys.setprofile(record)
    try:
        response = messi.get(resume.url)
    finally:
        sys.setprofile(None)
    assert response.status_code == 200
    response.close()
    assert "generics.py" in called
    assert "explanation.py" not in called
