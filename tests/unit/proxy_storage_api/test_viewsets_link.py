"""The action ``link``. The links themselves are tested with the permissions."""

from datetime import datetime
from time import time

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.test.utils import override_settings
from django.utils import timezone
from rest_framework.permissions import AllowAny, BasePermission, IsAdminUser, IsAuthenticated
from rest_framework.test import APIRequestFactory

from jobs.models import JobApply
from proxy_storage_api.viewsets import FileViewSet
from proxy_storage_permissions import HasValidSignature, links

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
AdminsAndLinks = IsAdminUser | HasValidSignature
KnownPeopleByLink = IsAdminUser | (HasValidSignature & IsAuthenticated)


@pytest.fixture
def admin(log_in, change):
    change(DEFAULT_PERMISSION_CLASSES=[f"{__name__}.AdminsAndLinks"])
    return log_in("admin")


@pytest.fixture
def path():
    storage = JobApply._meta.get_field("avatar").storage
    return storage.save("avatar.jpg", ContentFile(b"avatar"))


def ask(client, path, **body):
    return client.post("/files/link/", {"path": path, **body}, content_type="application/json")


@pytest.fixture
def expired(admin, path, monkeypatch):
    """The URL of an expired link."""
    url = ask(admin, path, max_age=60).json()["url"]
    monkeypatch.setattr(links, "time", lambda: time() + 61)
    return url


class TestExpired:
    def test_refusal_says_that_the_link_has_expired(self, expired, change):
        response = Client().get(expired)
        assert response.status_code == 403
        assert response.json() == {"detail": "This link has expired."}
        assert Client().head(expired).status_code == 403

    def test_another_permission_may_allow_the_file(self, expired, admin):
        response = admin.get(expired)
        assert response.status_code == 200
        response.close()

    def test_invalid_link_gets_a_usual_refusal(self, expired):
        response = Client().get(expired.replace("signature=", "signature=x"))
        assert "expired" not in response.json()["detail"]

    def test_hidden_file_is_not_found(self, expired, change):
        change(HIDE_FORBIDDEN=True)
        response = Client().get(expired)
        assert response.status_code == 404
        assert response.json() == Client().get("/files/?path=/nothing").json()

    def test_authorize_is_answered_with_403(self, expired):
        response = Client().get(expired.replace("/files/?", "/files/authorize/?"))
        assert (response.status_code, response.content) == (403, b"")

    def test_browsable_api_shows_the_form_with_405(self, admin):
        response = admin.get("/files/link/", headers={"accept": "text/html"})
        assert response.status_code == 405
        page = response.content.decode()
        for name in ("path", "storage", "disposition", "max_age", "only_me"):
            assert f'name="{name}"' in page

    def test_browsable_api_shows_the_fields_of_a_link(self, admin):
        page = admin.post("/files/link/", {}, headers={"accept": "text/html"})
        assert page.status_code == 400
        for name in ("path", "disposition", "max_age", "only_me"):
            assert f'name="{name}"' in page.content.decode()

    def test_browsable_api_accepts_the_form(self, admin, path):
        form = {"path": path, "storage": "", "disposition": "inline", "max_age": ""}
        assert open_link(admin.post("/files/link/", form)).status_code == 200


def open_link(response, client=None):
    assert response.status_code == 200, response.content
    opened = (client or Client()).get(response.json()["url"])
    b"".join(opened)
    return opened


def test_link_opens_the_file_for_all_requesters(admin, path, log_in):
    response = ask(admin, path)
    assert response["Cache-Control"] == "private, no-store"
    for client in (Client(), log_in("ronaldo"), admin):
        opened = open_link(response, client)
        assert opened.status_code == 200
        assert opened["Content-Disposition"].startswith("inline")


def test_response_has_the_expiry(admin, path):
    response = ask(admin, path, max_age=60)
    left = datetime.fromisoformat(response.json()["expires_at"]) - timezone.now()
    assert 0 < left.total_seconds() <= 60


def test_link_may_be_for_an_attachment(admin, path):
    opened = open_link(ask(admin, path, disposition="attachment"))
    assert opened["Content-Disposition"].startswith("attachment")


def test_changed_disposition_makes_the_link_invalid(admin, path):
    url = ask(admin, path, disposition="attachment").json()["url"]
    assert (
        Client().get(url.replace("disposition=attachment", "disposition=inline")).status_code == 403
    )
    assert Client().get(url.replace("&disposition=attachment", "")).status_code == 403
    assert Client().get(url + "&disposition=inline").status_code == 403


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"path": None}, "path"),
        ({"path": ["/a"]}, "path"),
        ({"path": "a\0"}, "path"),
        ({"path": "\ud800"}, "path"),
        ({"max_age": 0}, "max_age"),
        ({"max_age": 3601}, "max_age"),
        ({"max_age": "long"}, "max_age"),
        ({"disposition": "x"}, "disposition"),
        ({"only_me": "perhaps"}, "only_me"),
    ],
)
def test_invalid_value_is_refused(admin, path, body, key):
    response = ask(admin, **{"path": path, **body})
    assert response.status_code == 400
    assert set(response.json()) == {key}


def test_longest_lifetime_is_that_of_the_setting(admin, path, change):
    change(LINK_MAX_AGE=10)
    assert ask(admin, path, max_age=11).status_code == 400
    assert ask(admin, path, max_age=10).status_code == 200


def test_link_is_refused_if_permissions_do_not_accept_links(admin, path, change):
    change(DEFAULT_PERMISSION_CLASSES=["rest_framework.permissions.IsAdminUser"])
    response = ask(admin, path)
    assert response.status_code == 403
    assert response.json() == {"detail": "Links to this file are not accepted."}


def test_link_that_needs_a_log_in_must_be_for_the_requester(admin, path, change, log_in):
    change(DEFAULT_PERMISSION_CLASSES=[f"{__name__}.KnownPeopleByLink"])
    # Anonymous requests could not open it.
    assert ask(admin, path).status_code == 403
    response = ask(admin, path, only_me=True)
    assert open_link(response, admin).status_code == 200
    assert open_link(response, log_in("ronaldo")).status_code == 403


def test_link_for_an_anonymous_user_is_invalid(change, path):
    change(DEFAULT_PERMISSION_CLASSES=["rest_framework.permissions.AllowAny"])
    response = ask(Client(), path, only_me=True)
    assert response.status_code == 400
    assert set(response.json()) == {"only_me"}


def test_link_without_anonymous_user_of_the_project(path):
    view = FileViewSet.as_view(
        {"get": "list", "post": "link"}, permission_classes=[AllowAny], authentication_classes=[]
    )

    def ask_without_user(**body):
        request = APIRequestFactory().post("/", {"path": path, **body}, format="json")
        with override_settings(REST_FRAMEWORK={"UNAUTHENTICATED_USER": None}):
            return view(request)

    assert ask_without_user(only_me=True).status_code == 400
    assert ask_without_user().status_code == 200


class HasSession(BasePermission):
    def has_object_permission(self, request, view, obj):
        return "unlocked" in request.session or "sessionid" in request.COOKIES


def test_session_of_the_requester_is_not_used_for_the_check(admin, path, change):
    session = admin.session
    session["unlocked"] = True
    session.save()
    change(DEFAULT_PERMISSION_CLASSES=[f"{__name__}.HasSession"])
    assert admin.get("/files/record/", {"path": path}).status_code == 200
    assert ask(admin, path).status_code == 403


def test_refusal_without_anonymous_user_of_the_project(path, change):
    view = FileViewSet.as_view(
        {"get": "list"}, permission_classes=[HasValidSignature], authentication_classes=[]
    )
    with override_settings(REST_FRAMEWORK={"UNAUTHENTICATED_USER": None}):
        response = view(APIRequestFactory().get("/", {"path": path}))
    assert response.status_code == 403


def test_file_of_another_storage_is_not_found(admin, path):
    assert ask(admin, path, storage="gridfs_proxy_storage").status_code == 404
    assert ask(admin, path, storage="file_system_proxy_storage").status_code == 200
