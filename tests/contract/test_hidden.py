"""With ``HIDE_FORBIDDEN`` a file that one may not read is told from no file by nothing."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proxy_storage_api.phantoms import get_phantoms
from tests.contract.requests import FILES, RULES, WHO, World

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
SWITCHED_ON = {
    "HIDE_FORBIDDEN": True,
    "DELETE_PERMISSION_CLASSES": ["tests.contract.requests.DocumentFiles"],
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
        assert known[0] == unknown[0]
        # an owner is looked for in either case; a file that has none spares that
        if kind != "unbound":
            assert known[1] == unknown[1]
    expected_to_be_refused = {"staff": set(), "owner": {"unbound", "dangling"}}
    if method != "delete" and who != "link":
        assert set(refusals) == expected_to_be_refused.get(who, set(FILES))


@pytest.mark.parametrize("who", WHO)
def test_forbidden_and_unknown_are_equal(world, monkeypatch, who):
    for method, url in REQUESTS:
        compare_refusals(world, monkeypatch, who, method, url)


@pytest.mark.parametrize("name", ["orm_file", "mongo_file", "orm_image", "mongo_image"])
def test_there_is_a_phantom_for_files_and_for_images(db, name):
    assert name in {phantom["field"] for phantom in get_phantoms("/nothing.txt")}


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
