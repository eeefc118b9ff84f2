"""``Cache-Control``: files are revalidated, and all other responses are not stored."""

import json
from base64 import b64encode
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.response import Response

from jobs.models import JobApply
from proxy_storage.exceptions import MetaBackendUnavailable
from proxy_storage.meta_backends.base import MetaBackendBase
from proxy_storage_api.viewsets import FileViewSet

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
FILE, ANYTHING_ELSE = "private, no-cache", "private, no-store"
MIDDLEWARE = [
    "django.middleware.cache.UpdateCacheMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.cache.FetchFromCacheMiddleware",
]


@pytest.fixture
def messi(log_in):
    return log_in("messi")


@pytest.fixture
def path(messi):
    application = JobApply(user=messi.user)
    application.resume.save("cv.txt", ContentFile(b"0123456789"))
    return application.resume.name


@pytest.fixture
def query(path):
    return {"path": path}


def get_names(header):
    return {name.strip().lower() for name in header.split(",")}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Range": "bytes=2-4"}, 206),
        ({"Range": "bytes=99-"}, 416),
        ({"If-None-Match": "*"}, 304),
    ],
)
@pytest.mark.parametrize("accept", ["*/*", "text/html", "image/*", "application/json"])
def test_file_is_revalidated_by_private_caches(messi, query, headers, status, accept):
    response = messi.get("/files/", query, headers={"Accept": accept, **headers})
    response.close()
    assert response.status_code == status
    assert response["Cache-Control"] == FILE
    # The file does not depend on Accept, and does depend on the session.
    assert get_names(response["Vary"]) == {"cookie"}


def test_setting_changes_the_header_of_files(messi, query, change):
    change(CACHE_CONTROL={"gridfs_proxy_storage": "private, max-age=60"})
    for headers in ({}, {"If-None-Match": "*"}, {"Range": "bytes=2-4"}):
        response = messi.get("/files/", query, headers=headers)
        response.close()
        assert response["Cache-Control"] == "private, max-age=60"
    assert Client().get("/files/", query)["Cache-Control"] == ANYTHING_ELSE


@pytest.mark.parametrize(
    ("headers", "status"), [({"If-None-Match": "*"}, 304), ({"If-Match": '"another"'}, 412)]
)
def test_304_has_the_current_policy(messi, query, change, headers, status):
    """A browser keeps the headers of its copy unless a 304 has others."""
    for ancestors in (["'self'"], ["'none'"]):
        change(FRAME_ANCESTORS=ancestors)
        response = messi.get("/files/", query, headers=headers)
        assert response.status_code == status
        assert f"frame-ancestors {ancestors[0]}" in response["Content-Security-Policy"]
        assert response["X-Content-Type-Options"] == "nosniff"


class TestOtherResponses:
    def test_records_and_links_are_not_stored(self, messi, query):
        for response in (
            messi.get("/files/"),
            messi.get("/files/record/", query),
            messi.post("/files/link/", query),
            messi.options("/files/"),
        ):
            assert response["Cache-Control"] == ANYTHING_ELSE

    def test_refusals_are_not_stored(self, messi, log_in, query):
        for client in (messi, log_in("ronaldo"), Client()):
            for response in (
                client.get("/files/", {"path": "/nothing.txt"}),
                client.get("/files/record/"),
                client.get("/files/", {**query, "disposition": "x"}),
                client.post("/files/link/", {}),
                client.put("/files/"),
                client.delete("/files/", query_params=query),
                client.get("/files/", query, headers={"If-Match": '"another"'}),
            ):
                assert response.status_code >= 400
                assert response["Cache-Control"] == ANYTHING_ELSE
        assert Client().get("/files/", query)["Cache-Control"] == ANYTHING_ELSE

    @pytest.mark.parametrize("accept", ["application/json", "text/html"])
    @pytest.mark.parametrize("who", ["messi", "anonymous"])
    def test_malformed_requests_are_not_stored(self, messi, change, caplog, accept, who):
        change(UPLOAD_PERMISSION_CLASSES=[AllowAny], UPLOAD_STORAGES=["orm_disk"])
        change(DELETE_PERMISSION_CLASSES=[AllowAny])
        client = Client(enforce_csrf_checks=True, headers={"accept": accept})
        if who == "messi":
            client.cookies = messi.cookies
            # Django looks for the CSRF token in the body.
            client.cookies["csrftoken"] = "a" * 32
        many = dict.fromkeys(map(str, range(1001)), "x")
        form = {"data": urlencode(many), "content_type": "application/x-www-form-urlencoded"}
        file = {"file": ContentFile(b"", name="a.txt")}
        for response in (
            client.get("/files/", many),
            client.head("/files/", many),
            client.get("/files/record/", many),
            client.delete("/files/", query_params=many),
            client.options("/files/", query_params=many),
            client.post("/files/link/", {"path": "/a"}, query_params=many),
            client.post("/files/link/", **form),
            client.post("/files/", {**many, **file}),
        ):
            assert response.status_code == 400
            assert response["Cache-Control"] == ANYTHING_ELSE
        assert client.get("/files/authorize/", many)["Cache-Control"] == "no-store"
        # As in a response of Django itself.
        names = {record.name for record in caplog.records}
        assert "django.security.TooManyFieldsSent" in names

    def test_disallowed_host_is_400_and_not_stored(self, messi, query):
        response = messi.get("/files/record/", query, headers={"host": "elsewhere.example"})
        assert (response.status_code, response["Cache-Control"]) == (400, ANYTHING_ELSE)
        assert b"elsewhere" not in response.content

    def test_503_is_not_stored(self, messi, query, monkeypatch):
        def get(self, path):
            raise MetaBackendUnavailable("The database is not running.")

        monkeypatch.setattr(MetaBackendBase, "get", get)
        response = messi.get("/files/", query)
        assert (response.status_code, response["Cache-Control"]) == (503, ANYTHING_ELSE)

    def test_uploads_and_deletes_are_not_stored(self, log_in, change):
        allowed = ["rest_framework.permissions.IsAdminUser"]
        change(
            UPLOAD_PERMISSION_CLASSES=allowed,
            UPLOAD_STORAGES=["orm-disk"],
            DELETE_PERMISSION_CLASSES=allowed,
        )
        admin = log_in("admin")
        file = SimpleUploadedFile("a.txt", b"a")
        created = admin.post("/files/", {"storage": "orm-disk", "file": file})
        assert (created.status_code, created["Cache-Control"]) == (201, ANYTHING_ELSE)
        query = {"path": created.json()["path"]}
        removed = admin.delete("/files/", query_params=query)
        assert (removed.status_code, removed["Cache-Control"]) == (204, ANYTHING_ELSE)

    def test_authorize_is_not_stored(self, messi, query):
        for client, status in ((messi, 204), (Client(), 403)):
            response = client.get("/files/authorize/", query)
            assert response.status_code == status
            assert "no-store" in response["Cache-Control"]
            assert "accept" not in get_names(response.get("Vary", ""))

    def test_header_of_a_subclass_is_kept(self, rf):
        class Files(FileViewSet):
            permission_classes = []

            def list(self, request):
                return Response([], headers={"Cache-Control": "private, max-age=5"})

            def retrieve(self, request):
                raise NotFound

        request = rf.get("/files/")
        request.session = {}
        response = Files.as_view({"get": "list"})(request)
        assert response["Cache-Control"] == "private, max-age=5"
        response = Files.as_view({"get": "record"})(request)
        assert response["Cache-Control"] == ANYTHING_ELSE


class TestCacheOfTheSite:
    """Django's cache middleware, with users whose requests have no cookie."""

    @pytest.fixture(autouse=True)
    def _site(self, settings, monkeypatch):
        settings.MIDDLEWARE = MIDDLEWARE
        monkeypatch.setattr(FileViewSet, "authentication_classes", [BasicAuthentication])
        cache.clear()
        yield
        cache.clear()

    @pytest.fixture
    def ask(self, path):
        User.objects.create_user("ronaldo", password="ronaldo")
        user = User.objects.get(username="messi")
        user.set_password("messi")
        user.save()

        def ask(who, url, **query):
            credentials = b64encode(f"{who}:{who}".encode()).decode()
            return Client().get(url, query, headers={"Authorization": f"Basic {credentials}"})

        return ask

    def test_list_is_not_shared_between_users(self, ask, path):
        assert json.loads(ask("messi", "/files/").content)["count"] == 1
        assert json.loads(ask("ronaldo", "/files/").content)["count"] == 0

    @pytest.mark.parametrize("url", ["/files/", "/files/record/"])
    @pytest.mark.parametrize("order", [("messi", "ronaldo"), ("ronaldo", "messi")])
    def test_file_and_refusal_are_not_shared_between_users(self, ask, path, url, order):
        expected = {"messi": 200, "ronaldo": 403}
        for who in order:
            response = ask(who, url, path=path)
            response.close()
            assert response.status_code == expected[who]


@pytest.mark.parametrize("url", ["/files/", "/files/authorize/"])
@pytest.mark.parametrize(
    ("ancestors", "frame_options"),
    [(["'self'"], "SAMEORIGIN"), (["'none'"], "DENY"), (["https://app.example"], None)],
)
def test_framing_headers_follow_the_setting(
    messi, query, change, settings, url, ancestors, frame_options
):
    """XFrameOptionsMiddleware changes other pages only."""
    settings.MIDDLEWARE = MIDDLEWARE
    change(FRAME_ANCESTORS=ancestors)
    response = messi.get(url, query)
    response.close()
    assert response.get("X-Frame-Options") == frame_options
    assert f"frame-ancestors {ancestors[0]}" in response["Content-Security-Policy"]
    assert messi.get("/files/record/", query)["X-Frame-Options"] == "DENY"
