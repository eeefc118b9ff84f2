"""Uploads: refuse a request before its body is read, and save the file of an accepted one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.exceptions import UnsupportedMediaType, ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request

from proxy_storage.exceptions import ContentError, InvalidNameError
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.original_storages.inspect import leads_out
from proxy_storage.paths import fit_name, normalize_name, validate_name
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages.base import ProxyStorageBase
from proxy_storage.storages.content import recorded_with, uploaded_as
from proxy_storage_api.exceptions import FileTooLarge, LengthRequired
from proxy_storage_api.serializers import UploadSerializer
from proxy_storage_api.settings import api_settings
from proxy_storage_permissions.uploader import UPLOADER_KEYS, get_uploader_data

if TYPE_CHECKING:
    from proxy_storage_api.viewsets import FileViewSet

# The largest size of a request besides its file: boundaries, headers of the parts, other fields.
MAX_OVERHEAD = 64 * 1024  # bytes

ONE_FILE = "Send one file in a request."
INVALID_NAME = "This is not a valid file name."


class UploadGuard(FileUploadHandler):
    """An upload handler that refuses an upload as early as possible. It stores no bytes.

    Args:
        request: the request of the upload.
        view: the view that answers the request.

    Source: https://docs.djangoproject.com/en/stable/ref/files/uploads/
    """

    request: HttpRequest

    def __init__(self, request: HttpRequest, view: FileViewSet) -> None:
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
        """Check the permissions and the length before the first byte of the body is read.

        A session's CSRF token may be in the body, which is read before DRF checks permissions.

        Raises:
            APIException: the permissions refuse the upload.
            FileTooLarge: 413, the body is too long for any file that may be uploaded.
        """
        self.view.check_before_reading(self.request)
        if content_length > api_settings.UPLOAD_MAX_SIZE + MAX_OVERHEAD:
            raise FileTooLarge

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Count the files.

        Raises:
            ValidationError: 400, this is the second file.
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
        """Return ``None``: another handler has the file."""


def interrupt_upload(request: Any) -> None:
    """Make the upload handlers delete their files, which an exception alone would leave."""
    for handler in request.upload_handlers:
        handler.upload_interrupted()


def prepare_upload(request: Request, view: FileViewSet) -> None:
    """Set up the parser and the handler of an upload before anything reads its body.

    Args:
        request: the request of the upload.
        view: the view that answers the request.
    """
    request.parsers = [MultiPartParser()]
    # A middleware may have read the body already. `save_upload` checks the file as well.
    if not hasattr(request._request, "_files"):
        request._request.upload_handlers.insert(0, UploadGuard(request._request, view))


def check_upload_headers(request: Request) -> None:
    """Refuse a body that cannot be read, before authentication may read it.

    Args:
        request: the request of the upload.

    Raises:
        LengthRequired: 411, the length is unknown. Django's parser reads nothing of such a body.
        UnsupportedMediaType: 415.
    """
    if not str(request.META.get("CONTENT_LENGTH")).isdecimal():
        raise LengthRequired
    if not request.content_type.lower().startswith("multipart/form-data"):
        raise UnsupportedMediaType(request.content_type)


def save_upload(request: Request, context: Mapping[str, Any]) -> MetaBackendObject:
    """Save the file of an upload, and return its record.

    Args:
        request: the request of the upload.
        context: the context of the serializer.

    Raises:
        ValidationError: 400, a field has an invalid value or two values.
        FileTooLarge: 413.
    """
    given = _get_fields(request, context)
    file = given["file"]
    name = given.get("name", file.name)
    context["view"].remember_upload(name, given["storage"])
    storage = get_proxy_storage(given["storage"])
    try:
        _check_folder(storage, name)
        values = _get_values(request, storage.meta_backend)
        with uploaded_as(file, name), recorded_with(file, values):
            path = storage.save(name, file)
    except InvalidNameError as error:
        is_file = isinstance(error.__cause__, FileExistsError | NotADirectoryError)
        reason = "A folder of this name is a file." if is_file else INVALID_NAME
        raise ValidationError({"name": [reason]}) from error
    except ContentError as error:
        raise ValidationError({"file": ["This file cannot be read."]}) from error
    return storage.get_meta_backend_obj(path)


def _get_values(request: Request, meta_backend: MetaBackendBase) -> dict[str, Any]:
    """Return the values of a record that make its file an upload of the requester.

    The time is written even if the proxy storage does not record metadata, since it limits the time
    in which the upload can be attached.
    """
    if not meta_backend.can_hold(*UPLOADER_KEYS):
        return {}
    values: dict[str, Any] = get_uploader_data(request.user, meta_backend)
    if meta_backend.can_hold("created_at"):
        values["created_at"] = timezone.now()
    return values


def _get_fields(request: Request, context: Mapping[str, Any]) -> dict[str, Any]:
    data: Any = request.data  # A form, never a list.
    serializer = UploadSerializer(data=data, context=context)
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
    """Raise InvalidNameError if a symbolic link leads the folder of a name out of a storage."""
    own_name = fit_name(normalize_name(validate_name(name)))
    if any(leads_out(original.storage, own_name) for original in storage.get_originals()):
        raise InvalidNameError(
            f"A symbolic link leads {name!r} out of its storage. Choose another folder.", name=name
        )
