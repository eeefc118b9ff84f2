"""Records in a database table, by Django's ORM."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connections,
    router,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Case, Q, QuerySet, Value, When

from proxy_storage.exceptions import (
    ConfigurationError,
    MetaBackendError,
    MetaBackendObjectAlreadyExists,
    MetaBackendUnavailable,
)
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.meta_backends.conditions import Condition
from proxy_storage.meta_backends.models import (
    ContentObjectFieldMixin,
    FileFactsMixin,
    LinkVersionMixin,
    OriginalStorageNameMixin,
    ProxyStorageModelBase,
)
from proxy_storage.meta_backends.ordering import Order
from proxy_storage.meta_backends.orm_query import RowQuery

__all__ = [
    "ContentObjectFieldMixin",
    "FileFactsMixin",
    "LinkVersionMixin",
    "ORMMetaBackend",
    "OriginalStorageNameMixin",
    "ProxyStorageModelBase",
]


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
                    "ContentObjectFieldMixin (content_type, object_id, field), "
                    "OriginalStorageNameMixin (original_storage_name) or FileFactsMixin (size, "
                    "mime_type, checksum, created_at) into the model, or add the field, and "
                    "make a migration."
                ) from error

    @property
    def _rows(self) -> QuerySet[ProxyStorageModelBase]:
        return self.model._base_manager.using(self.get_transaction_alias())

    def get_after_error(self, path: str, error: BaseException) -> MetaBackendObject:
        """Return a record, over a new connection where the old one has broken."""
        # never inside of a transaction, which would go with its connection
        if not (self._connection.in_atomic_block or self._is_answering()):
            self._connection.close()
        return self.get(path)

    def _create(self, data: dict[str, Any]) -> dict[str, Any]:
        self.check_keys(data)
        try:
            row = self._insert(data)
        except MetaBackendObjectAlreadyExists:
            raise
        except MetaBackendError as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise
            # the record that had the path may have gone before it was looked for
            row = self._insert(data)
        return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}

    def _insert(self, data: dict[str, Any]) -> ProxyStorageModelBase:
        try:
            with self._mapped_errors(data["path"]), self._savepoint():
                return self._rows.create(**data)
        except IntegrityError as error:
            raise self._refused(data["path"], error) from error
        except MetaBackendError as error:
            # a database that still answers has refused; a transaction goes with its connection
            error.is_certain = self._connection.in_atomic_block or self._is_answering()
            raise

    def _get(self, path: str) -> dict[str, Any] | None:
        with self._mapped_errors(path):
            rows = list(self._rows.filter(path=path).values())
        # a database may compare without case or trailing spaces; a path is literal
        return next((row for row in rows if row["path"] == path), None)

    def _exists(self, path: str) -> bool:
        with self._mapped_errors(path):
            return self._rows.filter(path=path).exists()

    def _filter(self, criteria: dict[str, Any], path_prefix: str) -> Iterator[dict[str, Any]]:
        self.check_keys(criteria)
        with self._mapped_errors(path_prefix):
            rows = self._rows.filter(**criteria).order_by("path")
            if path_prefix:
                rows = rows.filter(path__startswith=path_prefix)
            yield from rows.values().iterator()

    def _select(
        self, condition: Condition, order: Order, start: int, stop: int | None
    ) -> list[dict[str, Any]]:
        with self._mapped_errors(""):
            return list(RowQuery(self._rows).get_rows(condition, order).values()[start:stop])

    def _count(self, condition: Condition) -> int:
        with self._mapped_errors(""):
            return RowQuery(self._rows).get_rows(condition).count()

    def _update(self, criteria: dict[str, Any], update_data: dict[str, Any]) -> bool:
        self.check_keys([*criteria, *update_data])
        # only a new path can be taken
        savepoint = self._savepoint() if "path" in update_data else nullcontext()
        try:
            with self._mapped_errors(criteria["path"]), savepoint:
                return bool(self._rows.filter(**criteria).update(**update_data))
        except IntegrityError as error:
            raise self._refused(update_data.get("path", criteria["path"]), error) from error

    def _delete(self, criteria: dict[str, Any]) -> bool:
        self.check_keys(criteria)
        with self._mapped_errors(criteria["path"]):
            return bool(self._rows.filter(**criteria).delete()[0])

    def _set_owner(
        self, owner: dict[str, Any], path: str | None, released: Collection[str] | None
    ) -> bool:
        self.check_keys(owner)
        new = Q(path=path, content_type_id=None)
        others = ~Q(path=path) if released is None else Q(path__in=released)
        nobody = dict.fromkeys(owner)
        if path is None:
            rows, values = Q(**owner) & others, nobody
        elif released is not None and not released:
            rows, values = new, owner
        else:
            rows = new | Q(**owner) & others
            values = {key: Case(When(path=path, then=Value(owner[key]))) for key in owner}
        with self._mapped_errors(path or ""):
            return bool(self._rows.filter(rows).update(**values))

    def _refused(self, path: str, error: IntegrityError) -> MetaBackendError:
        """Tell a taken path from any other constraint that the database stands by."""
        with self._mapped_errors(path):
            is_taken = self._rows.filter(path=path).exists()
        if is_taken:
            return MetaBackendObjectAlreadyExists(f"A record has the path {path!r}.", path=path)
        return MetaBackendError(
            f"The record of {path!r} was refused: {error}", path=path, is_certain=True
        )

    @property
    def _connection(self) -> BaseDatabaseWrapper:
        return connections[self.get_transaction_alias()]

    def _is_answering(self) -> bool:
        """Tell whether there is no connection that has broken."""
        connection = self._connection
        return connection.connection is None or bool(connection.is_usable())

    def _savepoint(self) -> Any:
        """Keep an open transaction usable when the statement inside fails."""
        connection = self._connection
        if connection.in_atomic_block:
            return transaction.atomic(using=connection.alias)
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
        except (DatabaseError, ValidationError, ValueError, TypeError) as error:
            raise MetaBackendError(
                f"The record of {path!r} was refused: {error}", path=path
            ) from error
