"""Malformed requests and damaged records are not answered with 500."""

import json
import logging
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.db import InterfaceError, OperationalError, ProgrammingError
from django.test import Client
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.routers import SimpleRouter

from proxy_storage.registry import get_proxy_storage
from proxy_storage.serving.local import require_deliverable
from proxy_storage_api.viewsets import FileViewSet

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]


class Open(FileViewSet):
    permission_classes = upload_permission_classes = delete_permission_classes = [AllowAny]
    authentication_classes = []


router = SimpleRouter()
router.register("files", Open, basename="file")
urlpatterns = router.urls


@pytest.fixture(autouse=True)
def these_urls(settings, change):
    settings.ROOT_URLCONF = __name__
    change(
        FILE_URL_NAME="file-list",
        UPLOAD_STORAGES=["orm-prefix", "orm-disk"],
        SERVERS={"default": {"BACKEND": "proxy_storage.serving.StreamingServer"}},
    )


def post(client, url, body):
    return client.generic("POST", url, body, content_type="application/json")


class TestBodies:
    @pytest.mark.parametrize("url", ["/files/link/", "/files/"])
    @pytest.mark.parametrize("accept", ["application/json", "text/html"])
    @pytest.mark.parametrize(
        "body",
        [
            "[" * 200_000,
            '{"path":' * 100_000,
            "[" * 900 + "]" * 900,
            "\\ud800",
            "1e999",
            "NaN",
            "\xff",
            "",
            "9" * 5000,
            '{"max_age": ' + "9" * 5000 + "}",
        ],
    )
    def test_invalid_body_is_refused(self, client, url, accept, body):
        response = client.generic(
            "POST", url, body, content_type="application/json", headers={"accept": accept}
        )
        assert response.status_code in (400, 411, 415)

    @pytest.mark.parametrize(
        "field", ["path", "storage", "disposition", "max_age", "only_me", "name", "file"]
    )
    @pytest.mark.parametrize(
        "value", ["\ud800", "\udfffx", "a\0b", "x" * 100_000, 10**400, [], {"$ne": 1}, None, True]
    )
    @pytest.mark.parametrize("url", ["/files/link/", "/files/"])
    def test_invalid_value_is_refused(self, client, url, field, value):
        body = json.dumps({"path": "nothing", field: value})
        response = post(client, url, body)
        assert response.status_code in (400, 404, 415)
        assert b"\\ud800" not in response.content


@pytest.mark.parametrize("charset", ["utf-16", "utf-7", "latin-1", "x", ""])
@pytest.mark.parametrize("query", ["", "?path=%ff", "?path=a&storage=b"])
def test_unknown_charset_is_refused(client, charset, query):
    for method in ("GET", "POST", "DELETE", "OPTIONS", "PROPFIND"):
        content_type = f"application/json; charset={charset}"
        response = client.generic(method, f"/files/{query}", b"{}", content_type=content_type)
        assert response.status_code < 500


@pytest.fixture
def storage():
    return get_proxy_storage("orm-prefix")


def ask_all(client, path):
    query = {"path": path}
    yield client.get("/files/", query)
    yield client.head("/files/", query)
    yield client.get("/files/authorize/", query)


def ask_by_header(client, change, path):
    change(AUTHORIZE_URI_HEADER="X-Original-URI")
    return client.get(
        "/files/authorize/", {"storage": "orm-prefix"}, headers={"x-original-uri": path}
    )


def check(responses, caplog, words):
    """Each response is 404, and one error is logged."""
    count = 0
    for count, response in enumerate(responses, 1):
        assert response.status_code == 404
        errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert len(errors) == count
        assert words in errors[-1].getMessage()
        assert "\n" not in errors[-1].getMessage()
        assert errors[-1].exc_info is None
    return count


class TestRecords:
    def test_symbolic_link_out_of_the_storage_is_not_found(
        self, client, storage, tmp_path, caplog, change
    ):
        path = storage.save("a.txt", ContentFile(b"a"))
        record = storage.get_meta_backend_obj(path)
        local = Path(storage.original_storage.path(record["original_storage_path"]))
        local.unlink()
        (tmp_path / "outside.txt").write_text("outside")
        local.symlink_to(tmp_path / "outside.txt")
        assert check(ask_all(client, path), caplog, "is outside its original storage") == 3
        assert ask_by_header(client, change, path).status_code == 404

    def test_path_out_of_the_storage_is_not_found(self, client, storage, caplog):
        names = {"proxy_storage_name": "orm-prefix", "original_storage_path": "../../etc/passwd"}
        storage.meta_backend.create({"path": "/private/out.txt", **names})
        assert check(ask_all(client, "/private/out.txt"), caplog, "outside its original") == 3

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"proxy_storage_name": "gone"}, "No proxy storage is registered as 'gone'"),
            (
                {"proxy_storage_name": "orm-multiple", "original_storage_name": "gone"},
                "does not have an original storage 'gone'",
            ),
        ],
    )
    def test_missing_storage_is_not_found(self, client, storage, caplog, values, words):
        names = {"path": "/x.txt", "original_storage_path": "x.txt", **values}
        storage.meta_backend.create(names)

        def ask():
            yield from ask_all(client, "/x.txt")
            yield post(client, "/files/link/", json.dumps({"path": "/x.txt"}))
            yield client.delete("/files/", query_params={"path": "/x.txt"})

        assert check(ask(), caplog, words) == 5
        assert storage.meta_backend.exists("/x.txt")
        response = client.get("/files/record/", {"path": "/x.txt"})
        assert response.status_code == 200

    @pytest.mark.parametrize("name", ["orm-prefix", "orm-gridfs", "orm-memory"])
    def test_missing_file_is_not_found(self, client, name, caplog):
        storage = get_proxy_storage(name)
        path = storage.save("a.txt", ContentFile(b"a"))
        record = storage.get_meta_backend_obj(path)
        storage.original_storage.delete(record["original_storage_path"])
        actions = ["/files/"]
        if name != "orm-memory":  # Other storages are not read before the delivery.
            actions.append("/files/authorize/")
        for action in actions:
            assert client.get(action, {"path": path}).status_code == 404
        lines = [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]
        assert len(lines) == len(actions)
        assert all(repr(path) in line for line in lines)

    @pytest.mark.parametrize("name", ["orm-prefix", "orm-gridfs", "orm-memory"])
    def test_existing_file_is_deliverable(self, name):
        storage = get_proxy_storage(name)
        require_deliverable(storage.get_meta_backend_obj(storage.save("a.txt", ContentFile(b"a"))))


class Failing(BasePermission):
    error: Exception

    def has_permission(self, request, view):
        raise self.error


class TestDatabase:
    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (OperationalError("server closed the connection unexpectedly"), 503),
            (InterfaceError("connection already closed"), 503),
            (OperationalError("no such table: testapp_storedfile"), 500),
            (ProgrammingError("syntax error"), 500),
        ],
    )
    @pytest.mark.parametrize("hide", [True, False])
    def test_error_of_a_permission_has_its_status(self, monkeypatch, change, error, status, hide):
        change(HIDE_FORBIDDEN=hide)
        monkeypatch.setattr(Open, "permission_classes", [type("F", (Failing,), {"error": error})])
        client = Client(raise_request_exception=False)
        for url in (
            "/files/",
            "/files/?path=x",
            "/files/record/?path=x",
            "/files/authorize/?path=x",
        ):
            response = client.get(url)
            assert response.status_code == status
            if status == 503:
                assert response["Retry-After"] == "5"
