"""The OpenAPI description of the endpoint. It is imported only if drf-spectacular is installed.

A file and a page of records have one URL, so OpenAPI describes them as one operation. Disabled
actions are left out. ``extend_schema`` of a project overrides this description.

Source: https://drf-spectacular.readthedocs.io/en/latest/blueprints.html
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from django.http import HttpRequest
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.serializers import CharField
from rest_framework.settings import api_settings as drf_settings
from rest_framework.views import exception_handler

from proxy_storage.endpoint import PATH_KWARG
from proxy_storage.exceptions import ConfigurationError
from proxy_storage_api.filters import ORDERINGS, RecordFilter
from proxy_storage_api.generics import ACTIONS, get_first_paragraph
from proxy_storage_api.serializers import (
    DISPOSITION_PARAMETER,
    DISPOSITIONS,
    STAFF_FIELDS,
    LinkAnswerSerializer,
    LinkSerializer,
    RecordFilterSerializer,
    RecordSerializer,
    UploadSerializer,
)
from proxy_storage_api.settings import api_settings
from proxy_storage_api.viewsets import FileViewSet

try:
    from drf_spectacular.drainage import isolate_view_method
    from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiViewExtension
    from drf_spectacular.openapi import AutoSchema
    from drf_spectacular.plumbing import get_doc
    from drf_spectacular.settings import spectacular_settings
    from drf_spectacular.types import OpenApiTypes
    from drf_spectacular.utils import (
        OpenApiExample,
        OpenApiParameter,
        OpenApiResponse,
        extend_schema_serializer,
    )
except ImportError as error:  # pragma: no cover  (tests/project has an environment without it)
    raise ConfigurationError(
        "The description in OpenAPI needs drf-spectacular. Install it with: "
        'pip install "django-proxy-storage[schema]"'
    ) from error

# Actions with the path of the file in the query, and those of them that accept signed links.
_BY_QUERY = ("authorize", "destroy", "download", "list", "retrieve")
_BY_LINK = ("authorize", "destroy", "download", "list")
_DELIVERING = ("download", "list")

_LINK_PARAMETERS = {
    "expires": "Of a signed link: when it expires, in seconds since 1970.",
    "signature": "Of a signed link.",
    "user": "Of a signed link: primary key of the only user who can use it.",
    "method": "Of a signed link: the HTTP method it is for, unless that is GET.",
}
_REQUEST_HEADERS = {
    "Range": ("The requested bytes.", "bytes=0-3"),
    "If-Range": ("A part is requested only of this version.", '"etag"'),
    "If-None-Match": ("The file is requested only if it is of another version.", '"etag"'),
    "If-Modified-Since": (
        "The file is requested only if it was changed after this time.",
        "Mon, 01 Jan 2024 00:00:00 GMT",
    ),
}
_DELETE_HEADERS = {
    "If-Match": ("The file is deleted only if it is of this version.", '"etag"'),
    "If-Unmodified-Since": (
        "The file is deleted only if it was not changed after this time.",
        "Mon, 01 Jan 2024 00:00:00 GMT",
    ),
}
# Headers of a file: the statuses that have the header, and its description.
_FILE_HEADERS = {
    "Accept-Ranges": ([200, 206], "`bytes`: parts can be requested."),
    "Cache-Control": (
        [200, 206, 302, 304],
        "For a file `private, no-cache`, unless the project allows browsers to cache it; "
        "for a page of records `private, no-store`.",
    ),
    "Content-Disposition": ([200, 206], "Whether browsers show or save the file, and its name."),
    "Content-Range": ([206, 416], "The bytes in this response, and the size of the file."),
    "Content-Security-Policy": (
        [200, 206, 302, 304, 412],
        "Restrictions for browsers that show the file.",
    ),
    "ETag": ([200, 206, 304], "The version of the file."),
    "Last-Modified": ([200, 206, 304], "The time of the last change."),
    "X-Content-Type-Options": ([200, 206, 302, 304, 412], "`nosniff`"),
    "X-Frame-Options": ([200, 206, 302, 304, 412], "The pages that may embed the file."),
}
# Headers that a web server must add to the file.
_AUTHORIZE_HEADERS = (
    "Content-Disposition",
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
)


def get_parameters(view: Any) -> Iterator[Any]:
    """Yield the parameters of an action of a `GenericFileViewSet`.

    Args:
        view: the view, with its action.
    """
    header = api_settings.AUTHORIZE_URI_HEADER
    if view.action == "authorize" and header is not None:
        yield from _get_parameters_of_web_servers(header, view.storage_parameter)
        return
    if view.action == "list" and any(issubclass(one, RecordFilter) for one in view.filter_backends):
        yield from _get_filters()
    if view.action in _BY_QUERY:
        yield from _get_path_parameters(view)
    if view.action in _DELIVERING or view.action == "authorize":
        text = "Whether browsers show the file, if that is safe, or save it."
        yield OpenApiParameter(DISPOSITION_PARAMETER, enum=DISPOSITIONS, description=text)
    if view.action in _BY_LINK:
        for name, text in _LINK_PARAMETERS.items():
            yield OpenApiParameter(name, description=text)
    yield from _get_preconditions(view.action)


def _get_preconditions(action: str) -> Iterator[OpenApiParameter]:
    headers = {"destroy": _DELETE_HEADERS, **dict.fromkeys(_DELIVERING, _REQUEST_HEADERS)}
    for name, (text, value) in headers.get(action, {}).items():
        examples = [OpenApiExample(name, value)]
        yield OpenApiParameter(name, location="header", description=text, examples=examples)


def _get_parameters_of_web_servers(header: str, storage: str) -> Iterator[OpenApiParameter]:
    text = "Path and query of the client's request to the web server."
    yield OpenApiParameter(header, location="header", required=True, description=text)
    text = "Name of the proxy storage whose files the web server delivers."
    yield OpenApiParameter(storage, required=True, description=text)


def _get_filters() -> Iterator[Any]:
    serializer = RecordFilterSerializer()
    for field in serializer.fields.values():
        # An empty value in a query counts as missing.
        if isinstance(field, CharField):
            field.allow_blank = True
    yield serializer
    yield OpenApiParameter(
        drf_settings.ORDERING_PARAM,
        many=True,
        explode=False,
        enum=[f"{sign}{name}" for name in ORDERINGS for sign in ("", "-")],
        description="Keys to order by; with `-` in descending order.",
    )
    text = "Parts of the path or of the file's name; case-insensitive."
    yield OpenApiParameter(drf_settings.SEARCH_PARAM, description=text)


def _get_path_parameters(view: Any) -> Iterator[OpenApiParameter]:
    is_list = view.action == "list"
    text = "Path of the file." + " Without it, the response is a page of records." * is_list
    yield OpenApiParameter(view.path_parameter, required=not is_list, description=text)
    text = "Name of the proxy storage, if the path alone is ambiguous."
    yield OpenApiParameter(view.storage_parameter, description=text)


def get_headers(view: Any) -> Iterator[OpenApiParameter]:
    """Yield the response headers of an action of a `GenericFileViewSet`.

    Args:
        view: the view, with its action.
    """
    if view.action in _DELIVERING:
        for name, (statuses, text) in _FILE_HEADERS.items():
            yield _get_header(name, statuses, text)
        yield _get_header("Location", [302], "URL of the file.", is_url=True)
    if view.action == "authorize":
        for name in _AUTHORIZE_HEADERS:
            yield _get_header(name, [204], _FILE_HEADERS[name][1])
        yield _get_header("Cache-Control", [204, 400, 401, 403, 404, 503], "`no-store`")
    elif view.action not in _DELIVERING:
        yield _get_header("Cache-Control", [200, 201, 204], "`private, no-store`")
    if view.action == "create":
        yield _get_header("Location", [201], "URL of the file.", is_url=True)
    yield _get_header("WWW-Authenticate", [401], "The authentication schemes.")
    statuses = [429, 503] if view.get_throttles() else [503]
    yield _get_header("Retry-After", statuses, "Seconds until a new attempt.")


def _get_header(
    name: str, statuses: list[int], text: str, *, is_url: bool = False
) -> OpenApiParameter:
    return OpenApiParameter(
        name,
        type=OpenApiTypes.URI if is_url else OpenApiTypes.STR,
        location="header",
        response=list(statuses),
        required=is_url,
        description=text,
    )


_INVALID = {
    "type": "object",
    "description": "The errors of each parameter, or of the whole request.",
    "additionalProperties": {
        "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
    },
}


# Names that are unlikely to clash with other components of a project.
extend_schema_serializer(component_name="FileLink")(LinkAnswerSerializer)
extend_schema_serializer(component_name="FileLinkOptions")(LinkSerializer)


class FileRefusalSerializer(serializers.Serializer[Any]):
    """The reason for an error. It reveals nothing about files."""

    detail = serializers.CharField()


class FileSchema(AutoSchema):
    """Describe the actions of a `GenericFileViewSet`, and others as drf-spectacular does."""

    view: Any

    def is_excluded(self) -> bool:
        """Return whether the operation is disabled, or has another URL with the path in its query.

        A parameter in the path of an OpenAPI document cannot have slashes.

        Source: https://spec.openapis.org/oas/v3.1.1.html#path-templating
        """
        if bool(super().is_excluded()) or f"{{{PATH_KWARG}}}" in self.path:
            return True
        return self.view.action in self.view.disabled_actions

    def _is_list_view(self, serializer: Any = None) -> bool:
        # The operation has the parameters of a list, although its first response is a file.
        if serializer is None and self.view.action == "list":
            return True
        return bool(super()._is_list_view(serializer))

    def _get_paginator(self) -> Any:
        paginator = super()._get_paginator()  # type: ignore[no-untyped-call]  # theirs
        if paginator is None or self.view.action != "list":
            return paginator
        # Extensions of drf-spectacular find the paginator by its class, so it is not replaced.
        describe = paginator.get_paginated_response_schema
        paginator.get_paginated_response_schema = lambda records: _describe_pages(
            describe(records), records
        )
        return paginator

    def get_override_parameters(self) -> list[Any]:
        """Return the parameters of the request and the headers of the responses."""
        own = [*get_parameters(self.view), *get_headers(self.view)]
        return [*own, *super().get_override_parameters()]

    def get_description(self) -> str:  # type: ignore[override]  # DRF has arguments
        """Return the description of the action: of a docstring of this package, a paragraph.

        The rest of such a docstring is for its documentation.
        """
        text = super().get_description()
        if text != get_doc(getattr(FileViewSet, self.view.action, None)):
            return text
        if self.view.action == "list":
            return "Return a file, or without a path a page of the records that you may read."
        return get_first_paragraph(text)

    def get_request_serializer(self) -> Any:
        """Return the serializer of the body."""
        if self.view.action == "create":
            return {"multipart/form-data": UploadSerializer}
        if self.view.action == "link":
            return LinkSerializer
        return super().get_request_serializer()

    def get_response_serializers(self) -> Any:
        """Return the responses by status, and by MIME type if a status has several."""
        answers: dict[Any, Any]
        match self.view.action:
            case "list":
                text = "The file, or without a path a page of records."
                types = self.map_renderers("media_type")
                answers = _get_file_answers(text) | {(200, *types): self.view.get_serializer()}
            case "download":
                answers = _get_file_answers("The file.")
            case "retrieve":
                answers = {200: OpenApiResponse(self.view.get_serializer(), "The record.")}
            case "link":
                answers = {200: OpenApiResponse(LinkAnswerSerializer, "The link.")}
            case "create":
                answers = {201: OpenApiResponse(RecordSerializer, "The record of the file.")}
            case "authorize":
                answers = {204: OpenApiResponse(description="The requester may read the file.")}
            case "destroy":
                answers = {204: OpenApiResponse(description="The file has been deleted.")}
            case _:
                return super().get_response_serializers()
        return answers | self._get_refusals()

    def _get_refusals(self) -> dict[int, OpenApiResponse]:
        texts = {
            400: "The request is not valid.",
            401: "Authentication is required.",
            403: "The requester is not permitted to do this.",
            404: "The file does not exist.",
            503: "The records are not available now.",
        }
        action = self.view.action
        if action == "create":
            texts |= {
                411: "The request has no Content-Length.",
                413: "The file is too large.",
                507: "There is not enough space to save the file.",
            }
        if action == "destroy":
            texts |= {
                409: "Another request has changed the content object of the file.",
                412: "The file is not of the requested version.",
            }
        if action in ("create", "link"):
            texts |= {415: "The type of the body is not supported."}
        if self.view.get_throttles():
            texts |= {429: "There were too many requests."}
        return {
            status: OpenApiResponse(self._get_refusal(status), texts[status])
            for status in sorted(texts)
        }

    def _get_refusal(self, status: int) -> Any:
        if self.view.action == "authorize":
            return None
        if self.view.get_exception_handler() is not exception_handler:
            return {"description": "The format depends on the project."}
        return _INVALID if status == 400 else FileRefusalSerializer

    def get_auth(self) -> list[dict[str, Any]]:
        """Return the authentication schemes, and an empty one if anonymous requests may pass."""
        auth: list[dict[str, Any]] = super().get_auth()
        if auth and {} not in auth and self._is_open():
            auth.append({})
        return auth

    def _is_open(self) -> bool:
        """Return whether the permissions allow an anonymous request, before a record is known."""
        request = HttpRequest()
        request.method = self.method
        try:
            self.view.check_permissions(Request(request))
        except APIException:
            return False
        return True


def _get_file_answers(text: str) -> dict[Any, Any]:
    """Return the responses of servers, with any MIME type.

    Args:
        text: the description of the response with status 200.
    """
    return {
        (200, "*/*"): OpenApiResponse(OpenApiTypes.BINARY, text),
        (206, "*/*"): OpenApiResponse(OpenApiTypes.BINARY, "A part of the file."),
        302: OpenApiResponse(description="The file is at another URL."),
        304: OpenApiResponse(description="The client has this version of the file."),
        412: OpenApiResponse(description="The file is not of the requested version."),
        416: OpenApiResponse(description="The file does not have the requested part."),
    }


def _describe_pages(described: dict[str, Any], records: dict[str, Any]) -> dict[str, Any]:
    """Describe the pages of a list: those of the view's paginator, or those of `StepPagination`.

    A list has the latter if permissions are checked for each record, which depends on the
    requester. If the paginator has the same keys, as DRF's have, the two are one schema.

    Args:
        described: the schema of the paginator.
        records: the schema of the records in a page.
    """
    url = {"type": "string", "format": "uri"}
    own = {"count": {"type": "integer"}, "next": url, "previous": url, "results": records}
    properties: dict[str, Any] = described.get("properties", {})
    if "results" in properties and properties.keys() <= own.keys():
        return {**described, "properties": _make_nullable(properties)}
    page = {"type": "object", "required": list(own), "properties": _make_nullable(own)}
    return {"anyOf": [described, page]}


def _make_nullable(properties: dict[str, Any]) -> dict[str, Any]:
    """Allow ``null`` for all properties of a page except its records."""
    return {
        name: schema if name == "results" else _get_nullable(schema)
        for name, schema in properties.items()
    }


def _get_nullable(schema: dict[str, Any]) -> dict[str, Any]:
    # OpenAPI 3.1 does not have the keyword "nullable".
    if spectacular_settings.OAS_VERSION.startswith("3.1"):
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "nullable": True}


class GenericFileViewSetExtension(OpenApiViewExtension):  # type: ignore[no-untyped-call]  # theirs
    """Describe the viewset and its subclasses."""

    target_class = "proxy_storage_api.generics.GenericFileViewSet"
    match_subclasses = True

    def view_replacement(self) -> Any:
        """Return the same view with a `FileSchema`."""
        target: Any = self.target
        base: Any = type(target.schema)
        # Otherwise drf-spectacular reports the error.
        return _describe(target, base) if issubclass(base, AutoSchema) else target


@cache
def _describe(target: Any, base: type[AutoSchema]) -> Any:
    """Return one class for all URLs of a view: drf-spectacular distinguishes classes."""
    described = type(target.__name__, (target,), {"schema": _combine(base)()})
    for name in ACTIONS:
        of_action = getattr(getattr(target, name, None), "kwargs", {}).get("schema")
        if of_action is not None:
            method = isolate_view_method(described, name)  # type: ignore[no-untyped-call]  # theirs
            method.kwargs["schema"] = _combine(of_action)
    return described


def _combine(base: type[AutoSchema]) -> type[AutoSchema]:
    """Return a schema class in which the methods of the project come first."""
    return FileSchema if base is AutoSchema else type(base.__name__, (base, FileSchema), {})


class RecordSerializerExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # theirs
    """Describe all fields of a record, also those for staff only."""

    target_class = "proxy_storage_api.serializers.RecordSerializer"
    match_subclasses = True

    def get_name(self, auto_schema: Any, direction: Any) -> str | None:
        """Return the name of the component; ``None`` for a class of the project."""
        return "FileRecord" if type(self.target) is RecordSerializer else None

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """Return the description."""
        serializer: Any = type(self.target)()
        # Read the fields before the serializer has a request, whose user may not see all of them.
        _ = serializer.fields
        schema: dict[str, Any] = auto_schema._map_serializer(
            serializer, direction, bypass_extensions=True
        )
        schema["required"] = [name for name in schema["required"] if name not in STAFF_FIELDS]
        return schema


class UploadSerializerExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # theirs
    """Describe the file of an upload, which drf-spectacular describes as a URL otherwise."""

    target_class = "proxy_storage_api.serializers.UploadSerializer"

    def get_name(self, auto_schema: Any, direction: Any) -> str:
        """Return the name of the component."""
        return "FileUpload"

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """Return the description."""
        schema: dict[str, Any] = super().map_serializer(auto_schema, direction)
        properties = schema["properties"]
        properties["file"]["format"] = "binary"
        if not properties["storage"]["enum"]:
            del properties["storage"]["enum"]  # OpenAPI does not allow an empty list.
        return schema
