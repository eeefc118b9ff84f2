"""Models of an app that tests install, with migrations that they write."""

from django.db import models

from proxy_storage.db.fields import ProxyStorageFileField
from proxy_storage.meta_backends.orm import (
    ContentObjectFieldMixin,
    FileMetadataMixin,
    LinkVersionMixin,
    OriginalStorageNameMixin,
    ProxyStorageModelBase,
)
from tests.archive.storages import ArchiveStorage


class StoredFile(
    ContentObjectFieldMixin,
    OriginalStorageNameMixin,
    FileMetadataMixin,
    LinkVersionMixin,
    ProxyStorageModelBase,
):
    """Records with all that they can have."""


class Letter(models.Model):
    title = models.CharField(max_length=20)
    scan = ProxyStorageFileField(storage=ArchiveStorage(), blank=True)
    plain = models.FileField(storage=ArchiveStorage(), blank=True, max_length=255)
