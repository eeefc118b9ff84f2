"""The viewset behind ``files/``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django.http.response import HttpResponseBase
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from proxy_storage.exceptions import (
    MetaBackendObjectDoesNotExist,
    MetaBackendUnavailable,
    ProxyFileNotFoundError,
)
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.registry import get_meta_backends
from proxy_storage.serving import serve
from proxy_storage_api.negotiation import FileContentNegotiation
from proxy_storage_api.settings import get_default_permission_classes
from proxy_storage_permissions import decide


class MetaBackendDoesNotAnswer(APIException):
    """503: the place where the records are cannot be asked now."""

    status_code = 503
    default_detail = "Service temporarily unavailable, try again later."
    default_code = "service_unavailable"


class FileViewSet(ViewSet):
    """Deliver files to those who may read them.

    Authentication, throttles, renderers and the exception handler are the project's own.
    Who may read is for ``permission_classes`` to say, by default those of
    ``PROXY_STORAGE["DEFAULT_PERMISSION_CLASSES"]``; they get the file's record as the
    object.
    """

    content_negotiation_class = FileContentNegotiation
    #: None: those of the setting, looked up for each request (DRF's stubs know no None)
    permission_classes: Sequence[Any] | None = None  # type: ignore[assignment]
    #: where to look for a path, in this order; None: all those of registered storages
    meta_backends: Sequence[MetaBackendBase] | None = None
    #: the query parameter that has the path
    path_parameter = "path"
    #: the one that may name the proxy storage, where a path alone is ambiguous
    storage_parameter = "storage"

    @property
    def asks_for_one_file(self) -> bool:
        """Whether the permissions will see a record, not only the request."""
        return self.action == "download"

    def get_permissions(self) -> list[BasePermission]:
        """Return the permissions of the class, or those of the setting."""
        classes = self.permission_classes
        if classes is None:
            classes = get_default_permission_classes()
        return [permission() for permission in classes]

    def check_permissions(self, request: Request) -> None:
        """Refuse what no record could allow, before one is looked for."""
        self._check(request, None)

    def check_object_permissions(self, request: Request, obj: MetaBackendObject) -> None:
        """Let every permission decide by the record."""
        self._check(request, obj)

    def _check(self, request: Request, obj: MetaBackendObject | None) -> None:
        for permission in self.get_permissions():
            answer = decide(permission, request, self, obj)
            # where no record will be seen, nothing stands in for its answer
            if answer is False or (answer is None and not self.asks_for_one_file):
                self.permission_denied(
                    request,
                    message=getattr(permission, "message", None),
                    code=getattr(permission, "code", None),
                )

    def get_object(self) -> MetaBackendObject:
        """Return the record that the request asks for, once the requester may have it.

        Raises:
            ValidationError: 400, the request names no path.
            NotFound: 404, there is no record of the path.
            NotAuthenticated, PermissionDenied: 401 or 403, as DRF decides.
        """
        path = self.request.query_params.get(self.path_parameter)
        if path is None:
            raise ValidationError({self.path_parameter: ["This query parameter is required."]})
        record = self.find_record(path, self.request.query_params.get(self.storage_parameter))
        self.check_object_permissions(self.request, record)
        return record

    def find_record(self, path: str, proxy_storage_name: str | None = None) -> MetaBackendObject:
        """Return the record of a path from the first meta backend that has it.

        Args:
            path: the path.
            proxy_storage_name: only a record of this proxy storage will do.

        Raises:
            NotFound: there is none.
            MetaBackendDoesNotAnswer: 503, a meta backend could not be asked.
        """
        meta_backends = self.meta_backends
        for meta_backend in get_meta_backends() if meta_backends is None else meta_backends:
            try:
                record = meta_backend.get(path)
            except MetaBackendObjectDoesNotExist:
                continue
            except MetaBackendUnavailable as error:
                raise MetaBackendDoesNotAnswer from error
            if proxy_storage_name in (None, record["proxy_storage_name"]):
                return record
        raise NotFound

    def download(self, request: Request) -> HttpResponseBase:
        """Answer ``GET`` and ``HEAD files/?path=P`` with the file."""
        record = self.get_object()
        try:
            return serve(cast(Any, request), record)
        except ProxyFileNotFoundError as error:
            raise NotFound from error
