"""Records in a database table, by Django's ORM."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from django.apps import apps
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import FieldDoesNotExist
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    models,
    router,
    transaction,
)
from django.utils.translation import gettext_lazy as _

from proxy_storage.exceptions import (
    ConfigurationError,
    MetaBackendError,
    MetaBackendObjectAlreadyExists,
    MetaBackendUnavailable,
)
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject

# the longest that fits into one unique index on PostgreSQL, MySQL and SQLite alike,
# four bytes a character
PATH_MAX_LENGTH = 500


class ProxyStorageModelBase(models.Model):
    """Base of the model that holds records; mix in the others for what you need."""

    path = models.CharField(_("path"), max_length=PATH_MAX_LENGTH, unique=True)
    proxy_storage_name = models.CharField(_("proxy storage"), max_length=255)
    original_storage_path = models.CharField(
        _("path in the original storage"), max_length=PATH_MAX_LENGTH
    )

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.path


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
    object_id = models.CharField(  # noqa: DJ001
        _("owner's key"), max_length=255, null=True, blank=True, db_index=True
    )
    field = models.CharField(  # noqa: DJ001
        _("owner's field"), max_length=255, null=True, blank=True
    )
    content_object = GenericForeignKey("content_type", "object_id")

    class Meta:
        abstract = True


class OriginalStorageNameMixin(models.Model):
    """Field for the name of the original storage, where a proxy storage has several."""

    original_storage_name = models.CharField(_("original storage"), max_length=255)

    class Meta:
        abstract = True


class ORMMetaBackend(MetaBackendBase):
    """Records in the table of a model.

    Args:
        model: a concrete subclass of `ProxyStorageModelBase`, or its label such as
            ``"library.StoredFile"``, which is looked up on first use: then the models of
            an app may use storages that use the models of the app. Which database it
            lives in is for the project's database routers to say. Records are read where
            they are written: a replica that lags behind could not be trusted to say who
            owns a file, or whether bytes have a record.
    """

    def __init__(self, model: type[ProxyStorageModelBase] | str) -> None:
        self._label = model.lower() if isinstance(model, str) else model._meta.label_lower

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ORMMetaBackend) and other._label == self._label

    def __hash__(self) -> int:
        return hash(self._label)

    @property
    def model(self) -> type[ProxyStorageModelBase]:
        """The model class.

        Raises:
            ConfigurationError: no such model is installed, or it holds no records.
        """
        try:
            model = apps.get_model(self._label)
        except (LookupError, ValueError) as error:
            raise ConfigurationError(f"ORMMetaBackend(model={self._label!r}): {error}") from error
        if not issubclass(model, ProxyStorageModelBase):
            raise ConfigurationError(f"{self._label} is no subclass of ProxyStorageModelBase.")
        return model

    def get_identity(self, record: MetaBackendObject) -> dict[str, Any]:
        """Return the primary key."""
        key = self.model._meta.pk.attname
        return {key: record[key]}

    def get_transaction_alias(self) -> str:
        """Return the database that records are in."""
        return router.db_for_write(self.model)

    def check_keys(self, keys: Iterable[str]) -> None:
        """Make sure that the model has these fields."""
        for key in keys:
            try:
                self.model._meta.get_field(key)
            except FieldDoesNotExist as error:
                raise ConfigurationError(
                    f"{self.model._meta.label} has no field {key!r}. Mix "
                    "ContentObjectFieldMixin (content_type, object_id, field) or "
                    "OriginalStorageNameMixin (original_storage_name) into the model, "
                    "or add the field, and make a migration."
                ) from error

    @property
    def _rows(self) -> models.QuerySet[ProxyStorageModelBase]:
        return self.model._base_manager.using(self.get_transaction_alias())

    def _create(self, data: dict[str, Any]) -> dict[str, Any]:
        self.check_keys(data)
        try:
            with self._mapped_errors(data["path"]), self._savepoint():
                row = self._rows.create(**data)
        except IntegrityError as error:
            raise self._refused(data["path"], error) from error
        return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}

    def _get(self, path: str) -> dict[str, Any] | None:
        with self._mapped_errors(path):
            rows = list(self._rows.filter(path=path).values())
        # a database may compare without case or trailing spaces; a path is literal
        return next((row for row in rows if row["path"] == path), None)

    def _exists(self, path: str) -> bool:
        with self._mapped_errors(path):
            return self._rows.filter(path=path).exists()

    def _update(self, criteria: dict[str, Any], update_data: dict[str, Any]) -> bool:
        self.check_keys(update_data)
        # only a new path can be taken
        savepoint = self._savepoint() if "path" in update_data else nullcontext()
        try:
            with self._mapped_errors(criteria["path"]), savepoint:
                return bool(self._rows.filter(**criteria).update(**update_data))
        except IntegrityError as error:
            raise self._refused(update_data.get("path", criteria["path"]), error) from error

    def _delete(self, criteria: dict[str, Any]) -> bool:
        with self._mapped_errors(criteria["path"]):
            return bool(self._rows.filter(**criteria).delete()[0])

    def _refused(self, path: str, error: IntegrityError) -> MetaBackendError:
        """Tell a taken path from any other constraint that the database stands by."""
        if self._exists(path):
            return MetaBackendObjectAlreadyExists(f"A record has the path {path!r}.", path=path)
        return MetaBackendError(f"The record of {path!r} was refused: {error}", path=path)

    def _savepoint(self) -> Any:
        """Keep an open transaction usable when the statement inside fails."""
        alias = self.get_transaction_alias()
        if transaction.get_connection(alias).in_atomic_block:
            return transaction.atomic(using=alias)
        return nullcontext()

    @contextmanager
    def _mapped_errors(self, path: str) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except (OperationalError, InterfaceError) as error:
            raise MetaBackendUnavailable(
                f"The database of {self.model._meta.label} did not answer: {error}", path=path
            ) from error
        except (DatabaseError, ValueError) as error:
            raise MetaBackendError(
                f"The record of {path!r} was refused: {error}", path=path
            ) from error
