"""The ready model of records, with the fields of all mixins."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from proxy_storage.meta_backends.models import (
    ContentObjectFieldMixin,
    FileMetadataMixin,
    LinkVersionMixin,
    OriginalStorageNameMixin,
    ProxyStorageModelBase,
    UploaderMixin,
)


class StoredFile(
    ContentObjectFieldMixin,
    OriginalStorageNameMixin,
    FileMetadataMixin,
    LinkVersionMixin,
    UploaderMixin,
    ProxyStorageModelBase,
):
    """The record of a file. `ProxyStorage` uses this model if it has no ``meta_backend``."""

    class Meta:
        verbose_name = _("stored file")
        verbose_name_plural = _("stored files")
