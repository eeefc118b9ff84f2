"""Permission by the model and field that own a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Model
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.owners import get_owner_model

from .base import FilePermission, decide


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
        name = obj.get("field")
        rule = self.permissions.get(name) if name is not None else None
        if rule is None or get_owner_model(obj) is not self._get_owner_model(name):
            return False
        return decide(rule(), request, view, obj) is True

    def _get_owner_model(self, name: Any) -> type[Model]:
        """Return the model that files of a field name as their owner's."""
        declaring_model: type[Model] = self.model._meta.get_field(name).model
        if declaring_model is not self.model._meta.concrete_model:
            raise ConfigurationError(
                f"{type(self).__name__} is about {self.model._meta.label}, but {name!r} is "
                f"declared by {declaring_model._meta.label}. Write the rule for that model."
            )
        return declaring_model
