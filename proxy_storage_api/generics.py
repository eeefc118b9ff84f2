"""The base of the viewset: find a record, check the permissions, open the transactions."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import cache, cached_property
from itertools import dropwhile, islice
from typing import Any, NoReturn

from django.core.exceptions import SuspiciousOperation
from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.models import Q
from django.http.response import HttpResponseBase
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotAuthenticated,
    NotFound,
    ParseError,
    ValidationError,
)
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from proxy_storage.endpoint import PATH_KWARG, RequestedEndpoint, remember_endpoint
from proxy_storage.exceptions import (
    ConfigurationError,
    MetaBackendObjectDoesNotExist,
    MetaBackendUnavailable,
    RuleError,
)
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.meta_backends.orm import is_schema_error
from proxy_storage.meta_backends.record_set import RecordSet
from proxy_storage.original_storages.failures import describe_failure
from proxy_storage.registry import get_meta_backends, get_proxy_storage, get_proxy_storage_names
from proxy_storage_api.exceptions import LinkExpired, MetaBackendDoesNotAnswer
from proxy_storage_api.filters import RecordFilter, apply_filter
from proxy_storage_api.hidden import count_queries, run_queries_of_refusal
from proxy_storage_api.negotiation import FileContentNegotiation
from proxy_storage_api.settings import api_settings, get_permission_classes
from proxy_storage_api.signals import file_refused
from proxy_storage_permissions import DenyAll, evaluate, get_readable
from proxy_storage_permissions.base import StandInView, is_refusal
from proxy_storage_permissions.explanation import get_refusing_permissions
from proxy_storage_permissions.links import get_model_label, is_marked_as_expired
from proxy_storage_permissions.ownership import is_logged_in
from proxy_storage_permissions.settings import READING

logger = logging.getLogger("proxy_storage_api")

#: ``Cache-Control`` of records, lists, links and refusals: they are for one user, at one moment.
NOT_STORED = "private, no-store"

#: The actions that are about one file. Their permissions are checked for its record.
ONE_FILE_ACTIONS = ("authorize", "destroy", "download", "link", "retrieve")
#: All actions of the endpoint.
ACTIONS = ("create", "list", *ONE_FILE_ACTIONS)
# The attribute and the setting with the permission classes of an action.
PERMISSIONS = {
    "create": ("upload_permission_classes", "UPLOAD_PERMISSION_CLASSES"),
    "destroy": ("delete_permission_classes", "DELETE_PERMISSION_CLASSES"),
}
READ_PERMISSIONS = ("permission_classes", READING)

# The same request may succeed after one of these errors, unless it is a refusal.
_TEMPORARY_ERRORS = (APIException, MetaBackendUnavailable, OperationalError, InterfaceError)
# Modules of decorators that cache the response of a method.
_CACHING_MODULES = ("rest_framework_extensions.cache.decorators",)


class GenericFileViewSet(GenericViewSet[Any]):
    """The part of the viewset that all actions share.

    Authentication, throttles, renderers, versioning and the exception handler are those of the
    project.

    ``file_refused`` is sent after the transactions of ``ATOMIC_REQUESTS``. Django REST framework
    rolls them back when it answers with an error, and rows that a receiver has written inside of
    them would be lost. So Django does not open them for this view: `dispatch` does.

    Raises:
        ConfigurationError: drf-extensions caches an action of a subclass.

    Source: https://docs.djangoproject.com/en/stable/topics/db/transactions/
    """

    content_negotiation_class = FileContentNegotiation
    filter_backends: Sequence[Any] = (RecordFilter,)
    #: The permissions to read files. ``None``: those of ``DEFAULT_PERMISSION_CLASSES``.
    permission_classes: Sequence[Any] | None = None  # type: ignore[assignment]  # DRF has no None
    #: The permissions to upload. ``None``: those of ``UPLOAD_PERMISSION_CLASSES``.
    upload_permission_classes: Any = None
    #: The permissions to delete. ``None``: those of ``DELETE_PERMISSION_CLASSES``.
    delete_permission_classes: Any = None
    #: Where to look for a path, in this order. ``None``: those of all registered proxy storages.
    meta_backends: Sequence[MetaBackendBase] | None = None
    #: The query parameter with the path.
    path_parameter = "path"
    #: The query parameter with the name of the proxy storage, if the path alone is ambiguous.
    storage_parameter = "storage"
    #: Actions that call `get_object`, so that the permissions are checked for a record.
    one_file_actions: Sequence[str] = ONE_FILE_ACTIONS

    # The path and the proxy storage of the requested record, if they are not in the query.
    _lookup: tuple[str, str | None] | None = None
    # Those of the record that `find_record` looks up, or of the file that is uploaded.
    _searched: tuple[str, str | None] | None = None
    # The error of an authentication that has failed, for a request that may not need one.
    _failed_authentication: AuthenticationFailed | NotAuthenticated | None = None
    # The permission by which `check_permissions` has refused the request, with text for the log.
    _denied_by: str | None = None
    # The answers of the permission that is evaluated: see `proxy_storage_permissions.explanation`.
    permission_answers: list[Any] | None = None
    # Whether permissions are being evaluated.
    _is_deciding = False
    # The arguments of `file_refused` for the end of `dispatch`; None outside of it.
    _refusals: list[dict[str, Any]] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _refuse_cached_actions(cls, (*ACTIONS, *cls.one_file_actions))

    @classmethod
    def as_view(cls, actions: Any = None, **initkwargs: Any) -> Any:
        """Return the view. Django opens no transaction for it."""
        view = super().as_view(actions, **initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    # A request, from its start to its response.

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer a request inside the transactions of ``ATOMIC_REQUESTS``.

        URLs in the answer have the arguments of the request's own URL.
        """
        with remember_endpoint(self._get_requested_endpoint(request)):
            self._refusals = []
            try:
                with ExitStack() as transactions:
                    for alias, options in connections.settings.items():
                        if options["ATOMIC_REQUESTS"]:
                            transactions.enter_context(transaction.atomic(using=alias))
                    return super().dispatch(request, *args, **kwargs)
            finally:
                refusals, self._refusals = self._refusals, None
                for refusal in refusals:
                    file_refused.send_robust(type(self), **refusal)

    def _get_requested_endpoint(self, request: Any) -> RequestedEndpoint | None:
        match = getattr(request, "resolver_match", None)
        if match is None:
            return None
        name = match.url_name or ""
        if self.basename:
            name = f"{self.basename}-list"
        elif PATH_KWARG in match.kwargs or name in _get_action_url_names(type(self)):
            name = "files"
        own = ("format", PATH_KWARG)
        kwargs = {key: value for key, value in match.kwargs.items() if key not in own}
        return RequestedEndpoint(":".join([*match.namespaces, name]), kwargs, match.args)

    @cached_property
    def allowed_methods(self) -> list[str]:
        """The methods whose action is not disabled."""
        disabled = self.disabled_actions
        return [
            method
            for method in super().allowed_methods
            if self.action_map.get(method.lower()) not in disabled
        ]

    @cached_property
    def disabled_actions(self) -> list[str]:
        """The actions that neither the class nor the settings give permission classes for."""
        return [
            action
            for action, (attribute, setting) in PERMISSIONS.items()
            if not getattr(self, attribute) and get_permission_classes(setting) is None
        ]

    def perform_authentication(self, request: Request) -> None:
        """Authenticate the requester. Ignore a failure if the request may not need it.

        A browser sends the cookie of an expired session with a signed link as well. The
        requester is anonymous then, and a refusal has the error of the authentication. Lists and
        uploads are refused at once: a client would take a list of public files for a complete one.
        """
        try:
            super().perform_authentication(request)
        except (AuthenticationFailed, NotAuthenticated) as error:
            if not self.checks_record and self.action != "metadata":
                raise
            self._failed_authentication = error
        except SuspiciousOperation:
            # The CSRF check of a session reads the body, which Django refuses. Without a result,
            # the renderer of the answer would authenticate again, and fail again.
            request._not_authenticated()  # type: ignore[attr-defined]  # not in the stubs
            raise

    def handle_exception(self, exc: Exception) -> Response:
        """Answer 503 if a meta backend or a database is not available.

        If Django refuses to parse the request, the answer is 400. Django's own answer would lack
        ``Cache-Control``, so that caches could store it.
        """
        translated: APIException | None = None
        if isinstance(exc, SuspiciousOperation):
            _log_as_django(exc, self.request)
            translated = ParseError()
        elif isinstance(exc, MetaBackendUnavailable) or (
            isinstance(exc, OperationalError | InterfaceError) and not is_schema_error(exc)
        ):
            translated = MetaBackendDoesNotAnswer()
        if translated is not None:
            translated.__cause__ = exc
        if not isinstance(exc, SuspiciousOperation) and not is_refusal(exc):
            self._log_failure(exc)
        return super().handle_exception(translated or exc)

    def _log_failure(self, error: Exception) -> None:
        """Log an error of the site, with the path of the file and the cause, in one line."""
        path = self._searched[0] if self._searched else getattr(error, "path", None)
        cause = error.__cause__ if isinstance(error, APIException) else None
        logger.error(
            "The action %r failed%s. %s",
            self.action,
            f" for {path!r}" if path else "",
            describe_failure(cause or error),
        )

    def remember_upload(self, name: str, proxy_storage_name: str) -> None:
        """Remember the name of the file that is being saved, for the log of a failure."""
        self._searched = name, proxy_storage_name

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Forbid shared caches to store the response, unless it has a ``Cache-Control``.

        A file does not depend on ``Accept``, so its response does not vary by it.

        Source: RFC 9111 sections 3.5 and 5.2.2, RFC 9110 section 12.5.5.
        """
        if not isinstance(response, Response):
            self.headers.pop("Vary", None)
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("Cache-Control", NOT_STORED)
        return response

    def get_view_description(self, html: bool = False) -> str:
        """Return the text for the browsable API and the response to OPTIONS.

        The docstrings of this package are written for its documentation. Only their first paragraph
        is plain text. The docstring of a project's class is returned as it is.
        """
        if self.description is None and type(self).__module__.startswith(f"{__package__}."):
            self.description = get_first_paragraph(type(self).__doc__)
        return super().get_view_description(html)

    # Permissions.

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Log a refusal for which no record was looked up.

        Renderers and the answer to OPTIONS call `check_permissions` as well. Their refusals are not
        refusals of the request, so they are not logged.
        """
        try:
            super().initial(request, *args, **kwargs)
        except Exception:
            self._log_denial()
            raise

    @property
    def checks_record(self) -> bool:
        """Whether the permissions are checked for a record, not only for the request."""
        return self.action in self.one_file_actions

    #: The name of `checks_record` in earlier versions.
    asks_for_one_file = checks_record

    def get_permissions(self) -> list[BasePermission]:
        """Return the permissions of the action: those of the class, or those of the setting.

        An empty list counts as a missing one. Without permissions, all requests are denied.
        """
        attribute, setting = PERMISSIONS.get(self.action, READ_PERMISSIONS)
        classes = getattr(self, attribute) or get_permission_classes(setting) or [DenyAll]
        return [permission() for permission in classes]

    def check_permissions(self, request: Request) -> None:
        """Refuse requests that are denied for all records before a record is looked up."""
        if self.action == "metadata" and request.method != "OPTIONS":
            with self._acting_as(self.get_described_action(request)):
                self.check_permissions(request)
            return
        # A list selects the permitted records, and OPTIONS does not show records. For any other
        # action without a record, a permission that depends on records denies.
        is_open = self.checks_record or self.action in ("list", "metadata")
        for permission in self.get_permissions():
            self.permission_answers = []
            try:
                answer = self.call_permissions(evaluate, permission, request, self)
            except RuleError as error:
                self._log_rule_error(error)
                answer = False
            except Exception as error:
                if is_refusal(error):
                    self._denied_by = self._get_refusing_permissions()
                raise
            if answer is False or (answer is None and not is_open):
                self._denied_by = self._get_refusing_permissions()
                self._deny(request, permission)
        if self.action == "list" and not (
            api_settings.ANONYMOUS_LISTS or is_logged_in(request.user)
        ):
            self._denied_by = "the setting ANONYMOUS_LISTS"
            self.permission_denied(request)

    def get_described_action(self, request: Request) -> str | None:
        """Return the action of a request, or the one that the answer to OPTIONS describes.

        That answer describes the bodies of the other permitted methods. For each of them, Django
        REST framework calls the view with a request of that method.
        """
        if self.action == "metadata" and request.method != "OPTIONS":
            return self.action_map.get(str(request.method).lower())
        return self.action

    @contextmanager
    def _acting_as(self, action: Any) -> Iterator[None]:
        self.action, requested_action = action, self.action
        try:
            yield
        finally:
            self.action = requested_action

    def check_object_permissions(self, request: Request, obj: MetaBackendObject) -> None:
        """Check all permissions for a record."""
        try:
            with count_queries() if api_settings.HIDE_FORBIDDEN else nullcontext() as queries:
                permission = self._find_refusing(obj)
        except Exception as error:
            if is_refusal(error):
                self._report_refusal(obj)
            raise
        if permission is None:
            return
        # The answers are read before the permissions are evaluated for other records.
        self._report_refusal(obj)
        if queries is None:
            self._deny(request, permission)
        self._query_other_meta_backends(obj)
        if not queries.count:
            run_queries_of_refusal(obj["path"], self._is_missing_file_permitted)
        raise NotFound

    def has_access(self, record: MetaBackendObject) -> bool:
        """Return whether all permissions allow a file. A refusal does not send `file_refused`."""
        try:
            return self._find_refusing(record) is None
        except Exception as error:
            if not is_refusal(error):
                raise
            return False

    def _find_refusing(self, record: MetaBackendObject) -> Any:
        """Return the first permission that does not allow a file, or ``None``."""
        for permission in self.get_permissions():
            self.permission_answers = []
            try:
                if (
                    self.call_permissions(evaluate, permission, self.request, self, record)
                    is not True
                ):
                    return permission
            except RuleError as error:
                self._log_rule_error(error)
                return permission
            except Exception as error:
                # The status of this error would reveal that the file exists.
                if not api_settings.HIDE_FORBIDDEN:
                    raise
                if not is_refusal(error):
                    if isinstance(error, _TEMPORARY_ERRORS):
                        raise
                    logger.exception("A permission failed for %r. Access denied.", record["path"])
                return permission
        return None

    def _is_missing_file_permitted(self, missing: MetaBackendObject) -> bool:
        try:
            return all(
                self.call_permissions(evaluate, permission, self.request, self, missing) is True
                for permission in self.get_permissions()
            )
        except Exception as error:
            # A permission of the project may fail for a record that does not exist.
            if isinstance(error, _TEMPORARY_ERRORS) and not is_refusal(error):
                raise
            return False

    def call_permissions(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function that evaluates permissions: they must not call `get_queryset`."""
        was_deciding, self._is_deciding = self._is_deciding, True
        try:
            return function(*args)
        finally:
            self._is_deciding = was_deciding

    def _log_rule_error(self, error: RuleError) -> None:
        if str(error) not in self._logged:
            self._logged.add(str(error))
            logger.error("A permission cannot decide. Access denied. %s", error)

    @cached_property
    def _logged(self) -> set[str]:
        return set()

    def _report_refusal(self, record: MetaBackendObject) -> None:
        """Log a refusal, and send ``file_refused`` after the transactions of the request."""
        self._log_refusal(record["path"], self._get_refusing_permissions())
        refusal = {"request": self.request, "record": record, "action": self.action}
        if self._refusals is None:
            file_refused.send_robust(type(self), **refusal)
        else:
            self._refusals.append(refusal)

    def _get_refusing_permissions(self) -> str:
        answers = self.permission_answers
        # A project may override a method that evaluates the permissions.
        return get_refusing_permissions(answers) if answers else type(self).__qualname__

    def _log_denial(self) -> None:
        """Log that `check_permissions` has refused the request, once."""
        rules, self._denied_by = self._denied_by, None
        if rules is not None:
            self._log_refusal(self._get_requested_path(), rules)

    def _get_requested_path(self) -> str | None:
        """Return the path that the URL of the request has, for the log of a refusal."""
        with suppress(ValidationError):
            return self.get_requested_file()[0]
        return None

    def _log_refusal(self, path: str | None, rules: str) -> None:
        """Log the permissions that have refused the request.

        The user's key is logged, but not the name. A query is not logged: it may be a signed link.
        """
        # A project may have no user for anonymous requests.
        requester = self.request.user
        key = getattr(requester, "pk", None)
        # A requester may be an instance of another model, whose keys can be those of users.
        model = get_model_label(requester) or "user"
        user = "an anonymous user" if key is None else f"{model} {key!r}"
        if path is None:
            logger.warning("%s was refused to %s by %s.", self.action, user, rules)
        else:
            logger.warning("%s of %r was refused to %s by %s.", self.action, path, user, rules)

    def _query_other_meta_backends(self, record: MetaBackendObject) -> None:
        """Look up the path of a forbidden file as often as a path without a file."""
        if self._searched is None or self.narrows_records():
            return
        meta_backends = self._get_meta_backends_of(self._searched[1])
        rest = dropwhile(lambda one: one != record.meta_backend, meta_backends)
        for meta_backend in islice(rest, 1, None):
            with suppress(MetaBackendObjectDoesNotExist):
                meta_backend.get(record["path"])

    def _deny(self, request: Request, permission: Any) -> NoReturn:
        if is_marked_as_expired(request):
            raise LinkExpired
        if self._failed_authentication is not None:
            raise self._failed_authentication
        message, code = getattr(permission, "message", None), getattr(permission, "code", None)
        self.permission_denied(request, message=message, code=code)

    # Records.

    def get_object(self) -> MetaBackendObject:
        """Return the requested record if the permissions allow it.

        Raises:
            ValidationError: 400, the request has no path, or two.
            NotFound: 404, no record has the path, or its storage is not configured any more.
            NotAuthenticated, PermissionDenied: 401 or 403, as DRF decides.
        """
        path, proxy_storage_name = self._lookup or self.get_requested_file()
        try:
            record = self.find_record(path, proxy_storage_name)
        except NotFound:
            if api_settings.HIDE_FORBIDDEN:
                run_queries_of_refusal(path, self._is_missing_file_permitted)
            raise
        self.check_object_permissions(self.request, record)
        # The record can be shown without its storage.
        if self.action != "retrieve":
            _require_storage(record)
        return record

    def get_requested_file(self) -> tuple[str, str | None]:
        """Return the path and the name of the proxy storage that the URL of the request has.

        Raises:
            ValidationError: 400, the URL has no path, or two.
        """
        query = self.request.query_params
        # A view that a project calls without a URL has no arguments.
        path = getattr(self, "kwargs", {}).get(PATH_KWARG)
        in_query = query.get(self.path_parameter)
        if path is not None and in_query is not None:
            problem = "The URL has a path already. Remove this query parameter."
            raise ValidationError({self.path_parameter: [problem]})
        path = in_query if path is None else path
        if path is None:
            raise ValidationError({self.path_parameter: ["This query parameter is required."]})
        return path, query.get(self.storage_parameter)

    def find_record(self, path: str, proxy_storage_name: str | None = None) -> MetaBackendObject:
        """Return the record of a path from the first meta backend that has it.

        If a subclass narrows the records by `get_queryset`, ``filter_backends`` or
        `filter_queryset`, other records are not found. The permissions are not checked.

        Args:
            path: the path.
            proxy_storage_name: ``None``, or the only proxy storage whose record is returned.

        Raises:
            NotFound: no record has the path.
            MetaBackendUnavailable: a meta backend is not available.
        """
        self._searched = path, proxy_storage_name
        if self.narrows_records():
            for record in self._find_narrowed(path):
                if proxy_storage_name in (None, record["proxy_storage_name"]):
                    return record
            raise NotFound
        for meta_backend in self._get_meta_backends_of(proxy_storage_name):
            with suppress(MetaBackendObjectDoesNotExist):
                record = meta_backend.get(path)
                if proxy_storage_name in (None, record["proxy_storage_name"]):
                    return record
        raise NotFound

    def _find_narrowed(self, path: str) -> Iterator[MetaBackendObject]:
        """Yield the records of a path that a subclass gives access to."""
        records = self.filter_queryset(self.get_queryset())
        if isinstance(records, RecordSet):
            records = records.filter(path=path)
        for record in records:
            if not isinstance(record, MetaBackendObject):
                raise ConfigurationError(
                    f"{type(self).__qualname__}.get_queryset() must return records, not "
                    f"{type(record).__name__}. Return the RecordSet of super().get_queryset(), or "
                    "a part of it."
                )
            if record["path"] == path:
                yield record

    def narrows_records(self) -> bool:
        """Return whether a subclass gives access to a part of the records only."""
        cls = GenericFileViewSet
        return (
            any(backend is not RecordFilter for backend in self.filter_backends)
            or getattr(self.get_queryset, "__func__", None) is not cls.get_queryset
            or getattr(self.filter_queryset, "__func__", None) is not cls.filter_queryset
        )

    def get_queryset(self) -> Any:
        """Return the records that the requester may read.

        The filters of the permissions select them. A permission without a filter is checked for
        each record. If the request is about one file, these are the records of its path, and the
        permissions are checked afterwards.

        Raises:
            ConfigurationError: the class has a ``queryset``.
            RuleError: a permission class calls this method, as DRF's model permissions do.
        """
        if getattr(self, "queryset", None) is not None:
            raise ConfigurationError(
                f"{type(self).__qualname__}.queryset is not used. Override get_queryset() instead, "
                "and narrow down super().get_queryset() by filter()."
            )
        if self._is_deciding:
            StandInView().get_queryset()
        if self.checks_record:
            if self._searched is None:
                return RecordSet(self.get_meta_backends())
            path, proxy_storage_name = self._searched
            return RecordSet(self._get_meta_backends_of(proxy_storage_name), Q(path=path))
        readable = self.call_permissions(get_readable, self.get_permissions(), self.request, self)
        check = None if readable.is_exact else self.has_access
        return RecordSet(self.get_meta_backends(), readable.condition, check=check)

    def filter_queryset(self, queryset: Any) -> Any:
        """Apply the filter backends, also those that need a queryset of Django."""
        for backend in self.filter_backends:
            queryset = apply_filter(backend(), self.request, queryset, self)
        return queryset

    def get_meta_backends(self) -> Sequence[MetaBackendBase]:
        """Return the meta backends in which records are looked up."""
        return get_meta_backends() if self.meta_backends is None else self.meta_backends

    def _get_meta_backends_of(self, proxy_storage_name: str | None) -> Sequence[MetaBackendBase]:
        meta_backends = self.get_meta_backends()
        if proxy_storage_name is None:
            return meta_backends
        if proxy_storage_name not in get_proxy_storage_names():
            return ()
        only = get_proxy_storage(proxy_storage_name).meta_backend
        return [meta_backend for meta_backend in meta_backends if meta_backend == only]


def get_first_paragraph(text: str | None) -> str:
    """Return the first paragraph of a docstring as one line."""
    return " ".join((text or "").partition("\n\n")[0].split())


def _refuse_cached_actions(cls: type, names: Iterable[str]) -> None:
    """Raise ConfigurationError if drf-extensions caches one of these actions.

    Its keys do not distinguish requesters, and responses with files cannot be stored.

    Source: https://chibisov.github.io/drf-extensions/docs/#caching
    """
    for name in names:
        function = getattr(cls, name, None)
        while function is not None:
            module = getattr(function, "__globals__", {}).get("__name__")
            if inspect.isfunction(function) and module in _CACHING_MODULES:
                raise ConfigurationError(
                    f"{cls.__qualname__}.{name} is cached by drf-extensions, whose keys do not "
                    "distinguish requesters: a user would get files and records of another one. "
                    "Remove cache_response or CacheResponseMixin from this class."
                )
            function = getattr(function, "__wrapped__", None)


@cache
def _get_action_url_names(cls: type[GenericFileViewSet]) -> frozenset[str]:
    actions: list[Any] = cls.get_extra_actions()
    return frozenset(action.url_name for action in actions)


def _log_as_django(error: SuspiciousOperation, request: Request) -> None:
    """Log an error as Django's own handler does, which is not reached."""
    security_logger = logging.getLogger(f"django.security.{type(error).__name__}")
    security_logger.error(str(error), extra={"status_code": 400, "request": request._request})


def _require_storage(record: MetaBackendObject) -> None:
    """Raise NotFound if the settings do not have the storages of a record any more."""
    try:
        get_proxy_storage(record["proxy_storage_name"]).get_original_storage(record)
    except ConfigurationError as error:
        # The message has the cause, so that a traceback is not needed.
        logger.error("The file %r cannot be delivered. %s", record["path"], error)  # noqa: TRY400
        raise NotFound from error
