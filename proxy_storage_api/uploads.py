"""``POST``: save a file, where that is switched on."""

from __future__ import annotations

import errno
from typing import Any

from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest
from rest_framework import status
from rest_framework.exceptions import UnsupportedMediaType, ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from proxy_storage.exceptions import ContentError, InvalidNameError
from proxy_storage.original_storages.inspect import leads_out
from proxy_storage.paths import fit_name, normalize_name, validate_name
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages.base import ProxyStorageBase
from proxy_storage.storages.content import uploaded_as
from proxy_storage_api.exceptions import FileTooLarge, LengthRequired, StorageFull
from proxy_storage_api.generics import FileAccess
from proxy_storage_api.serializers import RecordSerializer, UploadSerializer
from proxy_storage_api.settings import api_settings, get_permission_classes

# Bytes of a request beside its file: boundaries, headers of the parts, and the other fields.
MAX_OVERHEAD = 64 * 1024

ONE_FILE = "Send one file in a request."
NO_SUCH_NAME = "No file can have this name."


class UploadGuard(FileUploadHandler):
    """Refuse an upload as soon as it is known that it will be refused. It keeps no bytes.

    Args:
        request: the request of the upload.
        view: the view that answers it.

    Source: https://docs.djangoproject.com/en/stable/ref/files/uploads/
    """

    request: HttpRequest

    def __init__(self, request: HttpRequest, view: UploadMixin) -> None:
        super().__init__(request)
        self.view = view
        self.received = 0
        self.files = 0

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803  (Django's name)
        content_length: int,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Check the requester and the length before the first byte of the body is read.

        A session's CSRF token is looked for in the body, before DRF checks permissions.
        """
        self.view.check_before_reading(self.request)
        check_content_length(content_length)

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Count the files.

        Raises:
            ValidationError: 400, there is more than one.
        """
        super().new_file(*args, **kwargs)
        self.files += 1
        if self.files > 1:
            interrupt_upload(self.request)
            raise ValidationError({"file": [ONE_FILE]})

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Count the bytes, and return them for the next handler.

        Raises:
            FileTooLarge: 413.
        """
        self.received += len(raw_data)
        if self.received > api_settings.UPLOAD_MAX_SIZE:
            interrupt_upload(self.request)
            raise FileTooLarge
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the handlers that have it."""


def interrupt_upload(request: Any) -> None:
    """Make the upload handlers delete their files, which an error alone would leave."""
    for handler in request.upload_handlers:
        handler.upload_interrupted()


def check_content_length(length: int) -> None:
    """Refuse a request that is too long for any file that may be uploaded.

    Args:
        length: the value of the header ``Content-Length``, in bytes.

    Raises:
        FileTooLarge: 413.
    """
    if length > api_settings.UPLOAD_MAX_SIZE + MAX_OVERHEAD:
        raise FileTooLarge


class UploadMixin(FileAccess):
    """Save files for users who may upload."""

    #: who may upload; None: those of ``UPLOAD_PERMISSION_CLASSES``, else nobody
    upload_permission_classes: Any = None

    _may_upload = False

    def get_permissions(self) -> list[BasePermission]:
        """Return the permissions to upload, which are never those to read."""
        if self.action != "create":
            return super().get_permissions()
        return self.make_permissions(self.upload_permission_classes, "UPLOAD_PERMISSION_CLASSES")

    def is_action_enabled(self, name: str) -> bool:
        """Tell whether uploads are switched on."""
        if name == "create" and not self.upload_permission_classes:
            return get_permission_classes("UPLOAD_PERMISSION_CLASSES") is not None
        return super().is_action_enabled(name)

    def get_serializer_class(self) -> Any:
        """Return the serializer of an upload, of which the browsable API makes a form."""
        if self.get_described_action(self.request) == "create":
            return UploadSerializer
        return super().get_serializer_class()

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        """Watch the upload from the first byte: a session's token is read with the body."""
        drf_request = super().initialize_request(request, *args, **kwargs)
        if self.action == "create":
            drf_request.parsers = [MultiPartParser()]
            # A middleware may have read the body already; `create` looks at the file too.
            if not hasattr(request, "_files"):
                request.upload_handlers.insert(0, UploadGuard(request, self))
        return drf_request

    def perform_authentication(self, request: Request) -> None:
        """Refuse a body that is not read, before authentication may read it.

        Raises:
            LengthRequired: 411, the length is unknown. Django reads nothing of such a body.
            UnsupportedMediaType: 415.
        """
        if self.action == "create":
            if not str(request.META.get("CONTENT_LENGTH")).isdecimal():
                raise LengthRequired
            if not request.content_type.lower().startswith("multipart/form-data"):
                raise UnsupportedMediaType(request.content_type)
        super().perform_authentication(request)

    def check_permissions(self, request: Request) -> None:
        """Remember that the requester may upload: the body is read only then."""
        super().check_permissions(request)
        self._may_upload = True

    def check_before_reading(self, request: HttpRequest) -> None:
        """Refuse users without the permission to upload before their request's body is read.

        Authentication by session reads the body for the CSRF token before permissions are
        checked. So the permissions are checked here for the same user, without the token, and
        again once the token has been checked.

        Args:
            request: Django's request.

        Raises:
            APIException: the refusal, as the checks after the body would raise it.
        """
        if self._may_upload:
            return
        drf_request, was_exempt = self.request, getattr(request, "_dont_enforce_csrf_checks", False)
        request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]  # Django's own
        try:
            self.request = Request(request, authenticators=self.get_authenticators())
            super().perform_authentication(self.request)
            super().check_permissions(self.request)
        finally:
            self.request = drf_request
            request._dont_enforce_csrf_checks = was_exempt  # type: ignore[attr-defined]  # as above

    def handle_exception(self, exc: Exception) -> Response:
        """Answer 507 to an upload if the disk is full, be it that of temporary files."""
        is_full = isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT)
        if is_full and self.action == "create":
            interrupt_upload(self.request)
            full = StorageFull()
            full.__cause__ = exc
            exc = full
        return super().handle_exception(exc)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Save the file, and answer with its record."""
        given = self._get_upload(request)
        file = given["file"]
        name = given.get("name", file.name)
        storage = get_proxy_storage(given["storage"])
        try:
            _check_folder(storage, name)
            with uploaded_as(file, name):
                path = storage.save(name, file)
        except InvalidNameError as error:
            is_file = isinstance(error.__cause__, FileExistsError | NotADirectoryError)
            reason = "A folder of this name is a file." if is_file else NO_SUCH_NAME
            raise ValidationError({"name": [reason]}) from error
        except ContentError as error:
            raise ValidationError({"file": ["This file cannot be read."]}) from error
        record = storage.get_meta_backend_obj(path)
        data = RecordSerializer(record, context=self.get_serializer_context()).data
        return Response(data, status.HTTP_201_CREATED, headers={"Location": data["url"]})

    def _get_upload(self, request: Request) -> dict[str, Any]:
        """Return the validated fields of an upload.

        Raises:
            ValidationError: 400, a field has no valid value or two values.
            FileTooLarge: 413.
        """
        data: Any = request.data  # A form, never a list.
        serializer = UploadSerializer(data=data, context=self.get_serializer_context())
        names: Any = serializer.fields
        for name in names:
            if len(data.getlist(name)) > 1:
                raise ValidationError({name: [ONE_FILE if name == "file" else "Give one value."]})
        serializer.is_valid(raise_exception=True)
        given: dict[str, Any] = serializer.validated_data
        if given["file"].size > api_settings.UPLOAD_MAX_SIZE:
            raise FileTooLarge
        if len(request.FILES) > 1:
            raise ValidationError({"file": [ONE_FILE]})
        return given


def _check_folder(storage: ProxyStorageBase, name: str) -> None:
    """Refuse a name whose folder leads out of an original storage by a symbolic link.

    Raises:
        InvalidNameError: it does, or no file can have this name.
    """
    own_name = fit_name(normalize_name(validate_name(name)))
    if any(leads_out(original.storage, own_name) for original in storage.get_originals()):
        raise InvalidNameError(f"{name!r} leads out of its storage by a link.", name=name)
