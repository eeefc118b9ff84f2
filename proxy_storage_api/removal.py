"""``DELETE``: a file and its record, where that is switched on."""

from __future__ import annotations

from typing import Any

from rest_framework import status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from proxy_storage.owners import clear_field
from proxy_storage_api.access import FileAccess
from proxy_storage_api.settings import get_permission_classes


class RemovalMixin(FileAccess):
    """Delete files for those who may."""

    #: who may delete; None: those of ``DELETE_PERMISSION_CLASSES``, else nobody
    delete_permission_classes: Any = None

    def get_permissions(self) -> list[BasePermission]:
        """Return the permissions to delete, which are never those to read."""
        if self.action != "remove":
            return super().get_permissions()
        return self.make_permissions(self.delete_permission_classes, "DELETE_PERMISSION_CLASSES")

    def can_be_asked(self, name: str) -> bool:
        """Tell whether deleting is switched on."""
        if name == "remove" and not self.delete_permission_classes:
            return get_permission_classes("DELETE_PERMISSION_CLASSES") is not None
        return super().can_be_asked(name)

    def remove(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete the file of a path, and clear the field of its content object.

        The record that was decided on is deleted, never a later one of the same path.
        """
        record = self.get_object()
        record.get_proxy_storage().delete_record(record)
        clear_field(record)
        return Response(status=status.HTTP_204_NO_CONTENT)
