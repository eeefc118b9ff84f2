"""Files at ``files/<path>``, beside ``files/?path=``."""

from urllib.parse import quote, urlsplit

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.urls import include, path
from rest_framework.permissions import AllowAny, IsAuthenticated

from proxy_storage.registry import get_proxy_storage
from proxy_storage_permissions import HasValidSignature, IsOwner, get_signed_url
from tests.unit.proxy_storage_api.documents import describe

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
NAMES = [
    "a.txt",
    "2026/report.pdf",
    "record",
    "link",
    "authorize",
    "record.json",
    "record/a",
    "a b/é&?#=;+%41.txt",
    "%2e%2e/a",
    "日本/語.txt",
]
MIDDLEWARE = "django.middleware.common.CommonMiddleware"


@pytest.fixture
def storage(empty_storages, change):
    change(
        DEFAULT_PERMISSION_CLASSES=[AllowAny],
        DELETE_PERMISSION_CLASSES=[AllowAny],
        FILE_URL_STYLE="path",
    )
    return get_proxy_storage("orm-plain-disk")


@pytest.fixture(params=[False, True], ids=["bare", "common"])
def client(request, client, settings):
    """A client of a site without and with Django's CommonMiddleware, which appends slashes."""
    if request.param:
        settings.MIDDLEWARE = [MIDDLEWARE, *settings.MIDDLEWARE]
    return client


def save(storage, name):
    """Save a file whose content is its path."""
    saved = storage.save(name, ContentFile(name.encode()))
    assert saved == name
    return saved


@pytest.mark.parametrize("name", NAMES)
def test_download(storage, client, name):
    save(storage, name)
    url = storage.url(name)
    assert urlsplit(url).path == f"/files/{quote(name)}"
    assert b"".join(client.get(url)) == name.encode()
    assert client.head(url).status_code == 200
    assert b"".join(client.get("/files/", {"path": name})) == name.encode()


def test_slashes_may_be_encoded(storage, client):
    save(storage, "a/b.txt")
    assert b"".join(client.get("/files/a%2Fb.txt")) == b"a/b.txt"


@pytest.mark.parametrize(
    "url",
    [
        "/files/a//b.txt",
        "/files//a/b.txt",
        "/files/a/b.txt/",
        "/files/./a/b.txt",
        "/files/x/../a/b.txt",
        "/files/a/%2e/b.txt",
        "/files/a/b.txt%00",
        "/files/a/b.txt%0A",
        "/files/a/b.txt%20",
        "/files/a/b.txt.",
        "/files/A/b.txt",
        "/files/a%255Cb.txt",
        "/files/a%5Cb.txt",
        "/files/a/b.txt;x",
        "/files/%FF",
    ],
)
def test_other_spelling_is_another_file(storage, client, url):
    save(storage, "a/b.txt")
    response = client.get(url, follow=True)
    assert response.status_code == 404


@pytest.mark.parametrize("name", ["record", "link", "authorize"])
def test_actions_end_with_a_slash(storage, client, name):
    save(storage, name)
    save(storage, "a.txt")
    query = {"path": "a.txt", "storage": "orm-plain-disk"}
    response = client.get(f"/files/{name}/", query)
    expected = {"record": 200, "link": 405, "authorize": 204}
    assert response.status_code == expected[name]
    if name == "record":
        assert urlsplit(response.json()["url"]).path == "/files/a.txt"


def test_full_path_is_in_the_query(storage, client):
    full = get_proxy_storage("orm_disk")
    saved = full.save("a.txt", ContentFile(b"full"))
    assert urlsplit(full.url(saved)).path == "/files/"
    assert b"".join(client.get(full.url(saved))) == b"full"
    assert client.get(f"/files/{saved}").status_code == 404


@pytest.mark.parametrize("value", ["a.txt", "other.txt", ""])
def test_second_path_is_refused(storage, client, value):
    save(storage, "a.txt")
    response = client.get("/files/a.txt", {"path": value})
    assert response.status_code == 400
    assert response.json() == {"path": ["The URL has a path already. Remove this query parameter."]}


@pytest.mark.parametrize("name", ["record", "link", "authorize"])
def test_missing_slash_of_an_action_is_not_another_file(storage, client, name):
    save(storage, "a.txt")
    assert client.get(f"/files/{name}", {"path": "a.txt"}).status_code == 400


def test_other_storage(storage, client):
    save(storage, "a.txt")
    assert client.get("/files/a.txt", {"storage": "orm-disk"}).status_code == 404
    assert client.head("/files/a.txt").status_code == 200


def test_delete(storage, client):
    save(storage, "a.txt")
    assert client.delete("/files/a.txt").status_code == 204
    assert not storage.exists("a.txt")


@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_other_methods(storage, client, method):
    save(storage, "a.txt")
    response = getattr(client, method)("/files/a.txt")
    assert response.status_code == 405
    assert response["Allow"] == "GET, DELETE, HEAD, OPTIONS"


def test_delete_is_disabled(storage, client, change):
    save(storage, "a.txt")
    change(DELETE_PERMISSION_CLASSES=None)
    assert client.delete("/files/a.txt").status_code == 405


def test_forbidden(storage, client, change, log_in):
    change(DEFAULT_PERMISSION_CLASSES=[AllowAny & IsAuthenticated])
    save(storage, "a.txt")
    assert client.get("/files/a.txt").status_code == 403
    assert log_in("messi").head("/files/a.txt").status_code == 200


def test_hidden(storage, client, change):
    change(DEFAULT_PERMISSION_CLASSES=[IsOwner("user")], HIDE_FORBIDDEN=True)
    save(storage, "a.txt")
    seen = []
    for name in ("warm.txt", "b.txt", "a.txt"):
        with CaptureQueriesContext(connection) as captured:
            response = client.get(f"/files/{name}", headers={"accept": "text/html"})
        body = response.text.replace(name, "")
        seen.append((response.status_code, dict(response.headers), body, len(captured)))
    assert seen[1] == seen[2]
    assert seen[1][0] == 404


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_signed_link(storage, client, change, method):
    change(
        DEFAULT_PERMISSION_CLASSES=[HasValidSignature],
        DELETE_PERMISSION_CLASSES=[HasValidSignature],
    )
    record = storage.get_meta_backend_obj(save(storage, "a/b c.txt"))
    save(storage, "a/other.txt")
    url = get_signed_url(record, method=method).url
    parts = urlsplit(url)
    assert parts.path == "/files/a/b%20c.txt"
    send = getattr(client, method.lower())
    assert send(url.replace("b%20c", "other")).status_code == 403
    assert send(f"/files/?path=a%2Fother.txt&{parts.query}").status_code == 403
    assert send(url[:-1]).status_code == 403
    assert b"".join(send(url)) == (b"a/b c.txt" if method == "GET" else b"")
    assert storage.exists("a/b c.txt") is (method == "GET")


def test_link_of_the_endpoint(storage, client, change):
    change(DEFAULT_PERMISSION_CLASSES=[AllowAny])
    save(storage, "a.txt")
    body = {"path": "a.txt", "storage": "orm-plain-disk"}
    response = client.post("/files/link/", body, content_type="application/json")
    url = response.json()["url"]
    assert urlsplit(url).path == "/files/a.txt"
    assert b"".join(client.get(url)) == b"a.txt"


class Urls:
    """A project with an argument in the URL of the endpoint, and other URLs below it."""

    urlpatterns = [
        path("<version>/files/", include("proxy_storage_api.urls")),
        path("v1/files/special/", lambda request, version=None: HttpResponse("special")),
    ]


def test_arguments_and_other_urls(storage, client, settings):
    settings.ROOT_URLCONF = Urls
    save(storage, "a.txt")
    assert client.get("/v1/files/special/").content == b"special"
    (record,) = client.get("/v1/files/", {"path__startswith": "a"}).json()["results"]
    assert urlsplit(record["url"]).path == "/v1/files/a.txt"
    assert b"".join(client.get(record["url"])) == b"a.txt"


def test_schema_has_one_operation(settings):
    settings.REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
    assert not [url for url in describe()["paths"] if "file_path" in url]
