"""Conditions for the records that permissions allow, for lists."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import FileField, Model, Q, QuerySet
from rest_framework.permissions import AND, NOT, OR
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.content_objects import (
    Scopes,
    get_content_object_models,
    get_databases,
    get_tenant,
)
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.orm_query import get_queryset_database
from proxy_storage.meta_backends.queries import Condition, all_of, any_of, negate

from .base import (
    FilePermission,
    call_method,
    check_has_permission,
    denies_all,
    is_bool,
    needs_record,
)


@dataclass(frozen=True)
class PermissionFilter:
    """Two conditions between which the records that a permission allows lie.

    ``& | ~`` combine filters as they combine permissions.

    Args:
        lower: all records that fulfil it are allowed.
        upper: all records that do not fulfil it are denied.
        is_exact: whether the two are equal, so that no record has to be checked.
        is_general: whether the filter is valid for all records. Otherwise it is valid only for
            files whose content object is of one of the models that were passed.
    """

    lower: Condition
    upper: Condition
    is_exact: bool = False
    is_general: bool = False

    @classmethod
    def exactly(cls, condition: Condition, *, is_general: bool = False) -> PermissionFilter:
        """Return the filter of a permission that allows exactly these records."""
        return cls(condition, condition, is_exact=True, is_general=is_general)

    def generally(self) -> PermissionFilter:
        """Return the same filter for a caller that has excluded files of other models."""
        return replace(self, is_general=True)

    @property
    def condition(self) -> Condition | None:
        """The condition for exactly the allowed records; ``None`` if it is not known."""
        return self.upper if self.is_exact else None

    def __and__(self, other: PermissionFilter) -> PermissionFilter:
        for side in (self, other):
            if side.upper is False:
                return side
        return self._combine(all_of, other)

    def __or__(self, other: PermissionFilter) -> PermissionFilter:
        for side in (self, other):
            if side.lower is True:
                return side
        return self._combine(any_of, other)

    def __invert__(self) -> PermissionFilter:
        return replace(self, lower=negate(self.upper), upper=negate(self.lower))

    def _combine(
        self, combine: Callable[..., Condition], other: PermissionFilter
    ) -> PermissionFilter:
        is_exact = self.is_exact and other.is_exact
        is_general = self.is_general and other.is_general
        upper = combine(self.upper, other.upper)
        lower = upper if is_exact else combine(self.lower, other.lower)
        return PermissionFilter(lower, upper, is_exact, is_general)


DENY_ALL = PermissionFilter.exactly(False, is_general=True)
ALLOW_ALL = PermissionFilter.exactly(True, is_general=True)
#: each record has to be checked
UNKNOWN = PermissionFilter(False, True, is_general=True)


# The methods that decide which records a permission allows.
RECORD_METHODS = {"has_object_permission", "get_filter", "get_permission_filter"}


@dataclass(frozen=True)
class Readable:
    """The records that a request may read.

    Args:
        condition: the condition that all of them fulfil.
        is_exact: whether no other records fulfil it. Otherwise each record has to be checked with
            `proxy_storage_permissions.evaluate`.
    """

    condition: Condition
    is_exact: bool


def get_readable(
    permissions: Iterable[Any],
    request: Request,
    view: APIView,
    models: Collection[type[Model]] | None = None,
) -> Readable:
    """Return the records that a list may contain: those that all permissions allow.

    The conditions of `FilePermission.get_filter` are used only for files of these models, and for
    files without a content object. Files of other models are left out.

    Args:
        permissions: instances, as DRF's ``get_permissions`` returns them.
        request: the request, with its user.
        view: the view of the list.
        models: the models of the content objects; by default all models with a file field of
            this package.

    Raises:
        RuleError: a permission cannot be evaluated, as in `evaluate`. The list must not be shown.
    """
    if models is None:
        models = get_content_object_models()
    combined = ALLOW_ALL
    for permission in permissions:
        combined &= get_permission_filter(permission, request, view, models)
        if combined.upper is False:
            return Readable(condition=False, is_exact=True)
    condition = combined.upper
    if not combined.is_general:
        known = Q(content_type_id__isnull=True) | Q(content_type_id__in=_get_type_ids(models))
        condition = all_of(known, condition)
    return Readable(condition, combined.is_exact)


def get_permission_filter(
    permission: Any, request: Request, view: APIView, models: Collection[type[Model]]
) -> PermissionFilter:
    """Return the filter of a permission, which may be composed with ``& | ~``.

    Args:
        permission: an instance.
        request: the request, with its user.
        view: the view of the list.
        models: the models of the content objects.
    """
    composed = permission  # Not narrowed: DRF's stubs do not have the operands.
    if isinstance(permission, NOT):
        return ~get_permission_filter(composed.op1, request, view, models)
    if isinstance(permission, AND | OR):
        first = get_permission_filter(composed.op1, request, view, models)
        # As in `evaluate`, the second operand is evaluated only if the first does not decide.
        if isinstance(permission, OR):
            if first.lower is True:
                return first
            return first | get_permission_filter(composed.op2, request, view, models)
        if first.upper is False:
            return first
        return first & get_permission_filter(composed.op2, request, view, models)
    if isinstance(permission, FilePermission):
        return _get_filter_of_files(permission, request, view, models)
    if not call_method(permission, "has_permission", request, view):
        return DENY_ALL
    return UNKNOWN if needs_record(permission) else ALLOW_ALL


def _get_filter_of_files(
    permission: Any, request: Request, view: APIView, models: Collection[type[Model]]
) -> PermissionFilter:
    check_has_permission(permission)
    if denies_all(permission):
        return DENY_ALL
    methods = get_overriding_methods(permission, RECORD_METHODS)
    if "get_permission_filter" in methods:
        found: PermissionFilter = permission.get_permission_filter(request, view, models)
        return found
    condition = permission.get_filter(request, view, models) if "get_filter" in methods else None
    if condition is None:
        return UNKNOWN
    if not is_bool(condition) and not (isinstance(condition, Q) and condition):
        raise ConfigurationError(
            f"{type(permission).__qualname__}.get_filter() must return a Q that is not empty, "
            "True (all records), False (no records) or None (check each record), not "
            f"{type(condition).__name__}."
        )
    return PermissionFilter.exactly(condition)


def get_overriding_methods(target: Any, names: Collection[str]) -> Collection[str]:
    """Return the names that the most derived class with any of them defines.

    If a class overrides the check of one record but not the filter, the inherited filter is not
    valid for it. The same applies to an instance with such an attribute.

    Args:
        target: a class, or an instance.
        names: names of methods.
    """
    bases = target.__mro__ if isinstance(target, type) else (target, *type(target).__mro__)
    found = ([name for name in names if name in vars(base)] for base in bases)
    return next(filter(None, found), [])


def find_unfiltered(permission: Any, models: Collection[type[Model]]) -> Iterator[str]:
    """Yield the names of the permissions that a list checks for each record.

    Permissions whose filter is ``None`` only for some requests are not found.

    Args:
        permission: an instance, composed or not.
        models: the models of the content objects.
    """
    for rule in get_single_rules(permission):
        if isinstance(rule, FilePermission):
            methods = get_overriding_methods(rule, RECORD_METHODS)
            if list(methods) == ["has_object_permission"]:
                yield get_rule_name(rule)
            elif hasattr(rule, "find_unfiltered"):
                yield from rule.find_unfiltered(models)
        elif needs_record(rule):
            yield get_rule_name(rule)


def get_single_rules(permission: Any) -> Iterator[Any]:
    """Yield the single permissions of a composed permission."""
    composed = permission
    if isinstance(permission, AND | OR | NOT):
        yield from get_single_rules(composed.op1)
        if not isinstance(permission, NOT):
            yield from get_single_rules(composed.op2)
    else:
        yield permission


def get_rule_name(permission: Any) -> str:
    """Return the dotted path of the class of a permission."""
    cls = type(permission)
    return f"{cls.__module__}.{cls.__qualname__}"


def content_object_in(
    queryset: QuerySet[Any, Any], *fields: str, model: type[Model] | None = None
) -> Q:
    """Return the condition that the content object of a file is one of these instances.

    Args:
        queryset: the instances. Its manager should not exclude rows, because ``~`` would allow
            their files.
        fields: names of file fields; by default all fields.
        model: the model that records name. By default it is the model that declares the fields;
            without fields, the model of the queryset and its parents with a table.

    Raises:
        ConfigurationError: the model does not have such a field, or the instances are of another
            model.
    """
    groups: dict[type[Model], list[str]] = {}
    if model is not None:
        if not issubclass(queryset.model, model):
            raise ConfigurationError(
                f"content_object_in() needs a queryset of {model._meta.label}, not of "
                f"{queryset.model._meta.label}."
            )
        groups[model] = list(fields)
    elif fields:
        for name in fields:
            groups.setdefault(_get_declaring_model(queryset.model, name), []).append(name)
    else:
        concrete = queryset.model._meta.concrete_model
        groups = {base: [] for base in (concrete, *concrete._meta.get_parent_list())}
    conditions = (_get_condition(base, queryset, names) for base, names in groups.items())
    return reduce(or_, conditions)


#: the former name of `content_object_in`
owned_by = content_object_in


def _get_declaring_model(model: type[Model], name: str) -> type[Model]:
    try:
        declaring_model: type[Model] = model._meta.get_field(name).model
    except FieldDoesNotExist as error:
        raise ConfigurationError(f"{model._meta.label} has no field {name!r}.") from error
    return declaring_model


def _get_condition(model: type[Model], queryset: QuerySet[Any, Any], fields: Sequence[str]) -> Q:
    # The primary key of a child model may differ from that of its parent.
    keys = queryset.values(model._meta.pk.attname)
    condition = Q(
        content_type_id__in=_get_type_ids([model]),
        object_id__in=keys,
        content_object_scope__in=Scopes(model, get_queryset_database(queryset)),
    )
    return condition & Q(field__in=list(fields)) if fields else condition


def content_object_of(models: Iterable[type[Model]], *fields: str) -> Condition:
    """Return the condition that the content object of a file is an instance of these models.

    The instance may have been deleted.

    Args:
        models: models as records name them.
        fields: names of file fields; by default all fields.
    """
    condition = any_of(
        *(
            Q(
                content_type_id__in=_get_type_ids(group),
                object_id__isnull=False,
                content_object_scope__in=Scopes(group[0]),
            )
            for group in _group_by_scopes(models)
        )
    )
    return all_of(condition, Q(field__in=list(fields))) if fields else condition


def _group_by_scopes(models: Iterable[type[Model]]) -> Iterable[list[type[Model]]]:
    """Group the models whose content objects are in the same databases and of one tenant."""
    groups: dict[Any, list[type[Model]]] = {}
    for model in models:
        tenants = tuple((alias, get_tenant(model, alias)) for alias in get_databases(model))
        groups.setdefault(tenants, []).append(model)
    return groups.values()


def _get_type_ids(models: Iterable[type[Model]]) -> list[int]:
    from django.contrib.contenttypes.models import ContentType

    types = ContentType.objects.get_for_models(*models)
    return sorted(content_type.pk for content_type in types.values())


def get_file_fields(model: type[Model]) -> list[str]:
    """Return the names of the file fields that a model declares and does not inherit."""
    return [field.name for field in model._meta.local_fields if isinstance(field, FileField)]
