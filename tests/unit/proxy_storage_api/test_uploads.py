"""Uploads and deletes, where they are switched on."""

import os

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest
from django.test import Client
from rest_framework.permissions import AllowAny
from rest_framework.test import APIRequestFactory

from proxy_storage.exceptions import ContentError, MetaBackendUnavailable, ProxyFileNotFoundError
from proxy_storage.paths import is_literal_path
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages.base import ProxyStorageBase
from proxy_storage_api.viewsets import FileViewSet
from tests.hostile_names import HOSTILE_NAMES

pytestmark = pytest.mark.django_db(databases=["default", "other"])
ADMIN = ["rest_framework.permissions.IsAdminUser"]
EVERYBODY = ["rest_framework.permissions.AllowAny"]


@pytest.fixture
def admin(log_in, change):
    change(
        UPLOAD_PERMISSION_CLASSES=ADMIN,
        UPLOAD_STORAGES=["orm_disk", "mongo_disk"],
        DELETE_PERMISSION_CLASSES=ADMIN,
        DEFAULT_PERMISSION_CLASSES=ADMIN,
    )
    return log_in("admin")


def upload(client, content=b"content", file_name="file.txt", **data):
    data = {"storage": "orm_disk", **data, "file": SimpleUploadedFile(file_name, content)}
    return client.post("/files/", data)


def get_files():
    return [
        record["path"]
        for name in ("orm_disk", "mongo_disk")
        for record in get_proxy_storage(name).meta_backend
    ]


class TestUpload:
    @pytest.mark.parametrize("storage", ["orm_disk", "mongo_disk"])
    def test_saves_the_file_and_answers_with_its_record(self, admin, storage):
        response = upload(admin, storage=storage)
        assert response.status_code == 201
        record = response.json()
        assert record["storage"] == storage
        assert record["object_id"] is None
        assert get_files() == [record["path"]]
        with get_proxy_storage(storage).open(record["path"]) as file:
            assert file.read() == b"content"
        assert response["Location"] == record["url"]
        response = admin.get(record["url"])
        assert b"".join(response.streaming_content) == b"content"

    def test_under_another_name(self, admin):
        response = upload(admin, name="b/c.txt")
        assert response.json()["original_storage_path"] == "b/c.txt"

    def test_of_one_storage_none_has_to_be_named(self, admin, change):
        change(UPLOAD_STORAGES=["mongo_disk"])
        response = admin.post("/files/", {"file": SimpleUploadedFile("a.txt", b"")})
        assert response.json()["storage"] == "mongo_disk"

    @pytest.mark.parametrize("storage", ["", "orm-disk", "nothing", "../"])
    def test_only_into_storages_of_the_list(self, admin, storage):
        response = upload(admin, storage=storage)
        assert response.status_code == 400
        assert set(response.json()) == {"storage"}
        assert get_files() == []

    def test_without_a_file(self, admin):
        response = admin.post("/files/", {"storage": "orm_disk", "file": "text"})
        assert response.status_code == 400
        assert set(response.json()) == {"file"}

    # a form can have no other names
    @pytest.mark.parametrize("name", [name for _, name in HOSTILE_NAMES if is_literal_path(name)])
    def test_hostile_names(self, admin, name):
        response = upload(admin, name=name)
        assert response.status_code in (201, 400)
        if response.status_code == 400:
            assert set(response.json()) == {"name"}
            assert get_files() == []

    @pytest.mark.parametrize("name", ["../up.txt", "/etc/passwd", "a\nb", "a/../../b", "."])
    def test_names_that_no_file_can_have(self, admin, name):
        response = upload(admin, name=name)
        assert response.status_code == 400
        assert response.json() == {"name": ["No file can have this name."]}

    def test_somebody_else(self, admin, log_in):
        assert upload(log_in("ronaldo")).status_code == 403
        assert upload(Client()).status_code == 403
        assert get_files() == []

    def test_csrf_token_is_asked_for(self, admin, log_in):
        assert upload(log_in("admin", enforce_csrf_checks=True)).status_code == 403
        assert get_files() == []

    def test_who_may_upload_may_not_read_for_that(self, admin, change, log_in):
        change(UPLOAD_PERMISSION_CLASSES=EVERYBODY)
        client = log_in("ronaldo")
        response = upload(client)
        assert response.status_code == 201
        assert "original_storage_path" not in response.json()
        assert client.get(response.json()["url"]).status_code == 403

    def test_attribute_of_a_subclass(self, log_in, change):
        change(UPLOAD_STORAGES=["orm_disk"])

        class Inbox(FileViewSet):
            upload_permission_classes = [AllowAny]

        view = Inbox.as_view({"get": "list", "post": "create"})
        data = {"file": SimpleUploadedFile("a.txt", b"a")}
        assert view(APIRequestFactory().post("/", data)).status_code == 201
        assert view(APIRequestFactory().delete("/?path=/a")).status_code == 405

    def test_empty_attribute_of_a_subclass_lets_nobody_in(self, log_in, change):
        change(UPLOAD_STORAGES=["orm_disk"])

        class Inbox(FileViewSet):
            permission_classes = upload_permission_classes = delete_permission_classes = []

        view = Inbox.as_view({"get": "list", "post": "create"})
        data = {"file": SimpleUploadedFile("a.txt", b"a")}
        assert view(APIRequestFactory().post("/", data)).status_code == 405
        assert view(APIRequestFactory().delete("/?path=/a")).status_code == 405
        # as the setting says: applications only
        get_proxy_storage("orm_disk").save("a.txt", ContentFile(b""))
        assert view(APIRequestFactory().get("/")).data["results"] == []

    def test_content_that_cannot_be_read(self, admin, monkeypatch):
        def fail(self, *args, **kwargs):
            raise ContentError("closed")

        monkeypatch.setattr(ProxyStorageBase, "save", fail)
        response = upload(admin)
        assert response.status_code == 400
        assert set(response.json()) == {"file"}

    def test_records_that_cannot_be_written(self, admin, monkeypatch):
        def fail(self, *args, **kwargs):
            raise MetaBackendUnavailable("gone")

        monkeypatch.setattr(ProxyStorageBase, "save", fail)
        assert upload(admin).status_code == 503


class TestSizeLimit:
    @pytest.fixture
    def limited(self, admin, change):
        change(UPLOAD_MAX_SIZE=1000)
        return admin

    def test_up_to_the_limit(self, limited):
        assert upload(limited, b"x" * 1000).status_code == 201

    @pytest.mark.parametrize("size", [1001, 300_000])
    def test_beyond_it(self, limited, size):
        response = upload(limited, b"x" * size)
        assert response.status_code == 413
        assert response.json() == {"detail": "The file is too large."}
        assert get_files() == []

    def test_it_is_broken_off_before_the_token_of_a_session_is_read(self, limited, log_in):
        client = log_in("admin", enforce_csrf_checks=True)
        client.cookies["csrftoken"] = "a" * 32
        assert upload(client, b"x" * 300_000).status_code == 413
        assert upload(client).status_code == 403

    def test_nothing_is_left_of_what_was_broken_off(self, limited, settings, tmp_path):
        settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
        settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10
        assert upload(limited, b"x" * 300_000).status_code == 413
        assert os.listdir(tmp_path) == []

    def test_of_a_request_that_something_else_has_read(self, limited):
        view = FileViewSet.as_view({"get": "list", "post": "create"}, authentication_classes=[])

        def read_and_view(size, permission):
            data = {"storage": "orm_disk", "file": SimpleUploadedFile("a.txt", b"x" * size)}
            request = APIRequestFactory().post("/", data)
            assert isinstance(request, HttpRequest)
            assert request.POST["storage"] == "orm_disk"
            return view.cls.as_view(
                {"post": "create"},
                upload_permission_classes=[permission],
                authentication_classes=[],
            )(request)

        assert read_and_view(1001, AllowAny).status_code == 413
        assert read_and_view(1000, AllowAny).status_code == 201


class TestDelete:
    @pytest.fixture(params=["orm_disk", "mongo_disk"])
    def file(self, admin, request):
        response = upload(admin, storage=request.param)
        return response.json()

    def test_deletes_bytes_and_record(self, admin, file):
        query = {"path": file["path"], "storage": file["storage"]}
        response = admin.delete("/files/", query_params=query)
        assert response.status_code == 204
        assert response.content == b""
        assert get_files() == []
        assert not os.path.exists(file["path"])
        assert admin.delete("/files/", query_params=query).status_code == 404

    def test_without_a_path(self, admin, file):
        assert admin.delete("/files/").status_code == 400
        assert get_files() == [file["path"]]

    def test_of_another_storage(self, admin, file):
        query = {"path": file["path"], "storage": "gridfs_proxy_storage"}
        assert admin.delete("/files/", query_params=query).status_code == 404
        assert get_files() == [file["path"]]

    @pytest.mark.parametrize(
        ("error", "status"), [(ProxyFileNotFoundError, 404), (MetaBackendUnavailable, 503)]
    )
    def test_that_does_not_succeed(self, admin, file, monkeypatch, error, status):
        def fail(self, name):
            raise error("gone")

        monkeypatch.setattr(ProxyStorageBase, "delete", fail)
        response = admin.delete("/files/", query_params={"path": file["path"]})
        assert response.status_code == status

    def test_attribute_of_a_subclass(self, file, monkeypatch):
        class Bin(FileViewSet):
            delete_permission_classes = [AllowAny]

        view = Bin.as_view({"get": "list"}, authentication_classes=[])
        response = view(APIRequestFactory().delete("/?path=" + file["path"]))
        assert response.status_code == 204
        assert get_files() == []
