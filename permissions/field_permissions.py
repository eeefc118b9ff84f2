"""Permission by the model and field that own a file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.content_objects import get_content_object_model
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.queries import Condition

from .base import FilePermission, decide
from .filters import (
    DENY_ALL,
    PermissionFilter,
    content_object_of,
    find_unfiltered,
    get_permission_filter,
)


class FieldPermissions(FilePermission):
    """One rule for each file field of a model.

    Files of other models, of fields that are not named, and without owner are not
    allowed to anybody. To speak for several models, combine subclasses with ``|``.

    Raises:
        ConfigurationError: when it is asked, and another model declares a field.
    """

    #: the model that declares the fields
    model: type[Model]
    #: name of a file field -> permission class, or classes combined with ``& | ~``
    permissions: Mapping[str, Any] = {}

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Apply the rule of the field that owns the file."""
        name = obj.get("field")
        rule = self.permissions.get(name) if name is not None else None
        if rule is None or get_content_object_model(obj) is not self._get_owner_model(name):
            return False
        return decide(rule(), request, view, obj) is True

    def get_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> Condition | None:
        """Apply the rules of all fields, where each of them can say what it allows."""
        return self.get_permission_filter(request, view, models).condition

    def get_permission_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> PermissionFilter:
        """Apply the rules of all fields, each to the files of the field."""
        names_by_rule: dict[Any, list[str]] = {}
        for name, rule in self.permissions.items():
            if rule is not None:
                names_by_rule.setdefault(rule, []).append(name)
        bounds = DENY_ALL
        for rule, names in names_by_rule.items():
            (owner,) = {self._get_owner_model(name) for name in names}
            of_fields = PermissionFilter.exactly(
                content_object_of([owner], *names), is_general=True
            )
            # of files of other models nothing has to be known
            rule_bounds = get_permission_filter(rule(), request, view, [owner]).generally()
            bounds |= of_fields & rule_bounds
        return bounds

    def find_unfiltered(self, models: Collection[type[Model]]) -> Iterator[str]:
        """Yield the names of the rules that a list checks for each record."""
        for name, rule in self.permissions.items():
            if rule is not None:
                yield from find_unfiltered(rule(), [self._get_owner_model(name)])

    def _get_owner_model(self, name: Any) -> type[Model]:
        """Return the model that files of a field name as their owner's."""
        try:
            declaring_model: type[Model] = self.model._meta.get_field(name).model
        except FieldDoesNotExist as error:
            raise ConfigurationError(
                f"{type(self).__name__} is about {self.model._meta.label}, which has no field "
                f"{name!r}."
            ) from error
        if declaring_model is not self.model._meta.concrete_model:
            raise ConfigurationError(
                f"{type(self).__name__} is about {self.model._meta.label}, but {name!r} is "
                f"declared by {declaring_model._meta.label}. Write the rule for that model."
            )
        return declaring_model
