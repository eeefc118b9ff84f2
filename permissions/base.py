"""What the permission classes have in common."""

from __future__ import annotations

from typing import Any, Self

from rest_framework.permissions import AND, NOT, OR, BasePermission, OperationHolderMixin
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.meta_backends.base import MetaBackendObject


class FilePermission(OperationHolderMixin, BasePermission):
    """A permission that is decided by a file's record.

    Instances can be used wherever DRF takes a class, so a permission may have arguments:
    ``IsOwner("user") | IsAdminUser``.

    Nothing is allowed until a subclass says so in `has_object_permission`.

    Source: https://www.django-rest-framework.org/api-guide/permissions/
    """

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
    asks_records = (
        type(permission).has_object_permission is not BasePermission.has_object_permission
    )
    return None if asks_records else True


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
