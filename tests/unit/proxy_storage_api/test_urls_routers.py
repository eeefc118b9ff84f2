"""The viewset in the routers and URLs of a project."""

import pytest
from django.core.files.base import ContentFile
from django.http import HttpResponse
from django.urls import include, path
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.routers import DefaultRouter, SimpleRouter
from rest_framework.versioning import URLPathVersioning

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.registry import get_proxy_storage
from proxy_storage_api.viewsets import FileViewSet

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]


class Scans(FileViewSet):
    permission_classes = upload_permission_classes = delete_permission_classes = [AllowAny]
    authentication_classes = []


class VersionedScans(Scans):
    versioning_class = URLPathVersioning


default, simple = DefaultRouter(), SimpleRouter()
converters = SimpleRouter(use_regex_path=False)
for router in (default, simple, converters):
    router.register("scans", Scans, basename="scan")
versioned = SimpleRouter()
versioned.register("scans", VersionedScans, basename="versioned-scan")
urlpatterns = [
    path("files/", include("proxy_storage_api.urls")),
    path("default/", include(default.urls)),
    path("simple/", include(simple.urls)),
    path("simple/scans/statistics/", lambda request: HttpResponse("statistics")),
    path("converters/", include(converters.urls)),
    path("<version>/versioned/", include(versioned.urls)),
]


@pytest.fixture(autouse=True)
def these_urls(settings):
    settings.ROOT_URLCONF = __name__


@pytest.mark.parametrize("root", ["/default/scans/", "/simple/scans/", "/v1/versioned/scans/"])
def test_each_request_is_routed(client, change, root):
    change(UPLOAD_STORAGES=["orm_disk"], FILE_URL_NAME="scan-list")
    response = client.post(root, {"file": ContentFile(b"scan", name="scan.txt")})
    assert response.status_code == 201
    query = {"path": response.json()["path"]}
    assert "/scans/?path=" in response.json()["url"]
    assert client.get(root).json()["count"] == 1
    assert b"".join(client.get(root, query).streaming_content) == b"scan"
    assert client.get(f"{root}record/", query).json()["path"] == query["path"]
    assert client.get(f"{root}authorize/", query).status_code == 204
    link = client.post(f"{root}link/", query, content_type="application/json").json()["url"]
    assert b"".join(client.get(link).streaming_content) == b"scan"
    assert client.delete(root, query_params=query).status_code == 204
    assert client.get(root).json()["count"] == 0


def test_urls_of_a_router():
    assert {pattern.name for pattern in simple.urls} == {
        "scan-list",
        "scan-record",
        "scan-link",
        "scan-authorize",
        "scan-detail",
    }


@pytest.mark.parametrize("root", ["/default/scans/", "/simple/scans/", "/converters/scans/"])
@pytest.mark.parametrize("method", ["get", "delete"])
def test_url_with_a_primary_key_is_not_found(client, root, method):
    path = get_proxy_storage("orm_disk").save("a.txt", ContentFile(b""))
    response = client.generic(method, f"{root}1/", query_params={"path": path})
    assert response.status_code == 404
    assert get_proxy_storage("orm_disk").exists(path)


def test_router_does_not_hide_later_urls(client):
    assert client.get("/simple/scans/statistics/").content == b"statistics"


@pytest.mark.parametrize(("old", "new"), [("record", "retrieve"), ("remove", "destroy")])
class TestRenamedActions:
    def test_old_name_in_as_view(self, rf, old, new):
        path = get_proxy_storage("orm_disk").save("a.txt", ContentFile(b""))
        request = rf.get("/", {"path": path})
        assert Scans.as_view({"get": old})(request).status_code in (200, 204)
        view = Scans.as_view({"get": old})
        assert view.actions["get"] == new

    def test_method_with_the_old_name_is_an_error(self, old, new):
        with pytest.raises(ConfigurationError, match=f"Rename the method to '{new}'"):
            type("Renamed", (Scans,), {old: lambda self, request: None})


def test_record_of_a_subclass_calls_retrieve(rf):
    view = Scans(action_map={"get": "retrieve"})
    view.request = view.initialize_request(rf.get("/"))
    with pytest.raises(ValidationError):
        view.record(view.request)


def test_default_router_accepts_a_format(client):
    get_proxy_storage("orm_disk").save("a.txt", ContentFile(b""))
    assert client.get("/default/scans.json").json()["count"] == 1


def test_browser_gets_a_page(client):
    get_proxy_storage("orm_disk").save("a.txt", ContentFile(b""))
    response = client.get("/default/scans/", headers={"accept": "text/html"})
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/html")
