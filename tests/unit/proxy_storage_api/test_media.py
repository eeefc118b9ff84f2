"""Files at the URLs that they had before, ``/media/<name>``."""

from urllib.parse import quote, urlsplit

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import include, path
from rest_framework.permissions import AllowAny, IsAdminUser

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.registry import get_proxy_storage
from proxy_storage_api.media import MediaViewSet
from proxy_storage_permissions import FilePermission, HasValidSignature, get_signed_url

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
NAME = "letters/2026/Grüße & 100%41.txt"


class ForStaff(FilePermission):
    """Make a query for each record."""

    def has_object_permission(self, request, view, obj):
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return bool(request.user.is_staff)


class Urls:
    def __init__(self, name):
        self.urlpatterns = [
            path("files/", include("proxy_storage_api.urls")),
            path("media/<path:file_path>", MediaViewSet.as_view(storage=name)),
        ]


@pytest.fixture(
    params=[
        "orm-relative-disk",
        "orm-plain-disk",
        "orm-disk",
        "orm-prefix",
        "orm_disk",
        "orm-multiple",
        "orm-relative-multiple",
        "mongo-relative-disk",
        "mongo_gridfs",
    ]
)
def storage(request, empty_storages, change, settings):
    change(DEFAULT_PERMISSION_CLASSES=[AllowAny])
    settings.ROOT_URLCONF = Urls(request.param)
    return get_proxy_storage(request.param)


def get_url(name):
    return f"/media/{quote(name)}"


def test_download(storage, client):
    saved = storage.save(NAME, ContentFile(b"content"))
    # Storages without relative paths that may overwrite files use a random name.
    name = storage.get_meta_backend_obj(saved)["original_storage_path"]
    name = saved if saved == NAME else name
    response = client.get(get_url(name))
    assert (response.status_code, b"".join(response)) == (200, b"content")
    assert client.head(get_url(name)).status_code == 200
    part = client.get(get_url(name), headers={"range": "bytes=1-2"})
    assert (part.status_code, b"".join(part)) == (206, b"on")


@pytest.mark.parametrize("storage", ["orm-multiple"], indirect=True)
@pytest.mark.parametrize("using", ["gridfs", "disk"])
@pytest.mark.parametrize("hides", [False, True])
def test_each_original_storage(storage, client, change, using, hides):
    change(HIDE_FORBIDDEN=hides)
    saved = storage.save("a.txt", ContentFile(using.encode()), using=using)
    record = storage.get_meta_backend_obj(saved)
    response = client.get(get_url(record["original_storage_path"]))
    assert b"".join(response) == using.encode()


@pytest.mark.parametrize(
    "url",
    [
        "/media/none.txt",
        "/media/a//b.txt",
        "/media//a/b.txt",
        "/media/./a/b.txt",
        "/media/x/../a/b.txt",
        "/media/../media/a/b.txt",
        "/media/a/b.txt/",
        "/media/a/b.txt%00",
        "/media/a%5Cb.txt",
        "/media//evil.example.com/a",
        "/media/https://evil.example.com/a",
    ],
)
def test_unknown(storage, client, url):
    storage.save("a/b.txt", ContentFile(b"content"))
    response = client.get(url)
    assert response.status_code == 404
    assert "Location" not in response


@pytest.mark.parametrize("storage", ["orm_disk"], indirect=True)
def test_path_of_a_record_is_not_a_name(storage, client):
    saved = storage.save("a.txt", ContentFile(b"content"))
    assert client.get(f"/media/{saved}").status_code == 404
    assert client.get(f"/media{saved}").status_code == 404


@pytest.mark.parametrize("storage", ["orm-relative-disk"], indirect=True)
def test_other_storages(storage, client):
    """Neither the query nor a record of another storage changes the storage."""
    get_proxy_storage("orm-plain-disk").save("a.txt", ContentFile(b"other"))
    for query in ({}, {"storage": "orm-plain-disk"}):
        assert client.get("/media/a.txt", query).status_code == 404
    assert client.get("/media/a.txt", {"path": "a.txt"}).status_code == 400


def test_other_methods(storage, client):
    for method in ("post", "put", "patch", "delete"):
        assert getattr(client, method)("/media/a.txt").status_code == 405


@pytest.mark.parametrize("storage", ["orm-relative-disk"], indirect=True)
def test_signed_link(storage, client, change):
    change(DEFAULT_PERMISSION_CLASSES=[HasValidSignature])
    saved = storage.save("a.txt", ContentFile(b"content"))
    url = get_signed_url(storage.get_meta_backend_obj(saved)).url
    signature = "&".join(
        part
        for part in urlsplit(url).query.split("&")
        if not part.startswith(("path=", "storage="))
    )
    assert client.get("/media/a.txt").status_code == 403
    assert b"".join(client.get(f"/media/a.txt?{signature}")) == b"content"


@pytest.mark.parametrize("storage", ["orm-relative-disk"], indirect=True)
def test_refusal(storage, client, change):
    change(DEFAULT_PERMISSION_CLASSES=[IsAdminUser])
    response = client.get("/media/a.txt", headers={"accept": "text/html"})
    assert response.status_code == 403
    assert "This file cannot be opened" in response.text


def test_hidden(storage, client, change):
    change(DEFAULT_PERMISSION_CLASSES=[ForStaff], HIDE_FORBIDDEN=True)
    record = storage.get_meta_backend_obj(storage.save("a.txt", ContentFile(b"content")))
    saved = record["path"]
    name = saved if not saved.startswith("/") else record["original_storage_path"]
    seen = []
    for url in (get_url("warm.txt"), get_url("none.txt"), get_url(name)):
        with CaptureQueriesContext(connection) as captured:
            response = client.get(url)
        seen.append((response.status_code, dict(response.headers), response.content, len(captured)))
    assert seen[1] == seen[2]
    assert seen[1][0] == 404


@pytest.mark.parametrize("storage", ["orm-relative-disk"], indirect=True)
def test_query_count(storage, client):
    storage.save("a.txt", ContentFile(b"content"))
    with CaptureQueriesContext(connection) as captured:
        assert client.head("/media/a.txt").status_code == 200
    assert len(captured) == 1


def test_unknown_storage(client, settings):
    settings.ROOT_URLCONF = Urls("no-such-storage")
    with pytest.raises(ConfigurationError, match="no-such-storage"):
        client.get("/media/a.txt")
