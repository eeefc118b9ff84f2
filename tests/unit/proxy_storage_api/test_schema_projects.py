"""The OpenAPI document of a project's subclasses of the viewset."""

import json

import jsonschema
import pytest
from django.core.files.base import ContentFile
from django.urls import include, path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.settings import patched_settings
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.authentication import BasicAuthentication
from rest_framework.decorators import action
from rest_framework.pagination import (
    CursorPagination,
    LimitOffsetPagination,
    PageNumberPagination,
)
from rest_framework.permissions import AllowAny, IsAdminUser, IsAuthenticatedOrReadOnly
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter, SimpleRouter

from proxy_storage.registry import get_proxy_storage
from proxy_storage_api.pagination import RecordPagination
from proxy_storage_api.serializers import RecordSerializer
from proxy_storage_api.viewsets import FileViewSet
from proxy_storage_permissions import FilePermission, IsOwner
from tests.unit.proxy_storage_api.documents import FILES, describe, get_names


@pytest.fixture(autouse=True)
def in_use(settings):
    settings.REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}


class Scans(FileViewSet):
    path_parameter = "scan"
    storage_parameter = "of"
    upload_permission_classes = delete_permission_classes = [IsAdminUser]


class ScanSerializer(RecordSerializer):
    pages = serializers.IntegerField(read_only=True)


def describe_view(view, root="scans", router_class=SimpleRouter):
    """Return the document of a view in a router, besides the endpoint itself."""
    router = router_class()
    router.register(root, view, basename="scan")
    return describe([*FILES, path("", include(router.urls))])


def get(view, where=""):
    return describe_view(view)["paths"][f"/scans/{where}"]["get"]


@pytest.mark.parametrize("router_class", [SimpleRouter, DefaultRouter])
def test_subclass_in_a_router_is_described(router_class):
    paths = describe_view(Scans, router_class=router_class)["paths"]
    assert set(paths["/scans/"]) == {"get", "post", "delete"}
    assert set(paths["/files/"]) == {"get"}
    assert get_names(paths["/scans/record/"]["get"]) == {"scan": True, "of": False}
    assert paths["/scans/"]["get"]["operationId"] == "scans_list"
    assert paths["/scans/"]["get"]["tags"] == ["scans"]


def test_operation_ids_of_the_endpoint():
    paths = describe()["paths"]
    assert [
        operation["operationId"] for methods in paths.values() for operation in methods.values()
    ] == [
        "files_list",
        "files_authorize_retrieve",
        "files_link_create",
        "files_record_retrieve",
    ]


def test_view_with_downloads_only():
    document = describe([path("scans/", FileViewSet.as_view({"get": "download"}))])
    operation = document["paths"]["/scans/"]["get"]
    names = get_names(operation)
    assert names["path"]
    assert not {"page", "ordering", "size__gte"} & names.keys()
    assert operation["responses"]["200"]["content"].keys() == {"*/*"}


def test_serializer_and_paginator_of_a_project():
    class View(Scans):
        serializer_class = ScanSerializer
        pagination_class = None
        filter_backends = ()

    document = describe_view(View)
    operation = document["paths"]["/scans/"]["get"]
    page = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert page == {"type": "array", "items": {"$ref": "#/components/schemas/Scan"}}
    scan = document["components"]["schemas"]["Scan"]
    assert {"pages", "path", "original_storage_path"} <= scan["properties"].keys()
    assert "pages" not in document["components"]["schemas"]["FileRecord"]["properties"]
    assert not {"page", "ordering", "size__gte"} & get_names(operation).keys()


class Unfiltered(FilePermission):
    def has_object_permission(self, request, view, obj):
        return True


class PagesWithLinks(PageNumberPagination):
    def get_paginated_response(self, data):
        return Response({"links": {}, "data": data})

    def get_paginated_response_schema(self, schema):
        page = {"type": "object", "required": ["links", "data"]}
        return page | {"properties": {"links": {"type": "object"}, "data": schema}}


class PlainPages(PageNumberPagination):
    def get_paginated_response(self, data):
        return Response(data)

    def get_paginated_response_schema(self, schema):
        return schema


@pytest.mark.parametrize(
    "paginator",
    [
        RecordPagination,
        PageNumberPagination,
        LimitOffsetPagination,
        CursorPagination,
        PagesWithLinks,
        PlainPages,
    ],
)
@pytest.mark.parametrize("is_checked", [True, False])
@pytest.mark.django_db(databases=["default", "other"])
def test_page_is_as_described(paginator, is_checked, rf, empty_storages):
    """A page has neither a total nor a previous page if permissions are checked for each record."""

    class Pages(paginator):
        page_size = default_limit = 1
        ordering = "path"

    class View(Scans):
        permission_classes = [Unfiltered if is_checked else AllowAny]
        pagination_class = Pages

    for name in "ab":
        get_proxy_storage("orm-disk").save(f"{name}.txt", ContentFile(b"a"))
    # Schemas of OpenAPI 3.1 are those of JSON Schema.
    with patched_settings({"OAS_VERSION": "3.1.1"}):
        document = describe([path("scans/", View.as_view({"get": "list"}))])
    operation = document["paths"]["/scans/"]["get"]
    reference = operation["responses"]["200"]["content"]["application/json"]["schema"]
    page = View.as_view({"get": "list"})(rf.get("/scans/")).render()
    data = json.loads(page.content)
    jsonschema.validate(data, {**reference, "components": document["components"]})
    assert ("count" in data and data["count"] is None) is is_checked


@pytest.mark.parametrize(
    ("paginator", "nullable"),
    [
        (PageNumberPagination, {"count", "next", "previous"}),
        (CursorPagination, {"next", "previous"}),
    ],
)
def test_nullable_keys_of_a_page_in_openapi_30(paginator, nullable):
    class View(Scans):
        pagination_class = paginator

    document = describe([path("scans/", View.as_view({"get": "list"}))])
    page = document["components"]["schemas"]["PaginatedFileRecordList"]
    found = {name for name, schema in page["properties"].items() if schema.get("nullable")}
    assert found == nullable


def test_docstring_of_a_project_is_the_description():
    class View(Scans):
        def list(self, request, *args, **kwargs):
            """List the scans.

            The newest one is the first.
            """

        def download(self, request, *args, **kwargs):
            return None

    methods = describe_view(View)["paths"]["/scans/"]
    assert methods["get"]["description"] == "List the scans.\n\nThe newest one is the first."
    assert "Raises" not in methods["delete"]["description"]


def test_429_is_described_with_throttles():
    assert "429" not in get(Scans)["responses"]

    class View(Scans):
        def get_throttles(self):
            return [object()]

    refusal = get(View)["responses"]["429"]
    assert refusal["headers"].keys() == {"Retry-After"}


def test_exception_handler_of_a_project_leaves_refusals_open():
    class View(Scans):
        def get_exception_handler(self):
            return print

    for status in ("400", "404"):
        schema = get(View)["responses"][status]["content"]["application/json"]["schema"]
        assert schema.keys() == {"description"}


@pytest.mark.parametrize(
    ("permission", "expected"),
    [
        (IsAdminUser, False),
        (AllowAny, True),
        (IsOwner("user"), True),
        (IsAdminUser | IsOwner("user"), True),
        (IsAdminUser & IsOwner("user"), False),
        (IsAuthenticatedOrReadOnly, True),
    ],
)
def test_anonymous_access_is_described(permission, expected):
    class View(Scans):
        authentication_classes = [BasicAuthentication]
        permission_classes = [permission]

    document = describe_view(View)
    methods = document["paths"]["/scans/"]
    assert methods["get"]["security"] == [{"basicAuth": []}, *([{}] if expected else [])]
    assert methods["post"]["security"] == [{"basicAuth": []}]
    link = document["paths"]["/scans/link/"]["post"]["security"]
    assert ({} in link) is (expected and permission is not IsAuthenticatedOrReadOnly)


def test_view_without_authentication_has_no_security():
    class View(Scans):
        authentication_classes = []

    assert "security" not in get(View)


def test_extend_schema_of_an_action_wins():
    class View(Scans):
        @extend_schema(summary="Scans", parameters=[OpenApiParameter("path", exclude=True)])
        def list(self, request):
            raise AssertionError("This must not be called.")

        @extend_schema(responses={200: ScanSerializer})
        def retrieve(self, request):
            raise AssertionError("This must not be called.")

    operation = get(View)
    assert operation["summary"] == "Scans"
    assert operation["responses"]["200"]["content"].keys() == {"*/*", "application/json"}
    assert get(View, "record/")["responses"].keys() == {"200"}
    assert get(Scans, "record/")["responses"].keys() > {"200", "404"}


def test_extend_schema_of_a_view_wins():
    @extend_schema(tags=["letters"], description="Letters.")
    class View(Scans):
        pass

    operation = get(View)
    assert operation["tags"] == ["letters"]
    assert operation["description"] == "Letters."
    assert operation["responses"]["200"]["content"].keys() == {"*/*", "application/json"}
    assert get(Scans)["tags"] == ["scans"]


class TitledSchema(AutoSchema):
    def get_summary(self):
        return "Titled"


def test_schema_class_of_a_project_is_used(settings):
    settings.REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": f"{__name__}.TitledSchema"}
    operation = get(Scans)
    assert operation["summary"] == "Titled"
    assert operation["responses"]["206"]["content"].keys() == {"*/*"}


def test_other_schema_class_is_reported_by_drf_spectacular(settings):
    settings.REST_FRAMEWORK = {}
    with pytest.raises(AssertionError, match="Incompatible AutoSchema"):
        SchemaGenerator(patterns=FILES).get_schema(public=True)


def test_other_actions_are_described_by_drf_spectacular():
    class View(Scans):
        @extend_schema(responses={200: ScanSerializer})
        @action(detail=False)
        def newest(self, request):
            raise AssertionError("This must not be called.")

        @action(detail=False, methods=["post"], serializer_class=ScanSerializer)
        def rescan(self, request):
            raise AssertionError("This must not be called.")

    document = describe_view(View)
    for name, method in (("newest", "get"), ("rescan", "post")):
        operation = document["paths"][f"/scans/{name}/"][method]
        assert "parameters" not in operation
        assert operation["responses"].keys() == {"200"}
        content = operation["responses"]["200"]["content"]["application/json"]
        assert content["schema"] == {"$ref": "#/components/schemas/Scan"}
