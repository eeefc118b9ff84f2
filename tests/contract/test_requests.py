"""Every request, by everybody, for every kind of file, on both meta backends."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.contract.request_matrix import CONTENT, FILES, READERS, RULES, WHO, World

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
SWITCHED_ON = {
    "UPLOAD_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "UPLOAD_STORAGES": ["orm_disk"],
    "DELETE_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
}


@pytest.fixture
def world(field, settings):
    settings.PROXY_STORAGE = settings.PROXY_STORAGE | RULES
    return World(field)


@pytest.fixture
def ask(world, monkeypatch):
    """Send a request as somebody, for a kind of file."""

    def ask(method, who, kind, url="/files/", **kwargs):
        query = world.get_query(who, kind, monkeypatch)
        client = world.get_client(who)
        return getattr(client, method)(url, query_params=query, **kwargs)

    return ask


def read(response):
    content = b"".join(response.streaming_content)
    if response.file_to_stream is not None:
        response.file_to_stream.close()
    return content


@pytest.mark.parametrize("who", WHO)
class TestReading:
    def may_read(self, who, kind):
        return who == "link" or who in READERS[kind]

    def test_get(self, ask, who):
        for kind in FILES:
            response = ask("get", who, kind)
            if self.may_read(who, kind):
                assert response.status_code == 200
                assert read(response) == CONTENT
            else:
                assert response.status_code == 403
                assert set(response.json()) == {"detail"}

    def test_head(self, ask, who):
        for kind in FILES:
            response = ask("head", who, kind)
            assert response.status_code == (200 if self.may_read(who, kind) else 403)
            assert b"".join(response) == b""
            assert ("Content-Disposition" in response) == self.may_read(who, kind)

    def test_range(self, ask, who):
        for kind in FILES:
            response = ask("get", who, kind, headers={"range": "bytes=2-4"})
            if self.may_read(who, kind):
                assert response.status_code == 206
                assert read(response) == CONTENT[2:5]
            else:
                assert response.status_code == 403

    def test_authorize(self, ask, who):
        for kind in FILES:
            response = ask("get", who, kind, "/files/authorize/")
            assert response.status_code == (204 if self.may_read(who, kind) else 403)
            assert response.content == b""

    def test_authorize_by_head(self, ask, who):
        for kind in FILES:
            response = ask("head", who, kind, "/files/authorize/")
            assert response.status_code == (204 if self.may_read(who, kind) else 403)


@pytest.mark.parametrize("who", WHO)
class TestTelling:
    """A link opens a file. It tells nothing of it, and makes no further links."""

    def test_record(self, ask, world, who):
        for kind in FILES:
            response = ask("get", who, kind, "/files/record/")
            if who in READERS[kind]:
                assert response.status_code == 200
                assert response.json()["path"] == world.records[kind]["path"]
                assert ("original_storage_path" in response.json()) == (who == "staff")
            else:
                assert response.status_code == 403

    def test_list(self, world, monkeypatch, who):
        for kind in FILES:
            query = world.get_query(who, kind, monkeypatch)
            del query["path"]
            response = world.get_client(who).get("/files/", query)
            assert response.status_code == 200
            found = {record["path"] for record in response.json()["results"]}
            expected = {
                world.records[each]["path"]
                for each in FILES
                # the stranger who comes by another's link is nobody but a stranger
                if who in READERS[each]
            }
            assert found == expected
            assert response.json()["count"] == len(expected)

    def test_link(self, world, monkeypatch, who):
        for kind in FILES:
            query = world.get_query(who, kind, monkeypatch)
            body = {key: query.pop(key) for key in ("path", "storage")}
            client = world.get_client(who)
            response = client.post(
                "/files/link/", body, content_type="application/json", query_params=query
            )
            if who not in READERS[kind]:
                assert response.status_code == 403
                continue
            assert response.status_code == 200
            link = response.json()["url"]
            assert link.startswith("http://testserver/files/?")
            assert read(Client().get(link)) == CONTENT

    def test_link_for_oneself(self, world, who):
        for kind in FILES:
            record = world.records[kind]
            body = {
                "path": record["path"],
                "storage": record["proxy_storage_name"],
                "only_me": True,
            }
            client = world.get_client(who)
            response = client.post("/files/link/", body, content_type="application/json")
            assert response.status_code == (200 if who in READERS[kind] else 403)
            if who in READERS[kind]:
                link = response.json()["url"]
                assert Client().get(link).status_code == 403
                assert world.get_client("stranger").get(link).status_code == 403
                assert read(client.get(link)) == CONTENT

    def test_options(self, ask, who):
        for kind in FILES:
            for url in ("/files/", "/files/record/", "/files/link/", "/files/authorize/"):
                response = ask("options", who, kind, url)
                assert response.status_code == 200
                assert "OPTIONS" in response["Allow"].split(", ")
                # It is the same for all files, those that do not exist included.
                assert response.content == Client().options(url).content


@pytest.mark.parametrize("who", WHO)
class TestChanging:
    def upload(self, ask, who, kind):
        data = {"file": SimpleUploadedFile("new.txt", b"new")}
        return ask("post", who, kind, data=data)

    def test_off_unless_switched_on(self, ask, world, who):
        for kind in FILES:
            assert self.upload(ask, who, kind).status_code == 405
            response = ask("delete", who, kind)
            assert response.status_code == 405
            assert {"POST", "DELETE"}.isdisjoint(response["Allow"].split(", "))
            assert world.storage.exists(world.records[kind]["path"])

    def test_upload_has_a_permission_of_its_own(self, ask, settings, who):
        for kind in FILES:
            settings.PROXY_STORAGE = settings.PROXY_STORAGE | SWITCHED_ON
            response = self.upload(ask, who, kind)
            assert response.status_code == (201 if who == "staff" else 403)

    def test_delete_has_a_permission_of_its_own(self, ask, world, settings, who):
        for kind in FILES:
            settings.PROXY_STORAGE = settings.PROXY_STORAGE | SWITCHED_ON
            response = ask("delete", who, kind)
            assert response.status_code == (204 if who == "staff" else 403)
            assert world.storage.exists(world.records[kind]["path"]) == (who != "staff")

    def test_a_link_deletes_where_that_is_permitted(self, ask, world, settings, who):
        for kind in FILES:
            by_link = {"DELETE_PERMISSION_CLASSES": ["proxy_storage_permissions.HasValidSignature"]}
            settings.PROXY_STORAGE = settings.PROXY_STORAGE | by_link
            response = ask("delete", who, kind)
            assert response.status_code == (204 if who == "link to delete" else 403)

    @pytest.mark.parametrize("method", ["put", "patch", "trace"])
    def test_unknown_actions(self, ask, world, method, who):
        for kind in FILES:
            for url in ("/files/", "/files/record/", "/files/link/", "/files/authorize/"):
                response = ask(method, who, kind, url)
                assert response.status_code == 405
            assert world.storage.exists(world.records[kind]["path"])


@pytest.mark.parametrize("who", WHO)
def test_file_that_is_not_there(world, monkeypatch, who):
    query = world.get_query(who, "bound", monkeypatch) | {"path": "/nothing.txt"}
    client = world.get_client(who)
    for url in ("/files/", "/files/record/", "/files/authorize/"):
        for method in (client.get, client.head):
            assert method(url, query).status_code == 404
    response = client.post("/files/link/", query, content_type="application/json")
    assert response.status_code == 404
