"""The OpenAPI document of the endpoint in a project's URLs."""

import os
import subprocess
import sys

import pytest
from django.apps import apps

import proxy_storage_api
from tests.unit.proxy_storage_api.documents import describe, get_component, get_names

STAFF = ["rest_framework.permissions.IsAdminUser"]
LINK = {"expires": False, "signature": False, "user": False, "method": False}
OF_A_FILE = {"path": True, "storage": False}
CONDITIONS = {"Range", "If-Range", "If-None-Match", "If-Modified-Since"}
FILTERS = {
    *("storage", "content_type", "object_id", "field", "mime_type", "path__startswith"),
    "name__icontains",
    *("size__gte", "size__lte", "created_at__gte", "created_at__lte", "ordering", "search"),
    *("released_at__gte", "released_at__lte", "has_content_object", "name"),
}
REFUSALS = {"400", "401", "403", "404", "503"}
FILE = {"200", "206", "302", "304", "412", "416"}


@pytest.fixture(autouse=True)
def in_use(settings):
    settings.REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}


@pytest.fixture
def document(change):
    """The document of an endpoint with all actions."""
    change(
        UPLOAD_PERMISSION_CLASSES=STAFF,
        UPLOAD_STORAGES=["orm_disk", "mongo_gridfs"],
        DELETE_PERMISSION_CLASSES=STAFF,
    )
    return describe()


@pytest.fixture
def files(document):
    return document["paths"]["/files/"]


def test_disabled_actions_are_left_out():
    paths = describe()["paths"]
    assert {path: list(methods) for path, methods in paths.items()} == {
        "/files/": ["get"],
        "/files/authorize/": ["get"],
        "/files/link/": ["post"],
        "/files/record/": ["get"],
    }


@pytest.mark.parametrize(
    ("key", "method"), [("UPLOAD", "post"), ("DELETE", "delete")], ids=["upload", "delete"]
)
def test_enabled_action_is_described(change, key, method):
    change(**{f"{key}_PERMISSION_CLASSES": STAFF, "UPLOAD_STORAGES": ["orm_disk"]})
    assert set(describe()["paths"]["/files/"]) == {"get", method}


@pytest.mark.parametrize(
    ("path", "method", "expected"),
    [
        ("", "get", FILE | REFUSALS),
        ("", "post", {"201", "411", "413", "415", "507"} | REFUSALS),
        ("", "delete", {"204", "409", "412"} | REFUSALS),
        ("record/", "get", {"200"} | REFUSALS),
        ("link/", "post", {"200", "415"} | REFUSALS),
        ("authorize/", "get", {"204"} | REFUSALS),
    ],
)
def test_statuses_of_operations(document, path, method, expected):
    operation = document["paths"][f"/files/{path}"][method]
    assert set(operation["responses"]) == expected
    assert all(response["description"] for response in operation["responses"].values())


def test_file_and_page_are_responses_of_one_operation(document, files):
    content = files["get"]["responses"]["200"]["content"]
    assert content.keys() == {"*/*", "application/json"}
    assert content["*/*"]["schema"] == {"type": "string", "format": "binary"}
    page = get_component(document, content["application/json"])
    assert page["properties"].keys() == {"count", "next", "previous", "results"}
    assert page["properties"]["results"]["items"] == {"$ref": "#/components/schemas/FileRecord"}
    assert files["get"]["responses"]["206"]["content"] == {"*/*": content["*/*"]}
    for status in ("302", "304", "412", "416"):
        assert "content" not in files["get"]["responses"][status]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("200", {"Content-Disposition", "Accept-Ranges", "ETag", "Last-Modified"}),
        ("206", {"Content-Disposition", "Accept-Ranges", "ETag", "Content-Range"}),
        ("302", {"Location"}),
        ("304", {"ETag", "Last-Modified"}),
        ("401", {"WWW-Authenticate"}),
        ("416", {"Content-Range"}),
    ],
)
def test_headers_of_responses(files, status, expected):
    headers = files["get"]["responses"][status]["headers"]
    assert expected <= headers.keys()
    assert ("Content-Range" in headers) is (status in ("206", "416"))
    assert all(header["description"] for header in headers.values())


def test_parameters_of_files_and_lists(files):
    names = get_names(files["get"])
    expected = {"path", "storage", "disposition", "page", "page_size", *LINK, *FILTERS, *CONDITIONS}
    assert names.keys() == expected
    assert not any(names.values())


def test_filters_may_be_empty_and_orderings_are_listed(files):
    by_name = {one["name"]: one for one in files["get"]["parameters"]}
    assert "minLength" not in by_name["path__startswith"]["schema"]
    assert by_name["size__gte"]["schema"]["minimum"] == 0
    assert {"path", "-path", "-size"} < set(by_name["ordering"]["schema"]["items"]["enum"])
    assert by_name["ordering"]["explode"] is False
    assert {by_name[name]["in"] for name in CONDITIONS} == {"header"}


@pytest.mark.parametrize(
    ("path", "method", "expected"),
    [
        (
            "",
            "delete",
            OF_A_FILE | LINK | {"If-Match": False, "If-Unmodified-Since": False},
        ),
        ("record/", "get", OF_A_FILE),
        ("authorize/", "get", OF_A_FILE | LINK | {"disposition": False}),
    ],
)
def test_parameters_of_actions_on_one_file(document, path, method, expected):
    assert get_names(document["paths"][f"/files/{path}"][method]) == expected


def test_upload_is_a_form(document, files):
    assert "parameters" not in files["post"]
    content = files["post"]["requestBody"]["content"]
    assert content.keys() == {"multipart/form-data"}
    upload = get_component(document, content["multipart/form-data"])
    assert set(upload["required"]) == {"file", "storage"}
    assert upload["properties"]["file"] == {"type": "string", "format": "binary"}
    storages = document["components"]["schemas"]["StorageEnum"]
    assert storages["enum"] == ["orm_disk", "mongo_gridfs"]
    created = files["post"]["responses"]["201"]
    assert created["headers"]["Location"]["required"]
    assert (
        "checksum" in get_component(document, created["content"]["application/json"])["properties"]
    )


def test_link_has_a_request_body(document, change):
    change(LINK_MAX_AGE=99)
    document = describe()
    operation = document["paths"]["/files/link/"]["post"]
    options = get_component(document, operation["requestBody"]["content"]["application/json"])
    assert options["properties"].keys() == {"path", "storage", "disposition", "max_age", "only_me"}
    assert options["properties"]["max_age"]["maximum"] == 99
    assert options["required"] == ["path"]
    answer = operation["responses"]["200"]
    assert answer["headers"].keys() == {"Cache-Control"}
    link = get_component(document, answer["content"]["application/json"])
    assert link["properties"].keys() == {"url", "expires_at"}


def test_fields_for_staff_are_not_required(document):
    record = document["components"]["schemas"]["FileRecord"]
    of_staff = {
        *("original_storage_name", "original_storage_path"),
        *("released_at", "former_content_type", "former_object_id", "former_field"),
    }
    assert record["properties"].keys() - set(record["required"]) == of_staff


def test_authorize_has_no_response_body(document):
    responses = document["paths"]["/files/authorize/"]["get"]["responses"]
    assert not any("content" in response for response in responses.values())
    assert {"Cache-Control", "Content-Disposition"} <= responses["204"]["headers"].keys()
    assert "Cache-Control" in responses["403"]["headers"]


def test_authorize_with_the_header_of_a_web_server(change):
    change(AUTHORIZE_URI_HEADER="X-Original-URI")
    operation = describe()["paths"]["/files/authorize/"]["get"]
    assert get_names(operation) == {"X-Original-URI": True, "storage": True}


def test_descriptions_of_operations_are_plain_text(document):
    found = {
        (path, method): operation["description"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert found == {
        ("/files/", "get"): (
            "Return a file, or without a path a page of the records that you may read."
        ),
        ("/files/", "post"): "Save the uploaded file, and return its record.",
        ("/files/", "delete"): (
            "Delete the file of a path, and clear the field of its content object."
        ),
        ("/files/authorize/", "get"): (
            "Return 204 without a body, and the headers that the file's response must have."
        ),
        ("/files/link/", "post"): "Return a signed link, which opens the file until it expires.",
        ("/files/record/", "get"): "Return the record of a file.",
    }


def test_refusals_are_json(document, files):
    responses = files["get"]["responses"]
    for status in ("401", "403", "404", "503"):
        refusal = get_component(document, responses[status]["content"]["application/json"])
        assert refusal["properties"] == {"detail": {"type": "string"}}
    assert responses["400"]["content"]["application/json"]["schema"]["type"] == "object"


def test_components_have_unique_names(document):
    names = document["components"]["schemas"].keys()
    assert all("File" in name or name.endswith("Enum") for name in names)


def test_module_is_imported_only_with_drf_spectacular(monkeypatch):
    monkeypatch.delattr(proxy_storage_api, "schema")
    monkeypatch.setitem(sys.modules, "proxy_storage_api.schema", None)
    config = apps.get_app_config("proxy_storage_api")
    config.ready()
    monkeypatch.setattr(apps, "is_installed", lambda name: name == "drf_spectacular")
    with pytest.raises(ImportError, match="schema"):
        config.ready()


def test_drf_spectacular_is_optional():
    code = """
import sys
sys.modules["drf_spectacular"] = None
import django
django.setup()
from proxy_storage_api import urls
from django.core.checks import run_checks
run_checks()
assert not [name for name in sys.modules if name.startswith("proxy_storage_api.schema")]
"""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environ)
