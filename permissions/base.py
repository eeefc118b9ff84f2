"""What the permission classes have in common."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Self

from django.db.models import Model
from rest_framework.permissions import AND, NOT, OR, BasePermission, OperationHolderMixin
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.conditions import Condition


class FilePermission(OperationHolderMixin, BasePermission):
    """A permission that is decided by a file's record.

    Instances can be used wherever DRF takes a class, so a permission may have arguments:
    ``IsOwner("user") | IsAdminUser``.

    Nothing is allowed until a subclass says so in `has_object_permission`. A list asks each
    record, unless the subclass also says in `get_filter` which records it allows. Whoever
    overrides the first alone is asked record by record again, whatever the parent's filter.

    Raises:
        ConfigurationError: a subclass has a `has_permission` of its own. Nobody would ask
            it: combine the class with another one by ``&``.

    Source: https://www.django-rest-framework.org/api-guide/permissions/
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.has_permission is not FilePermission.has_permission:
            raise ConfigurationError(
                f"{cls.__qualname__} is decided by records alone, so its has_permission would "
                "never be asked. Write what depends on the request as a permission class of "
                "its own, and combine the two with '&'."
            )

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __call__(self) -> Self:
        """Return itself: DRF calls what it finds in ``permission_classes``."""
        return self

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Let a request pass that is about one file; its record decides.

        A view that does not say so (``asks_for_one_file``) may never ask the record, as
        in a list, so there nothing is allowed.
        """
        return bool(getattr(view, "asks_for_one_file", False))

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Tell whether the requester may have the file; by default nobody may."""
        return False

    def get_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> Condition | None:
        """Tell which records `has_object_permission` allows, so that a list asks none of them.

        Args:
            request: the request, with its user.
            view: the view that makes the list.
            models: the models whose files are asked about. Files without owner are, too; of
                all others nothing has to be said, and none is shown by what is said here.

        Returns:
            A condition (`proxy_storage.meta_backends.conditions`) that exactly the allowed
            records fulfil, such as `filters.owned_by` makes it; ``True`` for all of them,
            ``False`` for none; ``None`` where only each record can tell.
        """
        return False if denies_all(self) else None


class DenyAll(FilePermission):
    """Allow nobody: for a field whose files nobody may read."""


def decide(
    permission: Any, request: Request, view: APIView, obj: MetaBackendObject | None = None
) -> bool | None:
    """Decide one permission, composed or not.

    DRF asks ``has_permission`` and ``has_object_permission`` of a composed permission
    apart from each other, and ``~`` turns each of them around: ``~IsOwner()`` would
    refuse every request before a record is seen. Here each single permission gives one
    answer, and the operators are applied to the answers.

    Args:
        permission: an instance, as DRF's ``get_permissions`` gives it.
        request: the request, with its user.
        view: the view that answers it.
        obj: the file's record, once it is known.

    Returns:
        Whether the request is allowed; ``None`` where only a record can tell, and none
        was given.
    """
    composed = permission  # not narrowed: the operands are unknown to DRF's stubs
    if isinstance(permission, NOT):
        answer = decide(composed.op1, request, view, obj)
        return None if answer is None else not answer
    if isinstance(permission, AND | OR):
        return _decide_both(permission, request, view, obj)
    is_about_records = isinstance(permission, FilePermission)
    if not is_about_records and not permission.has_permission(request, view):
        return False
    if obj is not None:
        return bool(permission.has_object_permission(request, view, obj))
    if denies_all(permission):
        return False
    return None if asks_records(permission) else True


def denies_all(permission: Any) -> bool:
    """Tell whether a permission is one of ours that never says when it allows anything."""
    method = getattr(type(permission), "has_object_permission", None)
    return method is FilePermission.has_object_permission


def asks_records(permission: Any) -> bool:
    """Tell whether a permission looks at records, beside the request."""
    method = getattr(type(permission), "has_object_permission", None)
    return method is not BasePermission.has_object_permission


def _decide_both(
    permission: Any, request: Request, view: APIView, obj: MetaBackendObject | None
) -> bool | None:
    # True settles an "or", False an "and", whatever the other answer is
    settling = isinstance(permission, OR)
    first = decide(permission.op1, request, view, obj)
    if first is settling:
        return settling
    second = decide(permission.op2, request, view, obj)
    if second is settling:
        return settling
    return None if None in (first, second) else not settling
