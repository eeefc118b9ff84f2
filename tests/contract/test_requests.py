"""Every request by every requester for every kind of file, with both meta backends."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.contract.request_matrix import (
    CONTENT,
    FILES,
    PERMISSION_SETTINGS,
    READERS,
    REQUESTERS,
    RequestData,
)

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
ENABLED = {
    "UPLOAD_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "UPLOAD_STORAGES": ["orm_disk"],
    "DELETE_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
}


@pytest.fixture
def data(field, settings):
    settings.PROXY_STORAGE = settings.PROXY_STORAGE | PERMISSION_SETTINGS
    return RequestData(field)


@pytest.fixture
def send(data, monkeypatch):
    """Return a function that sends a request of a requester for a kind of file."""

    def send(method, requester, kind, url="/files/", **kwargs):
        query = data.get_query(requester, kind, monkeypatch)
        client = data.get_client(requester)
        return getattr(client, method)(url, query_params=query, **kwargs)

    return send


def read(response):
    content = b"".join(response.streaming_content)
    if response.file_to_stream is not None:
        response.file_to_stream.close()
    return content


@pytest.mark.parametrize("requester", REQUESTERS)
class TestDownloadAndAuthorize:
    def may_read(self, requester, kind):
        return requester == "link" or requester in READERS[kind]

    def test_get_returns_the_file_or_403(self, send, requester):
        for kind in FILES:
            response = send("get", requester, kind)
            if self.may_read(requester, kind):
                assert response.status_code == 200
                assert read(response) == CONTENT
            else:
                assert response.status_code == 403
                assert set(response.json()) == {"detail"}

    def test_head_returns_the_headers_or_403(self, send, requester):
        for kind in FILES:
            response = send("head", requester, kind)
            assert response.status_code == (200 if self.may_read(requester, kind) else 403)
            assert b"".join(response) == b""
            assert ("Content-Disposition" in response) == self.may_read(requester, kind)

    def test_range_request_returns_206_or_403(self, send, requester):
        for kind in FILES:
            response = send("get", requester, kind, headers={"range": "bytes=2-4"})
            if self.may_read(requester, kind):
                assert response.status_code == 206
                assert read(response) == CONTENT[2:5]
            else:
                assert response.status_code == 403

    def test_get_authorize_returns_204_or_403(self, send, requester):
        for kind in FILES:
            response = send("get", requester, kind, "/files/authorize/")
            assert response.status_code == (204 if self.may_read(requester, kind) else 403)
            assert response.content == b""

    def test_head_authorize_returns_204_or_403(self, send, requester):
        for kind in FILES:
            response = send("head", requester, kind, "/files/authorize/")
            assert response.status_code == (204 if self.may_read(requester, kind) else 403)


@pytest.mark.parametrize("requester", REQUESTERS)
class TestRecordsAndLinks:
    """A link gives access to the file only, not to its record or to new links."""

    def test_record_is_shown_to_readers(self, send, data, requester):
        for kind in FILES:
            response = send("get", requester, kind, "/files/record/")
            if requester in READERS[kind]:
                assert response.status_code == 200
                assert response.json()["path"] == data.records[kind]["path"]
                assert ("original_storage_path" in response.json()) == (requester == "staff")
            else:
                assert response.status_code == 403

    def test_list_contains_readable_files(self, data, monkeypatch, requester):
        for kind in FILES:
            query = data.get_query(requester, kind, monkeypatch)
            del query["path"]
            response = data.get_client(requester).get("/files/", query)
            assert response.status_code == 200
            found = {record["path"] for record in response.json()["results"]}
            expected = {
                data.records[each]["path"]
                for each in FILES
                # The link of another user adds nothing.
                if requester in READERS[each]
            }
            assert found == expected
            assert response.json()["count"] == len(expected)

    def test_readers_can_create_links(self, data, monkeypatch, requester):
        for kind in FILES:
            query = data.get_query(requester, kind, monkeypatch)
            body = {key: query.pop(key) for key in ("path", "storage")}
            client = data.get_client(requester)
            response = client.post(
                "/files/link/", body, content_type="application/json", query_params=query
            )
            if requester not in READERS[kind]:
                assert response.status_code == 403
                continue
            assert response.status_code == 200
            link = response.json()["url"]
            assert link.startswith("http://testserver/files/?")
            assert read(Client().get(link)) == CONTENT

    def test_link_with_only_me_works_for_its_user_only(self, data, requester):
        for kind in FILES:
            record = data.records[kind]
            body = {
                "path": record["path"],
                "storage": record["proxy_storage_name"],
                "only_me": True,
            }
            client = data.get_client(requester)
            response = client.post("/files/link/", body, content_type="application/json")
            assert response.status_code == (200 if requester in READERS[kind] else 403)
            if requester in READERS[kind]:
                link = response.json()["url"]
                assert Client().get(link).status_code == 403
                assert data.get_client("stranger").get(link).status_code == 403
                assert read(client.get(link)) == CONTENT

    def test_options_does_not_depend_on_the_file(self, send, requester):
        for kind in FILES:
            for url in ("/files/", "/files/record/", "/files/link/", "/files/authorize/"):
                response = send("options", requester, kind, url)
                assert response.status_code == 200
                assert "OPTIONS" in response["Allow"].split(", ")
                # The response is the same for all paths, also for missing files.
                assert response.content == Client().options(url).content


@pytest.mark.parametrize("requester", REQUESTERS)
class TestUploadAndDelete:
    def upload(self, send, requester, kind):
        body = {"file": SimpleUploadedFile("new.txt", b"new")}
        return send("post", requester, kind, data=body)

    def test_upload_and_delete_are_disabled_by_default(self, send, data, requester):
        for kind in FILES:
            assert self.upload(send, requester, kind).status_code == 405
            response = send("delete", requester, kind)
            assert response.status_code == 405
            assert {"POST", "DELETE"}.isdisjoint(response["Allow"].split(", "))
            assert data.storage.exists(data.records[kind]["path"])

    def test_upload_requires_an_upload_permission(self, send, settings, requester):
        for kind in FILES:
            settings.PROXY_STORAGE = settings.PROXY_STORAGE | ENABLED
            response = self.upload(send, requester, kind)
            assert response.status_code == (201 if requester == "staff" else 403)

    def test_delete_requires_a_delete_permission(self, send, data, settings, requester):
        for kind in FILES:
            settings.PROXY_STORAGE = settings.PROXY_STORAGE | ENABLED
            response = send("delete", requester, kind)
            assert response.status_code == (204 if requester == "staff" else 403)
            assert data.storage.exists(data.records[kind]["path"]) == (requester != "staff")

    def test_signed_link_can_allow_delete(self, send, data, settings, requester):
        for kind in FILES:
            by_link = {"DELETE_PERMISSION_CLASSES": ["proxy_storage_permissions.HasValidSignature"]}
            settings.PROXY_STORAGE = settings.PROXY_STORAGE | by_link
            response = send("delete", requester, kind)
            assert response.status_code == (204 if requester == "link to delete" else 403)

    @pytest.mark.parametrize("method", ["put", "patch", "trace"])
    @pytest.mark.slow
    def test_other_methods_return_405(self, send, data, method, requester):
        for kind in FILES:
            for url in ("/files/", "/files/record/", "/files/link/", "/files/authorize/"):
                response = send(method, requester, kind, url)
                assert response.status_code == 405
            assert data.storage.exists(data.records[kind]["path"])


@pytest.mark.parametrize("requester", REQUESTERS)
def test_missing_file_returns_404(data, monkeypatch, requester):
    query = data.get_query(requester, "bound", monkeypatch) | {"path": "/nothing.txt"}
    client = data.get_client(requester)
    for url in ("/files/", "/files/record/", "/files/authorize/"):
        for method in (client.get, client.head):
            assert method(url, query).status_code == 404
    response = client.post("/files/link/", query, content_type="application/json")
    assert response.status_code == 404
