"""A thousand requests of which no answer is an error of the site, or another's file."""

import string

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.requests import RULES, World
from tests.hostile_names import HOSTILE_NAMES

pytestmark = [
    pytest.mark.long,
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
SECRET = b"0123456789"

FRAGMENTS = st.sampled_from(
    [
        "/",
        "..",
        ".",
        "%2e",
        "%00",
        "\x00",
        "\r\n",
        "\\",
        "//",
        "?",
        "#",
        "*",
        "{}",
        "[$ne]",
        "'",
        '"',
        "bound.txt",
        "unbound.txt",
        "BOUND.TXT",
        "bound.txt/",
        "bound.txt\x00",
        "/bound.txt",
    ]
)
PATHS = st.one_of(
    st.text(max_size=40),
    st.sampled_from([name for _, name in HOSTILE_NAMES]),
    st.lists(FRAGMENTS, max_size=8).map("".join),
    st.text("a/", min_size=400, max_size=900),
)
HEADER_VALUES = st.one_of(
    st.text(string.printable.strip() + " ", max_size=60),
    st.sampled_from(
        [
            "bytes=0-",
            "bytes=-1",
            "bytes=9-1",
            "bytes=0-0,2-3,-1",
            "bytes=" + "0-," * 200,
            "x" * 9000,
            '"0"',
            "*",
            'W/"x"',
            "Sat, 29 Oct 1994 19:43:31 GMT",
            "Basic Og==",
            "Token x",
            "a=b;c",
            "/bound.txt",
            "//host/bound.txt",
            "https",
            "image/*",
            "*/*;q=x",
            "application/xml",
        ]
    ),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "range",
            "if-range",
            "if-none-match",
            "if-match",
            "if-modified-since",
            "accept",
            "authorization",
            "x-original-uri",
            "x-forwarded-uri",
            "x-sendfile-type",
            "cookie",
            "accept-encoding",
            "accept-language",
            "content-type",
            "x-http-method-override",
        ]
    ),
    HEADER_VALUES,
    max_size=4,
)
PARAMETERS = st.dictionaries(
    st.sampled_from(
        [
            "storage",
            "signature",
            "expires",
            "user",
            "method",
            "disposition",
            "format",
            "version",
            "page",
            "page_size",
            "ordering",
            "content_type",
            "object_id",
            "size__gte",
            "mime_type",
            "created_at__lte",
            "path__startswith",
            "field",
            "cursor",
            "limit",
            "offset",
        ]
    ),
    st.one_of(PATHS, HEADER_VALUES, st.integers().map(str)),
    max_size=3,
)
URLS = st.sampled_from(["/files/", "/files/record/", "/files/authorize/", "/files/link/"])


@pytest.fixture(params=["orm_file", "mongo_file"])
def world(request, settings):
    settings.PROXY_STORAGE = (
        settings.PROXY_STORAGE | RULES | {"AUTHORIZE_URI_HEADER": "X-Original-URI"}
    )
    return World(request.param)


@settings(
    max_examples=500,
    deadline=None,
    # the files are only read, and a list of many strategies is slow to draw from at first
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    method=st.sampled_from(["get", "head", "options", "post", "put", "delete", "patch"]),
    url=URLS,
    path=st.none() | PATHS,
    parameters=PARAMETERS,
    headers=HEADERS,
    who=st.sampled_from(["anonymous", "stranger"]),
)
def test_no_error_and_no_file(world, method, url, path, parameters, headers, who):
    if path is not None:
        parameters = {**parameters, "path": path}
    client = client_of(world, who)
    options = {"query_params": {key: encode(value) for key, value in parameters.items()}}
    if method == "post":
        options |= {"data": {"path": path or ""}, "content_type": "application/json"}
    headers = {key: value for key, value in headers.items() if key != "cookie" or who != "stranger"}
    response = getattr(client, method)(url, headers=headers, **options)
    assert response.status_code < 500
    body = b"".join(response) if response.streaming else response.content
    assert SECRET not in body
    # nothing of what is there is told to those who may read none of it, but what they say
    said = " ".join([path or "", *parameters.values(), *headers.values()])
    for record in world.records.values():
        assert record["path"] in said or record["path"].encode() not in body


def client_of(world, who):
    """Return a client that is logged in once for all of its requests."""
    if not hasattr(world, "clients"):
        world.clients = {}
    if who not in world.clients:
        world.clients[who] = world.get_client(who) if who != "anonymous" else Client()
    return world.clients[who]


def encode(value):
    # what a URL can carry of it
    return value.encode("utf-8", "replace").decode()
