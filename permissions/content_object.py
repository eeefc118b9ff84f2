"""Permissions that depend on the content object of a file, or on its model."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import reduce
from operator import or_
from typing import Any

from django.apps import apps
from django.contrib.auth import get_permission_codename
from django.db import router
from django.db.models import Model, Q, QuerySet
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.content_objects import Scopes, get_databases, locate_content_object
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.queries import Condition, all_of
from proxy_storage.suggestions import suggest

from .base import NO_CONTENT_OBJECT, NOT_FOUND, FilePermission, check_result
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
from .guardian import get_permitted, has_object_permission, has_other_backends, has_perm
from .problems import Problem

DEFAULT_METHOD, DEFAULT_QUERYSET_METHOD = "can_read_file", "readable_by"


class _HasNamedPermission(FilePermission):
    """The common part of the two permissions below.

    Args:
        name: the name of a Django permission, in its short or its full form.
    """

    def __init__(self, name: str = "view") -> None:
        self.name = name

    def find_problems(self, models: Collection[type[Model]]) -> Iterator[Problem]:
        """Yield a problem if no model declares the permission, so that only superusers have it.

        Authentication backends of other packages may have permissions that no model declares.
        """
        wanted = {get_full_name(self.name, model) for model in models}
        known = {name for model in apps.get_models() for name in _get_declared_names(model)}
        if not wanted or wanted & known or has_other_backends():
            return
        if "." not in self.name:
            known = {action for model in models for action in _get_actions(model)}
        yield Problem(
            f"{type(self).__name__}({self.name!r}) needs the permission "
            f"{' or '.join(sorted(wanted))}, which no model declares. Only superusers have it."
            f"{suggest(self.name, known)}",
            hint="Correct the name, or add the permission to Meta.permissions of the model.",
            is_error=False,
        )


class HasModelPermission(_HasNamedPermission):
    """Allow users who have a Django permission on the model of the content object.

    The content object is not fetched, so this also allows files whose content object has been
    deleted.

    Args:
        name: an action such as ``"view"``, which stands for ``jobs.view_jobapply`` if the content
            object is a ``JobApply``; or the full name of a permission, for files of all models.

    Source: https://docs.djangoproject.com/en/stable/topics/auth/default/#permissions-and-authorization
    """

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Call ``user.has_perm``. Django caches the permissions of a user."""
        model, _ = locate_content_object(obj)
        return model is not None and self._is_permitted(request, model)

    def get_reason(self, request: Request, view: APIView, obj: MetaBackendObject) -> str | None:
        """Return the name of the missing permission."""
        model, _ = locate_content_object(obj)
        if model is None:
            return NO_CONTENT_OBJECT
        return f"The user does not have the permission {get_full_name(self.name, model)!r}."

    def get_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> Condition:
        """Select the files of all models for which the user has the permission."""
        return content_object_of([model for model in models if self._is_permitted(request, model)])

    def _is_permitted(self, request: Request, model: type[Model]) -> bool:
        return has_perm(request.user, get_full_name(self.name, model))


class HasObjectPermission(_HasNamedPermission):
    """Allow users who have a Django permission for the content object.

    Django itself does not store permissions for single objects; django-guardian and other
    authentication backends do. A list uses a query if all authentication backends are Django's or
    django-guardian's. With other backends, it checks each record.

    Args:
        name: as for `HasModelPermission`.

    Source: https://docs.djangoproject.com/en/stable/topics/auth/customizing/#handling-object-permissions
    """

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Call ``user.has_perm`` with the content object."""
        model, using = locate_content_object(obj)
        # Object permissions refer to a primary key, but not to its database.
        if model is None or using != router.db_for_write(model):
            return False
        instance = obj.get_content_object()
        if instance is None:
            return False
        return has_object_permission(request.user, get_full_name(self.name, model), instance)

    def get_reason(self, request: Request, view: APIView, obj: MetaBackendObject) -> str | None:
        """Return the name of the missing permission."""
        model, _ = locate_content_object(obj)
        if model is None:
            return NO_CONTENT_OBJECT
        if obj.get_content_object() is None:
            return NOT_FOUND
        name = get_full_name(self.name, model)
        return f"The user does not have the permission {name!r} for this content object."

    def get_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> Condition | None:
        """Select the files of all content objects for which the user has the permission."""
        return self.get_permission_filter(request, view, models).condition

    def get_permission_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> PermissionFilter:
        """Return a filter for each model. Without a queryset, each record is checked."""
        if not hasattr(request.user, "has_perm"):
            return DENY_ALL
        found = (
            (model, get_permitted(request.user, get_full_name(self.name, model), model))
            for model in models
        )
        return reduce(or_, (_make_filter(model, instances) for model, instances in found), DENY_ALL)

    def find_unfiltered(self, models: Collection[type[Model]]) -> Iterator[str]:
        """Yield the name of this class, if an authentication backend is not django-guardian's."""
        if has_other_backends():
            yield get_rule_name(self)


class CanReadFile(FilePermission):
    """Allow the users for whom a method of the content object returns ``True``.

    The method is called for one file. For lists, the model may have a second method, which
    returns all instances for which the first one returns ``True``::

        class Letter(models.Model):
            def can_read_file(self, user, field):
                return self.reader_id == user.pk

            @classmethod
            def readable_by(cls, user, field):
                return cls.objects.filter(reader_id=user.pk)

    ``field`` is the name of the file field. The files of a model without the first method are
    denied. Without the second method, or if it returns ``None``, a list calls the first method
    for each file.

    Args:
        method: the name of the first method.
        queryset_method: the name of the second method; by default ``"readable_by"`` if the first
            one is ``"can_read_file"``, else there is no second method.
    """

    def __init__(self, method: str = DEFAULT_METHOD, queryset_method: str | None = None) -> None:
        if queryset_method is None and method == DEFAULT_METHOD:
            queryset_method = DEFAULT_QUERYSET_METHOD
        self.method = method
        self.queryset_method = queryset_method

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Call the method. Files of fields that the model does not have any more are denied."""
        model, _ = locate_content_object(obj)
        name = obj.get("field")
        if model is None or name not in get_file_fields(model) or not hasattr(model, self.method):
            return False
        instance = obj.get_content_object()
        if instance is None:
            return False
        result = getattr(instance, self.method)(request.user, name)
        return check_result(result, f"{model.__qualname__}.{self.method}()")

    def get_reason(self, request: Request, view: APIView, obj: MetaBackendObject) -> str | None:
        """Return whether the method was called, or why it was not."""
        model, _ = locate_content_object(obj)
        if model is None:
            return NO_CONTENT_OBJECT
        if not hasattr(model, self.method):
            return f"{model._meta.label} does not have the method {self.method!r}."
        if obj.get("field") not in get_file_fields(model):
            return f"{model._meta.label} does not have the field {obj.get('field')!r}."
        if obj.get_content_object() is None:
            return NOT_FOUND
        return f"{model.__qualname__}.{self.method}() returned False."

    def get_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> Condition | None:
        """Select the files of all instances that the second method returns."""
        return self.get_permission_filter(request, view, models).condition

    def get_permission_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> PermissionFilter:
        """Call the second method of each model, for each of its file fields."""
        found = (
            _make_filter(model, self._find_readable(model, request.user, name), name)
            | _make_filter_of_other_databases(model, name)
            for model in models
            if hasattr(model, self.method)
            for name in get_file_fields(model)
        )
        return reduce(or_, found, DENY_ALL)

    def find_problems(self, models: Collection[type[Model]]) -> Iterator[Problem]:
        """Yield a problem if none of the models has the method."""
        if models and not any(hasattr(model, self.method) for model in models):
            names = {name for model in models for name in _get_own_attributes(model)}
            labels = ", ".join(model._meta.label for model in models)
            yield Problem(
                f"{type(self).__name__} calls the method {self.method!r}, which is not defined by "
                f"{labels}. It denies all their files.{suggest(self.method, names)}",
                hint=f"Define the method {self.method}(self, user, field) on the model, or correct "
                "the name.",
                is_error=False,
            )

    def find_unfiltered(self, models: Collection[type[Model]]) -> Iterator[str]:
        """Yield the name of this class for each model whose method is called for each file."""
        for model in models:
            is_used = hasattr(model, self.method) and get_file_fields(model)
            if is_used and not self._has_queryset_method(model):
                yield f"{get_rule_name(self)} for {model._meta.label}"

    def _has_queryset_method(self, model: type[Model]) -> bool:
        # A child that overrides the first method only does not use the second one of its parent.
        return self.queryset_method is not None and self.queryset_method in get_overriding_methods(
            model, (self.method, self.queryset_method)
        )

    def _find_readable(self, model: type[Model], user: Any, name: str) -> QuerySet[Model] | None:
        if not self._has_queryset_method(model):
            return None
        found: QuerySet[Model] | None = getattr(model, str(self.queryset_method))(user, name)
        return found


def _get_own_attributes(model: type[Model]) -> Iterator[str]:
    """Yield the names of the attributes of a model that are not Django's."""
    for base in model.__mro__:
        if not base.__module__.startswith("django."):
            yield from vars(base)


def _get_declared_names(model: type[Model]) -> Iterator[str]:
    """Yield the full names of the permissions of a model."""
    codenames = [get_permission_codename(action, model._meta) for action in _get_actions(model)]
    codenames += [codename for codename, _ in model._meta.permissions]
    yield from (f"{model._meta.app_label}.{codename}" for codename in codenames)


def _get_actions(model: type[Model]) -> Iterator[str]:
    """Yield the names that stand for permissions of a model, such as ``"view"``."""
    yield from model._meta.default_permissions
    suffix = f"_{model._meta.model_name}"
    for codename, _ in model._meta.permissions:
        if codename.endswith(suffix):
            yield codename.removesuffix(suffix)


def get_full_name(name: str, model: type[Model]) -> str:
    """Return the full name of a permission for a model, as ``has_perm`` requires it."""
    if "." in name:
        return name
    return f"{model._meta.app_label}.{get_permission_codename(name, model._meta)}"


def _make_filter(
    model: type[Model], instances: QuerySet[Model] | None, *fields: str
) -> PermissionFilter:
    """Return a filter that allows the files of these instances; ``None`` means unknown."""
    if instances is None:
        return UNKNOWN & PermissionFilter.exactly(content_object_of([model], *fields))
    return PermissionFilter.exactly(content_object_in(instances, *fields, model=model))


def _make_filter_of_other_databases(model: type[Model], field: str) -> PermissionFilter:
    """Return a filter for files of instances in databases other than the model's default.

    ``queryset_method`` does not return these instances. ``method`` is called for each of them.
    """
    default = router.db_for_write(model)
    others = [alias for alias in get_databases(model) if alias != default]
    if not others:
        return DENY_ALL
    of_others = Q(content_object_scope__in=Scopes(model, *others))
    return UNKNOWN & PermissionFilter.exactly(all_of(content_object_of([model], field), of_others))
