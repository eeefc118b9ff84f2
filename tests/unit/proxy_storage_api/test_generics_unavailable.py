"""A request that needs an unavailable meta backend is answered with 503 and Retry-After."""

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from pymongo import MongoClient
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.test import APIRequestFactory

from demo.services import free_port
from proxy_storage.meta_backends.mongo import MongoMetaBackend
from proxy_storage_api.exceptions import RETRY_AFTER, MetaBackendDoesNotAnswer
from proxy_storage_api.pagination import RecordPagination
from proxy_storage_api.viewsets import FileViewSet

STAFF = ["rest_framework.permissions.IsAdminUser"]
FILE = {"path": "/a.txt"}


@pytest.fixture(autouse=True)
def no_server(settings):
    """The only meta backend has the address of a server that does not run."""
    with MongoClient(port=free_port(), serverSelectionTimeoutMS=50) as client:
        options = {
            "original_storage": django_settings.ORIGINAL_STORAGES["disk"],
            "meta_backend": MongoMetaBackend(client["nowhere"], "records"),
        }
        backend = "proxy_storage.storages.ProxyStorage"
        settings.STORAGES = {"default": {"BACKEND": backend, "OPTIONS": options}}
        settings.PROXY_STORAGE = {
            "DEFAULT_PERMISSION_CLASSES": STAFF,
            "UPLOAD_PERMISSION_CLASSES": STAFF,
            "UPLOAD_STORAGES": ["default"],
            "DELETE_PERMISSION_CLASSES": STAFF,
        }
        yield


@pytest.mark.parametrize(
    "ask",
    [
        lambda admin: admin.get("/files/", FILE),
        lambda admin: admin.head("/files/", FILE),
        lambda admin: admin.get("/files/", {**FILE, "storage": "default"}),
        lambda admin: admin.get("/files/"),
        lambda admin: admin.get("/files/", {"page": "2", "search": "a"}),
        lambda admin: admin.get("/files/", headers={"accept": "text/html"}),
        lambda admin: admin.get("/files/record/", FILE),
        lambda admin: admin.get("/files/authorize/", FILE),
        lambda admin: admin.post("/files/link/", FILE),
        lambda admin: admin.delete("/files/", query_params=FILE),
        lambda admin: admin.post("/files/", {"file": SimpleUploadedFile("a.txt", b"world")}),
    ],
    ids=[
        "download",
        "head",
        "download-by-storage",
        "list",
        "second-page",
        "html",
        "retrieve",
        "authorize",
        "link",
        "destroy",
        "create",
    ],
)
@pytest.mark.slow
def test_request_is_answered_with_503(admin_client, ask):
    response = ask(admin_client)
    assert response.status_code == 503
    assert response["Retry-After"] == str(RETRY_AFTER)


class CheckedForEachRecord(BasePermission):
    def has_object_permission(self, request, view, obj):
        return True


@pytest.mark.parametrize("paginator", [RecordPagination, LimitOffsetPagination, None])
@pytest.mark.parametrize("permission", [AllowAny, CheckedForEachRecord])
def test_list_is_answered_with_503(paginator, permission):
    view = FileViewSet.as_view(
        {"get": "list"},
        permission_classes=[permission],
        pagination_class=paginator,
        authentication_classes=[],
    )
    response = view(APIRequestFactory().get("/"))
    assert response.status_code == 503
    assert response["Retry-After"] == str(RETRY_AFTER)


def test_hidden_file_is_answered_with_503(admin_client, change):
    change(HIDE_FORBIDDEN=True)
    assert admin_client.get("/files/", FILE).status_code == 503


def test_options_need_no_meta_backend(admin_client):
    assert admin_client.options("/files/").status_code == 200


def test_error_of_the_meta_backend_is_the_cause():
    class View(FileViewSet):
        permission_classes = [AllowAny]
        authentication_classes = []

        def get_exception_handler(self):
            def handle(error, context):
                raise error

            return handle

    request = APIRequestFactory().get("/", FILE)
    with pytest.raises(MetaBackendDoesNotAnswer) as caught:
        View.as_view({"get": "list"})(request)
    assert "MongoDB did not answer" in str(caught.value.__cause__)
