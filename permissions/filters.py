"""Lists: what permissions allow, as a condition that selects records."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import FileField, Model, Q, QuerySet
from rest_framework.permissions import AND, NOT, OR
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.content_objects import get_content_object_models
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.queries import Condition, all_of, any_of, negate
from proxy_storage.meta_backends.querysets import get_database
from proxy_storage.scopes import Scopes, get_databases, get_tenant

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
    """Between which conditions the records lie that a permission allows.

    ``& | ~`` combine them as they combine permissions.

    Args:
        sure: every record that fulfils it is allowed.
        possible: every record that does not is refused.
        is_exact: whether the two are the same, so that no record has to be asked.
        is_general: whether it holds for every record. Else nothing is said of files whose
            owner is of a model that was not asked about.
    """

    sure: Condition
    possible: Condition
    is_exact: bool = False
    is_general: bool = False

    @classmethod
    def exactly(cls, condition: Condition, *, is_general: bool = False) -> PermissionFilter:
        """Return the bounds of a permission that allows just these records."""
        return cls(condition, condition, is_exact=True, is_general=is_general)

    def generally(self) -> PermissionFilter:
        """Return the same bounds, of which somebody sees to it that no others are asked about."""
        return replace(self, is_general=True)

    @property
    def condition(self) -> Condition | None:
        """What allowed records fulfil and no others; ``None`` where that is not known."""
        return self.possible if self.is_exact else None

    def __and__(self, other: PermissionFilter) -> PermissionFilter:
        for side in (self, other):
            if side.possible is False:
                return side
        is_general = self.is_general and other.is_general
        possible = all_of(self.possible, other.possible)
        if self.is_exact and other.is_exact:
            return PermissionFilter.exactly(possible, is_general=is_general)
        return PermissionFilter(all_of(self.sure, other.sure), possible, is_general=is_general)

    def __or__(self, other: PermissionFilter) -> PermissionFilter:
        for side in (self, other):
            if side.sure is True:
                return side
        is_general = self.is_general and other.is_general
        possible = any_of(self.possible, other.possible)
        if self.is_exact and other.is_exact:
            return PermissionFilter.exactly(possible, is_general=is_general)
        return PermissionFilter(any_of(self.sure, other.sure), possible, is_general=is_general)

    def __invert__(self) -> PermissionFilter:
        if self.is_exact:
            return PermissionFilter.exactly(negate(self.possible), is_general=self.is_general)
        return PermissionFilter(
            negate(self.possible), negate(self.sure), is_general=self.is_general
        )


NOBODY = PermissionFilter.exactly(False, is_general=True)
EVERYBODY = PermissionFilter.exactly(True, is_general=True)
#: only each record can tell
UNKNOWN = PermissionFilter(False, True, is_general=True)


# a class or an instance that has one of these has spoken about records
RECORD_METHODS = {"has_object_permission", "get_filter", "get_permission_filter"}


@dataclass(frozen=True)
class Readable:
    """The records that a requester may read.

    Args:
        condition: all of them fulfil it.
        is_exact: whether no others do. Else each record has to be asked as well, with
            `base.decide`.
    """

    condition: Condition
    is_exact: bool


def get_readable(
    permissions: Iterable[Any],
    request: Request,
    view: APIView,
    models: Collection[type[Model]] | None = None,
) -> Readable:
    """Tell which records a list may show: those that all the permissions allow.

    What a permission class says by `FilePermission.get_filter` is only believed of files
    without owner, and of those whose owner is of one of the models.

    Args:
        permissions: instances, as DRF's ``get_permissions`` gives them.
        request: the request, with its user.
        view: the view that makes the list.
        models: models that own files; by default all those that have a field for them.

    Raises:
        RuleError: a permission cannot decide, as in `base.decide`. Nothing must be shown.
    """
    if models is None:
        models = get_content_object_models()
    bounds = EVERYBODY
    for permission in permissions:
        bounds &= get_permission_filter(permission, request, view, models)
        if bounds.possible is False:
            return Readable(condition=False, is_exact=True)
    condition = bounds.possible
    if not bounds.is_general:
        known = Q(content_type_id__isnull=True) | Q(content_type_id__in=_get_type_ids(models))
        condition = all_of(known, condition)
    return Readable(condition, bounds.is_exact)


def get_permission_filter(
    permission: Any, request: Request, view: APIView, models: Collection[type[Model]]
) -> PermissionFilter:
    """Tell what is known of a permission, composed or not, before any record is seen.

    Args:
        permission: an instance.
        request: the request, with its user.
        view: the view that makes the list.
        models: the models of the content objects.
    """
    composed = permission  # not narrowed: the operands are unknown to DRF's stubs
    if isinstance(permission, NOT):
        return ~get_permission_filter(composed.op1, request, view, models)
    if isinstance(permission, AND | OR):
        first = get_permission_filter(composed.op1, request, view, models)
        # what settles it is enough, as in `decide`
        if isinstance(permission, OR):
            if first.sure is True:
                return first
            return first | get_permission_filter(composed.op2, request, view, models)
        if first.possible is False:
            return first
        return first & get_permission_filter(composed.op2, request, view, models)
    if isinstance(permission, FilePermission):
        return _get_bounds_of_files(permission, request, view, models)
    if not call_method(permission, "has_permission", request, view):
        return NOBODY
    return UNKNOWN if needs_record(permission) else EVERYBODY


def _get_bounds_of_files(
    permission: Any, request: Request, view: APIView, models: Collection[type[Model]]
) -> PermissionFilter:
    check_has_permission(permission)
    if denies_all(permission):
        return NOBODY
    methods = get_overriding_methods(permission, RECORD_METHODS)
    if "get_permission_filter" in methods:
        bounds: PermissionFilter = permission.get_permission_filter(request, view, models)
        return bounds
    condition = permission.get_filter(request, view, models) if "get_filter" in methods else None
    if condition is None:
        return UNKNOWN
    if not is_bool(condition) and not (isinstance(condition, Q) and condition):
        raise ConfigurationError(
            f"{type(permission).__qualname__}.get_filter() must return a Q that is not empty, True "
            f"(all records), False (none) or None (ask each of them). This is a "
            f"{type(condition).__name__}."
        )
    return PermissionFilter.exactly(condition)


def get_overriding_methods(owner: Any, names: Collection[str]) -> Collection[str]:
    """Return those of the names that the most derived class has which has any of them.

    A class that overrides how one instance is decided, and not what it tells of all, has
    not spoken of all. The same holds for an instance with attributes of its own.

    Args:
        owner: a class, or an instance.
        names: names of methods.
    """
    bases = owner.__mro__ if isinstance(owner, type) else (owner, *type(owner).__mro__)
    found = ([name for name in names if name in vars(base)] for base in bases)
    return next(filter(None, found), [])


def find_unfiltered(permission: Any, models: Collection[type[Model]]) -> Iterator[str]:
    """Yield the names of the rules that a list checks for each record.

    Rules that return ``None`` as their filter for some requests only are not found.

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
    """Yield the single rules of a permission, which may be composed of several."""
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


def owned_by(queryset: QuerySet[Any, Any], *fields: str, model: type[Model] | None = None) -> Q:
    """Return a condition: the owner of the file is among these instances.

    Args:
        queryset: the instances. It should hide none that can be found by their key, or else
            ``~`` would show their files.
        fields: names of file fields; none for all fields.
        model: the model that records name as the owner's. By default the one that declares
            the fields; without fields, the queryset's model and its parents with a table.

    Raises:
        ConfigurationError: the model has no such field, or the instances are of another one.
    """
    groups: dict[type[Model], list[str]] = {}
    if model is not None:
        if not issubclass(queryset.model, model):
            raise ConfigurationError(
                f"A queryset of {queryset.model._meta.label} cannot tell whose files those of "
                f"{model._meta.label} are."
            )
        groups[model] = list(fields)
    elif fields:
        for name in fields:
            groups.setdefault(_get_declaring_model(queryset.model, name), []).append(name)
    else:
        concrete = queryset.model._meta.concrete_model
        groups = {owner: [] for owner in (concrete, *concrete._meta.get_parent_list())}
    return reduce(or_, (_owned_as(owner, queryset, names) for owner, names in groups.items()))


def _get_declaring_model(model: type[Model], name: str) -> type[Model]:
    try:
        declaring_model: type[Model] = model._meta.get_field(name).model
    except FieldDoesNotExist as error:
        raise ConfigurationError(f"{model._meta.label} has no field {name!r}.") from error
    return declaring_model


def _owned_as(owner: type[Model], queryset: QuerySet[Any, Any], fields: Sequence[str]) -> Q:
    # a child has the keys of its parents, which need not be its own
    keys = queryset.values(owner._meta.pk.attname)
    scopes = Scopes(owner, get_database(queryset))
    condition = Q(
        content_type_id__in=_get_type_ids([owner]),
        object_id__in=keys,
        content_object_scope__in=scopes,
    )
    return condition & Q(field__in=list(fields)) if fields else condition


def owned_as_any(models: Iterable[type[Model]], *fields: str) -> Condition:
    """Return a condition: the file has an owner, of one of these models.

    It says nothing of whether that instance still exists.

    Args:
        models: models as records name them.
        fields: names of file fields; none for all fields.
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
    """Put models together whose content objects are in the same databases and of one tenant."""
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
    """Return the names of the file fields that a model declares itself."""
    return [field.name for field in model._meta.local_fields if isinstance(field, FileField)]
