"""``POST link/``; what a link is good for is said by the tests of links."""

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
    """The URL of a link that has expired."""
    url = ask(admin, path, max_age=60).json()["url"]
    monkeypatch.setattr(links, "time", lambda: time() + 61)
    return url


class TestExpired:
    def test_link_says_so(self, expired, change):
        response = Client().get(expired)
        assert response.status_code == 403
        assert response.json() == {"detail": "This link has expired."}
        assert Client().head(expired).status_code == 403

    def test_another_rule_may_allow_it(self, expired, admin):
        response = admin.get(expired)
        assert response.status_code == 200
        response.close()

    def test_false_link_says_nothing(self, expired):
        response = Client().get(expired.replace("signature=", "signature=x"))
        assert "expired" not in response.json()["detail"]

    def test_nothing_is_said_of_hidden_files(self, expired, change):
        change(HIDE_FORBIDDEN=True)
        response = Client().get(expired)
        assert response.status_code == 404
        assert response.json() == Client().get("/files/?path=/nothing").json()

    def test_web_servers_are_told_by_the_status_that_they_know(self, expired):
        response = Client().get(expired.replace("/files/?", "/files/authorize/?"))
        assert (response.status_code, response.content) == (403, b"")

    def test_browser_gets_the_form_with_the_refusal_of_get(self, admin):
        response = admin.get("/files/link/", headers={"accept": "text/html"})
        assert response.status_code == 405
        page = response.content.decode()
        for name in ("path", "storage", "disposition", "max_age", "only_me"):
            assert f'name="{name}"' in page

    def test_form_of_the_browsable_api(self, admin):
        page = admin.post("/files/link/", {}, headers={"accept": "text/html"})
        assert page.status_code == 400
        for name in ("path", "disposition", "max_age", "only_me"):
            assert f'name="{name}"' in page.content.decode()

    def test_form_that_is_sent(self, admin, path):
        form = {"path": path, "storage": "", "disposition": "inline", "max_age": ""}
        assert open_link(admin.post("/files/link/", form)).status_code == 200


def open_link(response, client=None):
    assert response.status_code == 200, response.content
    opened = (client or Client()).get(response.json()["url"])
    b"".join(opened)
    return opened


def test_link_opens_the_file_for_everybody(admin, path, log_in):
    response = ask(admin, path)
    assert response["Cache-Control"] == "private, no-store"
    for client in (Client(), log_in("ronaldo"), admin):
        opened = open_link(response, client)
        assert opened.status_code == 200
        assert opened["Content-Disposition"].startswith("inline")


def test_it_tells_when_it_ends(admin, path):
    response = ask(admin, path, max_age=60)
    left = datetime.fromisoformat(response.json()["expires_at"]) - timezone.now()
    assert 0 < left.total_seconds() <= 60


def test_attachment(admin, path):
    opened = open_link(ask(admin, path, disposition="attachment"))
    assert opened["Content-Disposition"].startswith("attachment")


def test_disposition_cannot_be_changed(admin, path):
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
def test_what_cannot_be_asked_for(admin, path, body, key):
    response = ask(admin, **{"path": path, **body})
    assert response.status_code == 400
    assert set(response.json()) == {key}


def test_longest_age_is_the_projects(admin, path, change):
    change(LINK_MAX_AGE=10)
    assert ask(admin, path, max_age=11).status_code == 400
    assert ask(admin, path, max_age=10).status_code == 200


def test_no_link_where_links_are_not_accepted(admin, path, change):
    change(DEFAULT_PERMISSION_CLASSES=["rest_framework.permissions.IsAdminUser"])
    response = ask(admin, path)
    assert response.status_code == 403
    assert response.json() == {"detail": "Links to this file are not accepted."}


def test_link_that_only_those_who_are_known_can_use(admin, path, change, log_in):
    change(DEFAULT_PERMISSION_CLASSES=[f"{__name__}.KnownPeopleByLink"])
    # it would open nothing for those who are not logged in
    assert ask(admin, path).status_code == 403
    response = ask(admin, path, only_me=True)
    assert open_link(response, admin).status_code == 200
    assert open_link(response, log_in("ronaldo")).status_code == 403


def test_nobody_is_no_user_to_make_a_link_for(change, path):
    change(DEFAULT_PERMISSION_CLASSES=["rest_framework.permissions.AllowAny"])
    response = ask(Client(), path, only_me=True)
    assert response.status_code == 400
    assert set(response.json()) == {"only_me"}


def test_where_the_project_has_no_user_for_strangers(path):
    view = FileViewSet.as_view(
        {"get": "list", "post": "link"}, permission_classes=[AllowAny], authentication_classes=[]
    )

    def ask_as_nobody(**body):
        request = APIRequestFactory().post("/", {"path": path, **body}, format="json")
        with override_settings(REST_FRAMEWORK={"UNAUTHENTICATED_USER": None}):
            return view(request)

    assert ask_as_nobody(only_me=True).status_code == 400
    assert ask_as_nobody().status_code == 200


class HasSession(BasePermission):
    def has_object_permission(self, request, view, obj):
        return "unlocked" in request.session or "sessionid" in request.COOKIES


def test_link_is_tried_without_what_the_requester_brings(admin, path, change):
    session = admin.session
    session["unlocked"] = True
    session.save()
    change(DEFAULT_PERMISSION_CLASSES=[f"{__name__}.HasSession"])
    assert admin.get("/files/record/", {"path": path}).status_code == 200
    assert ask(admin, path).status_code == 403


def test_refusal_where_the_project_has_no_user_for_strangers(path, change):
    view = FileViewSet.as_view(
        {"get": "list"}, permission_classes=[HasValidSignature], authentication_classes=[]
    )
    with override_settings(REST_FRAMEWORK={"UNAUTHENTICATED_USER": None}):
        response = view(APIRequestFactory().get("/", {"path": path}))
    assert response.status_code == 403


def test_of_another_storage(admin, path):
    assert ask(admin, path, storage="gridfs_proxy_storage").status_code == 404
    assert ask(admin, path, storage="file_system_proxy_storage").status_code == 200
