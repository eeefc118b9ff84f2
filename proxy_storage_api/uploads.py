"""``POST``: save a file, where that is switched on."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from proxy_storage.exceptions import ContentError, InvalidNameError, MetaBackendUnavailable
from proxy_storage.registry import get_proxy_storage
from proxy_storage_api.access import FileAccess
from proxy_storage_api.exceptions import FileTooLarge, MetaBackendDoesNotAnswer
from proxy_storage_api.serializers import RecordSerializer, UploadSerializer
from proxy_storage_api.settings import api_settings, get_permission_classes


class SizeLimit(FileUploadHandler):
    """Break off an upload as soon as it is too large. It keeps nothing itself.

    Args:
        request: the request that it is an upload of.

    Source: https://docs.djangoproject.com/en/stable/ref/files/uploads/
    """

    request: HttpRequest

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Count each file anew."""
        super().new_file(*args, **kwargs)
        self.received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Count the bytes, and hand them on.

        Raises:
            FileTooLarge: 413.
        """
        self.received += len(raw_data)
        if self.received > api_settings.UPLOAD_MAX_SIZE:
            # an error of a handler leaves what the others have as it is
            for handler in self.request.upload_handlers:
                handler.upload_interrupted()
            raise FileTooLarge
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the handlers that have it."""


class UploadMixin(FileAccess):
    """Save files for those who may upload."""

    #: who may upload; None: those of ``UPLOAD_PERMISSION_CLASSES``, else nobody
    upload_permission_classes: Any = None

    def get_permissions(self) -> list[BasePermission]:
        """Return the permissions to upload, which are never those to read."""
        if self.action != "create":
            return super().get_permissions()
        return self.make_permissions(self.upload_permission_classes, "UPLOAD_PERMISSION_CLASSES")

    def can_be_asked(self, name: str) -> bool:
        """Tell whether uploads are switched on."""
        if name == "create" and not self.upload_permission_classes:
            return get_permission_classes("UPLOAD_PERMISSION_CLASSES") is not None
        return super().can_be_asked(name)

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        """Watch the size from the first byte: a session's token is read with the body."""
        drf_request = super().initialize_request(request, *args, **kwargs)
        # a middleware may have read the body already; the serializer's file is looked at too
        if self.action == "create" and not hasattr(request, "_files"):
            request.upload_handlers.insert(0, SizeLimit(request))
        return drf_request

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Save the file, and answer with its record."""
        serializer = UploadSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        file = given["file"]
        if file.size > api_settings.UPLOAD_MAX_SIZE:
            raise FileTooLarge
        storage = get_proxy_storage(given["storage"])
        try:
            path = storage.save(given.get("name", file.name), file)
        except InvalidNameError as error:
            raise ValidationError({"name": ["No file can have this name."]}) from error
        except ContentError as error:
            raise ValidationError({"file": ["This file cannot be read."]}) from error
        except MetaBackendUnavailable as error:
            raise MetaBackendDoesNotAnswer from error
        record = storage.get_meta_backend_obj(path)
        data = RecordSerializer(record, context=self.get_serializer_context()).data
        return Response(data, status.HTTP_201_CREATED, headers={"Location": data["url"]})
