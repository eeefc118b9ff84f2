"""The page for a browser that does not get a file."""

import html
import re
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.conf import settings as django_settings
from django.core.files.base import ContentFile
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.template.loader import get_template
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils import translation
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import NotFound, Throttled
from rest_framework.permissions import AllowAny, BasePermission, IsAdminUser
from rest_framework.response import Response
from rest_framework.versioning import URLPathVersioning
from rest_framework.views import exception_handler

from proxy_storage.registry import get_proxy_storage
from proxy_storage_api.pages import TEMPLATE
from proxy_storage_api.viewsets import FileViewSet
from proxy_storage_permissions import HasValidSignature, IsOwner, get_signed_url
from tests.testapp.models import Document

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
# Chromium's headers of a link that is opened, of an image and of fetch().
NAVIGATION = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,"
    "*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"
)
IMAGE = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
HOSTILE = "/a\"><script>alert(1)</script>'.txt"
QUERY = {"path": "secret.txt", "storage": "orm-relative-disk"}


class Staff(IsAdminUser):
    """Every file is only for staff. The record is looked up for all requesters."""

    def has_permission(self, request, view):
        return True

    def has_object_permission(self, request, view, obj):
        return super().has_permission(request, view)


@pytest.fixture(autouse=True)
def secret(empty_storages, change, settings):
    change(DEFAULT_PERMISSION_CLASSES=[Staff | HasValidSignature])
    settings.LOGIN_URL = "/login/"
    get_proxy_storage("orm-relative-disk").save("secret.txt", ContentFile(b"secret"))


def open_file(client, accept=NAVIGATION, url="/files/", method="get", **query):
    return getattr(client, method)(url, query_params=query or QUERY, headers={"accept": accept})


def get_links(response):
    return [html.unescape(url) for url in re.findall(r'href="(.*?)"', response.text)]


@pytest.mark.parametrize("accept", [IMAGE, "*/*", "", "application/json", "text/plain", "x;q=y"])
def test_others_get_json(client, accept):
    response = open_file(client, accept)
    assert response["Content-Type"] == "application/json"
    assert response.status_code == 403
    assert list(response.json()) == ["detail"]
    assert "Accept" in response["Vary"]


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [("secret.txt", 403, "credentials were not provided"), ("none.txt", 404, "No")],
)
def test_browser_gets_a_page(client, path, status, reason):
    response = open_file(client, path=path)
    assert response.status_code == status
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert "This file cannot be opened" in response.text
    assert reason in response.text
    assert "Accept" in response["Vary"]


def test_headers_of_the_page(client):
    response = open_file(client)
    assert response["Cache-Control"] == "private, no-store"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in response["Content-Security-Policy"]


def test_head_has_the_headers_of_the_page(client):
    head, get = open_file(client, method="head"), open_file(client)
    assert head.content == b""
    assert dict(head.headers) == dict(get.headers)


def test_link_to_log_in_comes_back(client):
    (link,) = get_links(open_file(client))
    parts = urlsplit(link)
    assert (parts.scheme, parts.netloc, parts.path) == ("", "", "/login/")
    assert parse_qs(parts.query) == {"next": [f"/files/?{urlencode(QUERY)}"]}


def test_logged_in_user_gets_no_link(log_in):
    response = open_file(log_in("messi"))
    assert response.status_code == 403
    assert "You do not have permission" in response.text
    assert get_links(response) == []


def test_user_who_may_read_gets_the_file(log_in):
    assert b"".join(open_file(log_in("admin"))) == b"secret"


@pytest.mark.parametrize(
    ("login_url", "expected"),
    [
        ("admin:login", "/admin/login/?"),
        ("/login/?a=b", "/login/?a=b&"),
        ("https://sso.example.com/", "https://sso.example.com/?"),
        ("http://testserver/login/", "http://testserver/login/?"),
        (gettext_lazy("/login/"), "/login/?"),
    ],
)
def test_login_url(client, settings, login_url, expected):
    settings.LOGIN_URL = login_url
    (link,) = get_links(open_file(client))
    assert link.startswith(f"{expected}next=")
    (target,) = parse_qs(urlsplit(link).query)["next"]
    host = "http://testserver" if "sso" in expected else ""
    assert target == f"{host}/files/?{urlencode(QUERY)}"


@pytest.mark.parametrize(("login_url", "count"), [("https://sso.example.com/", 0), ("/login/", 1)])
def test_host_that_is_not_allowed(client, settings, login_url, count):
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.LOGIN_URL = login_url
    client.defaults["HTTP_HOST"] = "evil.example.com"
    response = open_file(client)
    assert response.status_code == 403
    assert "evil" not in response.text
    assert len(get_links(response)) == count


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("/files//evil.example.com", None),
        ("/files/%5Cevil.example.com", "/files/%5Cevil.example.com"),
        ("/files/a?next=//evil.example.com", "/files/a?next=//evil.example.com"),
        ("/files/a?next=javascript:alert(1)", "/files/a?next=javascript:alert(1)"),
    ],
)
def test_link_leads_back_to_this_site_only(client, url, target):
    response = client.get(url, headers={"accept": NAVIGATION})
    links = [] if target is None else get_links(response)
    assert "<script" not in response.text
    targets = [parse_qs(urlsplit(link).query)["next"] for link in links]
    assert targets == ([] if target is None else [[target]])


@pytest.mark.parametrize("login_url", ["no-such-name", "/accounts/login/"])
def test_no_link_without_a_login_page(client, settings, login_url):
    settings.LOGIN_URL = login_url
    assert get_links(open_file(client)) == []


def test_default_login_page_of_the_project(client, settings):
    class Urls:
        urlpatterns = [
            path("files/", FileViewSet.as_view({"get": "list"})),
            path("accounts/login/", HttpResponse),
        ]

    settings.ROOT_URLCONF = Urls
    settings.LOGIN_URL = "/accounts/login/"
    (link,) = get_links(open_file(client))
    assert link.startswith("/accounts/login/?next=")


def test_hostile_path_is_escaped(client):
    response = open_file(client, path=HOSTILE)
    assert response.status_code == 404
    assert "<script" not in response.text
    (link,) = get_links(response)
    (target,) = parse_qs(urlsplit(link).query)["next"]
    assert parse_qs(urlsplit(target).query) == {"path": [HOSTILE]}


@pytest.mark.parametrize("who", [None, "messi"])
@pytest.mark.parametrize("method", ["get", "head"])
def test_hidden_files(change, client, log_in, who, method):
    change(HIDE_FORBIDDEN=True, DEFAULT_PERMISSION_CLASSES=[IsOwner("user")])
    document = Document.objects.create(orm_file=ContentFile(b"content", name="secret.txt"))
    client = client if who is None else log_in(who)
    seen = []
    for name in ("/warm.txt", "/nothing-is-here-too.txt", document.orm_file.name):
        with CaptureQueriesContext(connection) as captured:
            response = open_file(client, method=method, path=name, storage="orm_disk")
        body = re.split(r"/login/\?next=[^\"]+", response.text)
        seen.append((response.status_code, dict(response.headers), body, len(captured)))
    assert seen[1] == seen[2]
    assert seen[2][0] == 404


def test_link_that_has_expired(client, monkeypatch):
    storage = get_proxy_storage("orm-relative-disk")
    url = get_signed_url(storage.get_meta_backend_obj("secret.txt"), max_age=60).url
    monkeypatch.setattr("proxy_storage_permissions.links.time", lambda: 10**11)
    response = client.get(url, headers={"accept": NAVIGATION})
    assert response.status_code == 403
    assert "This link has expired." in response.text
    (target,) = parse_qs(urlsplit(get_links(response)[0]).query)["next"]
    assert target == url


@pytest.mark.parametrize(
    ("url", "method", "query"),
    [
        ("/files/record/", "get", QUERY),
        ("/files/authorize/", "get", QUERY),
        ("/files/", "delete", QUERY),
        ("/files/", "get", {"page": "99"}),
    ],
)
def test_actions_of_the_api_have_no_page(log_in, url, method, query):
    response = open_file(log_in("messi"), url=url, method=method, **query)
    assert response.status_code >= 400
    assert "This file cannot be opened" not in response.text


@pytest.mark.parametrize("name", ["json", "api"])
def test_requested_format_is_kept(client, name):
    response = open_file(client, **QUERY, format=name)
    assert response.status_code == 403
    assert "This file cannot be opened" not in response.text


def test_view_without_page(settings, client):
    class Urls:
        urlpatterns = [
            path("files/", FileViewSet.as_view({"get": "list"}, refusal_template_name=None))
        ]

    settings.ROOT_URLCONF = Urls
    assert "This file cannot be opened" not in open_file(client).text


class TestOtherErrors:
    def get(self, client, settings, **options):
        class Urls:
            urlpatterns = [
                path("<version>/files/", FileViewSet.as_view({"get": "list"}, **options))
            ]

        settings.ROOT_URLCONF = Urls
        return open_file(client, url="/v1/files/")

    def make_permission(self, raised):
        class Raising(BasePermission):
            def has_permission(self, request, view):
                raise raised

        return Raising

    @pytest.mark.parametrize(
        ("error", "status"), [(Throttled(5), 429), (OperationalError("gone"), 503)]
    )
    def test_has_no_link(self, client, settings, error, status):
        classes = [self.make_permission(error)]
        response = self.get(client, settings, permission_classes=classes)
        assert response.status_code == status
        assert response["Retry-After"]
        assert "This file cannot be opened" in response.text
        assert get_links(response) == []

    def test_before_the_authentication(self, client, settings):
        class OldVersion(URLPathVersioning):
            allowed_versions = ["v2"]

        response = self.get(client, settings, versioning_class=OldVersion)
        assert response.status_code == 404
        assert get_links(response) == []

    def test_invalid_query(self, client):
        response = open_file(client, **QUERY, disposition="x")
        assert response.status_code == 400
        assert "This file cannot be opened" in response.text

    def test_query_that_django_refuses(self, client, settings):
        class Urls:
            urlpatterns = [path("files/", FileViewSet.as_view({"get": "download"}))]

        settings.ROOT_URLCONF = Urls
        settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 1
        response = open_file(client)
        assert response.status_code == 400
        assert "This file cannot be opened" in response.text


def handle_with_own_data(exc, context):
    response = exception_handler(exc, context)
    response.data = [str(exc)]
    response["X-Handled"] = "yes"
    return response


def handle_by_details(exc, context):
    return Response({"detail": {"secret": "hidden"}}, status=404)


def handle_by_redirect(exc, context):
    return HttpResponse(status=302, headers={"Location": "/elsewhere/"})


def handle_by_text(exc, context):
    return Response({"detail": "<b>Mine</b>"}, status=404)


class TestExceptionHandler:
    def get(self, client, settings, handler):
        settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": f"{__name__}.{handler}"}
        return open_file(client)

    def test_other_data(self, client, settings):
        response = self.get(client, settings, "handle_with_own_data")
        assert response["X-Handled"] == "yes"
        assert "This file cannot be opened" in response.text
        assert "credentials" not in response.text

    def test_detail_that_is_not_text(self, client, settings):
        response = self.get(client, settings, "handle_by_details")
        assert response.status_code == 404
        assert "secret" not in response.text.partition("<main>")[2].partition("<a")[0]

    def test_own_response(self, client, settings):
        response = self.get(client, settings, "handle_by_redirect")
        assert (response.status_code, response["Location"]) == (302, "/elsewhere/")

    def test_own_text(self, client, settings):
        response = self.get(client, settings, "handle_by_text")
        assert response.status_code == 404
        assert "&lt;b&gt;Mine&lt;/b&gt;" in response.text


def broken_processor(request):
    raise OperationalError("The database does not answer.")


class TestTemplates:
    def use(self, settings, folder, text, **options):
        file = Path(folder, TEMPLATE)
        file.parent.mkdir()
        file.write_text(text)
        template = {**django_settings.TEMPLATES[0], "DIRS": [folder], **options}
        settings.TEMPLATES = [template]
        assert get_template(TEMPLATE).origin.name == str(file)

    def test_of_the_project(self, client, settings, tmp_path):
        self.use(
            settings, tmp_path, "{{ status_code }} {{ message }} {{ request.path }} {{ user }}"
        )
        response = open_file(client)
        assert response.text.startswith("403 Authentication")
        assert response.text.endswith("/files/ AnonymousUser")
        assert response["X-Frame-Options"] == "DENY"
        assert "Content-Security-Policy" not in response

    @pytest.mark.parametrize(
        "text", ["{% extends 'no-such-page.html' %}", "{% nothing %}", "{% url 'no-such-name' %}"]
    )
    def test_that_fails_is_replaced(self, client, settings, tmp_path, text):
        file = Path(tmp_path, TEMPLATE)
        file.parent.mkdir()
        file.write_text(text)
        settings.TEMPLATES = [{**django_settings.TEMPLATES[0], "DIRS": [tmp_path]}]
        response = open_file(client)
        assert (response.status_code, len(get_links(response))) == (403, 1)
        assert "Content-Security-Policy" in response

    def test_context_processor_that_fails(self, client, settings, tmp_path, caplog):
        options = {"context_processors": [f"{__name__}.broken_processor"]}
        self.use(settings, tmp_path, "mine", OPTIONS=options)
        assert "This file cannot be opened" in open_file(client).text
        assert "The page of the package replaces it." in caplog.text

    @pytest.mark.parametrize(
        "templates",
        [[], [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]],
        ids=["no-engine", "no-app-dirs"],
    )
    def test_project_without_templates(self, client, settings, templates):
        settings.TEMPLATES = templates
        response = open_file(client)
        assert response.status_code == 403
        assert len(get_links(response)) == 1

    def test_language(self, client):
        with translation.override("de"):
            assert '<html lang="de">' in open_file(client).text


def test_atomic_requests(client, settings, tmp_path, monkeypatch):
    """A template of the project may make queries: the response is rendered after the rollback."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    file = Path(tmp_path, TEMPLATE)
    file.parent.mkdir()
    file.write_text("{{ perms.testapp }} {{ user }}")
    settings.TEMPLATES = [{**django_settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    assert open_file(client).text.endswith("AnonymousUser")


def test_error_that_the_handler_of_the_project_raises(client, settings):
    class Urls:
        urlpatterns = [
            path("files/", FileViewSet.as_view({"get": "list"}, permission_classes=[AllowAny]))
        ]

    settings.ROOT_URLCONF = Urls
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": f"{__name__}.handle_nothing"}
    with pytest.raises(NotFound):
        open_file(client, path="none.txt")


def handle_nothing(exc, context):
    return None
