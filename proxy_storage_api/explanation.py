"""Why the endpoint delivers or refuses a file, for the operator of the site.

Nothing is changed, and no file is read. Presigned URLs are shortened to host and path, because
their query gives access to the file.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import SuspiciousOperation
from django.db.models import Q
from django.http import Http404, HttpRequest, QueryDict
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from proxy_storage.endpoint import read_file_url
from proxy_storage.exceptions import (
    ConfigurationError,
    MetaBackendObjectDoesNotExist,
    ProxyFileNotFoundError,
    ServingError,
)
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.original_storages.failures import describe_missing_file
from proxy_storage.registry import get_meta_backends, get_proxy_storage, get_proxy_storage_names
from proxy_storage.serving import get_server, serve, x_accel, x_sendfile
from proxy_storage.serving.base import SENDFILE_TYPE, ServerBase
from proxy_storage.storages.lookup import find_record
from proxy_storage.suggestions import describe_error
from proxy_storage_api.generics import GenericFileViewSet
from proxy_storage_api.urlconf import find_views
from proxy_storage_api.viewsets import FileViewSet
from proxy_storage_permissions.base import get_drf_request
from proxy_storage_permissions.explanation import Explanation, explain

# The method of a request for each action. All others are GET.
_METHODS = {"destroy": "DELETE", "link": "POST"}
_SIMILAR = 5  # paths that are shown if a file is not found
_KEPT = 6  # characters of a file name that a similar name begins with


# Find the record.


def parse_target(text: str) -> tuple[str, str | None, str]:
    """Return the path, the storage and the query of a path or of a URL at the endpoint.

    Args:
        text: the path of a record, the name of a file in a field, or the URL of a file.

    Returns:
        The query is empty if the text is not a URL.
    """
    found = read_file_url(text)
    return (text, None, "") if found is None else (*found, urlsplit(text).query)


def find_records(path: str, proxy_storage_name: str | None = None) -> list[MetaBackendObject]:
    """Return the records that a path means, at most one for each proxy storage.

    Args:
        path: the path of a record, or another form of a file's name that storages accept.
        proxy_storage_name: the only proxy storage whose record is wanted; ``None`` for all.

    Raises:
        MetaBackendError: a meta backend does not answer.
    """
    found: list[MetaBackendObject] = []
    for meta_backend in get_meta_backends():
        with suppress(MetaBackendObjectDoesNotExist):
            found.append(meta_backend.get(path))
    if not found:
        names = [proxy_storage_name] if proxy_storage_name else get_proxy_storage_names()
        for name in names:
            # The server of another storage may not be available.
            with suppress(Exception):
                record = find_record(get_proxy_storage(name), path)
                found += [] if record is None else [record]
    return [one for one in found if proxy_storage_name in (None, one["proxy_storage_name"])]


def find_similar_paths(path: str) -> list[str]:
    """Return some paths of files with a similar name.

    Args:
        path: the path that does not exist.
    """
    folder, name = posixpath.split(path)
    stem = posixpath.splitext(name)[0]
    found: dict[str, None] = {}
    for condition in (
        Q(path__icontains=name),
        Q(path__startswith=posixpath.join(folder, name[:_KEPT])),
        Q(path__icontains=stem),
        Q(path__icontains=stem[:_KEPT]),
    ):
        for meta_backend in get_meta_backends() if name else ():
            records = meta_backend.select(condition, ["path"], 0, _SIMILAR)
            found |= dict.fromkeys(record["path"] for record in records)
    return list(found)[:_SIMILAR]


# Build the request.


def get_view(action: str, user: Any, query: str = "") -> GenericFileViewSet:
    """Return the viewset of the project, as it is for a request.

    Args:
        action: one of the actions of one file.
        user: the user of the request.
        query: its query, such as that of a signed link.

    Returns:
        An instance of the viewset in the project's URLs. If there are several or none, it is a
        `FileViewSet` with the permissions of the settings.
    """
    cls, arguments = _get_view_class()
    view = cls(**arguments)
    request = HttpRequest()
    method = request.method = _METHODS.get(action, "GET")
    request.GET = QueryDict(query)
    request.META = {
        "REQUEST_METHOD": method,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
    }
    any_request: Any = request
    any_request.user = user
    view.request = get_drf_request(request)
    view.args, view.kwargs, view.format_kwarg = (), {}, None
    view.action, view.action_map = action, {method.lower(): action}
    return view


def _get_view_class() -> tuple[type[GenericFileViewSet], Mapping[str, Any]]:
    found: dict[type[GenericFileViewSet], Mapping[str, Any]] = {}
    for cls, arguments in find_views():
        # The URLs of extra actions have arguments of their own, and come later.
        found.setdefault(cls, arguments)
    return next(iter(found.items())) if len(found) == 1 else (FileViewSet, {})


# Explain the answer.


@dataclass
class Delivery:
    """How a file would be delivered.

    Attributes:
        server: the class of the server.
        sends: the content of the response, such as ``X-Accel-Redirect: /internal/a.txt``.
        headers: the headers of the response, except the one of `sends`.
        problem: why the file cannot be delivered.
        exists: whether the original storage has the file; ``None`` if it does not answer.
    """

    server: str | None = None
    sends: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
    exists: bool | None = None


@dataclass
class FileExplanation:
    """Why a file is delivered or refused.

    Attributes:
        is_allowed: whether the endpoint answers the action for this user.
        problems: reasons of a refusal besides the permissions.
        permissions: the explanations of the permission classes, all of which must allow it.
        viewset: the name of the viewset's class.
    """

    is_allowed: bool
    problems: list[str]
    permissions: list[Explanation]
    viewset: str


def explain_file(view: GenericFileViewSet, record: MetaBackendObject) -> FileExplanation:
    """Return why the endpoint allows or refuses an action for a file.

    Args:
        view: the result of `get_view`.
        record: the file's record.
    """
    problems = list(_find_problems(view, record))
    permissions = view.get_permissions()
    found = [view.call_permissions(explain, one, view.request, view, record) for one in permissions]
    return FileExplanation(
        is_allowed=not problems and all(one.answer is True for one in found),
        problems=problems,
        permissions=found,
        viewset=f"{type(view).__module__}.{type(view).__qualname__}",
    )


def _find_problems(view: GenericFileViewSet, record: MetaBackendObject) -> Iterator[str]:
    if view.action in view.disabled_actions:
        yield f"The action {view.action!r} is disabled."
        return
    try:
        view.find_record(record["path"], record["proxy_storage_name"])
    except (APIException, Http404):
        yield "The viewset does not find the record. Its get_queryset() or a filter excludes it."
    try:
        record.get_original_storage()
    except ConfigurationError as error:
        yield f"The storage of the record is not registered any more. {error}"


def explain_delivery(record: MetaBackendObject, request: Request) -> Delivery:
    """Return how a file would be delivered, without its content.

    Args:
        record: the file's record.
        request: the request for the file.
    """
    found = Delivery()
    try:
        original = record.get_original_storage()
        server = get_server(record)
    except (ConfigurationError, SuspiciousOperation) as error:
        found.problem = str(error)
        return found
    try:
        found.exists = bool(original.exists(record["original_storage_path"]))
    except Exception as error:  # noqa: BLE001  (the errors of drivers are not known here)
        found.problem = f"{type(original).__name__} does not answer. {describe_error(error)}"
    found.server = type(server).__qualname__
    try:
        found.sends, found.headers = _get_response(server, record, request._request)
    except ProxyFileNotFoundError:
        name = record["original_storage_path"]
        found.problem = found.problem or describe_missing_file(original, name)
    except Exception as error:  # noqa: BLE001  (as above)
        found.problem = found.problem or describe_error(error)
    return found


def _get_response(
    server: ServerBase, record: MetaBackendObject, request: HttpRequest
) -> tuple[str, dict[str, str]]:
    """Return the decisive part of a response, and its other headers."""
    names = (x_accel.HEADER, x_sendfile.HEADER)
    request.method = "GET"
    response, errors = None, []
    for name in names:
        # The servers refuse to offload a file to a web server that does not declare support.
        request.META[f"HTTP_{SENDFILE_TYPE.upper().replace('-', '_')}"] = name
        vars(request).pop("headers", None)
        try:
            response = serve(request, record, server=server)
            break
        except ServingError as error:
            errors.append(error)
    if response is None:
        # One of the errors may only be about the declared support.
        raise next((error for error in errors if SENDFILE_TYPE not in str(error)), errors[0])
    # response.close() would also send request_finished, which closes the database connections.
    any_response: Any = response
    for close in any_response._resource_closers:
        close()
    headers = {name: _shorten(value) for name, value in response.items()}
    for name in names:
        if name in headers:
            return f"{name}: {headers.pop(name)}", headers
    if "Location" in headers:
        return f"{response.status_code} redirect to {headers.pop('Location')}", headers
    return f"{response.status_code}, the content is sent by Python", headers


def _shorten(value: str) -> str:
    """Return a URL without its query, which may be a signature."""
    start, question_mark, _ = value.partition("?")
    return f"{start}?..." if question_mark else value
