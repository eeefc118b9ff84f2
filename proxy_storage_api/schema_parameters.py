"""Parameters and headers in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework.serializers import CharField
from rest_framework.settings import api_settings as drf_settings

from proxy_storage_api.download import DISPOSITION_PARAMETER, DISPOSITIONS
from proxy_storage_api.filters import ORDERINGS, RecordFilter
from proxy_storage_api.serializers import RecordFilterSerializer
from proxy_storage_api.settings import api_settings

# actions that find the file by the query, and those of them that follow links to it
_BY_QUERY = ("authorize", "download", "list", "record", "remove")
_BY_LINK = ("authorize", "download", "list", "remove")
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
    """Give out what an action of a `FileAccess` may be asked with.

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
    headers = {"remove": _DELETE_HEADERS, **dict.fromkeys(_DELIVERING, _REQUEST_HEADERS)}
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
    """Give out the headers that an action of a `FileAccess` answers with.

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
