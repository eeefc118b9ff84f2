"""Permission by the model and field that own a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Model
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.owners import get_owner_model

from .base import FilePermission, is_allowed


class FieldPermissions(FilePermission):
    """One rule for each file field of a model.

    Files of other models, of fields that are not named, and without owner are not
    allowed to anybody. To speak for several models, combine subclasses with ``|``.
    """

    #: the model that declares the fields
    model: type[Model]
    #: name of a file field -> permission class, or classes combined with ``& | ~``
    permissions: Mapping[str, Any] = {}

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Apply the rule of the field that owns the file."""
        rule = self.permissions.get(obj.get("field", ""))
        if rule is None or not self._is_ours(obj):
            return False
        return is_allowed(rule(), request, view, obj)

    def _is_ours(self, obj: MetaBackendObject) -> bool:
        model = get_owner_model(obj)
        return model is not None and model._meta.label == self.model._meta.label
