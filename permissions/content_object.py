"""Permission by what Django, or the instance itself, says about the owner instance."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import reduce
from operator import or_
from typing import Any

from django.contrib.auth import get_permission_codename
from django.db import router
from django.db.models import Model, Q, QuerySet
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.content_objects import get_content_object_model, locate_content_object
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.queries import Condition, all_of
from proxy_storage.scopes import Scopes, get_databases

from .base import FilePermission, check_answer
from .filters import (
    DENY_ALL,
    UNKNOWN,
    PermissionFilter,
    content_object_in,
    content_object_of,
    get_file_fields,
    get_overriding_methods,
    get_rule_name,
)
from .guardian import (
    get_permitted,
    has_object_permission,
    has_other_backends,
    has_perm,
)

DEFAULT_METHOD, DEFAULT_QUERYSET_METHOD = "can_read_file", "readable_by"


class HasModelPermission(FilePermission):
    """Allow who has a permission of Django's for the model that owns the file.

    Args:
        name: what is permitted, such as ``"view"``, which means ``jobs.view_jobapply`` for
            a file of that model; or the full name of a permission, for files of all models.

    The instance is not asked for: a file whose owner has been deleted is one of its model.

    Source: https://docs.djangoproject.com/en/stable/topics/auth/default/#permissions-and-authorization
    """

    def __init__(self, name: str = "view") -> None:
        self.name = name

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Ask ``user.has_perm`` of the model; no query, once the user's permissions are known."""
        model = get_content_object_model(obj)
        return model is not None and self._is_permitted(request, model)

    def get_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> Condition:
        """Select the files of all models that the user has the permission for."""
        return content_object_of([model for model in models if self._is_permitted(request, model)])

    def _is_permitted(self, request: Request, model: type[Model]) -> bool:
        return has_perm(request.user, get_full_name(self.name, model))


class HasObjectPermission(FilePermission):
    """Allow who has a permission of Django's for the instance that owns the file.

    Django itself keeps no permissions for instances; django-guardian does, as do other
    authentication backends. A list asks the database where only Django's own backends and
    django-guardian's are in use; with any other, each record is asked.

    Args:
        name: as for `HasModelPermission`.

    Source: https://docs.djangoproject.com/en/stable/topics/auth/customizing/#handling-object-permissions
    """

    def __init__(self, name: str = "view") -> None:
        self.name = name

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Ask ``user.has_perm`` of the instance."""
        model = get_content_object_model(obj)
        # Permissions for instances name a key without its database.
        if model is None or locate_content_object(obj) != router.db_for_write(model):
            return False
        instance = obj.get_content_object()
        if instance is None:
            return False
        return has_object_permission(request.user, get_full_name(self.name, model), instance)

    def get_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> Condition | None:
        """Select the files of all instances that the user has the permission for."""
        return self.get_permission_filter(request, view, models).condition

    def get_permission_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> PermissionFilter:
        """Tell of each model which files are permitted, or that each of them has to be asked."""
        if not hasattr(request.user, "has_perm"):
            return DENY_ALL
        found = (
            (model, get_permitted(request.user, get_full_name(self.name, model), model))
            for model in models
        )
        return reduce(or_, (_get_bounds(model, instances) for model, instances in found), DENY_ALL)

    def find_unfiltered(self, models: Collection[type[Model]]) -> Iterator[str]:
        """Yield the name of the rule, if an authentication backend decides about instances."""
        if has_other_backends():
            yield get_rule_name(self)


class CanReadFile(FilePermission):
    """Allow whom the instance that owns the file says.

    The instance has a method for one file, and its model may have another one that finds all
    instances for which the first says yes::

        class Letter(models.Model):
            def can_read_file(self, user, field):
                return self.reader_id == user.pk

            @classmethod
            def readable_by(cls, user, field):
                return cls.objects.filter(reader_id=user.pk)

    ``field`` is the name of the file field. A model without the first method allows
    nobody; one without the second has each of its files asked by a list, as has one whose
    second method returns ``None``.

    Args:
        method: the name of the first.
        queryset_method: the name of the second; ``"readable_by"`` if the first has its usual
            name.
    """

    def __init__(self, method: str = DEFAULT_METHOD, queryset_method: str | None = None) -> None:
        if queryset_method is None and method == DEFAULT_METHOD:
            queryset_method = DEFAULT_QUERYSET_METHOD
        self.method = method
        self.queryset_method = queryset_method

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Ask the instance; files of fields that it does not have any more are nobody's."""
        model, name = get_content_object_model(obj), obj.get("field")
        if model is None or name not in get_file_fields(model) or not hasattr(model, self.method):
            return False
        instance = obj.get_content_object()
        if instance is None:
            return False
        answer = getattr(instance, self.method)(request.user, name)
        return check_answer(answer, f"{model.__qualname__}.{self.method}()")

    def get_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> Condition | None:
        """Select the files of all instances that the models find."""
        return self.get_permission_filter(request, view, models).condition

    def get_permission_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> PermissionFilter:
        """Ask each model for its instances, for each of its file fields."""
        found = (
            _get_bounds(model, self._find_readable(model, request.user, name), name)
            | _get_unknown(model, name)
            for model in models
            if hasattr(model, self.method)
            for name in get_file_fields(model)
        )
        return reduce(or_, found, DENY_ALL)

    def find_unfiltered(self, models: Collection[type[Model]]) -> Iterator[str]:
        """Yield the name of the rule for each model whose method is called for each instance."""
        for model in models:
            is_asked = hasattr(model, self.method) and get_file_fields(model)
            if is_asked and not self._has_queryset_method(model):
                yield f"{get_rule_name(self)} for {model._meta.label}"

    def _has_queryset_method(self, model: type[Model]) -> bool:
        # The first method of a child that overrides it alone is called for each instance.
        return self.queryset_method is not None and self.queryset_method in get_overriding_methods(
            model, (self.method, self.queryset_method)
        )

    def _find_readable(self, model: type[Model], user: Any, name: str) -> QuerySet[Model] | None:
        if not self._has_queryset_method(model):
            return None
        found: QuerySet[Model] | None = getattr(model, str(self.queryset_method))(user, name)
        return found


def get_full_name(name: str, model: type[Model]) -> str:
    """Return the full name of a permission for a model, as ``has_perm`` takes it."""
    if "." in name:
        return name
    return f"{model._meta.app_label}.{get_permission_codename(name, model._meta)}"


def _get_bounds(
    model: type[Model], instances: QuerySet[Model] | None, *fields: str
) -> PermissionFilter:
    """Return the bounds for files of a model, of which these instances are allowed."""
    if instances is None:
        return UNKNOWN & PermissionFilter.exactly(content_object_of([model], *fields))
    return PermissionFilter.exactly(content_object_in(instances, *fields, model=model))


def _get_unknown(model: type[Model], field: str) -> PermissionFilter:
    """Return the bounds for files of rows in other databases than the model's usual one.

    ``queryset_method`` does not find them, so that ``method`` is called for each of them.
    """
    usual = router.db_for_write(model)
    others = [alias for alias in get_databases(model) if alias != usual]
    if not others:
        return DENY_ALL
    of_others = Q(content_object_scope__in=Scopes(model, *others))
    return UNKNOWN & PermissionFilter.exactly(all_of(content_object_of([model], field), of_others))
