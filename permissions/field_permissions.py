"""Permissions for each file field of a model."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.content_objects import locate_content_object
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.queries import Condition

from .base import NO_CONTENT_OBJECT, FilePermission, evaluate
from .filters import (
    DENY_ALL,
    PermissionFilter,
    content_object_of,
    find_unfiltered,
    get_permission_filter,
)


class FieldPermissions(FilePermission):
    """Apply a permission for each file field of a model.

    Files of other models, of other fields, and without a content object are denied. For several
    models, combine subclasses with ``|``.

    Raises:
        ConfigurationError: on use, if the model does not define one of the fields itself.
    """

    #: the model that defines the fields
    model: type[Model]
    #: name of a file field -> permission class, or several combined with ``& | ~``
    permissions: Mapping[str, Any] = {}

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Evaluate the permission of the field that the file belongs to."""
        name = obj.get("field")
        permission = self.permissions.get(name) if name is not None else None
        if permission is None:
            return False
        model = _find_model(type(self).__name__, self.model, name)
        if model is not locate_content_object(obj)[0]:
            return False
        return evaluate(permission(), request, view, obj) is True

    def get_reason(self, request: Request, view: APIView, obj: MetaBackendObject) -> str | None:
        """Return whether the content object or the field is missing here."""
        model, _ = locate_content_object(obj)
        if model is None:
            return NO_CONTENT_OBJECT
        if model is not self.model._meta.concrete_model:
            return f"The content object is of {model._meta.label}, not {self.model._meta.label}."
        if self.permissions.get(obj["field"]) is None:
            return f"There is no permission for the field {obj['field']!r}."
        return None

    def get_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> Condition | None:
        """Select the allowed files of all fields, if each permission has a filter."""
        return self.get_permission_filter(request, view, models).condition

    def get_permission_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> PermissionFilter:
        """Combine the filters of all fields, each for the files of its field."""
        names_by_permission: dict[Any, list[str]] = {}
        for name, permission in self.permissions.items():
            if permission is not None:
                names_by_permission.setdefault(permission, []).append(name)
        combined = DENY_ALL
        for permission, names in names_by_permission.items():
            (model,) = {_find_model(type(self).__name__, self.model, name) for name in names}
            of_fields = PermissionFilter.exactly(
                content_object_of([model], *names), is_general=True
            )
            # The filter is restricted to files of this model, so that it holds for all records.
            of_permission = get_permission_filter(permission(), request, view, [model]).generally()
            combined |= of_fields & of_permission
        return combined

    def find_unfiltered(self, models: Collection[type[Model]]) -> Iterator[str]:
        """Yield the names of the permission classes that a list evaluates for each record."""
        for name, permission in self.permissions.items():
            if permission is not None:
                model = _find_model(type(self).__name__, self.model, name)
                yield from find_unfiltered(permission(), [model])


@lru_cache(maxsize=256)
def _find_model(permission: str, model: type[Model], name: str) -> type[Model]:
    """Return the model of the content objects of a field."""
    try:
        declaring_model: type[Model] = model._meta.get_field(name).model
    except FieldDoesNotExist as error:
        raise ConfigurationError(
            f"{permission}.permissions has {name!r}, which is not a field of {model._meta.label}."
        ) from error
    if declaring_model is not model._meta.concrete_model:
        raise ConfigurationError(
            f"{permission}.permissions has {name!r}, which {model._meta.label} inherits from "
            f"{declaring_model._meta.label}. Use that model instead."
        )
    return declaring_model
