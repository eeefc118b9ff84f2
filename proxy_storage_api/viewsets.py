"""The viewset behind ``files/``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from proxy_storage.exceptions import MetaBackendObjectDoesNotExist, ProxyFileNotFoundError
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.registry import get_meta_backends
from proxy_storage.serving import serve
from proxy_storage_api.negotiation import FileContentNegotiation
from proxy_storage_api.settings import get_default_permission_classes


class FileViewSet(ViewSet):
    """Deliver files to those who may read them.

    Authentication, throttles, renderers and the exception handler are the project's own.
    Who may read is for ``permission_classes`` to say, by default those of
    ``PROXY_STORAGE["DEFAULT_PERMISSION_CLASSES"]``; they get the file's record as the
    object.
    """

    content_negotiation_class = FileContentNegotiation
    #: None: those of the setting, looked up for each request
    permission_classes: Sequence[Any] | None = None  # type: ignore[assignment]
    #: where to look for a path, in this order; None: all those of registered storages
    meta_backends: Sequence[MetaBackendBase] | None = None
    #: the query parameter that has the path
    path_parameter = "path"

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
        record = self.find_record(path)
        self.check_object_permissions(self.request, record)
        return record

    def find_record(self, path: str) -> MetaBackendObject:
        """Return the record of a path from the first meta backend that has it.

        Raises:
            NotFound: none has.
        """
        meta_backends = self.meta_backends
        for meta_backend in get_meta_backends() if meta_backends is None else meta_backends:
            try:
                return meta_backend.get(path)
            except MetaBackendObjectDoesNotExist:
                continue
        raise NotFound

    def download(self, request: Request) -> HttpResponseBase:
        """Answer ``GET`` and ``HEAD files/?path=P`` with the file."""
        record = self.get_object()
        try:
            return serve(cast(Any, request), record)
        except ProxyFileNotFoundError as error:
            raise NotFound from error
