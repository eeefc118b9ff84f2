"""With ``HIDE_FORBIDDEN``, responses and queries of forbidden and missing files are equal."""

from datetime import date, datetime

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.files.storage import FileSystemStorage
from django.db import connection
from django.db.models import AutoField, CharField, DateField, DateTimeField
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from proxy_storage.exceptions import ConfigurationError
from proxy_storage_api import hidden
from proxy_storage_api.hidden import get_missing_records
from proxy_storage_permissions import FieldPermissions, FilePermission, IsOwner
from tests.contract.request_matrix import FILES, PERMISSION_SETTINGS, REQUESTERS, RequestData
from tests.testapp.models import (
    DatedDocument,
    Document,
    KeyedDocument,
    NamedDocument,
    ScannedDocument,
)

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
ENABLED = {
    "HIDE_FORBIDDEN": True,
    "DELETE_PERMISSION_CLASSES": ["tests.contract.request_matrix.DocumentFiles"],
}
REQUESTS = [
    ("get", "/files/"),
    ("head", "/files/"),
    ("get", "/files/record/"),
    ("get", "/files/authorize/"),
    ("head", "/files/authorize/"),
    ("post", "/files/link/"),
    ("delete", "/files/"),
]


@pytest.fixture
def data(field, settings):
    settings.PROXY_STORAGE = settings.PROXY_STORAGE | PERMISSION_SETTINGS | ENABLED
    return RequestData(field)


def send(client, method, url, query):
    """Return the complete response, and the queries without their conditions."""
    options = {"query_params": query}
    if method == "post":
        body = {key: query[key] for key in ("path", "storage")}
        options |= {"data": body, "content_type": "application/json"}
    with CaptureQueriesContext(
        connection,
    ) as captured:
        response = getattr(client, method)(url, **options)
    body = b"".join(response)
    response_data = response.status_code, response.reason_phrase, dict(response.items()), body
    return response_data, [
        query["sql"].partition("WHERE")[0] for query in captured.captured_queries
    ]


def compare_refusals(data, monkeypatch, requester, method, url):
    client, refusals = data.get_client(requester), []
    for kind in FILES:
        query = data.get_query(requester, kind, monkeypatch)
        send(client, method, url, {**query, "path": "/warm.txt"})
        missing = send(client, method, url, {**query, "path": "/nothing.txt"})
        assert missing[0][0] == 404
        forbidden = send(client, method, url, query)
        if forbidden[0][0] in (200, 204):
            continue
        refusals.append(kind)
        assert forbidden == missing
    expected_refusals = {"staff": set(), "owner": {"unbound", "dangling"}}
    if method != "delete" and requester != "link":
        assert set(refusals) == expected_refusals.get(requester, set(FILES))


@pytest.mark.parametrize("requester", REQUESTERS)
@pytest.mark.slow
def test_responses_for_forbidden_and_missing_files_are_equal(data, monkeypatch, requester):
    for method, url in REQUESTS:
        compare_refusals(data, monkeypatch, requester, method, url)


@pytest.mark.parametrize("requester", REQUESTERS)
def test_responses_without_a_storage_name_are_equal(data, monkeypatch, requester):
    """The path is looked up in all meta backends, regardless of the one that contains it."""
    client = data.get_client(requester)
    for kind in FILES:
        query = data.get_query(requester, kind, monkeypatch)
        del query["storage"]
        send(client, "get", "/files/", {**query, "path": "/warm.txt"})
        forbidden = send(client, "get", "/files/", query)
        missing = send(client, "get", "/files/", {**query, "path": "/nothing.txt"})
        assert forbidden == missing or forbidden[0][0] == 200


class ReadsEachKey(FieldPermissions):
    """Reads each key of the record, and then checks the owner."""

    model = Document
    permissions = {"orm_file": IsOwner("user"), "mongo_file": IsOwner("user")}

    def has_object_permission(self, request, view, obj):
        keys = ("path", "size", "mime_type", "checksum", "created_at", "original_storage_path")
        values = [obj[key] for key in keys]
        if obj.get_proxy_storage().meta_backend != obj.meta_backend or len(values) > 9:
            return False
        return super().has_object_permission(request, view, obj)


class FailsWithoutSize(FilePermission):
    def has_object_permission(self, request, view, obj):
        return obj["size"] < 0


@pytest.mark.parametrize("permission", ["ReadsEachKey", "FailsWithoutSize"])
@pytest.mark.parametrize("requester", ["anonymous", "stranger"])
def test_permission_that_reads_the_record(data, monkeypatch, settings, requester, permission):
    settings.PROXY_STORAGE = settings.PROXY_STORAGE | {
        "DEFAULT_PERMISSION_CLASSES": [f"{__name__}.{permission}"],
        "DELETE_PERMISSION_CLASSES": [f"{__name__}.{permission}"],
    }
    client = data.get_client(requester)
    values = dict.fromkeys(("mime_type", "checksum"), "x") | {"size": 10, "created_at": now()}
    for record in data.records.values():
        record.meta_backend.update(record["path"], values)
    for method, url in REQUESTS:
        for kind in FILES:
            query = data.get_query(requester, kind, monkeypatch)
            send(client, method, url, {**query, "path": "/warm.txt"})
            forbidden = send(client, method, url, query)
            assert forbidden == send(client, method, url, {**query, "path": "/nothing.txt"})
            assert forbidden[0][0] == 404


@pytest.mark.usefixtures("data")
def test_missing_record_of_a_field_with_unregistered_storage(monkeypatch):
    """A record is still created, for permissions that do not use its storage."""
    field = Document._meta.get_field("orm_file")
    for storage in (FileSystemStorage(), field.storage):
        monkeypatch.setattr(field, "storage", storage)
        monkeypatch.setattr(hidden, "get_proxy_storage_name", raise_configuration_error)
        found = [one for one in get_missing_records("/x") if one["field"] == "orm_file"]
        assert {one["proxy_storage_name"] for one in found} == {""}


def raise_configuration_error(storage):
    raise ConfigurationError("not registered")


def test_missing_records_have_keys_of_the_right_type(db):
    keys = {
        (one["content_type_id"], type(one["object_id"]).__name__)
        for one in get_missing_records("/x")
    }
    for model, kind in (
        (Document, "int"),
        (KeyedDocument, "UUID"),
        (NamedDocument, "str"),
        (DatedDocument, "datetime"),
    ):
        assert (ContentType.objects.get_for_model(model).pk, kind) in keys


@pytest.mark.parametrize(
    ("key", "expected"),
    [(DateField(), date), (DateTimeField(), datetime), (AutoField(), int), (CharField(), str)],
)
def test_unused_key_has_the_type_of_the_field(key, expected):
    assert type(hidden._get_unused_key(key)) is expected


def test_unused_key_of_a_relation():
    key = ScannedDocument._meta.pk
    assert key.remote_field is not None
    assert hidden._get_unused_key(key) == -1


@pytest.mark.parametrize("name", ["orm_file", "mongo_file", "orm_image", "mongo_image"])
def test_missing_records_include_file_and_image_fields(db, name):
    assert name in {record["field"] for record in get_missing_records("/nothing.txt")}


def test_forbidden_file_returns_403_if_disabled(data, settings):
    settings.PROXY_STORAGE = settings.PROXY_STORAGE | {"HIDE_FORBIDDEN": False}
    query = {"path": data.records["bound"]["path"]}
    assert data.get_client("stranger").get("/files/", query).status_code == 403


def test_refusal_that_does_not_depend_on_a_file_returns_403(settings, client):
    """A permission that does not use the record refuses all paths in the same way."""
    others = dict(settings.PROXY_STORAGE)
    del others["DEFAULT_PERMISSION_CLASSES"]
    settings.PROXY_STORAGE = {**others, "HIDE_FORBIDDEN": True}
    assert client.get("/files/", {"path": "/nothing.txt"}).status_code == 403
