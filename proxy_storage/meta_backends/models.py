"""Abstract models with the fields of records."""

from __future__ import annotations

import posixpath

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.utils.translation import gettext_lazy as _

from proxy_storage import registry
from proxy_storage.db.collation import LiteralCharField
from proxy_storage.paths import MAX_NAME_LENGTH, MAX_PATH_LENGTH


class ProxyStorageModelBase(models.Model):
    """Base class of the model of records. Add the mixins that the project needs.

    A column that was added to a mixin after its first release can be ``NULL`` or has a default in
    the database: during a deployment, processes of the previous version insert rows without it.
    """

    path = LiteralCharField(_("path"), max_length=MAX_PATH_LENGTH, unique=True)
    proxy_storage_name = LiteralCharField(_("proxy storage"), max_length=255)
    original_storage_path = LiteralCharField(
        _("path in the original storage"), max_length=MAX_PATH_LENGTH
    )

    class Meta:
        abstract = True

    def __str__(self) -> str:
        """Return the path without the folders of the server, since pages show this text."""
        return self.get_display_path()

    def get_display_path(self) -> str:
        """Return the path without the folders of the server, for pages and messages.

        Of an absolute path this is the last part if the proxy storage is not in the settings.
        """
        record = {"path": self.path, "original_storage_path": self.original_storage_path}
        try:
            return registry.get_proxy_storage(self.proxy_storage_name).get_display_path(record)
        except ImproperlyConfigured:
            path = str(self.path)
            return posixpath.basename(path) if path.startswith("/") else path


class ContentObjectFieldMixin(models.Model):
    """Fields for the content object of a file: the instance, its model and the file field."""

    content_type = models.ForeignKey(
        ContentType,
        # Records of a removed model stay, without a content object. They may be in another
        # database, so the database cannot update them.
        on_delete=models.DO_NOTHING,
        null=True,
        blank=True,
        db_constraint=False,
        related_name="+",
        verbose_name=_("model of the content object"),
    )
    # Text stores keys of every type, which records have again when they are read. NULL stands for
    # a file without a content object, since a key can be empty text.
    object_id = LiteralCharField(
        _("key of the content object"), max_length=255, null=True, blank=True, db_index=True
    )
    field = LiteralCharField(
        _("field of the content object"), max_length=255, null=True, blank=True
    )
    # NULL stands for the default database, also in records that are older than this column.
    content_object_scope = LiteralCharField(
        _("scope of the content object's key"), max_length=255, null=True, blank=True
    )
    content_object = GenericForeignKey("content_type", "object_id")

    class Meta:
        abstract = True


class OriginalStorageNameMixin(models.Model):
    """Field for the name of the original storage if a proxy storage has several.

    Empty text stands for the first original storage.
    """

    original_storage_name = LiteralCharField(
        _("original storage"), max_length=255, blank=True, default="", db_default=""
    )

    class Meta:
        abstract = True


class FileMetadataMixin(models.Model):
    """Fields for the values that `FileMetadataProxyStorageMixin` records.

    They may be empty, since older records do not have them.
    """

    size = models.BigIntegerField(_("size in bytes"), null=True, blank=True)
    mime_type = models.CharField(
        _("MIME type"), max_length=255, blank=True, default="", db_default=""
    )
    checksum = models.CharField(_("SHA-256"), max_length=64, blank=True, default="", db_default="")
    created_at = models.DateTimeField(_("saved at"), null=True, blank=True)
    # The name of the uploaded file, which is the name in downloads.
    name = LiteralCharField(
        _("name"), max_length=MAX_NAME_LENGTH, blank=True, default="", db_default=""
    )
    # "utf-8" if the bytes are text in UTF-8, otherwise empty.
    charset = models.CharField(
        _("charset"), max_length=20, blank=True, default="", db_default="", editable=False
    )
    # The former content object of a released file, and the time of the release.
    released_at = models.DateTimeField(_("released at"), null=True, blank=True, db_index=True)
    former_content_type = models.ForeignKey(
        ContentType,
        on_delete=models.DO_NOTHING,
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("model of the former content object"),
    )
    former_object_id = LiteralCharField(
        _("key of the former content object"), max_length=255, null=True, blank=True
    )
    former_field = LiteralCharField(
        _("field of the former content object"), max_length=255, null=True, blank=True
    )
    former_content_object_scope = LiteralCharField(
        _("scope of the former content object's key"), max_length=255, null=True, blank=True
    )

    class Meta:
        abstract = True


class LinkVersionMixin(models.Model):
    """Field that changes to revoke the signed links to a file."""

    link_version = models.CharField(
        _("version of the signed links"),
        max_length=32,
        blank=True,
        default="",
        db_default="",
        editable=False,
    )

    class Meta:
        abstract = True


class UploaderMixin(models.Model):
    """Fields for the user who uploaded a file through the endpoint.

    The key of the user is text, as that of a content object. Users of several databases or tenants
    can have the same key, which the scope distinguishes.
    """

    uploader_id = LiteralCharField(
        _("key of the uploader"), max_length=255, null=True, blank=True, db_index=True
    )
    uploader_scope = LiteralCharField(
        _("scope of the uploader's key"), max_length=255, null=True, blank=True
    )

    class Meta:
        abstract = True


#: the former name of `FileMetadataMixin`
FileFactsMixin = FileMetadataMixin
