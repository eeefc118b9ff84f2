"""The serializers of requests and responses of the endpoint."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.utils.timezone import is_aware
from rest_framework import serializers

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.paths import MAX_NAME_LENGTH, MAX_PATH_LENGTH
from proxy_storage.registry import get_proxy_storage_names
from proxy_storage.serving.headers import get_download_name
from proxy_storage_api.settings import api_settings
from proxy_storage_permissions.settings import get_link_max_age

DISPOSITIONS = ("inline", "attachment")
# The name of the query parameter, also in signed links.
DISPOSITION_PARAMETER = "disposition"

#: Fields for staff only: where the file is stored, and its former content object.
STAFF_FIELDS = (
    "original_storage_name",
    "original_storage_path",
    "released_at",
    "former_content_type",
    "former_object_id",
    "former_field",
)
_MAX_SIZE = 2**63 - 1


class DispositionField(serializers.ChoiceField):
    """A disposition. The error message does not repeat the value, which may not be valid text."""

    default_error_messages = {"invalid_choice": f"This must be one of {', '.join(DISPOSITIONS)}."}


class MomentField(serializers.DateTimeField):
    """A date and time, converted to UTC for comparison in the database.

    A moment of the first or last day of the calendar may be out of range in UTC.
    """

    def to_internal_value(self, value: Any) -> datetime:
        """Return the moment in UTC.

        Raises:
            ValidationError: the value is invalid, or out of range in UTC.
        """
        try:
            moment: datetime = super().to_internal_value(value)
            return moment.astimezone(UTC) if is_aware(moment) else moment
        except OverflowError:
            self.fail("overflow")


class RecordSerializer(serializers.Serializer[MetaBackendObject]):
    """The record of a file. A key without a value is ``null``."""

    path = serializers.CharField(read_only=True)
    url = serializers.SerializerMethodField(help_text="URL of the file.")
    storage = serializers.CharField(
        source="proxy_storage_name", read_only=True, help_text="Name of the proxy storage."
    )
    content_type = serializers.SerializerMethodField(
        help_text="Model of the content object, such as jobs.jobapply."
    )
    object_id = serializers.CharField(
        read_only=True,
        default=None,
        allow_null=True,
        help_text="Primary key of the content object.",
    )
    field = serializers.CharField(
        read_only=True, default=None, allow_null=True, help_text="Field of the content object."
    )
    size = serializers.IntegerField(
        read_only=True, default=None, allow_null=True, help_text="Size in bytes."
    )
    name = serializers.SerializerMethodField(help_text="Name of the file in downloads.")
    mime_type = serializers.CharField(read_only=True, default=None, allow_null=True)
    checksum = serializers.CharField(
        read_only=True, default=None, allow_null=True, help_text="SHA-256 of the content."
    )
    created_at = serializers.DateTimeField(read_only=True, default=None, allow_null=True)
    original_storage_name = serializers.CharField(
        read_only=True, default=None, allow_null=True, help_text="For staff only."
    )
    original_storage_path = serializers.CharField(
        read_only=True, required=False, help_text="For staff only."
    )
    released_at = serializers.DateTimeField(
        read_only=True,
        default=None,
        allow_null=True,
        help_text="When the file lost its content object. For staff only.",
    )
    former_content_type = serializers.SerializerMethodField(
        help_text="Model of the former content object. For staff only."
    )
    former_object_id = serializers.CharField(
        read_only=True,
        default=None,
        allow_null=True,
        help_text="Primary key of the former content object. For staff only.",
    )
    former_field = serializers.CharField(
        read_only=True,
        default=None,
        allow_null=True,
        help_text="Field of the former content object. For staff only.",
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return the fields that the requester may see."""
        fields = super().get_fields()
        request = self.context.get("request")
        if request is not None and not getattr(request.user, "is_staff", False):
            for name in STAFF_FIELDS:
                del fields[name]
        return fields

    def get_name(self, record: MetaBackendObject) -> str:
        """Return the name of the file in downloads."""
        return get_download_name(record)

    def get_url(self, record: MetaBackendObject) -> str | None:
        """Return the absolute URL of the file; ``None`` if its storage is not registered.

        It is never a signed link, which would open the file for other users as well. Clients get
        one from the action ``link``.
        """
        if record["proxy_storage_name"] not in get_proxy_storage_names():
            return None
        storage, path = record.get_proxy_storage(), record["path"]
        url = storage.get_unsigned_url(path) if storage.signs_urls else storage.url(path)
        request = self.context.get("request")
        return str(url if request is None else request.build_absolute_uri(url))

    def get_content_type(self, record: MetaBackendObject) -> str | None:
        """Return the label of the content object's model; ``None`` if it does not exist."""
        return self._get_model_label(record.get("content_type_id"))

    def get_former_content_type(self, record: MetaBackendObject) -> str | None:
        """Return the label of the former content object's model; ``None`` if it does not exist."""
        return self._get_model_label(record.get("former_content_type_id"))

    def _get_model_label(self, key: int | None) -> str | None:
        if key is None:
            return None
        try:
            found = ContentType.objects.get_for_id(key)
        except ContentType.DoesNotExist:
            return None
        return f"{found.app_label}.{found.model}"


class LinkSerializer(serializers.Serializer[Any]):
    """The file and the options of a new link."""

    path = serializers.CharField(trim_whitespace=False, allow_blank=True)
    storage = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Name of the proxy storage, if the path alone is ambiguous.",
    )
    disposition = DispositionField(DISPOSITIONS, default="inline")
    max_age = serializers.IntegerField(
        required=False, help_text="Lifetime in seconds; by default the longest one."
    )
    only_me = serializers.BooleanField(
        default=False, help_text="Whether only the logged-in requester can use the link."
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return the fields, with ``LINK_MAX_AGE`` as the longest lifetime."""
        fields = super().get_fields()
        fields["max_age"] = serializers.IntegerField(
            min_value=1,
            max_value=get_link_max_age(),
            required=False,
            help_text=fields["max_age"].help_text,
        )
        return fields


class LinkAnswerSerializer(serializers.Serializer[Any]):
    """A signed link."""

    url = serializers.URLField()
    expires_at = serializers.DateTimeField()


class UploadSerializer(serializers.Serializer[Any]):
    """A file to save."""

    file = serializers.FileField(allow_empty_file=True)
    name = serializers.CharField(
        required=False,
        trim_whitespace=False,
        max_length=MAX_PATH_LENGTH,
        help_text="Relative name of the new file; by default the name of the uploaded file.",
    )
    storage = serializers.ChoiceField([], help_text="Name of the proxy storage to save to.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return the fields. ``storage`` is required if there are several."""
        fields = super().get_fields()
        names = list(api_settings.UPLOAD_STORAGES)
        one = {"default": names[0]} if len(names) == 1 else {}
        help_text = fields["storage"].help_text
        # The message does not repeat the value, which may not be valid text.
        messages: dict[str, Any] = {"invalid_choice": f"This must be one of {', '.join(names)}."}
        fields["storage"] = serializers.ChoiceField(
            names, help_text=help_text, error_messages=messages, **one
        )
        return fields


class RecordFilterSerializer(serializers.Serializer[Any]):
    """The query parameters that select records, with names as in django-filter."""

    storage = serializers.CharField(required=False, help_text="Name of the proxy storage.")
    content_type = serializers.CharField(
        required=False, help_text="Model of the content object, such as jobs.jobapply."
    )
    object_id = serializers.CharField(
        required=False, help_text="Primary key of the content object."
    )
    field = serializers.CharField(required=False, help_text="Field of the content object.")
    name = serializers.CharField(
        required=False, trim_whitespace=False, help_text="Name of the uploaded file."
    )
    name__icontains = serializers.CharField(
        required=False,
        trim_whitespace=False,
        max_length=MAX_NAME_LENGTH,
        help_text="A part of the name of the uploaded file, in upper or lower case.",
    )
    mime_type = serializers.CharField(required=False)
    path__startswith = serializers.CharField(required=False, trim_whitespace=False)
    size__gte = serializers.IntegerField(required=False, min_value=0, max_value=_MAX_SIZE)
    size__lte = serializers.IntegerField(required=False, min_value=0, max_value=_MAX_SIZE)
    created_at__gte = MomentField(required=False)
    created_at__lte = MomentField(required=False)
    has_content_object = serializers.BooleanField(
        required=False,
        allow_null=True,
        default=None,
        help_text="Whether the file has a content object.",
    )
    released_at__gte = MomentField(required=False)
    released_at__lte = MomentField(required=False)
