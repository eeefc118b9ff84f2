"""A serializer field that attaches an upload to the instance that is saved.

::

    class ApplicationSerializer(serializers.ModelSerializer):
        resume = FileReferenceField()

        class Meta:
            model = Application
            fields = ["resume"]

A client uploads the file by ``POST files/``, and sends the ``path`` of the answer as the value of
the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models.fields.files import FieldFile
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.fields import get_error_detail

from proxy_storage.content_objects import (
    FORMER_KEYS,
    RELEASED_KEY,
    is_tracked,
)
from proxy_storage.db.attaching import Upload, UploadPath
from proxy_storage.db.own_files import get_own_records
from proxy_storage.endpoint import read_file_url
from proxy_storage.exceptions import ConfigurationError, MetaBackendObjectDoesNotExist
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.mime_types import guess_mime_type
from proxy_storage.registry import get_proxy_storage_name
from proxy_storage.storages.base import ProxyStorageBase
from proxy_storage.storages.lazy_file import LazyFile
from proxy_storage_api.settings import get_attach_max_age
from proxy_storage_permissions.uploader import UPLOADER_KEYS, is_uploader, make_aware

#: The keys that the records of uploads need so that these can be attached.
KEYS = (*UPLOADER_KEYS, "created_at", RELEASED_KEY, *FORMER_KEYS.values())


class RecordedFile(LazyFile):
    """The file of a record.

    Args:
        record: the record.
    """

    def __init__(self, record: MetaBackendObject) -> None:
        storage = record.get_proxy_storage()
        super().__init__(
            record["path"], partial(storage.open_record, record), partial(_get_size, record)
        )
        self.mime_type: str = record.get("mime_type") or guess_mime_type(record["path"])


def _get_size(record: MetaBackendObject) -> int:
    """Return the recorded size of a file, or else that in the original storage."""
    size: int | None = record.get("size")
    if size is None:
        size = record.get_original_storage().size(record["original_storage_path"])
    return size


class FileReferenceField(serializers.CharField):
    """A file of a model that the requester has uploaded before; it is attached on save.

    The input is the ``path`` that ``POST files/`` has returned, or the whole answer, or its
    ``url``. The file must be in the storage of the model's field, must have been uploaded by the
    requester in the last ``UPLOAD_ATTACH_MAX_AGE`` seconds, and must never have had a content
    object. Otherwise the input is refused with 400, with the same error for all of these reasons.
    The validators of the model's field are applied, such as ``allowed_types`` and ``max_size``.

    The save of the instance makes it the content object of the file. If another request attaches
    the upload first, the save raises the same error. The row does not name the file then. Use a
    transaction, such as ``ATOMIC_REQUESTS``, so that the other fields of the row are not saved
    either.

    The current file of the instance is a valid input as well, and is kept. With ``allow_null`` or
    ``allow_blank`` the field can be cleared.

    The value in responses is the URL of the file, as that of DRF's ``FileField``.

    Args:
        model_field: the file field, if it is not the field ``source`` of the serializer's model.
        **kwargs: the arguments of ``CharField``, and ``use_url`` of ``FileField``.

    Raises:
        ConfigurationError: on use, if the files of the field do not get a content object, if its
            records cannot hold the uploader, or if the context does not have the request.
    """

    default_error_messages = {
        "invalid": "Send the path of an upload.",
        "not_uploaded": "You have no upload with this path.",
        "max_length": "The path of the upload is longer than {max_length} characters.",
    }

    def __init__(
        self, *, model_field: Any = None, use_url: bool | None = None, **kwargs: Any
    ) -> None:
        self._model_field = model_field
        options: dict[str, Any] = {} if use_url is None else {"use_url": use_url}
        self._file_field = serializers.FileField(**options)
        kwargs.setdefault("help_text", "Path of an uploaded file.")
        super().__init__(trim_whitespace=False, **kwargs)

    def bind(self, field_name: str, parent: Any) -> None:
        """Connect the field to its serializer, whose context has the request."""
        super().bind(field_name, parent)
        self._file_field.bind(field_name, parent)

    @cached_property
    def model_field(self) -> Any:
        """The file field of the model.

        Raises:
            ConfigurationError: it is not found, or is not a field of this package.
        """
        field = self._model_field
        model = getattr(getattr(self.parent, "Meta", None), "model", None)
        if field is None and model is not None:
            try:
                field = model._meta.get_field(self.source)
            except FieldDoesNotExist:
                field = None
        if field is None:
            raise ConfigurationError(
                f"FileReferenceField {self.field_name!r} does not belong to a field of a model. "
                "Pass model_field, or use it in a ModelSerializer with the name of the field."
            )
        storage: Any = getattr(field, "storage", None)
        if not is_tracked(field) or not isinstance(storage, ProxyStorageBase):
            raise ConfigurationError(
                f"FileReferenceField needs a ProxyStorageFileField, and {field} is a "
                f"{type(field).__name__}, whose files do not get a content object. Change "
                "the model field, or use DRF's FileField here."
            )
        missing = [key for key in KEYS if not storage.meta_backend.can_hold(key)]
        if missing:
            raise ConfigurationError(
                f"Uploads cannot be attached to {field}: its records cannot hold "
                f"{', '.join(missing)}. Add UploaderMixin and FileMetadataMixin to the bases of "
                "the model of the records, and make a migration."
            )
        return field

    def to_internal_value(self, data: Any) -> str:
        """Return the path of the upload, which the save of an instance attaches.

        Raises:
            ValidationError: the path is not that of an upload of the requester, or the file is not
                allowed in this field.
        """
        path = self._get_path(data)
        if self._is_current(path):
            return path
        record = self._find_upload(path)
        if record is None:
            self.fail("not_uploaded")
        self._validate_file(record)
        meta_backend = self.model_field.storage.meta_backend
        keys = (*UPLOADER_KEYS, FORMER_KEYS["content_type_id"])
        where = {key: record.get(key) for key in keys}
        messages = {str(self.field_name): [str(self.error_messages["not_uploaded"])]}
        make_error = partial(ValidationError, messages, code="not_uploaded")
        return UploadPath(path, Upload({**meta_backend.get_identity(record), **where}, make_error))

    def to_representation(self, value: Any) -> Any:
        """Return the URL of the file, or its name if ``use_url`` is false."""
        return self._file_field.to_representation(value)

    def _get_path(self, data: Any) -> str:
        """Return the path in an input: a path, a URL, or the answer to an upload."""
        if isinstance(data, Mapping):
            data = data.get("path")
        if not isinstance(data, str):
            self.fail("invalid")
        if data.startswith(("http://", "https://")):
            found = read_file_url(data)
            if found is None:
                self.fail("invalid")
            return found[0]
        return str(data)

    def _is_current(self, path: str) -> bool:
        """Return whether a path is that of the instance's own file; one query if so."""
        instance = getattr(self.parent, "instance", None)
        file = getattr(instance, self.model_field.attname, None)
        if not isinstance(file, FieldFile) or file.name != path or not path:
            return False
        return get_own_records([file]) != [None]

    def _find_upload(self, path: str) -> MetaBackendObject | None:
        """Return the record of an upload that the requester may attach; one query."""
        storage = self.model_field.storage
        try:
            record: MetaBackendObject = storage.meta_backend.get(path)
        except MetaBackendObjectDoesNotExist:
            return None
        is_of_storage = record["proxy_storage_name"] == get_proxy_storage_name(storage)
        return record if is_of_storage and self._is_own(record) else None

    def _is_own(self, record: MetaBackendObject) -> bool:
        """Return whether a free file was uploaded by the requester, and not too long ago."""
        request = self.context.get("request")
        if request is None:
            raise ConfigurationError(
                f"FileReferenceField {self.field_name!r} needs the request. Pass "
                "context={'request': request} to the serializer."
            )
        created_at = make_aware(record.get("created_at"))
        if created_at is None or not is_uploader(request.user, record):
            return False
        age: timedelta = datetime.now(UTC) - created_at
        return age.total_seconds() < get_attach_max_age()

    def _validate_file(self, record: MetaBackendObject) -> None:
        """Apply the validators of the form field and of the model's field to a file."""
        max_length = self.model_field.max_length
        if max_length is not None and len(record["path"]) > max_length:
            self.fail("max_length", max_length=max_length)
        with RecordedFile(record) as file:
            try:
                # The form field of an image reads the image.
                self.model_field.formfield(max_length=None).clean(file)
                if not file.closed:
                    file.seek(0)
                self.model_field.run_validators(file)
            except DjangoValidationError as error:
                raise ValidationError(get_error_detail(error)) from error
            except FileNotFoundError:
                self.fail("not_uploaded")
