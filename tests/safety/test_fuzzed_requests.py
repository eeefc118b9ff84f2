"""Random requests cause no server error and return no file of another user."""

import string

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.request_matrix import PERMISSION_SETTINGS, RequestData
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
def data(request, settings):
    settings.PROXY_STORAGE = (
        settings.PROXY_STORAGE | PERMISSION_SETTINGS | {"AUTHORIZE_URI_HEADER": "X-Original-URI"}
    )
    return RequestData(request.param)


@settings(
    max_examples=500,
    deadline=None,
    # The examples only read files. The first example of many strategies is slow.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    method=st.sampled_from(["get", "head", "options", "post", "put", "delete", "patch"]),
    url=URLS,
    path=st.none() | PATHS,
    parameters=PARAMETERS,
    headers=HEADERS,
    requester=st.sampled_from(["anonymous", "stranger"]),
)
def test_random_requests_reveal_no_file(data, method, url, path, parameters, headers, requester):
    if path is not None:
        parameters = {**parameters, "path": path}
    client = get_client(data, requester)
    options = {"query_params": {key: encode(value) for key, value in parameters.items()}}
    if method == "post":
        options |= {"data": {"path": path or ""}, "content_type": "application/json"}
    headers = {
        key: value for key, value in headers.items() if key != "cookie" or requester != "stranger"
    }
    response = getattr(client, method)(url, headers=headers, **options)
    assert response.status_code < 500
    body = b"".join(response) if response.streaming else response.content
    assert SECRET not in body
    # The response must not contain a path that the request does not contain.
    sent = " ".join([path or "", *parameters.values(), *headers.values()])
    for record in data.records.values():
        assert record["path"] in sent or record["path"].encode() not in body


def get_client(data, requester):
    """Return the client of a requester, which logs in only once."""
    if not hasattr(data, "clients"):
        data.clients = {}
    if requester not in data.clients:
        data.clients[requester] = (
            data.get_client(requester) if requester != "anonymous" else Client()
        )
    return data.clients[requester]


def encode(value):
    # A URL cannot contain unpaired surrogates.
    return value.encode("utf-8", "replace").decode()
