"""Who may do what with which file: the part that all requests have in common."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, NoReturn

from rest_framework.exceptions import MethodNotAllowed, NotFound, ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet

from proxy_storage.exceptions import MetaBackendObjectDoesNotExist, MetaBackendUnavailable
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.registry import (
    get_meta_backends,
    get_proxy_storage,
    get_proxy_storage_names,
)
from proxy_storage_api.exceptions import MetaBackendDoesNotAnswer
from proxy_storage_api.negotiation import FileContentNegotiation
from proxy_storage_api.phantoms import work_as_for_a_refusal
from proxy_storage_api.settings import api_settings, get_permission_classes
from proxy_storage_api.signals import file_refused
from proxy_storage_permissions import DenyAll, decide

logger = logging.getLogger("proxy_storage_api")


class FileAccess(GenericViewSet[Any]):
    """Find the record of a file, and let the permissions decide.

    Authentication, throttles, renderers, versioning and the exception handler are the
    project's own.
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

    def can_be_asked(self, name: str) -> bool:
        """Tell whether an action is switched on."""
        return True

    @property
    def allowed_methods(self) -> list[str]:
        """Return the methods that are switched on."""
        return [
            method
            for method in super().allowed_methods
            if self.can_be_asked(self.action_map.get(method.lower(), ""))
        ]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what is switched off before anything of the request is read.

        Raises:
            MethodNotAllowed: 405.
        """
        if self.action and not self.can_be_asked(self.action):
            raise MethodNotAllowed(str(request.method))
        super().initial(request, *args, **kwargs)

    def check_permissions(self, request: Request) -> None:
        """Refuse what no record could allow, before one is looked for."""
        for permission in self.get_permissions():
            answer = decide(permission, request, self)
            # a list asks for the records that are allowed; anywhere else nothing stands in
            # for the answer that only a record can give
            is_open = self.asks_for_one_file or self.action == "list"
            if answer is False or (answer is None and not is_open):
                self._deny(request, permission)

    def check_object_permissions(self, request: Request, obj: MetaBackendObject) -> None:
        """Let every permission decide by the record."""
        for permission in self.get_permissions():
            if decide(permission, request, self, obj) is not True:
                # a project may have no user for those who are not logged in
                who = getattr(request.user, "pk", None)
                logger.warning("%s of %r was refused to %r.", self.action, obj["path"], who)
                file_refused.send_robust(
                    type(self), request=request, record=obj, action=self.action
                )
                if api_settings.HIDE_FORBIDDEN:
                    raise NotFound
                self._deny(request, permission)

    def _deny(self, request: Request, permission: Any) -> NoReturn:
        message, code = getattr(permission, "message", None), getattr(permission, "code", None)
        self.permission_denied(request, message=message, code=code)

    def get_object(self) -> MetaBackendObject:
        """Return the record that the query asks for, once the requester may have it.

        Raises:
            ValidationError: 400, the request names no path.
            NotFound: 404, there is no record of the path.
            NotAuthenticated, PermissionDenied: 401 or 403, as DRF decides.
        """
        path = self.request.query_params.get(self.path_parameter)
        if path is None:
            raise ValidationError({self.path_parameter: ["This query parameter is required."]})
        storage_name = self.request.query_params.get(self.storage_parameter)
        return self.get_permitted(path, storage_name)

    def get_permitted(self, path: str, proxy_storage_name: str | None = None) -> MetaBackendObject:
        """Return the record of a path, once the requester may have it.

        Args:
            path: the path.
            proxy_storage_name: only a record of this proxy storage will do.

        Raises:
            NotFound: 404, there is no record of the path.
            NotAuthenticated, PermissionDenied: 401 or 403, as DRF decides.
        """
        try:
            record = self.find_record(path, proxy_storage_name)
        except NotFound:
            if api_settings.HIDE_FORBIDDEN:
                work_as_for_a_refusal(path, self.may_have)
            raise
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
        for meta_backend in self._get_meta_backends_of(proxy_storage_name):
            try:
                record = meta_backend.get(path)
            except MetaBackendObjectDoesNotExist:
                continue
            except MetaBackendUnavailable as error:
                raise MetaBackendDoesNotAnswer from error
            if proxy_storage_name in (None, record["proxy_storage_name"]):
                return record
        raise NotFound

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

    def may_have(self, record: MetaBackendObject) -> bool:
        """Tell whether all permissions allow the requester a file, without any consequence."""
        answers = (
            decide(permission, self.request, self, record) for permission in self.get_permissions()
        )
        return all(answer is True for answer in answers)
