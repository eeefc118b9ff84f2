"""What the permission classes have in common."""

from __future__ import annotations

from typing import Any, Self

from rest_framework.permissions import (
    AND,
    NOT,
    OR,
    BasePermission,
    OperationHolderMixin,
)
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
        """Let every request pass that is about one file; its record decides.

        Where no single file is asked for, nothing would ask the record, so nothing is
        allowed.
        """
        return bool(getattr(view, "asks_for_one_file", False))

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Tell whether the requester may have the file; by default nobody may."""
        return False


def is_allowed(permission: Any, request: Request, view: APIView, obj: MetaBackendObject) -> bool:
    """Decide one permission, composed or not, for one file.

    DRF asks ``has_permission`` and ``has_object_permission`` of a composed permission
    apart from each other, and ``~`` turns each of them around. Here both are asked of
    each single permission first, and then the operators are applied to the answers.

    Args:
        permission: an instance, as DRF's ``get_permissions`` gives it.
        request: the request, with its user.
        view: the view that answers it.
        obj: the file's record.
    """
    if isinstance(permission, NOT | AND | OR):
        # one operand of NOT, two of the others
        answers = (is_allowed(operand, request, view, obj) for operand in vars(permission).values())
        if isinstance(permission, NOT):
            return not next(answers)
        return all(answers) if isinstance(permission, AND) else any(answers)
    return bool(
        permission.has_permission(request, view)
        and permission.has_object_permission(request, view, obj)
    )
