"""The action ``link`` checks the permissions for a request that opens the link."""

import asyncio
import logging
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import PermissionDenied
from django.core.files.base import ContentFile
from django.http import Http404
from django.test import AsyncClient, AsyncRequestFactory, Client, RequestFactory
from django.utils.decorators import sync_and_async_middleware
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny, BasePermission, IsAdminUser
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory, force_authenticate

from jobs.models import JobApply
from proxy_storage_api.links import make_link_request
from proxy_storage_api.signals import file_refused
from proxy_storage_api.viewsets import FileViewSet
from proxy_storage_permissions import FilePermission, HasValidSignature
from tests.testapp.models import Team

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
REFUSAL = {"detail": "Links to this file are not accepted."}
LINK = "http://testserver/files/?path=%2Fa%20b&expires=1&signature=x"


@sync_and_async_middleware
def tenants(get_response):
    """A middleware like that of django-tenants."""
    if asyncio.iscoroutinefunction(get_response):

        async def middleware(request):
            request.tenant = "acme"
            return await get_response(request)

        return middleware

    def middleware(request):
        request.tenant = "acme"
        return get_response(request)

    return middleware


class OfTheTenant(BasePermission):
    def has_permission(self, request, view):
        return request.tenant == view.request.tenant == "acme"


class HasKey(BasePermission):
    def has_permission(self, request, view):
        return request.headers.get("X-Api-Key") == "secret"


class LooksAtTheView(BasePermission):
    """A permission that uses the request of the view."""

    def has_permission(self, request, view):
        return view.request.user.is_staff or view.request.query_params.get("signature") is not None


StaffAndLinks = IsAdminUser | HasValidSignature


@pytest.fixture
def admin(log_in):
    return log_in("admin")


@pytest.fixture
def path():
    storage = JobApply._meta.get_field("avatar").storage
    return storage.save("avatar.jpg", ContentFile(b"avatar"))


def ask(client, path, headers=None, **body):
    return client.post(
        "/files/link/", {"path": path, **body}, content_type="application/json", headers=headers
    )


class TestMiddleware:
    @pytest.fixture(autouse=True)
    def rules(self, change, settings):
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.tenants"]
        change(DEFAULT_PERMISSION_CLASSES=[OfTheTenant, StaffAndLinks])

    def test_middleware_is_not_run_again(self, admin, path):
        response = ask(admin, path)
        assert response.status_code == 200
        assert b"".join(Client().get(response.json()["url"])) == b"avatar"

    @pytest.mark.django_db(databases=["default", "other"], transaction=True)
    def test_middleware_is_not_run_again_under_asgi(self, path):
        user = User.objects.create(username="admin", is_staff=True)

        async def post():
            client = AsyncClient()
            await client.aforce_login(user)
            return await client.post(
                "/files/link/", {"path": path}, content_type="application/json"
            )

        response = asyncio.run(post())
        assert response.status_code == 200
        assert b"".join(Client().get(response.json()["url"])) == b"avatar"


def test_headers_of_the_requester_are_ignored(admin, path, change):
    change(DEFAULT_PERMISSION_CLASSES=[HasKey, StaffAndLinks])
    headers = {"X-Api-Key": "secret"}
    for body in ({}, {"only_me": True}):
        response = ask(admin, path, headers, **body)
        assert (response.status_code, response.json()) == (403, REFUSAL)


def test_view_has_the_request_of_the_link(admin, path, change):
    change(DEFAULT_PERMISSION_CLASSES=[LooksAtTheView, StaffAndLinks])
    assert ask(admin, path).status_code == 200
    change(DEFAULT_PERMISSION_CLASSES=[LooksAtTheView])
    assert ask(admin, path).status_code == 200
    assert ask(Client(), path).status_code == 403


class ForStaff(FilePermission):
    """Return or raise the value of the test for all others."""

    answer = error = None

    def has_object_permission(self, request, view, obj):
        if request.user and request.user.is_staff:
            return True
        if self.error is not None:
            raise self.error
        return self.answer


class TestRefusals:
    @pytest.fixture
    def refused(self):
        received = []

        def receive(action, **kwargs):
            received.append(action)

        file_refused.connect(receive)
        yield received
        file_refused.disconnect(receive)

    @pytest.mark.parametrize("hide", [True, False])
    def test_permission_that_cannot_decide_refuses_the_link(
        self, admin, path, change, caplog, hide
    ):
        change(DEFAULT_PERMISSION_CLASSES=[ForStaff], HIDE_FORBIDDEN=hide)
        with caplog.at_level(logging.ERROR, "proxy_storage_api"):
            response = ask(admin, path)
        assert (response.status_code, response.json()) == (403, REFUSAL)
        assert "A permission cannot decide. Access denied. ForStaff" in caplog.text

    @pytest.mark.parametrize(
        "error",
        [
            exceptions.PermissionDenied("Not for you."),
            exceptions.NotAuthenticated(),
            exceptions.NotFound(),
            exceptions.ValidationError("no"),
            Http404(),
            PermissionDenied(),
        ],
    )
    @pytest.mark.parametrize("hide", [True, False])
    def test_permission_that_raises_a_refusal_refuses_the_link(
        self, admin, path, change, monkeypatch, refused, error, hide
    ):
        change(DEFAULT_PERMISSION_CLASSES=[ForStaff], HIDE_FORBIDDEN=hide)
        monkeypatch.setattr(ForStaff, "error", error)
        response = ask(admin, path)
        assert (response.status_code, response.json()) == (403, REFUSAL)
        # The requester may read the file.
        assert refused == []

    def test_failure_of_a_permission_is_raised(self, admin, path, change, monkeypatch):
        change(DEFAULT_PERMISSION_CLASSES=[ForStaff])
        monkeypatch.setattr(ForStaff, "error", KeyError("x"))
        with pytest.raises(KeyError):
            ask(admin, path)


class Terminal(Team):
    is_authenticated = True

    class Meta:
        proxy = True
        app_label = "testapp"


class SetsRequester(BaseAuthentication):
    requester = None

    def authenticate(self, request):
        return self.requester, None


@pytest.mark.parametrize(
    ("requester", "status"),
    [
        ({"sub": 1}, 400),
        ("owner", 400),
        (7, 400),
        (SimpleNamespace(is_authenticated=True), 400),
        (SimpleNamespace(is_authenticated=True, username="token"), 400),
        (SimpleNamespace(is_authenticated=True, username="token", pk="5"), 200),
        (Terminal(pk=1), 200),
    ],
)
def test_link_for_a_requester_of_another_model(path, monkeypatch, requester, status):
    monkeypatch.setattr(SetsRequester, "requester", requester)

    class View(FileViewSet):
        authentication_classes = [SetsRequester]
        permission_classes = [AllowAny]

    def post(**body):
        request = APIRequestFactory().post("/", {"path": path, **body}, format="json")
        return View.as_view({"post": "link"})(request).status_code

    assert post() == 200
    assert post(only_me=True) == status


class TestRequest:
    """The copy of a request that permissions get."""

    HEADERS = {
        "cookie": "sessionid=s",
        "authorization": "Token t",
        "accept": "text/html",
        "x-api-key": "secret",
        "remote-user": "admin",
        "x-forwarded-proto": "https",
        "x-forwarded-for": "192.0.2.1",
        "x-forwarded-user": "admin",
        "x-forwarded-access-token": "t",
        "x-sendfile-type": "X-Accel-Redirect",
    }

    @pytest.fixture(params=[RequestFactory, AsyncRequestFactory])
    def request_of_user(self, request):
        made = request.param().post(
            "/files/link/?a=1", {"path": "/a"}, "application/json", headers=self.HEADERS
        )
        made.META |= {
            "HTTP_HOST": "testserver",
            "REMOTE_USER": "admin",
            "REMOTE_ADDR": "192.0.2.7",
            "AUTH_TYPE": "Basic",
            "SSL_CLIENT_S_DN": "CN=admin",
            "CSRF_COOKIE": "c",
        }
        made.user = made._cached_user = made._acached_user = User(pk=1, is_staff=True)
        made.auser = lambda: made.user
        made.auth = "token"
        made.session = SessionStore("s")
        made.session["unlocked"] = True
        made.tenant = "acme"
        # Attributes that are computed from the headers.
        assert made.headers["X-Api-Key"] == "secret"
        assert made.accepted_types
        assert "sessionid" in made.COOKIES
        assert made.GET["a"] == "1"
        return made

    def test_request_has_method_path_and_query_of_the_link(self, request_of_user):
        asked = make_link_request(request_of_user, LINK)
        assert type(asked) is type(request_of_user)
        assert asked.method == asked.META["REQUEST_METHOD"] == "GET"
        assert asked.path == asked.path_info == asked.META["PATH_INFO"] == "/files/"
        assert asked.GET.dict() == {"path": "/a b", "expires": "1", "signature": "x"}
        assert asked.META["QUERY_STRING"] == "path=%2Fa%20b&expires=1&signature=x"
        assert asked.tenant == "acme"
        assert asked.get_host() == "testserver"
        assert asked.build_absolute_uri("/") == "http://testserver/"
        assert asked.META["REMOTE_ADDR"] == "192.0.2.7"

    def test_request_has_no_data_of_the_requester(self, request_of_user):
        asked = make_link_request(request_of_user, LINK)
        assert set(asked.headers) == {
            "Host",
            "X-Forwarded-For",
            "X-Forwarded-Proto",
            "X-Sendfile-Type",
        }
        assert [one.main_type for one in asked.accepted_types] == ["*"]
        assert asked.META.keys().isdisjoint(
            {"REMOTE_USER", "AUTH_TYPE", "SSL_CLIENT_S_DN", "CSRF_COOKIE", "CONTENT_TYPE"}
        )
        assert asked.COOKIES == {}
        assert type(asked.session) is SessionStore
        assert list(asked.session.keys()) == []
        for name in ("user", "auser", "auth", "_cached_user", "_acached_user"):
            assert not hasattr(asked, name)
        assert isinstance(Request(asked).user, AnonymousUser)

    def test_request_has_no_body(self, request_of_user):
        asked = make_link_request(request_of_user, LINK)
        assert asked.body == asked.read() == b""
        assert not asked.POST
        assert not asked.FILES
        assert Request(asked).data == {}
        assert asked.content_type == ""

    def test_request_has_the_only_user_of_the_link(self, request_of_user):
        user = User(pk=5)
        asked = make_link_request(request_of_user, LINK, user)
        assert asked.user is user
        assert asked.auth == "token"
        assert "Authorization" not in asked.headers
        assert not hasattr(asked, "_cached_user")

    def test_original_request_is_not_changed(self, request_of_user):
        before = dict(vars(request_of_user)), dict(request_of_user.META)
        make_link_request(request_of_user, LINK, User(pk=5))
        assert (vars(request_of_user), request_of_user.META) == before
        assert request_of_user.body == b'{"path": "/a"}'

    def test_script_name_is_removed_from_path_info(self):
        request = RequestFactory(SCRIPT_NAME="/site").post("/files/link/")
        asked = make_link_request(request, "/site/files/?path=a")
        assert (asked.path, asked.path_info) == ("/site/files/", "/files/")
        assert not hasattr(asked, "session")
        assert asked.environ is asked.META

    def test_scope_has_no_data_of_the_requester(self):
        request = AsyncRequestFactory().post("/files/link/", headers=self.HEADERS)
        request.scope |= {"user": "admin", "session": {}, "cookies": {}, "auth": "t"}
        asked = make_link_request(request, LINK)
        assert asked.scope["headers"] == []
        assert asked.scope["method"] == "GET"
        assert asked.scope["query_string"] == b"path=%2Fa%20b&expires=1&signature=x"
        assert asked.scope.keys().isdisjoint({"user", "session", "cookies", "auth", "raw_path"})
        assert request.scope["user"] == "admin"

    def test_forced_authentication_is_removed(self):
        request = APIRequestFactory().post("/files/link/")
        force_authenticate(request, User(pk=1), "token")
        assert isinstance(Request(make_link_request(request, LINK)).user, AnonymousUser)
