"""A failed authentication is ignored if the request does not need one."""

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from rest_framework.authentication import BaseAuthentication, TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, PermissionDenied
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.routers import SimpleRouter

from proxy_storage_api.viewsets import FileViewSet
from proxy_storage_permissions import FieldPermissions, HasValidSignature, IsOwner, get_signed_url
from tests.testapp.models import Document

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
BAD = {"authorization": "Token gone"}


class DocumentFiles(FieldPermissions):
    model = Document
    permissions = {"orm_file": IsOwner("user") | HasValidSignature, "mongo_file": AllowAny}


class ExpiredCookie(BaseAuthentication):
    """An authentication class like those for JWTs in cookies."""

    def authenticate(self, request):
        if "jwt" in request.COOKIES:
            raise AuthenticationFailed("Token is expired")
        return

    def authenticate_header(self, request):
        return "Bearer"


class MissingCookie(ExpiredCookie):
    """An authentication class that raises NotAuthenticated for anonymous requests."""

    def authenticate(self, request):
        raise NotAuthenticated("Token is expired")


class WithoutToken(BaseAuthentication):
    """An authentication class that refuses requests without a CSRF token."""

    def authenticate(self, request):
        raise PermissionDenied("CSRF Failed")


class Tokens(FileViewSet):
    authentication_classes = [TokenAuthentication]
    permission_classes = upload_permission_classes = delete_permission_classes = [DocumentFiles]


class Cookies(Tokens):
    authentication_classes = [ExpiredCookie]


class Missing(Tokens):
    authentication_classes = [MissingCookie]


class Forged(Tokens):
    authentication_classes = [WithoutToken]


class LoggedIn(Tokens):
    permission_classes = [IsAuthenticated]


router = SimpleRouter()
for view in (Tokens, Cookies, Missing, Forged, LoggedIn):
    router.register(view.__name__.lower(), view, basename=view.__name__.lower())
urlpatterns = router.urls


@pytest.fixture(autouse=True)
def these_urls(settings, change):
    settings.ROOT_URLCONF = __name__
    change(FILE_URL_NAME="tokens-list")


@pytest.fixture
def files():
    document = Document(user=User.objects.create(username="owner"))
    for name in ("orm_file", "mongo_file"):
        getattr(document, name).save("a.txt", ContentFile(name.encode()))
    return document


@pytest.fixture
def link(files):
    record = files.orm_file.storage.get_meta_backend_obj(files.orm_file.name)
    return get_signed_url(record).url


@pytest.fixture(params=["tokens", "cookies", "missing"])
def ask(request, client):
    """Return a function that sends requests with expired credentials."""
    client.cookies["jwt"] = "expired"

    def ask(method, url, **options):
        url = url.replace("/tokens/", f"/{request.param}/")
        response = getattr(client, method)(url, headers=BAD, **options)
        b"".join(response)
        return response

    return ask


@pytest.mark.parametrize("method", ["get", "head", "options"])
def test_signed_link_and_public_file_are_served(ask, files, link, method):
    assert ask(method, link).status_code == 200
    assert ask(method, files.mongo_file.url).status_code == 200


def test_other_actions_on_a_public_file_are_allowed(ask, files):
    query = {"path": files.mongo_file.name}
    assert ask("get", "/tokens/record/", data=query).status_code == 200
    assert ask("get", "/tokens/authorize/", data=query).status_code == 204
    response = ask("post", "/tokens/link/", data=query)
    # The files of this field are public, so a link is accepted without a signature check.
    assert response.status_code == 200


def test_refusal_has_the_error_of_the_authentication(ask, files):
    for response in (
        ask("get", files.orm_file.url),
        ask("get", "/tokens/record/", data={"path": files.orm_file.name}),
        ask("post", "/tokens/link/", data={"path": files.orm_file.name}),
        ask("post", "/tokens/link/", data={"path": files.mongo_file.name, "only_me": True}),
        ask("delete", files.orm_file.url),
    ):
        assert response.status_code == 401
        assert response.json()["detail"] in ("Token is expired", "Invalid token.")
        assert response["WWW-Authenticate"] in ("Bearer", "Token")


def test_permission_that_ignores_records_refuses_with_the_error(client, files):
    url = files.orm_file.url.replace("/tokens/", "/loggedin/")
    response = client.get(url, headers=BAD)
    assert (response.status_code, response.json()) == (401, {"detail": "Invalid token."})


def test_missing_file_is_not_found(ask):
    assert ask("get", "/tokens/?path=nothing").status_code == 404


def test_hidden_file_equals_a_missing_one(ask, files, change):
    change(HIDE_FORBIDDEN=True)
    hidden, missing = ask("get", files.orm_file.url), ask("get", "/tokens/?path=nothing")
    assert (hidden.status_code, hidden.content) == (missing.status_code, missing.content)
    assert hidden.status_code == 404


def test_lists_and_uploads_are_refused(ask, files):
    """A client would take a list of public files for a complete one."""
    assert ask("get", "/tokens/").status_code == 401
    assert ask("post", "/tokens/", data={}).status_code == 401


def test_user_of_the_session_is_ignored(client, files):
    """A request whose authentication has failed does not get the user of Django's session."""
    client.force_login(User.objects.get(username="owner"))
    assert client.get(files.orm_file.url, headers=BAD).status_code == 401
    response = client.get(files.mongo_file.url, headers=BAD)
    assert b"".join(response) == b"mongo_file"


def test_request_without_csrf_token_is_refused(client, files, link):
    for url in (link, files.mongo_file.url):
        response = client.get(url.replace("/tokens/", "/forged/"))
        assert (response.status_code, response.json()) == (403, {"detail": "CSRF Failed"})
