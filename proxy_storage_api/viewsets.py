"""The viewset behind ``files/``."""

from __future__ import annotations

import copy
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from typing import Any, cast
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from django.core.exceptions import SuspiciousOperation
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.utils.datastructures import MultiValueDict
from django.utils.http import parse_etags, parse_http_date_safe
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings as drf_settings
from rest_framework.throttling import BaseThrottle

from proxy_storage.content_objects import clear_field, get_content_object_models
from proxy_storage.exceptions import ConfigurationError, RuleError, UnsafePathError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.record_set import RecordSet
from proxy_storage.paths import strip_token
from proxy_storage.registry import get_proxy_storage, get_proxy_storage_names
from proxy_storage.serving import get_server, serve
from proxy_storage.serving.conditional import Validators, get_validators
from proxy_storage.serving.headers import get_file_headers, keep_framing
from proxy_storage.serving.local import get_local_file, get_source, require_deliverable
from proxy_storage.storages.lookup import (
    RELATIVE,
    get_all_originals,
    get_path_kind,
    uses_unique_names,
)
from proxy_storage_api.exceptions import PreconditionFailed
from proxy_storage_api.filters import ORDERINGS, RecordFilter, apply_filter
from proxy_storage_api.generics import FileAccess
from proxy_storage_api.pagination import RecordPagination, StepPagination
from proxy_storage_api.serializers import (
    DISPOSITION_PARAMETER,
    DISPOSITIONS,
    LinkAnswerSerializer,
    LinkSerializer,
    RecordSerializer,
)
from proxy_storage_api.settings import (
    api_settings,
    get_classes,
    get_max_decisions,
    get_permission_classes,
)
from proxy_storage_api.signals import file_served
from proxy_storage_api.uploads import UploadMixin
from proxy_storage_permissions import get_signed_url
from proxy_storage_permissions.base import StandInView, get_drf_request, get_function, needs_record
from proxy_storage_permissions.filters import (
    find_unfiltered,
    get_readable,
    get_rule_name,
    get_single_rules,
)
from proxy_storage_permissions.links import can_be_named
from proxy_storage_permissions.ownership import is_logged_in

logger = logging.getLogger("proxy_storage_api")


class DownloadMixin(FileAccess):
    """Deliver files to those who may read them."""

    #: throttles of files; None: those of ``DOWNLOAD_THROTTLE_CLASSES``, else the project's own
    download_throttle_classes: Sequence[Any] | None = None

    def get_throttles(self) -> list[BaseThrottle]:
        """Return the throttles of files, which may be others than those of the API.

        A page with a hundred pictures is one request for the API and a hundred for files.
        """
        if self.action in ("authorize", "download"):
            classes = self.download_throttle_classes
            if classes is None:
                classes = get_classes("DOWNLOAD_THROTTLE_CLASSES")
            if classes is not None:
                return [throttle() for throttle in classes]
        return super().get_throttles()

    def download(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer with the file, by the server that is configured for it."""
        as_attachment = self.is_attachment_asked_for()
        record = self.get_object()
        with not_found_if_undeliverable(record):
            server = get_server(record)
            response = serve(cast(Any, request), record, as_attachment=as_attachment, server=server)
        file_served.send(
            type(self),
            request=request,
            record=record,
            server=server,
            response=response,
        )
        return response

    def is_attachment_asked_for(self) -> bool:
        """Tell whether the file is to be saved, also where it could be shown in place.

        Raises:
            ValidationError: 400, the disposition is none.
        """
        disposition = self.request.query_params.get(DISPOSITION_PARAMETER, "inline")
        if disposition not in DISPOSITIONS:
            raise ValidationError(
                {DISPOSITION_PARAMETER: [f"This must be one of {', '.join(DISPOSITIONS)}."]}
            )
        return disposition == "attachment"


@contextmanager
def not_found_if_undeliverable(record: MetaBackendObject) -> Iterator[None]:
    """Answer 404 for a record whose bytes are gone, or whose path leads out of its storage.

    The latter is an error of the site, and is logged in one line.

    Args:
        record: the file's record.
    """
    try:
        yield
    except (UnsafePathError, SuspiciousOperation) as error:
        logger.error("A web server must not deliver %r. %s", record["path"], error)  # noqa: TRY400
        raise NotFound from error
    except FileNotFoundError as error:
        raise NotFound from error


# JOINED ``authorize``: the answer to a web server that delivers files by itself and asks first.
#
# Source: https://nginx.org/en/docs/http/ngx_http_auth_request_module.html,
# https://caddyserver.com/docs/caddyfile/directives/forward_auth,
# https://doc.traefik.io/traefik/middlewares/http/forwardauth/
#


class AuthorizeMixin(DownloadMixin):
    """Tell a web server whether the requester may read a file."""

    # what the web server is asked for, and where it would take it from
    _path_of_client: str
    _storage_of_server: str

    @action(detail=False, methods=["get"])
    def authorize(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer 204 without a body, and with the headers that the file's answer has to carry."""
        as_attachment = self.is_attachment_asked_for()
        record = self._get_record_asked_for()
        headers = get_file_headers(record, as_attachment=as_attachment)
        response = HttpResponse(status=204, headers={**headers, "Cache-Control": "no-store"})
        keep_framing(response)
        file_served.send(type(self), request=request, record=record, server=None, response=response)
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Read the request of the client before anybody looks at the query of this one."""
        if self.action == "authorize" and api_settings.AUTHORIZE_URI_HEADER is not None:
            self._read_request_of_client(request)
        super().initial(request, *args, **kwargs)

    def _read_request_of_client(self, request: Request) -> None:
        """Let the query be the client's, which may be that of a signed link.

        What the web server says of itself is in the query of this request. Nothing else is
        taken from there: some web servers hand the client's query on in it.

        Raises:
            ValidationError: 400, the web server is not set up for this, or the request has more
                than one target.
        """
        name = api_settings.AUTHORIZE_URI_HEADER
        target = request.headers.get(name)
        if has_second_target(request._request, name):
            logger.warning(
                "authorize got more than one target in %s. The web server has to "
                "replace the header of the client, in every spelling of its name.",
                name,
            )
            raise ValidationError("There is more than one target.")
        storages = request.query_params.getlist(self.storage_parameter)
        if target is None or len(storages) != 1:
            logger.warning(
                "authorize was asked without the header %s, or not with one parameter %r. The web "
                "server has to send both.",
                name,
                self.storage_parameter,
            )
            raise ValidationError("The web server is not set up for this.")
        self._path_of_client, query = read_target(target)
        self._storage_of_server = storages[0]
        request._request.GET = query  # type: ignore[assignment]  # of stubs only

    def _get_record_asked_for(self) -> MetaBackendObject:
        if api_settings.AUTHORIZE_URI_HEADER is None:
            # of two paths one would be asked for, and maybe the other one delivered
            if len(self.request.query_params.getlist(self.path_parameter)) > 1:
                raise ValidationError({self.path_parameter: ["There is more than one."]})
            record = self.get_object()
            with not_found_if_undeliverable(record):
                require_deliverable(record)
            return record
        target = self._path_of_client
        proxy_storage_name, _, original_storage_name = self._storage_of_server.partition("/")
        path = get_record_path(target, proxy_storage_name)
        self._lookup = (path, proxy_storage_name)
        record = self.get_object()
        if (record.get_original_storage_name() or "") != original_storage_name:
            raise NotFound
        with not_found_if_undeliverable(record):
            # not every web server minds where a symbolic link leads
            get_local_file(record)
        if not is_at_its_path(record, target):
            raise NotFound
        return record

    def handle_exception(self, exc: Exception) -> Any:
        """Refuse without a body: nobody reads it."""
        response = super().handle_exception(exc)
        if self.action != "authorize":
            return response
        refusal = HttpResponse(status=response.status_code, headers={"Cache-Control": "no-store"})
        del refusal["Content-Type"]
        for name in ("WWW-Authenticate", "Retry-After"):
            if name in response:
                refusal[name] = response[name]
        return refusal


def has_second_target(request: HttpRequest, header: str) -> bool:
    """Return whether a request may have a target of the client beside that of the web server.

    A header that comes twice is joined by a comma, and some servers take the underscores of a
    header for dashes. Of the underscores, only ASGI leaves a trace. A comma of the target itself
    must be percent-encoded, which Django's ``filepath_to_uri`` does.

    Args:
        request: Django's request.
        header: the name of the header that has the target.

    Source: RFC 9110 section 5.3, PEP 3333, CVE-2026-3902.
    """
    if "," in request.headers.get(header, ""):
        return True
    spelling = header.lower().encode("latin-1", "replace")
    names = [name.lower() for name, _ in getattr(request, "scope", {}).get("headers", ())]
    return any(b"_" in name and name.replace(b"_", b"-") == spelling for name in names)


def read_target(target: str) -> tuple[str, QueryDict]:
    """Return the path that a request target leads to, as web servers read it, and the query.

    Two slashes at its start begin no host, as they would in a link: a web server takes the
    whole for a path. What two web servers might read in two ways leads nowhere.

    Args:
        target: the target of the client's request, percent-encoded, such as ``/a%20b?c=d``;
            each character stands for a byte, as in all headers.

    Raises:
        NotFound: no record can have this path.
        ValidationError: the query has more parameters than Django takes.

    Source: RFC 9112 section 3.2.1, PEP 3333 (bytes in headers).
    """
    path, _, query = target.partition("?")
    if "#" in path:
        # for nginx it ends the path, and for Go it is a part of it
        raise NotFound
    try:
        # anything but the very bytes could be the name of another file
        decoded = unquote_to_bytes(path.encode("latin-1")).decode()
        return decoded, QueryDict(query.encode("latin-1"))
    except UnicodeError as error:
        raise NotFound from error
    except SuspiciousOperation as error:
        raise ValidationError(str(error)) from error


def get_record_path(target: str, proxy_storage_name: str) -> str:
    """Return the path of the record that a request target can be about.

    Relative paths have no leading slash, and a web server delivers the bytes by their own
    name, of which the path lacks the token.

    Args:
        target: the path that the client has requested.
        proxy_storage_name: the storage that the web server has named; it may not exist.
    """
    if proxy_storage_name not in get_proxy_storage_names():
        return target
    storage = get_proxy_storage(proxy_storage_name)
    if get_path_kind(storage) != RELATIVE:
        return target
    name = target.removeprefix("/")
    is_unique = any(
        uses_unique_names(storage, original) for original, _ in get_all_originals(storage)
    )
    return strip_token(name) if is_unique else name


def is_at_its_path(record: MetaBackendObject, target: str) -> bool:
    """Tell whether a web server finds the bytes of a file by its path, and no others.

    They lie elsewhere where the path was taken at the moment when the record was written, or
    where they have been moved since. The file at the path may belong to another user then.

    Args:
        record: the record of the requested path.
        target: the path that the client has requested; with relative paths it is the name of
            the bytes.
    """
    storage, name = record.get_proxy_storage(), record["original_storage_path"]
    # paths have slashes where a name on disk may have these
    if "\\" in name:
        return False
    if get_path_kind(storage) == RELATIVE:
        return bool(target == f"/{name}")
    return bool(storage.get_path(record.get_original_storage(), name) == record["path"])


# Beginnings of keys of ``META`` that belong to the requester: headers, body and log-in.
_OF_REQUESTERS = ("AUTH_", "CONTENT_", "CSRF_COOKIE", "HTTP_", "REMOTE_USER", "SSL_CLIENT")
# Headers that a web server in front sets for each request. Proxies that log users in give their
# names in further headers that begin with X-Forwarded.
_OF_WEB_SERVERS = (
    "HTTP_HOST",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PREFIX",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_PROTOCOL",
    "HTTP_X_FORWARDED_SCHEME",
    "HTTP_X_FORWARDED_SERVER",
    "HTTP_X_FORWARDED_SSL",
    "HTTP_X_SENDFILE_TYPE",
)
# Attributes of a request that authenticate the requester, also those of test clients.
_LOG_INS = (
    "user",
    "auser",
    "auth",
    "_cached_user",
    "_acached_user",
    "_force_auth_user",
    "_force_auth_token",
)
# Keys of an ASGI scope that authenticate the requester, or contain the former path.
_OF_SCOPES = ("auth", "cookies", "raw_path", "session", "user")
# Values that a request has computed from its headers.
_OF_HEADERS = ("headers", "accepted_types", "accepted_types_by_precedence")


class LinkMixin(FileAccess):
    """Issue links to those who may read a file."""

    @action(detail=False, methods=["post"], serializer_class=LinkSerializer)
    def link(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with a link that opens the file until it expires."""
        serializer = LinkSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        self._lookup = (given["path"], given.get("storage") or None)
        record = self.get_object()
        user = request.user if given["only_me"] else None
        if given["only_me"] and not (is_logged_in(user) and can_be_named(user)):
            if self._failed_authentication is not None:
                raise self._failed_authentication
            raise ValidationError({"only_me": ["You are not logged in."]})
        link = get_signed_url(
            record,
            request=request,
            max_age=given.get("max_age"),
            as_attachment=given["disposition"] == "attachment",
            user=user,
        )
        self._check_link(link.url, record, user)
        answer = LinkAnswerSerializer({"url": link.url, "expires_at": link.expires_at})
        return Response(answer.data)

    def _check_link(self, url: str, record: MetaBackendObject, user: Any) -> None:
        """Make sure that the link will open the file: the permissions may take none.

        Raises:
            PermissionDenied: 403, they would refuse it.
        """
        asked = get_drf_request(make_request_by_link(self.request._request, url, user))
        # A rule may look at the request of the view as well.
        requested, self.request = self.request, asked
        try:
            with self._acting_as("download"):
                is_accepted = self.has_access(record)
        finally:
            self.request = requested
        if not is_accepted:
            raise PermissionDenied("Links to this file are not accepted.")


def make_request_by_link(request: HttpRequest, url: str, user: Any = None) -> HttpRequest:
    """Return a request for a link, as the rules get it when the link is opened.

    It is a copy of a request that has passed the middleware of the project, so it has the
    attributes that the middleware has set, such as a tenant. It does not have the requester's body,
    log-in, cookies, session and headers. The headers of a web server in front are kept.

    Args:
        request: the request that creates the link, of WSGI or ASGI.
        url: the link.
        user: the only user who can open the link; the returned request is authenticated as this
            user.
    """
    link = urlsplit(url)
    asked = copy.copy(request)
    attributes = vars(asked)
    logged_in = {} if user is None else {"user": user, "auth": getattr(request, "auth", None)}
    for name in (*_LOG_INS, *_OF_HEADERS):
        attributes.pop(name, None)
    attributes.update(logged_in)
    if hasattr(request, "session"):
        asked.session = type(request.session)()
    asked.method = "GET"
    asked.path = unquote(link.path)
    asked.path_info = asked.path.removeprefix(request.META.get("SCRIPT_NAME", ""))
    asked.META = _get_meta_of_link(asked, link.query)
    asked.GET = QueryDict(link.query)
    asked.COOKIES = {}
    asked.content_type, asked.content_params = "", {}
    attributes |= {
        "_post": QueryDict(),
        "_files": MultiValueDict(),
        "_body": b"",
        "_stream": BytesIO(),
        "_read_started": False,
    }
    # What requests of the two kinds have of the server.
    if "environ" in attributes:
        attributes["environ"] = asked.META
    if "scope" in attributes:
        attributes["scope"] = _get_scope_of_link(attributes["scope"], asked.path, link.query)
    return asked


def _get_meta_of_link(asked: HttpRequest, query: str) -> dict[str, Any]:
    kept = {
        key: value
        for key, value in asked.META.items()
        if key in _OF_WEB_SERVERS or not key.startswith(_OF_REQUESTERS)
    }
    return {**kept, "REQUEST_METHOD": "GET", "PATH_INFO": asked.path_info, "QUERY_STRING": query}


def _get_scope_of_link(scope: Mapping[str, Any], path: str, query: str) -> dict[str, Any]:
    # Other middleware than Django's keeps the log-in here. Django has read the headers.
    kept = {key: value for key, value in scope.items() if key not in _OF_SCOPES}
    changed = {"path": path, "query_string": query.encode(), "headers": [], "method": "GET"}
    return {**kept, **changed}


class RecordsMixin(DownloadMixin):
    """Tell of the files that the requester may read."""

    serializer_class: Any = RecordSerializer
    filter_backends: Sequence[Any] = (RecordFilter,)
    pagination_class: Any = drf_settings.DEFAULT_PAGINATION_CLASS or RecordPagination
    #: query parameters of the list beside those of its filters and pages; all others are 400
    list_parameters: Collection[str] = ()
    #: what DRF's ``OrderingFilter`` may order by, if it is one of the filters
    ordering_fields: Sequence[str] = ORDERINGS

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Tell a list from a download, which are one resource: the file's path decides.

        Django reads the query here for the first time, and may refuse it.
        """
        if self.action == "list" and self.path_parameter in request.query_params:
            self.action = "download"
        super().initial(request, *args, **kwargs)

    def check_permissions(self, request: Request) -> None:
        """Refuse lists to anonymous users if ``ANONYMOUS_LISTS`` is false."""
        super().check_permissions(request)
        is_closed = self.action == "list" and not api_settings.ANONYMOUS_LISTS
        if is_closed and not is_logged_in(request.user):
            self.permission_denied(request)

    def get_queryset(self) -> Any:
        """Return the records that the requester may read.

        They are selected by the filters of the permissions. A permission without a filter is
        checked record by record. For a request about one file these are the records of its
        path, and the permissions are checked afterwards.

        Raises:
            ConfigurationError: the class has a ``queryset``.
            RuleError: a permission needs the model of a queryset.
        """
        if getattr(self, "queryset", None) is not None:
            raise ConfigurationError(
                f"{type(self).__qualname__}.queryset is not used: override get_queryset(), and "
                "narrow down super().get_queryset() by filter()."
            )
        if self._is_deciding:
            StandInView().get_queryset()
        if self.asks_for_one_file:
            return self._get_sought_records()
        with self._deciding():
            readable = get_readable(self.get_permissions(), self.request, self)
        check = None if readable.is_exact else self.has_access
        return RecordSet(self.get_meta_backends(), readable.condition, check=check)

    def _get_sought_records(self) -> RecordSet:
        if self._sought is None:
            return RecordSet(self.get_meta_backends())
        path, proxy_storage_name = self._sought
        return RecordSet(self._get_meta_backends_of(proxy_storage_name), Q(path=path))

    def filter_queryset(self, queryset: Any) -> Any:
        """Apply the filters, those for tables by way of the table of the records."""
        for backend in self.filter_backends:
            queryset = apply_filter(backend(), self.request, queryset, self)
        return queryset

    def narrows_records(self) -> bool:
        """Tell whether a subclass gives access to a part of the records only."""
        return (
            any(backend is not RecordFilter for backend in self.filter_backends)
            or get_function(self.get_queryset) is not RecordsMixin.get_queryset
            or get_function(self.filter_queryset) is not RecordsMixin.filter_queryset
        )

    def paginate_queryset(self, queryset: Any) -> Any:
        """Return a page; records that are decided on one by one are not counted."""
        is_asked = isinstance(queryset, RecordSet) and queryset.check is not None
        if is_asked and self.paginator is not None:
            self._paginator = StepPagination(self.paginator, get_max_decisions())
        return super().paginate_queryset(queryset)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer with the file of a path, or with a page of records where none is named."""
        if self.action == "download":
            return self.download(request, *args, **kwargs)
        try:
            records = self.filter_queryset(self.get_queryset())
        except RuleError as error:
            self._log_rule_error(error)
            self._deny(request, None)
        if isinstance(records, RecordSet) and records.check is not None:
            warn_of_rules(tuple(self._find_unfiltered()))
        page = self.paginate_queryset(records)
        serializer = self.get_serializer(
            self._get_all(records) if page is None else page, many=True
        )
        return (
            Response(serializer.data)
            if page is None
            else self.get_paginated_response(serializer.data)
        )

    def _find_unfiltered(self) -> Sequence[str]:
        """Return the names of the rules without filter; of all, if each of them has one."""
        permissions, models = self.get_permissions(), get_content_object_models()
        names = [name for one in permissions for name in find_unfiltered(one, models)]
        rules = [rule for one in permissions for rule in get_single_rules(one)]
        return names or [get_rule_name(rule) for rule in rules if needs_record(rule)]

    def _get_all(self, records: Any) -> Any:
        """Return all records, for a list without pages.

        Raises:
            ValidationError: 400, too many would have to be decided on.
        """
        if not isinstance(records, RecordSet) or records.check is None:
            return records
        limit = get_max_decisions()
        step = records.decide_on(limit, limit)
        if step.position is not None:
            raise ValidationError("There are too many files. Choose some of them by a filter.")
        return step.records

    @action(detail=False, methods=["get"])
    def record(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with what the record of one file says."""
        return Response(self.get_serializer(self.get_object()).data)


@cache
def warn_of_rules(names: tuple[str, ...]) -> None:
    """Log the rules that a list checks for each record, once in a process."""
    logger.warning(
        "A list asks each record, since one of these rules has no filter for the requester: %s. "
        "See the documentation of get_filter().",
        ", ".join(names),
    )


# The preconditions by which a client names the version of the file that it deletes.
_PRECONDITIONS = ("If-Match", "If-Unmodified-Since")


class RemovalMixin(FileAccess):
    """Delete files for those who may."""

    #: who may delete; None: those of ``DELETE_PERMISSION_CLASSES``, else nobody
    delete_permission_classes: Any = None

    def get_permissions(self) -> list[BasePermission]:
        """Return the permissions to delete, which are never those to read."""
        if self.action != "remove":
            return super().get_permissions()
        return self.make_permissions(self.delete_permission_classes, "DELETE_PERMISSION_CLASSES")

    def is_action_enabled(self, name: str) -> bool:
        """Tell whether deleting is switched on."""
        if name == "remove" and not self.delete_permission_classes:
            return get_permission_classes("DELETE_PERMISSION_CLASSES") is not None
        return super().is_action_enabled(name)

    def remove(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete the file of a path, and clear the field of its content object.

        The record that was decided on is deleted, never a later one of the same path.

        Raises:
            PreconditionFailed: 412, it is not of the version that ``If-Match`` or
                ``If-Unmodified-Since`` names.
        """
        record = self.get_object()
        _check_preconditions(request, record)
        record.get_proxy_storage().delete_record(record)
        clear_field(record)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _check_preconditions(request: Request, record: MetaBackendObject) -> None:
    """Compare the file with the version that the client wants to delete, if it names one.

    The two other preconditions are for copies of files.

    Raises:
        PreconditionFailed: 412, the file is of another version, or its bytes are gone.

    Source: RFC 9110 section 13.2.2.
    """
    wanted, unmodified_since = (request.headers.get(name) for name in _PRECONDITIONS)
    if wanted is not None:
        if not _matches(wanted, _get_version(record)):
            raise PreconditionFailed
    elif unmodified_since is not None and _is_later(_get_version(record), unmodified_since):
        raise PreconditionFailed


def _matches(wanted: str, version: Validators | None) -> bool:
    """Compare entity tags, of which a strong one alone names a version.

    Source: RFC 9110 section 13.1.1.
    """
    if version is None:
        return False
    tags = parse_etags(wanted)
    return tags == ["*"] or version.etag in tags


def _is_later(version: Validators | None, unmodified_since: str) -> bool:
    """Compare dates. One that is not valid, or not known of the file, does not count.

    Source: RFC 9110 section 13.1.4.
    """
    date = parse_http_date_safe(unmodified_since)
    if date is None or version is None or version.seconds is None:
        return False
    return version.seconds > date


def _get_version(record: MetaBackendObject) -> Validators | None:
    """Return the validators of a file; ``None`` where it cannot be delivered."""
    try:
        source = get_source(record)
        # Not every source looks for the bytes before it is asked for their length.
        _ = source.size
        return get_validators(record, source)
    except (FileNotFoundError, UnsafePathError, SuspiciousOperation):
        return None


class FileViewSet(AuthorizeMixin, RecordsMixin, LinkMixin, UploadMixin, RemovalMixin):
    """Deliver files to those who may read them, and tell of them.

    It is included by ``proxy_storage_api.urls``, or registered in a router of the project.
    Who may read is for ``permission_classes`` to say, by default those of
    ``PROXY_STORAGE["DEFAULT_PERMISSION_CLASSES"]``; they get the file's record as the
    object. Uploads and deletes are off until they have permissions of their own.
    """

    @classmethod
    def as_view(cls, actions: Any = None, **initkwargs: Any) -> Any:
        """Return the view; DRF's routers know no ``DELETE`` for the resource of a list."""
        if actions and actions.get("get") == "list":
            actions = {"delete": "remove", **actions}
        return super().as_view(actions, **initkwargs)
