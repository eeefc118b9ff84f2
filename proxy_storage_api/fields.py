"""A serializer field for files whose value is a signed link."""

from __future__ import annotations

from typing import Any

from django.db.models.fields.files import FieldFile
from rest_framework import serializers

from proxy_storage.content_objects import belongs_to, get_content_object_data, is_tracked
from proxy_storage.exceptions import ConfigurationError, ProxyFileNotFoundError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage_permissions.links import get_signed_url


class SignedFileField(serializers.FileField):
    """A file as a signed link, which opens it until the link expires.

    The view decides who may read the instance, and each of these requesters gets the link. The
    value is ``null`` without a file, and if the file belongs to another instance or field: a path
    that is written to a row must not give access to its file. The link is absolute if the context
    has the request. Each link needs one query.

    As an input, the field is a ``FileField``.

    Args:
        max_age: lifetime of the links in seconds; by default, and at most, ``LINK_MAX_AGE``.
        as_attachment: whether browsers save the file instead of showing it.
        **kwargs: the arguments of ``FileField``.
    """

    def __init__(
        self, *, max_age: int | None = None, as_attachment: bool = False, **kwargs: Any
    ) -> None:
        self.max_age = max_age
        self.as_attachment = as_attachment
        super().__init__(**kwargs)

    def to_representation(self, value: Any) -> str | None:
        """Return a link to the file of an instance.

        Raises:
            ConfigurationError: the records of this field have no content object, or the project
                has no endpoint.
        """
        # A file that has been uploaded and not been saved has no URL yet.
        if not value or not isinstance(value, FieldFile):
            return None
        record = _get_own_record(value)
        if record is None:
            return None
        return get_signed_url(
            record,
            request=self.context.get("request"),
            max_age=self.max_age,
            as_attachment=self.as_attachment,
        ).url


def _get_own_record(file: FieldFile) -> MetaBackendObject | None:
    """Return the record of a file if it belongs to the file's instance and field."""
    field: Any = file.field
    if not is_tracked(field):
        raise ConfigurationError(
            f"SignedFileField needs a field whose files have a content object. {field} is a "
            f"{type(field).__name__} on a storage that does not track such fields. Use a "
            "ProxyStorageFileField in the model, or DRF's FileField here."
        )
    if file.instance.pk is None:
        return None
    storage: Any = file.storage
    try:
        record: MetaBackendObject = storage.get_meta_backend_obj(file.name)
    except ProxyFileNotFoundError:
        return None
    return (
        record
        if belongs_to(
            record, get_content_object_data(file.instance, field, meta_backend=record.meta_backend)
        )
        else None
    )
