"""Permission by the user that the owner instance belongs to."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.meta_backends.base import MetaBackendObject

from .base import FilePermission


class IsOwner(FilePermission):
    """Allow the user that the owner instance names.

    Args:
        user_field: the foreign key to the user on the model that owns the file.

    A file without owner, or whose owner names no user, belongs to nobody.
    """

    def __init__(self, user_field: str = "user") -> None:
        self.user_field = user_field

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Compare keys: the user that the instance names is not fetched."""
        if not request.user.is_authenticated:
            return False
        instance = obj.get_content_object()
        if instance is None:
            return False
        field: Any = instance._meta.get_field(self.user_field)
        user = getattr(instance, field.attname)
        return user is not None and user == getattr(request.user, field.target_field.attname)
