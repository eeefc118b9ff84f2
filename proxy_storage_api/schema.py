"""What drf-spectacular says of the endpoint; it is loaded only where that is in use.

A file and a page of records are answers of one operation, as they are of one URL. What is
switched off is left out. What a project says by ``extend_schema`` counts before what is
said here.

Source: https://drf-spectacular.readthedocs.io/en/latest/blueprints.html
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from django.http import HttpRequest
from drf_spectacular.drainage import isolate_view_method
from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiViewExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema_serializer,
)
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.serializers import CharField
from rest_framework.settings import api_settings as drf_settings
from rest_framework.views import exception_handler

from proxy_storage_api.filters import ORDERINGS, RecordFilter
from proxy_storage_api.generics import ACTIONS
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

# actions that find the file by the query, and those of them that follow links to it
_BY_QUERY = ("authorize", "destroy", "download", "list", "retrieve")
_BY_LINK = ("authorize", "destroy", "download", "list")
_DELIVERING = ("download", "list")

_LINK_PARAMETERS = {
    "expires": "Of a signed link: when it ends, in seconds since 1970.",
    "signature": "Of a signed link.",
    "user": "Of a signed link: key of the only user that it is for.",
    "method": "Of a signed link: what it is for, if not for GET.",
}
_REQUEST_HEADERS = {
    "Range": ("Which bytes are wanted.", "bytes=0-3"),
    "If-Range": ("A part is wanted only of this version.", '"etag"'),
    "If-None-Match": ("The file is wanted only if it is of another version.", '"etag"'),
    "If-Modified-Since": (
        "The file is wanted only if it was changed after that.",
        "Mon, 01 Jan 2024 00:00:00 GMT",
    ),
}
_DELETE_HEADERS = {
    "If-Match": ("The file is deleted only if it is of this version.", '"etag"'),
    "If-Unmodified-Since": (
        "The file is deleted only if it was not changed after that.",
        "Mon, 01 Jan 2024 00:00:00 GMT",
    ),
}
# of a file's answer: header -> the statuses that have it, and what it says
_FILE_HEADERS = {
    "Accept-Ranges": ([200, 206], "`bytes`: parts can be asked for."),
    "Cache-Control": (
        [200, 206, 302, 304],
        "Of a file `private, no-cache`, unless the project lets browsers use a copy for a while; "
        "of a page of records `private, no-store`.",
    ),
    "Content-Disposition": ([200, 206], "How to show the file, and what to save it as."),
    "Content-Range": ([206, 416], "Which bytes come, and of how many."),
    "Content-Security-Policy": (
        [200, 206, 302, 304, 412],
        "What a browser may not do with the file.",
    ),
    "ETag": ([200, 206, 304], "The version of the file."),
    "Last-Modified": ([200, 206, 304], "When the file was changed."),
    "X-Content-Type-Options": ([200, 206, 302, 304, 412], "`nosniff`"),
    "X-Frame-Options": ([200, 206, 302, 304, 412], "Which pages may embed the file."),
}
# those that a web server has to hand on with the file
_AUTHORIZE_HEADERS = (
    "Content-Disposition",
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
)


def get_parameters(view: Any) -> Iterator[Any]:
    """Give out what an action of a `GenericFileViewSet` may be asked with.

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
        text = "Whether the file is to be shown in place, where that is safe, or to be saved."
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
    text = "What the client has asked the web server for: path and query."
    yield OpenApiParameter(header, location="header", required=True, description=text)
    text = "Name of the proxy storage that the web server delivers from."
    yield OpenApiParameter(storage, required=True, description=text)


def _get_filters() -> Iterator[Any]:
    serializer = RecordFilterSerializer()
    for field in serializer.fields.values():
        # an empty value in a query counts as none
        if isinstance(field, CharField):
            field.allow_blank = True
    yield serializer
    yield OpenApiParameter(
        drf_settings.ORDERING_PARAM,
        many=True,
        explode=False,
        enum=[f"{sign}{name}" for name in ORDERINGS for sign in ("", "-")],
        description="What records are ordered by; with `-` the other way round.",
    )
    text = "Parts of the path or of the file's name, whatever their case."
    yield OpenApiParameter(drf_settings.SEARCH_PARAM, description=text)


def _get_path_parameters(view: Any) -> Iterator[OpenApiParameter]:
    is_list = view.action == "list"
    text = "Path of the file." + " Without it, a page of records is the answer." * is_list
    yield OpenApiParameter(view.path_parameter, required=not is_list, description=text)
    text = "Name of the proxy storage, where a path alone is ambiguous."
    yield OpenApiParameter(view.storage_parameter, description=text)


def get_headers(view: Any) -> Iterator[OpenApiParameter]:
    """Give out the headers that an action of a `GenericFileViewSet` answers with.

    Args:
        view: the view, with its action.
    """
    if view.action in _DELIVERING:
        for name, (statuses, text) in _FILE_HEADERS.items():
            yield _get_header(name, statuses, text)
        yield _get_header("Location", [302], "Where the file is.", is_url=True)
    if view.action == "authorize":
        for name in _AUTHORIZE_HEADERS:
            yield _get_header(name, [204], _FILE_HEADERS[name][1])
        yield _get_header("Cache-Control", [204, 400, 401, 403, 404, 503], "`no-store`")
    elif view.action not in _DELIVERING:
        yield _get_header("Cache-Control", [200, 201, 204], "`private, no-store`")
    if view.action == "create":
        yield _get_header("Location", [201], "Where the file is.", is_url=True)
    yield _get_header("WWW-Authenticate", [401], "How to log in.")
    statuses = [429, 503] if view.get_throttles() else [503]
    yield _get_header("Retry-After", statuses, "Seconds.")


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
    "description": "What is wrong with each parameter, or with the request as a whole.",
    "additionalProperties": {
        "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
    },
}


# names that nothing else of a project is likely to have
extend_schema_serializer(component_name="FileLink")(LinkAnswerSerializer)
extend_schema_serializer(component_name="FileLinkOptions")(LinkSerializer)


class FileRefusalSerializer(serializers.Serializer[Any]):
    """Why there is no answer; it tells nothing about files."""

    detail = serializers.CharField()


class FileSchema(AutoSchema):
    """Describe the actions of a `GenericFileViewSet`, and others as drf-spectacular does."""

    view: Any

    def is_excluded(self) -> bool:
        """Tell whether the operation is switched off."""
        return bool(super().is_excluded()) or self.view.action in self.view.disabled_actions

    def _is_list_view(self, serializer: Any = None) -> bool:
        # that the first answer is a file takes no parameter from a list
        if serializer is None and self.view.action == "list":
            return True
        return bool(super()._is_list_view(serializer))

    def get_override_parameters(self) -> list[Any]:
        """Return the parameters of the request, and the headers of the answers."""
        own = [*get_parameters(self.view), *get_headers(self.view)]
        return [*own, *super().get_override_parameters()]

    def get_request_serializer(self) -> Any:
        """Return the serializer of the body."""
        if self.view.action == "create":
            return {"multipart/form-data": UploadSerializer}
        if self.view.action == "link":
            return LinkSerializer
        return super().get_request_serializer()

    def get_response_serializers(self) -> Any:
        """Return the answers by status, and by type where there are several of one status."""
        answers: dict[Any, Any]
        match self.view.action:
            case "list":
                text = "The file, or a page of records where no path is named."
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
                answers = {204: OpenApiResponse(description="The file is gone.")}
            case _:
                return super().get_response_serializers()
        return answers | self._get_refusals()

    def _get_refusals(self) -> dict[int, OpenApiResponse]:
        texts = {
            400: "The request is not valid.",
            401: "Nobody is logged in, and somebody has to be.",
            403: "The requester may not do this.",
            404: "There is no such file.",
            503: "The records cannot be asked now.",
        }
        action = self.view.action
        if action == "create":
            texts |= {
                411: "The request has no Content-Length.",
                413: "The file is too large.",
                507: "There is not enough space to save the file.",
            }
        if action == "destroy":
            texts |= {412: "The file is not of the version that was asked for."}
        if action in ("create", "link"):
            texts |= {415: "The body is of a type that is not read."}
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
            return {"description": "As the project words it."}
        return _INVALID if status == 400 else FileRefusalSerializer

    def get_auth(self) -> list[dict[str, Any]]:
        """Return the ways to log in, and none where somebody unknown may be allowed."""
        auth: list[dict[str, Any]] = super().get_auth()
        if auth and {} not in auth and self._is_open_to_anybody():
            auth.append({})
        return auth

    def _is_open_to_anybody(self) -> bool:
        """Ask the permissions what they say before a record is seen."""
        request = HttpRequest()
        request.method = self.method
        try:
            self.view.check_permissions(Request(request))
        except APIException:
            return False
        return True


def _get_file_answers(text: str) -> dict[Any, Any]:
    """Return the answers of servers; the type of a file is its own.

    Args:
        text: what comes with 200.
    """
    return {
        (200, "*/*"): OpenApiResponse(OpenApiTypes.BINARY, text),
        (206, "*/*"): OpenApiResponse(OpenApiTypes.BINARY, "A part of the file."),
        302: OpenApiResponse(description="The file is at another place."),
        304: OpenApiResponse(description="The client has this version of the file."),
        412: OpenApiResponse(description="The file is not of the version that was asked for."),
        416: OpenApiResponse(description="The file has no such part."),
    }


class GenericFileViewSetExtension(OpenApiViewExtension):  # type: ignore[no-untyped-call]  # theirs
    """Describe the viewset, and those that a project has made of it."""

    target_class = "proxy_storage_api.generics.GenericFileViewSet"
    match_subclasses = True

    def view_replacement(self) -> Any:
        """Return the same view with a `FileSchema`."""
        target: Any = self.target
        base: Any = type(target.schema)
        # otherwise drf-spectacular will say what is wrong
        return _describe(target, base) if issubclass(base, AutoSchema) else target


@cache
def _describe(target: Any, base: type[AutoSchema]) -> Any:
    """Return the one class for all URLs of a view, which drf-spectacular counts."""
    described = type(target.__name__, (target,), {"schema": _combine(base)()})
    for name in ACTIONS:
        of_action = getattr(getattr(target, name, None), "kwargs", {}).get("schema")
        if of_action is not None:
            method = isolate_view_method(described, name)  # type: ignore[no-untyped-call]  # theirs
            method.kwargs["schema"] = _combine(of_action)
    return described


def _combine(base: type[AutoSchema]) -> type[AutoSchema]:
    """Put what a project says before what is said here."""
    return FileSchema if base is AutoSchema else type(base.__name__, (base, FileSchema), {})


class RecordSerializerExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # theirs
    """Describe all fields of a record, also those that only staff gets."""

    target_class = "proxy_storage_api.serializers.RecordSerializer"
    match_subclasses = True

    def get_name(self, auto_schema: Any, direction: Any) -> str | None:
        """Return a name as those above; a class of the project has one of its own."""
        return "FileRecord" if type(self.target) is RecordSerializer else None

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """Return the description."""
        serializer: Any = type(self.target)()
        # they are found before the serializer is told of a requester, who may not see all
        _ = serializer.fields
        schema: dict[str, Any] = auto_schema._map_serializer(
            serializer, direction, bypass_extensions=True
        )
        schema["required"] = [name for name in schema["required"] if name not in STAFF_FIELDS]
        return schema


class UploadSerializerExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # theirs
    """Describe an upload, of which drf-spectacular thinks as of the URL in an answer."""

    target_class = "proxy_storage_api.serializers.UploadSerializer"

    def get_name(self, auto_schema: Any, direction: Any) -> str:
        """Return a name as those above."""
        return "FileUpload"

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """Return the description."""
        schema: dict[str, Any] = super().map_serializer(auto_schema, direction)
        properties = schema["properties"]
        properties["file"]["format"] = "binary"
        if not properties["storage"]["enum"]:
            del properties["storage"]["enum"]  # none to choose from; OpenAPI has no empty list
        return schema
