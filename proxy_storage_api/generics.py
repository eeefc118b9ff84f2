"""Who may do what with which file: the part that all requests have in common."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import cache, cached_property
from itertools import dropwhile, islice
from typing import Any, NoReturn

from django.core.exceptions import SuspiciousOperation
from django.db import InterfaceError, OperationalError
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    MethodNotAllowed,
    NotAuthenticated,
    NotFound,
    ParseError,
    ValidationError,
)
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from proxy_storage.endpoint import RequestedEndpoint, remember_endpoint
from proxy_storage.exceptions import (
    ConfigurationError,
    MetaBackendObjectDoesNotExist,
    MetaBackendUnavailable,
    RuleError,
)
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.meta_backends.orm import is_schema_error
from proxy_storage.meta_backends.record_set import RecordSet
from proxy_storage.registry import (
    get_meta_backends,
    get_proxy_storage,
    get_proxy_storage_names,
)
from proxy_storage_api.caching import refuse_cached_actions
from proxy_storage_api.exceptions import LinkExpired, MetaBackendDoesNotAnswer
from proxy_storage_api.hidden import count_queries, run_queries_of_refusal
from proxy_storage_api.negotiation import FileContentNegotiation, ShallowParser
from proxy_storage_api.settings import api_settings, get_permission_classes
from proxy_storage_api.transactions import RequestTransactionMixin
from proxy_storage_permissions import DenyAll, evaluate
from proxy_storage_permissions.base import is_refusal
from proxy_storage_permissions.links import is_marked_as_expired

logger = logging.getLogger("proxy_storage_api")

#: Cache-Control of records, lists, links and refusals: they are for one user, at one moment
NOT_STORED = "private, no-store"

# Errors of a rule, beside refusals, after which another request may succeed.
_PASSED_ON = (APIException, MetaBackendUnavailable, OperationalError, InterfaceError)


class FileAccess(RequestTransactionMixin):
    """Find the record of a file, and let the permissions decide.

    Authentication, throttles, renderers, versioning and the exception handler are the
    project's own.

    Raises:
        ConfigurationError: an action of a subclass is cached by drf-extensions.
    """

    content_negotiation_class = FileContentNegotiation
    #: who may read; None: those of the setting, looked up for each request
    permission_classes: Sequence[Any] | None = None  # type: ignore[assignment]  # DRF has no None
    #: where to look for a path, in this order; None: all those of registered storages
    meta_backends: Sequence[MetaBackendBase] | None = None
    #: the query parameter that has the path
    path_parameter = "path"
    #: the one that may name the proxy storage, where a path alone is ambiguous
    storage_parameter = "storage"
    #: actions that call `get_object` or `get_permitted`, so that the permissions see a record
    one_file_actions: Sequence[str] = ("authorize", "download", "link", "record", "remove")

    # Path and proxy storage of the record, where they are not in the query.
    _lookup: tuple[str, str | None] | None = None
    # Those of the record that is looked for at the moment.
    _sought: tuple[str, str | None] | None = None
    # The reason why the requester is not logged in, although the request tries to.
    _failed_authentication: AuthenticationFailed | NotAuthenticated | None = None
    _is_deciding = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_cached_actions(cls, ("list", "create", *cls.one_file_actions))

    @property
    def asks_for_one_file(self) -> bool:
        """Whether the permissions will see a record, not only the request."""
        return self.action in self.one_file_actions

    def get_permissions(self) -> list[BasePermission]:
        """Return the permissions of the class, or those of the setting."""
        return self.make_permissions(self.permission_classes, "DEFAULT_PERMISSION_CLASSES")

    def make_permissions(self, classes: Sequence[Any] | None, key: str) -> list[BasePermission]:
        """Return permissions of these classes, or of those that a setting names.

        An empty list says of nobody that they may, so it counts as none. Where the setting
        has none either, nobody may.
        """
        return [permission() for permission in classes or get_permission_classes(key) or [DenyAll]]

    def is_action_enabled(self, name: str) -> bool:
        """Tell whether an action is switched on."""
        return True

    @property
    def allowed_methods(self) -> list[str]:
        """Return the methods that are switched on."""
        return [
            method
            for method in super().allowed_methods
            if self.is_action_enabled(self.action_map.get(method.lower(), ""))
        ]

    def get_parsers(self) -> list[BaseParser]:
        """Return the parsers of the project; a body that is nested too deeply is 400."""
        return [ShallowParser(parser) for parser in super().get_parsers()]

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Answer a request; URLs in the answer have the arguments of its own URL."""
        with remember_endpoint(self._get_requested_endpoint(request)):
            return super().dispatch(request, *args, **kwargs)

    def _get_requested_endpoint(self, request: Any) -> RequestedEndpoint | None:
        match = getattr(request, "resolver_match", None)
        if match is None:
            return None
        name = match.url_name or ""
        if self.basename:
            name = f"{self.basename}-list"
        elif name in _get_action_url_names(type(self)):
            name = "files"
        kwargs = {key: value for key, value in match.kwargs.items() if key != "format"}
        return RequestedEndpoint(":".join([*match.namespaces, name]), kwargs, match.args)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse methods that do not exist or are switched off before anything is read.

        Raises:
            MethodNotAllowed: 405.
        """
        method = str(request.method).lower()
        # DRF chooses the renderer of the refusal by it.
        self.format_kwarg = self.get_format_suffix(**kwargs)
        is_known = method in self.http_method_names and hasattr(self, method)
        if not is_known or (self.action and not self.is_action_enabled(self.action)):
            raise MethodNotAllowed(str(request.method))
        super().initial(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        """Authenticate the requester. A failed log-in is ignored for requests that need none.

        A browser sends the cookie of a log-in that has ended with a signed link as well. The
        requester then is anonymous; a refusal has the error of the log-in. Lists and uploads are
        refused at once: a client would take a list of public files for the complete list.
        """
        try:
            super().perform_authentication(request)
        except (AuthenticationFailed, NotAuthenticated) as error:
            if not self.asks_for_one_file and self.action != "metadata":
                raise
            self._failed_authentication = error
        except SuspiciousOperation:
            # The CSRF check of a session reads the body, which Django refuses. Without a result,
            # the renderer of the answer would authenticate again, and fail again.
            request._not_authenticated()  # type: ignore[attr-defined]  # not in the stubs
            raise

    def handle_exception(self, exc: Exception) -> Response:
        """Answer 503 where a meta backend or a database does not answer.

        What Django refuses to read is 400. Otherwise Django would answer it, and caches could
        keep that answer.
        """
        if isinstance(exc, SuspiciousOperation):
            _log_as_django(exc, self.request)
            malformed = ParseError()
            malformed.__cause__ = exc
            exc = malformed
        is_unavailable = isinstance(exc, MetaBackendUnavailable) or (
            isinstance(exc, OperationalError | InterfaceError) and not is_schema_error(exc)
        )
        if is_unavailable:
            unavailable = MetaBackendDoesNotAnswer()
            unavailable.__cause__ = exc
            exc = unavailable
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Keep caches from giving one user the answer to another.

        A file's answer has a Cache-Control of its own, and its bytes do not depend on ``Accept``.

        Source: RFC 9111 sections 3.5 and 5.2.2, RFC 9110 section 12.5.5.
        """
        if not isinstance(response, Response):
            self.headers.pop("Vary", None)
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("Cache-Control", NOT_STORED)
        return response

    def _decide(
        self, permission: Any, request: Request, obj: MetaBackendObject | None = None
    ) -> bool | None:
        with self._deciding():
            return evaluate(permission, request, self, obj)

    @contextmanager
    def _deciding(self) -> Iterator[None]:
        was_deciding, self._is_deciding = self._is_deciding, True
        try:
            yield
        finally:
            self._is_deciding = was_deciding

    def check_permissions(self, request: Request) -> None:
        """Refuse what no record could allow, before one is looked for."""
        described = self.get_described_action(request)
        if described != self.action:
            with self._acting_as(described):
                self.check_permissions(request)
            return
        for permission in self.get_permissions():
            try:
                answer = self._decide(permission, request)
            except RuleError as error:
                self._log_rule_error(error)
                answer = False
            # A list selects the records that are allowed, and OPTIONS does not show records. Any
            # other action without a record must not be allowed by a rule about records.
            is_open = self.asks_for_one_file or self.action in ("list", "metadata")
            if answer is False or (answer is None and not is_open):
                self._deny(request, permission)

    def get_described_action(self, request: Request) -> str | None:
        """Return the action of a request, or the one that the answer to OPTIONS describes.

        That answer describes the bodies of other methods that are allowed. Django REST framework
        asks the view for each of them with a request of that method.
        """
        if self.action == "metadata" and request.method != "OPTIONS":
            return self.action_map.get(str(request.method).lower())
        return self.action

    @contextmanager
    def _acting_as(self, action: Any) -> Iterator[None]:
        self.action, action_asked_for = action, self.action
        try:
            yield
        finally:
            self.action = action_asked_for

    def check_object_permissions(self, request: Request, obj: MetaBackendObject) -> None:
        """Let every permission decide by the record."""
        try:
            with count_queries() if api_settings.HIDE_FORBIDDEN else nullcontext() as queries:
                permission = self._find_refusing(obj)
        except Exception as error:
            if is_refusal(error):
                self._tell_of_refusal(obj)
            raise
        if permission is None:
            return
        self._tell_of_refusal(obj)
        if queries is None:
            self._deny(request, permission)
        self._look_on(obj)
        if not queries.count:
            run_queries_of_refusal(obj["path"], self._may_have_phantom)
        raise NotFound

    def _tell_of_refusal(self, record: MetaBackendObject) -> None:
        # a project may have no user for those who are not logged in
        who = getattr(self.request.user, "pk", None)
        logger.warning("%s of %r was refused to %r.", self.action, record["path"], who)
        self.report_refusal(record)

    def _find_refusing(self, record: MetaBackendObject) -> Any:
        """Return the first permission that does not allow a file."""
        for permission in self.get_permissions():
            try:
                if self._decide(permission, self.request, record) is not True:
                    return permission
            except RuleError as error:
                self._log_rule_error(error)
                return permission
            except Exception as error:
                # Its status would tell that the file exists.
                if not api_settings.HIDE_FORBIDDEN:
                    raise
                if not is_refusal(error):
                    if isinstance(error, _PASSED_ON):
                        raise
                    logger.exception("A rule failed for %r, so it is refused.", record["path"])
                return permission
        return None

    def _log_rule_error(self, error: RuleError) -> None:
        if str(error) not in self._logged:
            self._logged.add(str(error))
            logger.error("A rule cannot decide, so it denies. %s", error)

    @cached_property
    def _logged(self) -> set[str]:
        return set()

    def _look_on(self, record: MetaBackendObject) -> None:
        """Look for the path in the further meta backends, as for a path that none has."""
        if self._sought is None or self.narrows_records():
            return
        meta_backends = self._get_meta_backends_of(self._sought[1])
        rest = dropwhile(lambda one: one != record.meta_backend, meta_backends)
        for meta_backend in islice(rest, 1, None):
            with suppress(MetaBackendObjectDoesNotExist):
                meta_backend.get(record["path"])

    def _may_have_phantom(self, phantom: MetaBackendObject) -> bool:
        try:
            return all(
                self._decide(one, self.request, phantom) is True for one in self.get_permissions()
            )
        except Exception as error:
            # A rule of the project may fail for a record that does not exist.
            if isinstance(error, _PASSED_ON) and not is_refusal(error):
                raise
            return False

    def _deny(self, request: Request, permission: Any) -> NoReturn:
        if is_marked_as_expired(request):
            raise LinkExpired
        if self._failed_authentication is not None:
            raise self._failed_authentication
        message, code = getattr(permission, "message", None), getattr(permission, "code", None)
        self.permission_denied(request, message=message, code=code)

    def get_object(self) -> MetaBackendObject:
        """Return the record that the request is about, once the requester may have it.

        Raises:
            ValidationError: 400, the request names no path.
            NotFound: 404, there is no record of the path.
            NotAuthenticated, PermissionDenied: 401 or 403, as DRF decides.
        """
        path, storage_name = self.get_lookup()
        return self.get_permitted(path, storage_name)

    def get_lookup(self) -> tuple[str, str | None]:
        """Return the path that the request is about, and the name of the proxy storage if any.

        Raises:
            ValidationError: 400, the request names no path.
        """
        if self._lookup is not None:
            return self._lookup
        path = self.request.query_params.get(self.path_parameter)
        if path is None:
            raise ValidationError({self.path_parameter: ["This query parameter is required."]})
        return path, self.request.query_params.get(self.storage_parameter)

    def get_permitted(self, path: str, proxy_storage_name: str | None = None) -> MetaBackendObject:
        """Return the record of a path, once the requester may have it.

        Args:
            path: the path.
            proxy_storage_name: only a record of this proxy storage will do.

        Raises:
            NotFound: 404, there is no record of the path, or it names a storage that does not
                exist.
            NotAuthenticated, PermissionDenied: 401 or 403, as DRF decides.
        """
        self._sought = (path, proxy_storage_name)
        try:
            record = self.find_record(path, proxy_storage_name)
        except NotFound:
            if api_settings.HIDE_FORBIDDEN:
                run_queries_of_refusal(path, self._may_have_phantom)
            raise
        self.check_object_permissions(self.request, record)
        # The record itself can be shown without its storage.
        if self.action != "record":
            _require_storage(record)
        return record

    def find_record(self, path: str, proxy_storage_name: str | None = None) -> MetaBackendObject:
        """Return the record of a path from the first meta backend that has it.

        Where a subclass narrows the records by `get_queryset`, ``filter_backends`` or
        `filter_queryset`, it is one of those.

        Args:
            path: the path.
            proxy_storage_name: only a record of this proxy storage will do.

        Raises:
            NotFound: there is none.
            MetaBackendUnavailable: 503, a meta backend does not answer.
        """
        self._sought = (path, proxy_storage_name)
        for record in self._find_records(path, proxy_storage_name):
            if proxy_storage_name in (None, record["proxy_storage_name"]):
                return record
        raise NotFound

    def _find_records(
        self, path: str, proxy_storage_name: str | None
    ) -> Iterator[MetaBackendObject]:
        if self.narrows_records():
            yield from self._find_narrowed(path)
            return
        for meta_backend in self._get_meta_backends_of(proxy_storage_name):
            with suppress(MetaBackendObjectDoesNotExist):
                yield meta_backend.get(path)

    def _find_narrowed(self, path: str) -> Iterator[MetaBackendObject]:
        records = self.filter_queryset(self.get_queryset())
        if isinstance(records, RecordSet):
            records = records.filter(path=path)
        for record in records:
            if not isinstance(record, MetaBackendObject):
                raise ConfigurationError(
                    f"{type(self).__qualname__}.get_queryset() must give records, as the RecordSet "
                    f"of super().get_queryset() does, not {type(record).__name__}."
                )
            if record["path"] == path:
                yield record

    def narrows_records(self) -> bool:
        """Tell whether a subclass gives access to a part of the records only.

        A `FileAccess` without lists does not.
        """
        return False

    def get_meta_backends(self) -> Sequence[MetaBackendBase]:
        """Return the meta backends to look for a path in."""
        return get_meta_backends() if self.meta_backends is None else self.meta_backends

    def _get_meta_backends_of(self, proxy_storage_name: str | None) -> Sequence[MetaBackendBase]:
        meta_backends = self.get_meta_backends()
        if proxy_storage_name is None:
            return meta_backends
        if proxy_storage_name not in get_proxy_storage_names():
            return ()
        only = get_proxy_storage(proxy_storage_name).meta_backend
        return [meta_backend for meta_backend in meta_backends if meta_backend == only]

    def has_access(self, record: MetaBackendObject) -> bool:
        """Return whether all permissions allow a file. A refusal does not send `file_refused`."""
        try:
            return self._find_refusing(record) is None
        except Exception as error:
            if not is_refusal(error):
                raise
            return False


@cache
def _get_action_url_names(cls: type[FileAccess]) -> frozenset[str]:
    actions: list[Any] = cls.get_extra_actions()
    return frozenset(action.url_name for action in actions)


def _log_as_django(error: SuspiciousOperation, request: Request) -> None:
    """Write an error to the log of security, as Django does where it answers by itself."""
    security_logger = logging.getLogger(f"django.security.{type(error).__name__}")
    security_logger.error(str(error), extra={"status_code": 400, "request": request._request})


def _require_storage(record: MetaBackendObject) -> None:
    """Make sure that the storages of a record exist.

    Raises:
        NotFound: 404, the record names a storage that the settings do not have any more.
    """
    name = record["proxy_storage_name"]
    reason = f"no proxy storage is registered as {name!r}"
    if name in get_proxy_storage_names():
        storage = get_proxy_storage(name)
        try:
            storage.get_original_storage(record)
        except ConfigurationError as error:
            reason = str(error)
        else:
            return
    logger.error("The file %r cannot be found: %s.", record["path"], reason.removesuffix("."))
    raise NotFound
