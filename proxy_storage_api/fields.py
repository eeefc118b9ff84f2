"""A serializer field for files that gives out signed links."""

from __future__ import annotations

from typing import Any

from django.db.models.fields.files import FieldFile
from rest_framework import serializers

from proxy_storage.content_objects import belongs_to, get_content_object_data
from proxy_storage.db.fields import ContentObjectFileFieldMixin
from proxy_storage.exceptions import ConfigurationError, ProxyFileNotFoundError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage_permissions.links import get_signed_url


class SignedFileField(serializers.FileField):
    """A file as a link that opens it for a while, to whoever has the link.

    Who may have the instance gets the link with it: that is for the view to decide. It is
    ``null`` where there is no file, and where the file has another owner than this instance
    and field, so that nobody gets a file by putting its path into a row. Absolute where the
    request is in the context. Each link takes one query.

    Written to, it is a ``FileField``.

    Args:
        max_age: seconds that links are good for; by default, and at most, ``LINK_MAX_AGE``.
        as_attachment: files are to be saved, also where they could be shown in place.
        **kwargs: those of ``FileField``.
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
            ConfigurationError: the files of this field name no owner, or there is no endpoint.
        """
        # what was uploaded and has not been saved has no link yet, as it has no URL
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
    """Return the record of a file, if it names the file's instance and field as its owner."""
    field: Any = file.field
    if not isinstance(field, ContentObjectFileFieldMixin):
        raise ConfigurationError(
            f"SignedFileField gives links to files that know their owner, and those of {field} "
            "do not. Make it a ProxyStorageFileField, or use DRF's FileField here."
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
