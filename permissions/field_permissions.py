"""Permissions for each file field of a model."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
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
from proxy_storage.suggestions import suggest

from .base import NO_CONTENT_OBJECT, FilePermission, evaluate
from .filters import (
    DENY_ALL,
    PermissionFilter,
    content_object_of,
    find_unfiltered,
    get_file_fields,
    get_permission_filter,
)
from .problems import Problem, find_problems, make_permission


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
            return f"The field {obj['field']!r} does not have a permission."
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

    def find_problems(self, models: Collection[type[Model]]) -> Iterator[Problem]:
        """Yield the mistakes in the model, in the names of the fields and in their permissions."""
        name, permissions = type(self).__name__, self.permissions
        model = getattr(self, "model", None)
        if not (isinstance(model, type) and issubclass(model, Model)):
            yield Problem(
                f"{name}.model must be a model class, not {model!r}.",
                hint="Set model to the class of the model that defines the file fields.",
            )
            return
        if not isinstance(permissions, Mapping):
            yield Problem(
                f"{name}.permissions must be a dict, not {permissions!r}.",
                hint=f"Its keys are file fields of {model._meta.label}: {_name_fields(model)}.",
            )
            return
        for field, value in permissions.items():
            try:
                declaring_model = _find_model(name, model, field)
            except ConfigurationError as error:
                yield Problem(str(error), hint=f"The file fields are {_name_fields(model)}.")
                continue
            for problem in _find_problems_of_field(declaring_model, field, value):
                yield replace(problem, text=f"{name}.permissions[{field!r}]: {problem.text}")

    def find_unfiltered(self, models: Collection[type[Model]]) -> Iterator[str]:
        """Yield the names of the permission classes that a list evaluates for each record."""
        for name, permission in self.permissions.items():
            if permission is not None:
                model = _find_model(type(self).__name__, self.model, name)
                yield from find_unfiltered(permission(), [model])


def _find_problems_of_field(model: type[Model], field: str, value: Any) -> Iterator[Problem]:
    if field not in get_file_fields(model):
        yield Problem(
            f"{model._meta.label}.{field} is not a file field."
            f"{suggest(field, get_file_fields(model))}",
            hint=f"The file fields are {_name_fields(model)}.",
        )
    elif value is not None:
        try:
            permission = make_permission(value)
        except ConfigurationError as error:
            yield Problem(str(error), hint="Use a permission class, or several with & | ~.")
        else:
            yield from find_problems(permission, [model])


def _name_fields(model: type[Model]) -> str:
    """Return the names of the file fields of a model, for a message."""
    return ", ".join(map(repr, _get_file_fields(model))) or "none"


def _get_file_fields(model: type[Model]) -> list[str]:
    """Return the names of the file fields that a model, or the model of a proxy, declares."""
    concrete: Any = model._meta.concrete_model or model  # It is None for an abstract model.
    return get_file_fields(concrete)


@lru_cache(maxsize=256)
def _find_model(permission: str, model: type[Model], name: str) -> type[Model]:
    """Return the model of the content objects of a field."""
    try:
        declaring_model: type[Model] = model._meta.get_field(name).model
    except FieldDoesNotExist as error:
        raise ConfigurationError(
            f"{permission}.permissions has {name!r}, which is not a field of {model._meta.label}."
            f"{suggest(name, _get_file_fields(model))}"
        ) from error
    if declaring_model is not model._meta.concrete_model:
        raise ConfigurationError(
            f"{permission}.permissions has {name!r}, which {model._meta.label} inherits from "
            f"{declaring_model._meta.label}. Use that model instead."
        )
    return declaring_model
