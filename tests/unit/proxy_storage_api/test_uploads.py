"""Uploads and deletes, if they are enabled."""

import errno
import io
import os

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest
from django.test import Client, RequestFactory
from rest_framework.permissions import AllowAny
from rest_framework.test import APIRequestFactory

from proxy_storage.exceptions import ContentError, MetaBackendUnavailable
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


class TestDescription:
    """The response to OPTIONS."""

    def describe(self, client, url="/files/"):
        response = client.options(url)
        assert response.status_code == 200
        return response.json().get("actions", {})

    def test_options_have_the_fields_of_an_upload(self, admin):
        fields = self.describe(admin)["POST"]
        assert fields.keys() == {"file", "name", "storage"}
        assert fields["file"]["required"]
        assert [one["value"] for one in fields["storage"]["choices"]] == ["orm_disk", "mongo_disk"]

    def test_options_have_the_fields_of_a_link(self, admin):
        fields = self.describe(admin, "/files/link/")["POST"]
        assert fields.keys() == {"path", "storage", "disposition", "max_age", "only_me"}

    def test_options_have_no_fields_without_permission(self, admin, log_in, change):
        change(DEFAULT_PERMISSION_CLASSES=EVERYBODY)
        assert self.describe(log_in("ronaldo")) == {}
        change(UPLOAD_PERMISSION_CLASSES=None)
        assert self.describe(admin) == {}


class TestUpload:
    @pytest.mark.parametrize("storage", ["orm_disk", "mongo_disk"])
    def test_upload_saves_the_file_and_returns_its_record(self, admin, storage):
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

    def test_upload_under_another_name(self, admin):
        response = upload(admin, name="b/c.txt")
        assert response.json()["original_storage_path"] == "b/c.txt"

    def test_single_storage_is_the_default(self, admin, change):
        change(UPLOAD_STORAGES=["mongo_disk"])
        response = admin.post("/files/", {"file": SimpleUploadedFile("a.txt", b"")})
        assert response.json()["storage"] == "mongo_disk"

    @pytest.mark.parametrize("storage", ["", "orm-disk", "nothing", "../"])
    def test_other_storage_is_refused(self, admin, storage):
        response = upload(admin, storage=storage)
        assert response.status_code == 400
        assert set(response.json()) == {"storage"}
        assert get_files() == []

    def test_upload_without_a_file_is_refused(self, admin):
        response = admin.post("/files/", {"storage": "orm_disk", "file": "text"})
        assert response.status_code == 400
        assert set(response.json()) == {"file"}

    # A form cannot have other names.
    @pytest.mark.parametrize("name", [name for _, name in HOSTILE_NAMES if is_literal_path(name)])
    def test_hostile_name_is_saved_or_refused(self, admin, name):
        response = upload(admin, name=name)
        assert response.status_code in (201, 400)
        if response.status_code == 400:
            assert set(response.json()) == {"name"}
            assert get_files() == []

    @pytest.mark.parametrize("name", ["../up.txt", "/etc/passwd", "a\nb", "a/../../b", "."])
    def test_invalid_name_is_refused(self, admin, name):
        response = upload(admin, name=name)
        assert response.status_code == 400
        assert response.json() == {"name": ["This is not a valid file name."]}

    def test_user_without_permission_is_refused(self, admin, log_in):
        assert upload(log_in("ronaldo")).status_code == 403
        assert upload(Client()).status_code == 403
        assert get_files() == []

    def test_missing_csrf_token_is_refused(self, admin, log_in):
        assert upload(log_in("admin", enforce_csrf_checks=True)).status_code == 403
        assert get_files() == []

    def test_permission_to_upload_does_not_include_reading(self, admin, change, log_in):
        change(UPLOAD_PERMISSION_CLASSES=EVERYBODY)
        client = log_in("ronaldo")
        response = upload(client)
        assert response.status_code == 201
        assert "original_storage_path" not in response.json()
        assert client.get(response.json()["url"]).status_code == 403

    def test_permissions_of_a_subclass_are_used(self, log_in, change):
        change(UPLOAD_STORAGES=["orm_disk"])

        class Inbox(FileViewSet):
            upload_permission_classes = [AllowAny]

        view = Inbox.as_view({"get": "list", "post": "create"})
        data = {"file": SimpleUploadedFile("a.txt", b"a")}
        assert view(APIRequestFactory().post("/", data)).status_code == 201
        assert view(APIRequestFactory().delete("/?path=/a")).status_code == 405

    def test_empty_permissions_of_a_subclass_mean_the_setting(self, log_in, change):
        change(UPLOAD_STORAGES=["orm_disk"])

        class Inbox(FileViewSet):
            permission_classes = upload_permission_classes = delete_permission_classes = []

        view = Inbox.as_view({"get": "list", "post": "create"})
        data = {"file": SimpleUploadedFile("a.txt", b"a")}
        assert view(APIRequestFactory().post("/", data)).status_code == 405
        assert view(APIRequestFactory().delete("/?path=/a")).status_code == 405
        # The setting is used: files of applications only.
        get_proxy_storage("orm_disk").save("a.txt", ContentFile(b""))
        assert view(APIRequestFactory().get("/")).data["results"] == []

    def test_unreadable_content_is_refused(self, admin, monkeypatch):
        def fail(self, *args, **kwargs):
            raise ContentError("closed")

        monkeypatch.setattr(ProxyStorageBase, "save", fail)
        response = upload(admin)
        assert response.status_code == 400
        assert set(response.json()) == {"file"}

    def test_failed_record_leaves_no_file(self, admin, monkeypatch):
        def fail(self, *args, **kwargs):
            raise MetaBackendUnavailable("gone")

        monkeypatch.setattr(ProxyStorageBase, "save", fail)
        assert upload(admin).status_code == 503


class TestSizeLimit:
    @pytest.fixture
    def limited(self, admin, change):
        change(UPLOAD_MAX_SIZE=1000)
        return admin

    def test_file_of_the_largest_size_is_saved(self, limited):
        assert upload(limited, b"x" * 1000).status_code == 201

    @pytest.mark.parametrize("size", [1001, 300_000])
    def test_larger_file_is_refused(self, limited, size):
        response = upload(limited, b"x" * size)
        assert response.status_code == 413
        assert response.json() == {"detail": "The file is too large."}
        assert get_files() == []

    def test_large_upload_ends_before_the_csrf_token_is_read(self, limited, log_in):
        client = log_in("admin", enforce_csrf_checks=True)
        client.cookies["csrftoken"] = "a" * 32
        assert upload(client, b"x" * 300_000).status_code == 413
        assert upload(client).status_code == 403

    def test_interrupted_upload_leaves_no_temporary_file(self, limited, settings, tmp_path):
        settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
        settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10
        assert upload(limited, b"x" * 300_000).status_code == 413
        assert os.listdir(tmp_path) == []

    def test_limit_applies_to_a_body_that_a_middleware_has_read(self, limited):
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


class Unread(io.BytesIO):
    """The body of a request that must not be read."""

    def read(self, *args):
        raise AssertionError("The body is read.")


def make_body(*parts):
    """Return a multipart body and its content type."""
    lines = []
    for name, file_name, content in parts:
        shown = "" if file_name is None else f'; filename="{file_name}"'
        head = f'--limit\r\nContent-Disposition: form-data; name="{name}"{shown}\r\n\r\n'
        lines.append(head.encode() + content + b"\r\n")
    return b"".join(lines) + b"--limit--\r\n", "multipart/form-data; boundary=limit"


def post(client, *parts, **extra):
    body, content_type = make_body(*parts)
    return client.post("/files/", body, content_type=content_type, **extra)


class TestWholeRequest:
    """The limit applies to the whole request, and the body of a refused request is not read."""

    @pytest.fixture
    def limited(self, admin, change, settings, tmp_path):
        change(UPLOAD_MAX_SIZE=1000, UPLOAD_STORAGES=["orm_disk"])
        settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
        settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10
        yield admin
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize("name", ["file", "other"])
    def test_two_files_are_refused(self, limited, name):
        response = post(limited, ("file", "a.txt", b"x" * 20), (name, "b.txt", b"y" * 20))
        assert response.status_code == 400
        assert response.json() == {"file": ["Send one file in a request."]}
        assert get_files() == []

    def test_upload_ends_at_the_second_file(self, limited, monkeypatch):
        begun = []
        new_file = TemporaryFileUploadHandler.new_file

        def count(self, *args, **kwargs):
            begun.append(args)
            return new_file(self, *args, **kwargs)

        monkeypatch.setattr(TemporaryFileUploadHandler, "new_file", count)
        files = [("file", f"{number}.bin", b"x" * 200) for number in range(90)]
        assert post(limited, *files).status_code == 400
        assert len(begun) == 1

    @pytest.mark.parametrize("name", ["name", "storage"])
    def test_two_values_are_refused(self, limited, name):
        values = [(name, None, b"orm_disk"), (name, None, b"mongo_disk")]
        response = post(limited, ("file", "a.txt", b"x"), *values)
        assert response.status_code == 400
        assert response.json() == {name: ["Give one value."]}
        assert get_files() == []

    def test_text_with_the_name_of_the_file_field_is_refused(self, limited):
        response = post(limited, ("file", None, b"text"), ("file", "a.txt", b"x"))
        assert response.json() == {"file": ["Send one file in a request."]}

    @pytest.mark.parametrize("is_session", [True, False])
    def test_length_is_checked_before_the_body_is_read(self, limited, log_in, is_session):
        client = log_in("admin", enforce_csrf_checks=is_session)
        client.cookies["csrftoken"] = "a" * 32
        too_long = {"CONTENT_LENGTH": str(10**9), "wsgi.input": Unread()}
        response = post(client, ("file", "a.txt", b"x"), **too_long)
        assert response.status_code == 413

    def test_other_fields_do_not_count_for_the_size(self, limited):
        parts = ("file", "a.txt", b"x" * 1000), ("note", None, b"y" * 60_000)
        assert post(limited, *parts).status_code == 201

    @pytest.mark.parametrize("who", ["ronaldo", None])
    def test_body_of_a_user_without_permission_is_not_read(self, limited, log_in, who):
        client = Client(enforce_csrf_checks=True)
        if who is not None:
            client.force_login(log_in(who).user)
        client.cookies["csrftoken"] = "a" * 32
        response = post(client, ("file", "a.txt", b"x"), **{"wsgi.input": Unread()})
        assert response.status_code == 403
        assert "CSRF" not in response.json()["detail"]

    def test_browser_gets_a_page_with_the_refusal(self, limited, log_in):
        client = Client(enforce_csrf_checks=True)
        client.force_login(log_in("ronaldo").user)
        client.cookies["csrftoken"] = "a" * 32
        unread = {"wsgi.input": Unread(), "HTTP_ACCEPT": "text/html"}
        response = post(client, ("file", "a.txt", b"x"), **unread)
        assert response.status_code == 403
        assert response["Content-Type"].startswith("text/html")

    def test_session_without_csrf_token_saves_nothing(self, limited, log_in):
        client = log_in("admin", enforce_csrf_checks=True)
        client.cookies["csrftoken"] = "a" * 32
        response = post(client, ("file", "a.txt", b"x"))
        assert response.status_code == 403
        assert "CSRF" in response.json()["detail"]

    def test_csrf_token_in_the_body_is_accepted(self, limited, log_in):
        client = log_in("admin", enforce_csrf_checks=True)
        client.cookies["csrftoken"] = "a" * 32
        token = ("csrfmiddlewaretoken", None, b"a" * 32)
        assert post(client, token, ("file", "a.txt", b"x")).status_code == 201

    @pytest.mark.parametrize("value", ["", "all", "-1", "1e3", None])
    def test_missing_length_is_refused(self, limited, value):
        extra = {"CONTENT_LENGTH": value, "wsgi.input": Unread()}
        response = post(limited, ("file", "a.txt", b"x"), **extra)
        assert response.status_code == 411
        assert response.json() == {"detail": "The request must have the header Content-Length."}

    @pytest.mark.parametrize(
        "content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain", ""]
    )
    def test_other_content_types_are_refused(self, limited, content_type):
        extra = {"wsgi.input": Unread()}
        response = limited.post("/files/", b"{}", content_type=content_type, **extra)
        assert response.status_code == 415

    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
    @pytest.mark.parametrize("place", ["storage", "temporary files"])
    def test_full_disk_is_507(self, limited, monkeypatch, code, place):
        def fail(*args, **kwargs):
            raise OSError(code, os.strerror(code))

        cls = ProxyStorageBase if place == "storage" else TemporaryFileUploadHandler
        monkeypatch.setattr(cls, "save" if place == "storage" else "receive_data_chunk", fail)
        response = post(limited, ("file", "a.txt", b"x" * 20))
        assert response.status_code == 507
        assert response.json() == {"detail": "There is not enough space to save the file."}

    def test_other_error_of_the_disk_is_raised(self, limited, monkeypatch):
        def fail(*args, **kwargs):
            raise PermissionError(errno.EACCES, "no")

        monkeypatch.setattr(ProxyStorageBase, "save", fail)
        limited.raise_request_exception = False
        assert post(limited, ("file", "a.txt", b"x" * 20)).status_code == 500

    def test_files_that_a_middleware_has_read_are_checked(self, limited, log_in):
        """If a middleware has read the body, the files are checked."""
        view = FileViewSet.as_view(
            {"post": "create"}, upload_permission_classes=[AllowAny], authentication_classes=[]
        )
        body, content_type = make_body(("file", "a.txt", b"a"), ("other", "b.txt", b"b"))
        request = RequestFactory().post("/", body, content_type=content_type)
        assert len(request.FILES) == 2
        response = view(request)
        assert response.status_code == 400
        assert response.data == {"file": ["Send one file in a request."]}
        request.close()


class TestPlaces:
    """Folders that an upload can reach."""

    @pytest.fixture(params=["full", "relative", "prefixed"])
    def storage(self, admin, request, settings, change, tmp_path):
        options = {
            "original_storage": FileSystemStorage(tmp_path / "root"),
            "meta_backend": settings.META_BACKENDS["orm"],
            "paths": request.param,
        }
        if request.param == "prefixed":
            options["path_prefix"] = "/private/"
        if request.param == "relative":
            options["unique_original_names"] = False
        backend = {"BACKEND": "proxy_storage.storages.ProxyStorage", "OPTIONS": options}
        settings.STORAGES = {**settings.STORAGES, "inbox": backend}
        change(UPLOAD_STORAGES=["inbox"])
        (tmp_path / "root").mkdir()
        (tmp_path / "outside").mkdir()
        return get_proxy_storage("inbox")

    @pytest.mark.parametrize(
        "name", ["link/a.txt", "link/sub/a.txt", "in/out/a.txt", "link\\a.txt"]
    )
    def test_symbolic_link_out_of_the_root_is_refused(self, admin, storage, tmp_path, name):
        (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
        (tmp_path / "root" / "in").mkdir()
        (tmp_path / "root" / "in" / "out").symlink_to("../../outside")
        response = upload(admin, storage="inbox", name=name)
        assert response.status_code == 400
        assert response.json() == {"name": ["This is not a valid file name."]}
        assert list((tmp_path / "outside").iterdir()) == []

    def test_symbolic_link_within_the_root_is_followed(self, admin, storage, tmp_path):
        (tmp_path / "root" / "folder").mkdir()
        (tmp_path / "root" / "link").symlink_to("folder")
        assert upload(admin, storage="inbox", name="link/a.txt").status_code == 201
        assert len(list((tmp_path / "root" / "folder").iterdir())) == 1

    def test_root_may_be_a_symbolic_link(self, admin, storage, tmp_path):
        (tmp_path / "root").rmdir()
        (tmp_path / "root").symlink_to("outside")
        assert upload(admin, storage="inbox", name="sub/a.txt").status_code == 201

    @pytest.mark.parametrize("name", ["a.txt/b.txt", "a.txt/b/c.txt"])
    def test_path_below_a_file_is_refused(self, admin, storage, name):
        assert upload(admin, storage="inbox", name="a.txt").status_code == 201
        response = upload(admin, storage="inbox", name=name)
        assert response.status_code == 400
        assert response.json() == {"name": ["A folder of this name is a file."]}

    def test_root_that_is_a_file_is_an_error(self, admin, storage, tmp_path):
        """The name is not the cause."""
        (tmp_path / "root").rmdir()
        (tmp_path / "root").write_text("")
        admin.raise_request_exception = False
        assert upload(admin, storage="inbox", name="folder/a.txt").status_code == 500
        assert upload(admin, storage="inbox", name="a.txt").status_code == 500

    @pytest.mark.parametrize(("length", "status"), [(500, 201), (501, 400), (5000, 400)])
    def test_length_of_a_name_is_limited(self, admin, storage, length, status):
        name = "/".join(["folder"] * 60)[: length - 6] + "/a.txt"
        name = "f" * (length - len(name)) + name
        response = upload(admin, storage="inbox", name=name)
        if status == 201 and storage.paths != "relative":
            # The path is longer than the name.
            assert response.status_code in (201, 400)
        else:
            assert response.status_code == status
        if response.status_code == 400:
            assert set(response.json()) == {"name"}


class TestPathsBelowAFile:
    @pytest.mark.parametrize("storage", ["orm-memory", "mongo-memory", "plain"])
    def test_path_below_a_file_in_memory(self, admin, change, settings, storage):
        if storage == "plain":
            storage = "orm-plain-memory"
        change(UPLOAD_STORAGES=[storage])
        assert upload(admin, storage=storage, name="a.txt").status_code == 201
        response = upload(admin, storage=storage, name="a.txt/b.txt")
        # Files with unique names leave this name to a folder.
        assert response.status_code in (201, 400)
        if response.status_code == 400:
            assert response.json() == {"name": ["A folder of this name is a file."]}


class TestNames:
    @pytest.mark.parametrize("storage", ["orm-relative-metadata", "mongo-relative-metadata"])
    def test_download_has_the_name_of_the_upload(self, admin, change, storage):
        change(UPLOAD_STORAGES=[storage])
        for name, given, expected in (
            ("Annual report.pdf", {}, "Annual report.pdf"),
            ("Annual report.pdf", {}, "Annual report.pdf"),
            ("blob", {"name": "reports/2026.pdf"}, "2026.pdf"),
        ):
            record = upload(admin, file_name=name, storage=storage, **given).json()
            assert record["name"] == expected
            response = admin.get(record["url"])
            assert response["Content-Disposition"] == f'inline; filename="{expected}"'
            response.close()
        found = admin.get("/files/", {"name": "Annual report.pdf"}).json()["results"]
        assert len(found) == 2
        assert admin.get("/files/", {"name": "annual"}).json()["results"] == []

    def test_name_in_the_record_has_no_folder(self, admin):
        assert upload(admin, name="b/c.txt").json()["name"] == "c.txt"


class TestBrowsableAPI:
    def test_form_has_the_fields_of_an_upload(self, admin):
        page = admin.get("/files/", headers={"accept": "text/html"}).content.decode()
        form = page[page.index('id="post-object-form"') :]
        for name in ("file", "name", "storage"):
            assert f'name="{name}"' in form
        assert 'type="file"' in form

    def test_page_shows_why_an_upload_is_refused(self, admin):
        data = {"storage": "orm_disk", "name": "../up.txt", "file": SimpleUploadedFile("a", b"a")}
        response = admin.post("/files/", data, headers={"accept": "text/html"})
        assert response.status_code == 400
        assert "This is not a valid file name." in response.content.decode()


class TestDelete:
    @pytest.fixture(params=["orm_disk", "mongo_disk"])
    def file(self, admin, request):
        response = upload(admin, storage=request.param)
        return response.json()

    def test_file_and_record_are_deleted(self, admin, file):
        query = {"path": file["path"], "storage": file["storage"]}
        response = admin.delete("/files/", query_params=query)
        assert response.status_code == 204
        assert response.content == b""
        assert get_files() == []
        assert not os.path.exists(file["path"])
        assert admin.delete("/files/", query_params=query).status_code == 404

    def test_delete_without_a_path_is_invalid(self, admin, file):
        assert admin.delete("/files/").status_code == 400
        assert get_files() == [file["path"]]

    def test_file_of_another_storage_is_not_deleted(self, admin, file):
        query = {"path": file["path"], "storage": "gridfs_proxy_storage"}
        assert admin.delete("/files/", query_params=query).status_code == 404
        assert get_files() == [file["path"]]

    def test_failed_delete_keeps_the_record(self, admin, file, monkeypatch):
        def fail(self, record, where):
            raise MetaBackendUnavailable("gone")

        monkeypatch.setattr(ProxyStorageBase, "delete_record", fail)
        response = admin.delete("/files/", query_params={"path": file["path"]})
        assert response.status_code == 503
        assert get_files() == [file["path"]]

    def test_permissions_of_a_subclass_are_used(self, file, monkeypatch):
        class Bin(FileViewSet):
            delete_permission_classes = [AllowAny]

        view = Bin.as_view({"get": "list"}, authentication_classes=[])
        response = view(APIRequestFactory().delete("/?path=" + file["path"]))
        assert response.status_code == 204
        assert get_files() == []
