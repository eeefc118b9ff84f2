"""The viewset behind ``files/``, with all its actions."""

from __future__ import annotations

import errno
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, wraps
from typing import Any, cast

from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags, parse_http_date_safe
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import (
    APIException,
    MethodNotAllowed,
    NotFound,
    PermissionDenied,
    ValidationError,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings as drf_settings
from rest_framework.throttling import BaseThrottle

from proxy_storage.content_objects import (
    clear_field,
    get_content_object_models,
    get_recorded_content_object,
)
from proxy_storage.exceptions import (
    ConfigurationError,
    MetaBackendObjectDoesNotExist,
    RuleError,
    UnsafePathError,
)
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.record_set import RecordSet
from proxy_storage.original_storages.failures import describe_missing_file
from proxy_storage.serving import get_server, serve
from proxy_storage.serving.conditional import Validators, get_validators
from proxy_storage.serving.headers import get_file_headers, keep_framing
from proxy_storage.serving.local import get_local_file, get_source, require_deliverable
from proxy_storage_api.authorize import get_record_path, is_at_its_path, read_client_request
from proxy_storage_api.exceptions import FileChanged, PreconditionFailed, StorageFull
from proxy_storage_api.filters import ORDERINGS
from proxy_storage_api.generics import GenericFileViewSet
from proxy_storage_api.links import make_link_request
from proxy_storage_api.negotiation import ShallowParser
from proxy_storage_api.pages import TEMPLATE, RefusalPageRenderer, is_page_preferred
from proxy_storage_api.pagination import RecordPagination, StepPagination
from proxy_storage_api.serializers import (
    DISPOSITION_PARAMETER,
    DISPOSITIONS,
    LinkAnswerSerializer,
    LinkSerializer,
    RecordSerializer,
    UploadSerializer,
)
from proxy_storage_api.settings import api_settings, get_max_decisions, get_throttle_classes
from proxy_storage_api.signals import file_served
from proxy_storage_api.uploads import (
    check_upload_headers,
    interrupt_upload,
    prepare_upload,
    save_upload,
)
from proxy_storage_permissions import get_signed_url
from proxy_storage_permissions.base import get_drf_request, needs_record
from proxy_storage_permissions.filters import find_unfiltered, get_rule_name, get_single_rules
from proxy_storage_permissions.links import can_be_named
from proxy_storage_permissions.ownership import is_logged_in

logger = logging.getLogger("proxy_storage_api")

# Actions by their names in earlier versions.
_RENAMED_ACTIONS = {"record": "retrieve", "remove": "destroy"}
# The actions for which Django REST framework's routers make a URL with a primary key.
_DETAIL_ACTIONS = {"retrieve", "update", "partial_update", "destroy"}


class FileViewSet(GenericFileViewSet):
    """Deliver, list, save and delete files, for requesters whom the permissions allow to do so.

    It is included by ``proxy_storage_api.urls``, or registered in a router of the project.
    ``permission_classes`` decide about reading. By default these are those of
    ``PROXY_STORAGE["DEFAULT_PERMISSION_CLASSES"]``. They get the file's record as the object.
    Uploads and deletes are disabled until they have permissions of their own.

    Raises:
        ConfigurationError: a subclass has a method that has been renamed.
    """

    serializer_class: Any = RecordSerializer
    pagination_class: Any = drf_settings.DEFAULT_PAGINATION_CLASS or RecordPagination
    #: The throttles of files. ``None``: those of ``DOWNLOAD_THROTTLE_CLASSES``, or else of the API.
    download_throttle_classes: Sequence[Any] | None = None
    #: Further query parameters of the list. Unknown parameters are refused with 400.
    list_parameters: Collection[str] = ()
    #: The keys that DRF's ``OrderingFilter`` may order by, if it is one of the filters.
    ordering_fields: Sequence[str] = ORDERINGS
    #: The template of the page for browsers that do not get a file. ``None``: they get JSON.
    refusal_template_name: str | None = TEMPLATE
    # Files have no primary key in their URL, so the URL that routers make for it matches nothing.
    lookup_value_regex = "(?!)"
    lookup_value_converter = "str"

    # The path and the storage of the client's request, in a request to `authorize`.
    _client_target: tuple[str, str] | None = None
    # Whether the permissions of this request have been checked.
    _is_checked = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for old, new in _RENAMED_ACTIONS.items():
            if getattr(cls, old, None) is not getattr(FileViewSet, old, None):
                raise ConfigurationError(
                    f"{cls.__qualname__}.{old} is never called. Rename the method to {new!r}."
                )

    @classmethod
    def as_view(cls, actions: Any = None, **initkwargs: Any) -> Any:
        """Return the view of a URL. ``GET`` of the list's URL with a path is a download."""
        actions = {
            method: _RENAMED_ACTIONS.get(name, name) for method, name in (actions or {}).items()
        }
        if initkwargs.get("detail") and set(actions.values()) <= _DETAIL_ACTIONS:
            return _raise_not_found
        if actions.get("get") != "list":
            return super().as_view(actions, **initkwargs)
        # Routers do not route DELETE to the URL of a list.
        actions = {"delete": "destroy", **actions}
        file_actions = {
            method: "download" if name == "list" else name for method, name in actions.items()
        }
        view_list = super().as_view(actions, **initkwargs)
        view_file = super().as_view(file_actions, **initkwargs)
        path_parameter = initkwargs.get("path_parameter", cls.path_parameter)

        @wraps(view_list)
        def view(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            try:
                has_path = path_parameter in request.GET
            except SuspiciousOperation:
                has_path = False  # `initial` raises the same error, and it is handled there.
            return (view_file if has_path else view_list)(request, *args, **kwargs)

        return view

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse disabled and malformed requests, and check authentication and permissions.

        Raises:
            MethodNotAllowed: 405, the method does not exist or its action is disabled.
        """
        # The renderer of a refusal depends on it.
        self.format_kwarg = self.get_format_suffix(**kwargs)
        if self.action == "create":
            prepare_upload(request, self)
        elif request.method not in ("GET", "HEAD"):
            request.parsers = [ShallowParser(parser) for parser in request.parsers or ()]
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed(str(request.method))
        if self.action == "create":
            check_upload_headers(request)
        elif self.action == "authorize" and api_settings.AUTHORIZE_URI_HEADER is not None:
            path, storage, query = read_client_request(
                request, api_settings.AUTHORIZE_URI_HEADER, self.storage_parameter
            )
            self._client_target = path, storage
            # The query may be that of a signed link.
            request._request.GET = query  # type: ignore[assignment]  # of stubs only
        elif self.action == "list":
            _ = request.query_params  # Django parses the query, and may refuse it.
        super().initial(request, *args, **kwargs)
        self._is_checked = True

    def get_throttles(self) -> list[BaseThrottle]:
        """Return the throttles of files, which may differ from those of the API.

        A page with a hundred pictures is one request of the API and a hundred of files.
        """
        if self.action in ("authorize", "download"):
            classes = self.download_throttle_classes
            if classes is None:
                classes = get_throttle_classes()
            if classes is not None:
                return [throttle() for throttle in classes]
        return super().get_throttles()

    def get_serializer_class(self) -> Any:
        """Return the serializer of the action. The browsable API makes a form of an upload's."""
        if self.get_described_action(self.request) == "create":
            return UploadSerializer
        return super().get_serializer_class()

    def handle_exception(self, exc: Exception) -> Any:
        """Answer 507 to an upload if the disk is full. Refusals of `authorize` have no body."""
        is_full = isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT)
        if is_full and self.action == "create":
            interrupt_upload(self.request)
            full = StorageFull()
            full.__cause__ = exc
            exc = full
        response = super().handle_exception(exc)
        if self.action != "authorize":
            return response
        refusal = HttpResponse(status=response.status_code, headers={"Cache-Control": "no-store"})
        del refusal["Content-Type"]
        for name in ("WWW-Authenticate", "Retry-After"):
            if name in response:
                refusal[name] = response[name]
        return refusal

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Render the error of a download as an HTML page, if a browser opens the file."""
        response = super().finalize_response(request, response, *args, **kwargs)
        is_error = isinstance(response, Response) and response.exception
        if self.action == "download" and is_error:
            patch_vary_headers(response, ["Accept"])
            if self.refusal_template_name is not None and is_page_preferred(request):
                response.accepted_renderer = RefusalPageRenderer(self.refusal_template_name)
                response.accepted_media_type = RefusalPageRenderer.media_type
        return response

    # GET files/?path=

    def download(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Return the file, delivered by the server that is configured for it."""
        as_attachment = self.is_attachment_requested()
        record = self.get_object()
        with _not_found_if_undeliverable(record):
            server = get_server(record, request._request)
            response = serve(cast(Any, request), record, as_attachment=as_attachment, server=server)
        file_served.send(
            type(self), request=request, record=record, server=server, response=response
        )
        return response

    def is_attachment_requested(self) -> bool:
        """Return whether the query requests the file as an attachment.

        Raises:
            ValidationError: 400, the query has an unknown disposition.
        """
        disposition = self.request.query_params.get(DISPOSITION_PARAMETER, "inline")
        if disposition not in DISPOSITIONS:
            raise ValidationError(
                {DISPOSITION_PARAMETER: [f"This must be one of {', '.join(DISPOSITIONS)}."]}
            )
        return disposition == "attachment"

    # GET files/

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a page of the records that the requester may read."""
        try:
            records = self.filter_queryset(self.get_queryset())
        except RuleError as error:
            self._log_rule_error(error)
            self._deny(request, None)
        if isinstance(records, RecordSet) and records.check is not None:
            log_unfiltered_permissions(tuple(self._find_unfiltered_permissions()))
        page = self.paginate_queryset(records)
        if page is None:
            return Response(self.get_serializer(self._read_all(records), many=True).data)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def paginate_queryset(self, queryset: Any) -> Any:
        """Return a page. Records whose permissions are checked one by one are not counted."""
        is_checked = isinstance(queryset, RecordSet) and queryset.check is not None
        if is_checked and self.paginator is not None:
            self._paginator = StepPagination(self.paginator, get_max_decisions())
        return super().paginate_queryset(queryset)

    def _find_unfiltered_permissions(self) -> Sequence[str]:
        """Return the names of the permissions without a filter.

        If all of them have one, one of the filters is ``None`` for this requester. Then return the
        names of all permissions that depend on records.
        """
        permissions, models = self.get_permissions(), get_content_object_models()
        names = [name for one in permissions for name in find_unfiltered(one, models)]
        rules = [rule for one in permissions for rule in get_single_rules(one)]
        return names or [get_rule_name(rule) for rule in rules if needs_record(rule)]

    def _read_all(self, records: Any) -> Any:
        """Return all records, for a list without pages.

        Raises:
            ValidationError: 400, permissions would have to be checked for too many records.
        """
        if not isinstance(records, RecordSet) or records.check is None:
            return records
        limit = get_max_decisions()
        step = records.decide_on(limit, limit)
        if step.position is not None:
            raise ValidationError("There are too many files. Select some of them by a filter.")
        return step.records

    # GET files/record/?path=

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the record of a file."""
        return Response(self.get_serializer(self.get_object()).data)

    @action(detail=False, methods=["get"])
    def record(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the record of a file."""
        # It gives `retrieve` a URL without a primary key: `as_view` replaces this action.
        return self.retrieve(request, *args, **kwargs)

    # POST files/

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Save the uploaded file, and return its record."""
        context = self.get_serializer_context()
        data = RecordSerializer(save_upload(request, context), context=context).data
        return Response(data, status.HTTP_201_CREATED, headers={"Location": data["url"]})

    def check_before_reading(self, request: HttpRequest) -> None:
        """Check the permissions to upload before the body of a request is read.

        Authentication by session reads the body for the CSRF token before permissions are
        checked. So the permissions are checked here for the same user, without the token, and
        again after the token has been checked.

        Args:
            request: Django's request.

        Raises:
            APIException: the refusal, as the checks after the body would raise it.
        """
        if self._is_checked:
            return
        drf_request, was_exempt = self.request, getattr(request, "_dont_enforce_csrf_checks", False)
        request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]  # Django's own
        try:
            self.request = Request(request, authenticators=self.get_authenticators())
            self.perform_authentication(self.request)
            self.check_permissions(self.request)
        except APIException:
            self._log_denial()
            raise
        finally:
            self.request = drf_request
            request._dont_enforce_csrf_checks = was_exempt  # type: ignore[attr-defined]  # as above

    # DELETE files/?path=

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete the file of a path, and clear the field of its content object.

        The record for which the permissions were checked is deleted, never a later one of the
        same path, and only if it still has the content object that they were checked for. An
        upload can be attached at the same moment.

        Raises:
            FileChanged: 409, the file has got another content object, or lost it.
            PreconditionFailed: 412, the file is not of the version that ``If-Match`` or
                ``If-Unmodified-Since`` requires.
        """
        record = self.get_object()
        _check_preconditions(request, record)
        storage = record.get_proxy_storage()
        where = get_recorded_content_object(record, storage.meta_backend)
        if storage.delete_record(record, where=where):
            clear_field(record)
        elif _exists(record):
            raise FileChanged
        return Response(status=status.HTTP_204_NO_CONTENT)

    # POST files/link/

    @action(detail=False, methods=["post"], serializer_class=LinkSerializer)
    def link(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a signed link, which opens the file until it expires."""
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
        if not self._is_accepted(link.url, record, user):
            self._log_refusal(record["path"], self._get_refusing_permissions())
            raise PermissionDenied("Links to this file are not accepted.")
        answer = LinkAnswerSerializer({"url": link.url, "expires_at": link.expires_at})
        return Response(answer.data)

    def _is_accepted(self, url: str, record: MetaBackendObject, user: Any) -> bool:
        """Return whether the permissions will allow a download by a link."""
        link_request = get_drf_request(make_link_request(self.request._request, url, user))
        # A permission may use the request of the view as well.
        requested, self.request = self.request, link_request
        try:
            with self._acting_as("download"):
                return self.has_access(record)
        finally:
            self.request = requested

    # GET files/authorize/

    @action(detail=False, methods=["get"])
    def authorize(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """Return 204 without a body, and the headers that the file's response must have."""
        as_attachment = self.is_attachment_requested()
        record = self._get_authorized_record()
        headers = get_file_headers(record, as_attachment=as_attachment)
        response = HttpResponse(status=204, headers={**headers, "Cache-Control": "no-store"})
        keep_framing(response)
        file_served.send(type(self), request=request, record=record, server=None, response=response)
        return response

    def _get_requested_path(self) -> str | None:
        if self._client_target is not None:
            return self._client_target[0]
        return super()._get_requested_path()

    def _get_authorized_record(self) -> MetaBackendObject:
        if self._client_target is None:
            # The web server could deliver the file of the second path.
            if len(self.request.query_params.getlist(self.path_parameter)) > 1:
                raise ValidationError({self.path_parameter: ["There is more than one."]})
            record = self.get_object()
            with _not_found_if_undeliverable(record):
                require_deliverable(record)
            return record
        target, storage = self._client_target
        proxy_storage_name, _, original_storage_name = storage.partition("/")
        self._lookup = get_record_path(target, proxy_storage_name), proxy_storage_name
        record = self.get_object()
        if (record.get_original_storage_name() or "") != original_storage_name:
            raise NotFound
        with _not_found_if_undeliverable(record):
            # Not every web server checks where a symbolic link leads.
            get_local_file(record)
        if not is_at_its_path(record, target):
            raise NotFound
        return record


def _raise_not_found(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
    """Answer a URL with a primary key, which files do not have."""
    raise Http404


@contextmanager
def _not_found_if_undeliverable(record: MetaBackendObject) -> Iterator[None]:
    """Raise NotFound if the file of a record is missing, or its path leads out of its storage.

    Both are errors of the site, so they are logged. The messages have the cause, so that a
    traceback is not needed (TRY400).
    """
    try:
        yield
    except (UnsafePathError, SuspiciousOperation) as error:
        logger.error("A web server must not deliver %r. %s", record["path"], error)  # noqa: TRY400
        raise NotFound from error
    except FileNotFoundError as error:
        original, name = record.get_original_storage(), record["original_storage_path"]
        reason = describe_missing_file(original, name)
        logger.error("The file %r cannot be delivered. %s", record["path"], reason)  # noqa: TRY400
        raise NotFound from error


@cache
def log_unfiltered_permissions(names: tuple[str, ...]) -> None:
    """Log permissions that a list checks for each record, once in a process."""
    logger.warning(
        "A list checks each record, because one of these permissions has no filter for the "
        "requester: %s. See the documentation of get_filter().",
        ", ".join(names),
    )


def _exists(record: MetaBackendObject) -> bool:
    """Return whether a record exists, and not only a later one of its path."""
    meta_backend = record.get_proxy_storage().meta_backend
    try:
        current = meta_backend.get(record["path"])
    except MetaBackendObjectDoesNotExist:
        return False
    return meta_backend.get_identity(current) == meta_backend.get_identity(record)


def _check_preconditions(request: Request, record: MetaBackendObject) -> None:
    """Compare the file with the version that the client wants to delete, if it names one.

    ``If-None-Match`` and ``If-Modified-Since`` are ignored: they are for copies of files.

    Raises:
        PreconditionFailed: 412, the file is of another version, or it is missing.

    Source: RFC 9110 sections 13.2.2, 13.1.1 (``If-Match`` compares strong entity tags) and 13.1.4
    (a date is ignored if it is not valid, or if the file has no date).
    """
    tags = request.headers.get("If-Match")
    unmodified_since = request.headers.get("If-Unmodified-Since")
    if tags is not None:
        version = _get_version(record)
        wanted = parse_etags(tags)
        if version is None or not (wanted == ["*"] or version.etag in wanted):
            raise PreconditionFailed
    elif unmodified_since is not None:
        date, version = parse_http_date_safe(unmodified_since), _get_version(record)
        seconds = None if version is None else version.seconds
        if date is not None and seconds is not None and seconds > date:
            raise PreconditionFailed


def _get_version(record: MetaBackendObject) -> Validators | None:
    """Return the validators of a file, or ``None`` if it cannot be delivered."""
    try:
        source = get_source(record)
        # Some sources look for the file only when their size is read.
        _ = source.size
        return get_validators(record, source)
    except (FileNotFoundError, UnsafePathError, SuspiciousOperation):
        return None
