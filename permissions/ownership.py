"""Permission by the user that the owner instance belongs to."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject

from .base import FilePermission


class IsOwner(FilePermission):
    """Allow the user that the owner instance names.

    Args:
        user_field: the foreign key to the user on the model that owns the file.

    A file without owner, or whose owner names no user, belongs to nobody.

    Raises:
        ConfigurationError: when it is asked, and the field leads to no user.
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
        field = self._get_user_field(instance)
        user = getattr(instance, field.attname)
        return user is not None and user == getattr(request.user, field.target_field.attname)

    def _get_user_field(self, instance: Model) -> Any:
        """Return the foreign key; one to another model has the same numbers in it."""
        try:
            field: Any = instance._meta.get_field(self.user_field)
        except FieldDoesNotExist:
            field = None
        if field is None or (not field.many_to_one and not field.one_to_one) or field.auto_created:
            raise ConfigurationError(
                f"IsOwner({self.user_field!r}): {instance._meta.label} has no such foreign key."
            )
        if field.related_model._meta.concrete_model is not get_user_model()._meta.concrete_model:
            raise ConfigurationError(
                f"IsOwner({self.user_field!r}): on {instance._meta.label} this leads to "
                f"{field.related_model._meta.label}, which is not the model of users."
            )
        return field
