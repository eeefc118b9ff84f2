"""With ``HIDE_FORBIDDEN`` a file that one may not read is told from no file by nothing."""

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
from tests.contract.request_matrix import FILES, RULES, WHO, World
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
SWITCHED_ON = {
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
def world(field, settings):
    settings.PROXY_STORAGE = settings.PROXY_STORAGE | RULES | SWITCHED_ON
    return World(field)


def ask(client, method, url, query):
    """Return all that an answer tells, and what the database was asked."""
    options = {"query_params": query}
    if method == "post":
        body = {key: query[key] for key in ("path", "storage")}
        options |= {"data": body, "content_type": "application/json"}
    with CaptureQueriesContext(
        connection,
    ) as captured:
        response = getattr(client, method)(url, **options)
    body = b"".join(response)
    told = response.status_code, response.reason_phrase, dict(response.items()), body
    return told, [query["sql"].partition("WHERE")[0] for query in captured.captured_queries]


def compare_refusals(world, monkeypatch, who, method, url):
    client, refusals = world.get_client(who), []
    for kind in FILES:
        query = world.get_query(who, kind, monkeypatch)
        ask(client, method, url, {**query, "path": "/warm.txt"})
        unknown = ask(client, method, url, {**query, "path": "/nothing.txt"})
        assert unknown[0][0] == 404
        known = ask(client, method, url, query)
        if known[0][0] in (200, 204):
            continue
        refusals.append(kind)
        assert known == unknown
    expected_to_be_refused = {"staff": set(), "owner": {"unbound", "dangling"}}
    if method != "delete" and who != "link":
        assert set(refusals) == expected_to_be_refused.get(who, set(FILES))


@pytest.mark.parametrize("who", WHO)
def test_forbidden_and_unknown_are_equal(world, monkeypatch, who):
    for method, url in REQUESTS:
        compare_refusals(world, monkeypatch, who, method, url)


@pytest.mark.parametrize("who", WHO)
def test_without_the_name_of_the_storage(world, monkeypatch, who):
    """The path is looked for in all meta backends, whichever of them has it."""
    client = world.get_client(who)
    for kind in FILES:
        query = world.get_query(who, kind, monkeypatch)
        del query["storage"]
        ask(client, "get", "/files/", {**query, "path": "/warm.txt"})
        known = ask(client, "get", "/files/", query)
        unknown = ask(client, "get", "/files/", {**query, "path": "/nothing.txt"})
        assert known == unknown or known[0][0] == 200


class LooksAtEachKey(FieldPermissions):
    """Looks at each key that records have, and then for the owner."""

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


@pytest.mark.parametrize("rule", ["LooksAtEachKey", "FailsWithoutSize"])
@pytest.mark.parametrize("who", ["anonymous", "stranger"])
def test_rule_that_looks_at_the_record(world, monkeypatch, settings, who, rule):
    settings.PROXY_STORAGE = settings.PROXY_STORAGE | {
        "DEFAULT_PERMISSION_CLASSES": [f"{__name__}.{rule}"],
        "DELETE_PERMISSION_CLASSES": [f"{__name__}.{rule}"],
    }
    client = world.get_client(who)
    values = dict.fromkeys(("mime_type", "checksum"), "x") | {"size": 10, "created_at": now()}
    for record in world.records.values():
        record.meta_backend.update(record["path"], values)
    for method, url in REQUESTS:
        for kind in FILES:
            query = world.get_query(who, kind, monkeypatch)
            ask(client, method, url, {**query, "path": "/warm.txt"})
            known = ask(client, method, url, query)
            assert known == ask(client, method, url, {**query, "path": "/nothing.txt"})
            assert known[0][0] == 404


@pytest.mark.usefixtures("world")
def test_phantom_of_a_field_whose_storage_is_not_registered(monkeypatch):
    """A record is made all the same, for rules that do not look at its storage."""
    field = Document._meta.get_field("orm_file")
    for storage in (FileSystemStorage(), field.storage):
        monkeypatch.setattr(field, "storage", storage)
        monkeypatch.setattr(hidden, "get_proxy_storage_name", refuse)
        found = [one for one in get_missing_records("/x") if one["field"] == "orm_file"]
        assert {one["proxy_storage_name"] for one in found} == {""}


def refuse(storage):
    raise ConfigurationError("not registered")


def test_phantoms_have_keys_of_the_right_kind(db):
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
def test_key_that_no_row_has(key, expected):
    assert type(hidden._get_unused_key(key)) is expected


def test_key_that_is_a_relation():
    key = ScannedDocument._meta.pk
    assert key.remote_field is not None
    assert hidden._get_unused_key(key) == -1


@pytest.mark.parametrize("name", ["orm_file", "mongo_file", "orm_image", "mongo_image"])
def test_there_is_a_phantom_for_files_and_for_images(db, name):
    assert name in {phantom["field"] for phantom in get_missing_records("/nothing.txt")}


def test_without_it_a_refusal_says_what_it_is(world, settings):
    settings.PROXY_STORAGE = settings.PROXY_STORAGE | {"HIDE_FORBIDDEN": False}
    query = {"path": world.records["bound"]["path"]}
    assert world.get_client("stranger").get("/files/", query).status_code == 403


def test_what_no_file_changes_is_said(settings, client):
    """A permission that asks for no record refuses every path in the same way."""
    others = dict(settings.PROXY_STORAGE)
    del others["DEFAULT_PERMISSION_CLASSES"]
    settings.PROXY_STORAGE = {**others, "HIDE_FORBIDDEN": True}
    assert client.get("/files/", {"path": "/nothing.txt"}).status_code == 403
