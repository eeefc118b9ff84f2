"""The fields of a table of records: abstract models to mix together."""

from __future__ import annotations

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.utils.translation import gettext_lazy as _

from proxy_storage.db.columns import LiteralCharField

# the longest that fits into one unique index on PostgreSQL, MySQL and SQLite alike,
# four bytes a character
PATH_MAX_LENGTH = 500


class ProxyStorageModelBase(models.Model):
    """Base of the model that holds records; mix in the others for what you need."""

    path = LiteralCharField(_("path"), max_length=PATH_MAX_LENGTH, unique=True)
    proxy_storage_name = LiteralCharField(_("proxy storage"), max_length=255)
    original_storage_path = LiteralCharField(
        _("path in the original storage"), max_length=PATH_MAX_LENGTH
    )

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.path)


class ContentObjectFieldMixin(models.Model):
    """Fields for the owner of a file: which instance of which model, and which field."""

    content_type = models.ForeignKey(
        ContentType,
        # Records of a removed model stay as they are and have no owner any more. Nor can
        # anything be done about them where they live in another database.
        on_delete=models.DO_NOTHING,
        null=True,
        blank=True,
        db_constraint=False,
        related_name="+",
        verbose_name=_("owner's model"),
    )
    # text holds keys of every type; they come back in their own. A file without owner has
    # NULL: an empty text could be a key
    object_id = LiteralCharField(
        _("owner's key"), max_length=255, null=True, blank=True, db_index=True
    )
    field = LiteralCharField(_("owner's field"), max_length=255, null=True, blank=True)
    content_object = GenericForeignKey("content_type", "object_id")

    class Meta:
        abstract = True


class OriginalStorageNameMixin(models.Model):
    """Field for the name of the original storage, where a proxy storage has several."""

    original_storage_name = LiteralCharField(_("original storage"), max_length=255)

    class Meta:
        abstract = True


class FileFactsMixin(models.Model):
    """Fields for what `FileFactsProxyStorageMixin` records of a file.

    They may be empty, for records from before it was used.
    """

    size = models.BigIntegerField(_("size in bytes"), null=True, blank=True)
    mime_type = models.CharField(_("content type"), max_length=255, blank=True, default="")
    checksum = models.CharField(_("SHA-256"), max_length=64, blank=True, default="")
    created_at = models.DateTimeField(_("saved at"), null=True, blank=True)

    class Meta:
        abstract = True


class LinkVersionMixin(models.Model):
    """Field that revokes the signed links to a file: it changes, and they are good no more."""

    link_version = models.CharField(
        _("version of its links"), max_length=32, blank=True, default="", editable=False
    )

    class Meta:
        abstract = True
