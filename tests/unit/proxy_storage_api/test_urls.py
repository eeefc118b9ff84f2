"""The endpoint below URLs with arguments, namespaces and other resources."""

from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from django.core.files.base import ContentFile
from django.urls import include, path, re_path
from rest_framework.permissions import AllowAny
from rest_framework.routers import DefaultRouter, SimpleRouter
from rest_framework.test import APIRequestFactory
from rest_framework.versioning import NamespaceVersioning, URLPathVersioning

from proxy_storage.endpoint import get_file_url, get_url_kwargs
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.registry import get_proxy_storage
from proxy_storage_api.viewsets import FileViewSet
from proxy_storage_permissions import HasValidSignature, get_signed_url

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
ENDPOINT = include("proxy_storage_api.urls")


class Open(FileViewSet):
    permission_classes = [AllowAny | HasValidSignature]
    upload_permission_classes = [AllowAny]
    authentication_classes = []


class ByPath(Open):
    versioning_class = URLPathVersioning


class ByNamespace(Open):
    versioning_class = NamespaceVersioning


def make_router(view, router_class=SimpleRouter):
    router = router_class()
    router.register("files", view, basename="file")
    return router.urls


# The URL of the endpoint, and the URLs of the project.
PLACES = {
    "/api/v1/files/": [path("api/<version>/files/", ENDPOINT)],
    "/v1/files/": [path("v1/", include(([path("files/", ENDPOINT)], "v1")))],
    "/acme/files/": [path("<slug:tenant>/files/", ENDPOINT)],
    "/%C3%A9t%C3%A9/7/files/": [path("<str:tenant>/<int:shop>/files/", ENDPOINT)],
    "/routers/v2/files/": [path("routers/<version>/", include(make_router(ByPath)))],
    "/letters/5/files/": [path("letters/<int:letter_pk>/", include(make_router(Open)))],
    "/default/files/": [path("default/", include(make_router(Open, DefaultRouter)))],
    "/spaces/v3/files/": [
        path("spaces/v3/", include((make_router(ByNamespace), "v3"), namespace="v3"))
    ],
    # Unnamed groups.
    "/tenants/acme/files/": [re_path(r"^tenants/(\w+)/files/", ENDPOINT)],
    "/a/b/files/": [re_path(r"^(\w)/(\w)/", include(make_router(Open, DefaultRouter)))],
    "/alone/9/": [
        path("alone/<int:pk>/", Open.as_view({"get": "list", "post": "create"}), name="alone")
    ],
}


class Urls:
    """A stand-in for the module in ROOT_URLCONF."""

    def __init__(self, patterns):
        self.urlpatterns = patterns


@pytest.fixture
def use(settings, change):
    change(DEFAULT_PERMISSION_CLASSES=[AllowAny | HasValidSignature], UPLOAD_STORAGES=["orm_disk"])
    change(UPLOAD_PERMISSION_CLASSES=[AllowAny])

    def use(patterns):
        settings.ROOT_URLCONF = Urls(tuple(patterns))

    return use


@pytest.fixture(autouse=True)
def storage():
    return get_proxy_storage("orm_disk")


@pytest.mark.parametrize("root", PLACES)
def test_urls_in_responses_have_the_arguments_of_the_request(client, use, root):
    use(PLACES[root])
    response = client.post(root, {"file": ContentFile(b"scan", name="scan.txt")})
    assert response.status_code == 201, response.content
    urls = [response["Location"], response.json()["url"]]
    name = response.json()["path"]
    urls += [record["url"] for record in client.get(root).json()["results"]]
    if root != "/alone/9/":
        urls.append(client.get(f"{root}record/", {"path": name}).json()["url"])
        urls.append(client.post(f"{root}link/", {"path": name}).json()["url"])
    for url in urls:
        assert urlsplit(url).path == root
        assert b"".join(client.get(url)) == b"scan"


def test_url_outside_of_requests_needs_the_setting(use, change, storage):
    use(PLACES["/api/v1/files/"])
    with pytest.raises(ConfigurationError, match="FILE_URL_KWARGS"):
        storage.url("/a.txt")
    change(FILE_URL_KWARGS={"version": "v2"})
    assert urlsplit(storage.url("/a.txt")).path == "/api/v2/files/"
    change(FILE_URL_KWARGS=f"{__name__}.get_kwargs")
    assert urlsplit(storage.url("/a.txt")).path == "/api/v3/files/"
    use(PLACES["/v1/files/"])
    change(FILE_URL_NAME="v1:proxy_storage_api:files")
    assert urlsplit(storage.url("/a.txt")).path == "/v1/files/"


def get_kwargs():
    return {"version": "v3"}


def test_arguments_of_the_request_win(client, use, change, storage):
    use(PLACES["/api/v1/files/"])
    change(FILE_URL_KWARGS={"version": "v2"})
    storage.save("a.txt", ContentFile(b""))
    (record,) = client.get("/api/v1/files/").json()["results"]
    assert urlsplit(record["url"]).path == "/api/v1/files/"
    assert urlsplit(storage.url("/a.txt")).path == "/api/v2/files/"


def test_url_in_a_request_of_another_view(use, storage):
    use(PLACES["/api/v1/files/"])
    path = storage.save("a.txt", ContentFile(b""))
    request = APIRequestFactory().get("/")
    request.resolver_match = SimpleNamespace(args=(), kwargs={"version": "v7"})
    link = get_signed_url(storage.get_meta_backend_obj(path), request=request)
    assert urlsplit(link.url).path == "/api/v7/files/"
    use(PLACES["/tenants/acme/files/"])
    request.resolver_match = SimpleNamespace(args=("goods",), kwargs={})
    link = get_signed_url(storage.get_meta_backend_obj(path), request=request)
    assert urlsplit(link.url).path == "/tenants/goods/files/"
    request.resolver_match = None
    with pytest.raises(ConfigurationError):
        get_file_url(path, "orm_disk", request)


def test_view_with_other_arguments_returns_the_url_of_the_endpoint(use, storage, client):
    use([*PLACES["/letters/5/files/"], path("files/", ENDPOINT)])
    storage.save("a.txt", ContentFile(b""))
    (record,) = client.get("/letters/5/files/").json()["results"]
    assert urlsplit(record["url"]).path == "/files/"


@pytest.mark.parametrize("value", [5, None, "nowhere.at_all", ["version"], f"{__name__}.PLACE"])
def test_invalid_setting_is_an_error(change, value):
    change(FILE_URL_KWARGS=value)
    with pytest.raises(ConfigurationError, match="FILE_URL_KWARGS"):
        get_url_kwargs()


PLACE = "/"


def test_invalid_result_of_the_callable_is_an_error(change):
    change(FILE_URL_KWARGS=f"{__name__}.make_router_of_nothing")
    with pytest.raises(ConfigurationError, match="must return a dict, not 5"):
        get_url_kwargs()


def make_router_of_nothing():
    return 5
