"""Records in a database table, stored with Django's ORM."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property, lru_cache
from typing import Any

from django.apps import apps
from django.core import checks
from django.core.exceptions import ValidationError
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
from django.db.models import Case, CompositePrimaryKey, F, Model, Q, QuerySet, Value, When
from django.db.models.deletion import Collector

from proxy_storage import registry
from proxy_storage.content_objects import get_tenant
from proxy_storage.db import (
    cascades,  # noqa: F401  (The import connects its receivers.)
    historical,
)
from proxy_storage.exceptions import (
    ConfigurationError,
    MetaBackendError,
    MetaBackendObjectAlreadyExists,
    MetaBackendSchemaError,
    MetaBackendUnavailable,
)
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.meta_backends.models import (
    ContentObjectFieldMixin,
    FileMetadataMixin,
    LinkVersionMixin,
    OriginalStorageNameMixin,
    ProxyStorageModelBase,
    UploaderMixin,
)
from proxy_storage.meta_backends.orm_query import RowQuery
from proxy_storage.meta_backends.orm_schema import find_schema_problems
from proxy_storage.meta_backends.queries import Condition, Order
from proxy_storage.transactions import savepoint

__all__ = [
    "ContentObjectFieldMixin",
    "FileMetadataMixin",
    "LinkVersionMixin",
    "ORMMetaBackend",
    "OriginalStorageNameMixin",
    "ProxyStorageModelBase",
    "UploaderMixin",
]

SCHEMA_ERRORS = (
    # PostgreSQL: undefined_column, undefined_table and invalid_schema_name
    *("42703", "42P01", "3F000"),
    # MariaDB and MySQL: ER_BAD_FIELD_ERROR and ER_NO_SUCH_TABLE
    *(1054, 1146),
)
# SQLite has one error code for all errors in a statement.
SQLITE_SCHEMA_ERROR = re.compile(r"no such (table|column): |table \S+ has no column named ")
# The label of the app proxy_storage.records, and a dot.
READY_APP_LABEL = "proxy_storage_records."


def is_schema_error(error: BaseException) -> bool:
    """Return whether a statement failed because a table or a column does not exist.

    Args:
        error: Django's error. Its cause is the error of the driver.

    Source: https://www.postgresql.org/docs/current/errcodes-appendix.html,
    https://mariadb.com/docs/server/reference/error-codes/mariadb-error-code-reference,
    https://www.sqlite.org/rescode.html#error
    """
    # The attribute with the code is sqlstate in psycopg and pgcode in psycopg2.
    states = [getattr(error.__cause__, name, None) for name in ("sqlstate", "pgcode")]
    is_known = any(code in SCHEMA_ERRORS for code in (*states, *error.args[:1]))
    return is_known or SQLITE_SCHEMA_ERROR.match(str(error)) is not None


class ORMMetaBackend(MetaBackendBase):
    """Records in the table of a model.

    Args:
        model: a concrete subclass of `ProxyStorageModelBase`, or its label such as
            ``"library.StoredFile"``. The label is looked up on first use, so that models of an
            app can have file fields whose records are in the same app.

    The database routers of the project choose the database. Records are read from the database
    to which they are written, never from a replica: a replica that lags behind has wrong content
    objects.
    """

    def __init__(self, model: type[ProxyStorageModelBase] | str) -> None:
        self._label = model.lower() if isinstance(model, str) else model._meta.label_lower

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ORMMetaBackend) and other._label == self._label

    def __hash__(self) -> int:
        return hash(self._label)

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        """Return the path of the class and the arguments, for migrations.

        The model becomes its label, because migrations cannot import models.
        """
        path, args, kwargs = super().deconstruct()
        return (
            path,
            tuple(map(self._get_label_of_model, args)),
            {key: self._get_label_of_model(value) for key, value in kwargs.items()},
        )

    def _get_label_of_model(self, value: Any) -> Any:
        """Return the label if the value is the model of the records, else the value."""
        is_model = isinstance(value, type) and issubclass(value, Model)
        return value._meta.label if is_model and value._meta.label_lower == self._label else value

    @cached_property
    def model(self) -> type[ProxyStorageModelBase]:
        """The model class.

        Raises:
            ConfigurationError: the model is not installed, or is not a subclass of
                `ProxyStorageModelBase`.
        """
        try:
            model = apps.get_model(self._label)
        except (LookupError, ValueError) as error:
            hint = ""
            if self._label.startswith(READY_APP_LABEL):
                hint = " Add 'proxy_storage.records' to INSTALLED_APPS and run migrate."
            raise ConfigurationError(
                f"ORMMetaBackend(model={self._label!r}): {error}{hint}"
            ) from error
        if not issubclass(model, ProxyStorageModelBase):
            raise ConfigurationError(
                f"ORMMetaBackend(model={self._label!r}): the model must be a subclass of "
                "ProxyStorageModelBase."
            )
        return model

    @property
    def _table(self) -> type[ProxyStorageModelBase]:
        """The model that has the columns of the table at this moment."""
        if historical.has_historical_models:
            return historical.get_model_of_table(self.model)
        return self.model

    def get_identity(self, record: MetaBackendObject) -> dict[str, Any]:
        """Return the primary key."""
        key = self.model._meta.pk.attname
        return {key: record[key]}

    def get_records(self, rows: Iterable[ProxyStorageModelBase]) -> list[MetaBackendObject]:
        """Return the records of rows that were read with the model; no query."""
        names = [field.attname for field in self.model._meta.concrete_fields]
        return self._make_objects([{name: getattr(row, name) for name in names} for row in rows])

    def get_blank_values(self) -> dict[str, Any]:
        """Return the columns of the model, with their defaults."""
        return {field.attname: field.get_default() for field in self.model._meta.concrete_fields}

    def get_transaction_alias(self) -> str:
        """Return the alias of the database that has the records."""
        return router.db_for_write(self.model)

    def get_tenant(self) -> str:
        """Return the tenant whose table is currently used."""
        return get_tenant(self.model, self.get_transaction_alias())

    def check_keys(self, keys: Iterable[str]) -> None:
        """Check that the model has these fields.

        Raises:
            ConfigurationError: a field is missing.
        """
        missing = set(keys) - get_column_names(self.model)
        if missing:
            # A field that a later migration removes is accepted as well.
            missing -= get_column_names(self._table)
        for key in sorted(missing):
            raise ConfigurationError(
                f"{self.model._meta.label} has no field {key!r}. Add "
                "ContentObjectFieldMixin (content_type, object_id, field, content_object_scope), "
                "OriginalStorageNameMixin (original_storage_name) or FileMetadataMixin (size, "
                "mime_type, checksum, created_at, released_at) to the bases of the model, or add "
                "the field. Then make a migration."
            )

    def can_hold(self, *keys: str) -> bool:
        """Return whether the table has these columns."""
        return get_column_names(self._table).issuperset(keys)

    def check(self) -> list[checks.CheckMessage]:
        """Return messages about the primary key of the model and its database."""
        messages = super().check()
        label = self.model._meta.label
        if isinstance(self.model._meta.pk, CompositePrimaryKey):
            messages.append(
                checks.Error(
                    f"{label} has a composite primary key, but a record is identified by a "
                    "primary key with one column.",
                    hint="Use a primary key with one column, such as Django's default, and a "
                    "UniqueConstraint for the columns.",
                    obj=self.model,
                    id="proxy_storage.E008",
                )
            )
        alias = self.get_transaction_alias()
        if connections[alias].vendor == "mongodb":
            messages.append(
                checks.Error(
                    f"The records of {label} are in the database {alias!r}, which is MongoDB. "
                    "django-mongodb-backend ignores transaction.atomic(), so ORMMetaBackend "
                    "cannot delete a file and its record together there.",
                    hint="Use proxy_storage.meta_backends.mongo.MongoMetaBackend for records in "
                    "MongoDB, or a database router that keeps the model in another database.",
                    obj=self.model,
                    id="proxy_storage.E009",
                )
            )
        return messages

    def find_problems(self) -> list[tuple[str, str]]:
        """Return missing tables and columns, and migrations that have not been applied."""
        return find_schema_problems(self.model, self.get_transaction_alias())

    # Any, because the model may have more columns than the abstract one, also in `values()`.
    @property
    def _rows(self) -> QuerySet[Any]:
        alias = self.get_transaction_alias()
        return self._table._base_manager.using(alias)

    def _get_existing(
        self, rows: QuerySet[ProxyStorageModelBase], values: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the values for which the table of the rows has a column.

        In a data migration, columns that later migrations add do not exist.

        Raises:
            ConfigurationError: the model does not have a field for one of the keys.
        """
        missing = values.keys() - get_column_names(rows.model)
        if missing:
            self.check_keys(missing)
        existing = dict(values)
        for key in missing:
            del existing[key]
        return existing

    def _find(self, criteria: Mapping[str, Any]) -> QuerySet[Any]:
        """Return the rows with these values. A missing column counts as its default."""
        rows = self._rows
        existing = self._get_existing(rows, criteria)
        rows = rows.filter(**existing)
        for key in criteria.keys() - existing.keys():
            field: Any = self.model._meta.get_field(key)
            if criteria[key] not in (None, field.get_default()):
                return rows.none()
        return rows

    def get_after_error(self, path: str, error: BaseException) -> MetaBackendObject:
        """Return a record, with a new connection if the former one is broken."""
        # Closing the connection would end an open transaction.
        if not (self._connection.in_atomic_block or self._is_answering()):
            self._connection.close()
        return self.get(path)

    def _create(self, data: dict[str, Any]) -> dict[str, Any]:
        try:
            row = self._insert(data)
        except MetaBackendObjectAlreadyExists:
            raise
        except MetaBackendError as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise
            # The record with this path may have been deleted before `_refused` looked for it.
            row = self._insert(data)
        return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}

    def _insert(self, data: dict[str, Any]) -> ProxyStorageModelBase:
        rows: QuerySet[ProxyStorageModelBase] = self._rows
        existing = self._get_existing(rows, data)
        if len(existing) < len(data):
            self._check_original_storage(data, existing)
        try:
            with self._mapped_errors(data["path"]), savepoint(rows.db):
                return rows.create(**existing)
        except IntegrityError as error:
            raise self._refused(data["path"], error) from error
        except MetaBackendError as error:
            # A database that still answers has refused the record. If the connection is broken, the
            # open transaction is rolled back.
            error.nothing_written = self._connection.in_atomic_block or self._is_answering()
            raise

    def _check_original_storage(self, data: dict[str, Any], existing: dict[str, Any]) -> None:
        """Check that a record without the missing columns still has its original storage."""
        key = "original_storage_name"
        if key not in data or key in existing:
            return
        storage = registry.get_proxy_storage(data["proxy_storage_name"])
        if storage.get_original_storage_name(MetaBackendObject(existing)) != data[key]:
            raise MetaBackendSchemaError(
                f"The record of {data['path']!r} cannot name the original storage {data[key]!r}: "
                f"the column {key!r} does not exist yet. Let the data migration depend on the "
                f"migration that adds it to {self.model._meta.label}.",
                path=data["path"],
                nothing_written=True,
            )

    def _get(self, path: str) -> dict[str, Any] | None:
        with self._mapped_errors(path):
            rows = list(self._rows.filter(path=path).values())
        # Some databases ignore case or trailing spaces in comparisons.
        return next((row for row in rows if row["path"] == path), None)

    def _exists(self, path: str) -> bool:
        with self._mapped_errors(path):
            return self._rows.filter(path=path).exists()

    def _filter(self, criteria: dict[str, Any], path_prefix: str) -> Iterator[dict[str, Any]]:
        with self._mapped_errors(path_prefix):
            rows = self._find(criteria).order_by("path")
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
        # Only a new path can conflict with another record.
        is_moved = "path" in update_data
        protection = savepoint(self.get_transaction_alias()) if is_moved else nullcontext()
        try:
            with self._mapped_errors(criteria["path"]), protection:
                rows = self._find(criteria)
                values = self._get_existing(rows, update_data)
                return bool(rows.update(**values) if values else rows.exists())
        except IntegrityError as error:
            raise self._refused(update_data.get("path", criteria["path"]), error) from error

    def _delete(self, criteria: dict[str, Any]) -> bool:
        alias = self.get_transaction_alias()
        with (
            self._mapped_errors(criteria["path"]),
            transaction.atomic(using=alias, savepoint=False),
        ):
            rows = self._find(criteria)
            # If a row has relations, or its model has receivers of signals, Django reads the row
            # and deletes it by its primary key. The other values could change in between. An
            # update locks the row in every database.
            can_change = criteria.keys() - {"path", self.model._meta.pk.attname}
            if (
                can_change
                and not Collector(using=str(alias)).can_fast_delete(rows)
                and not rows.update(proxy_storage_name=F("proxy_storage_name"))
            ):
                return False
            return bool(rows.delete()[0])

    def _set_content_object(
        self,
        content_object_data: dict[str, Any],
        path: str | None,
        released: Collection[str] | None,
    ) -> bool:
        rows = self._rows
        content_object_data = self._get_existing(rows, content_object_data)
        assigned, lost = self.get_content_object_values(content_object_data)
        former = Q(**content_object_data)
        former &= ~Q(path=path) if released is None else Q(path__in=released)
        new = Q(path=path, content_type_id=None)
        if path is None:
            condition, values = former, lost
        elif released is not None and not released:
            condition, values = new, assigned
        else:
            condition, values = new | former, _choose(path, assigned, lost)
        with self._mapped_errors(path or ""):
            return bool(rows.filter(condition).update(**values))

    def _refused(self, path: str, error: IntegrityError) -> MetaBackendError:
        """Return the error for a path that is taken, or for another constraint."""
        with self._mapped_errors(path):
            is_taken = self._rows.filter(path=path).exists()
        if is_taken:
            return MetaBackendObjectAlreadyExists(f"A record has the path {path!r}.", path=path)
        return MetaBackendError(
            f"The record of {path!r} was refused: {error}", path=path, nothing_written=True
        )

    @property
    def _connection(self) -> BaseDatabaseWrapper:
        return connections[self.get_transaction_alias()]

    def _is_answering(self) -> bool:
        """Return whether the connection is closed or works."""
        connection = self._connection
        return connection.connection is None or bool(connection.is_usable())

    @contextmanager
    def _mapped_errors(self, path: str) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except (DatabaseError, InterfaceError, ValidationError, ValueError, TypeError) as error:
            raise self._get_error(path, error) from error

    def _get_error(self, path: str, error: Exception) -> MetaBackendError:
        label, alias = self.model._meta.label, self.get_transaction_alias()
        if is_schema_error(error):
            reason = str(error).partition("\n")[0]
            return MetaBackendSchemaError(
                f"A table or a column that {label} needs does not exist in the database "
                f"{alias!r}: {reason}. Run manage.py migrate. A data "
                f"migration must depend on the migration that creates the table of {label}.",
                path=path,
                nothing_written=True,
            )
        if isinstance(error, OperationalError | InterfaceError):
            message = (
                f"The database {alias!r} of {label} did not answer: {error}. Check that it runs, "
                "and that DATABASES has its address."
            )
            return MetaBackendUnavailable(message, path=path)
        return MetaBackendError(f"The record of {path!r} was refused: {error}", path=path)


@lru_cache(maxsize=32)
def get_column_names(model: type[Model]) -> frozenset[str]:
    """Return the names of the fields of a model that have a column, and of their values."""
    fields = model._meta.concrete_fields
    return frozenset(name for field in fields for name in (field.name, field.attname))


def _choose(path: str, assigned: dict[str, Any], lost: dict[str, Any]) -> dict[str, Any]:
    """Return expressions for the assigned values of a path, and the lost values of other rows.

    Of each key at most one value is not ``None``.
    """
    values: dict[str, Any] = {}
    for key, value in assigned.items():
        other = lost[key]
        if value == other:
            values[key] = value
        # PostgreSQL needs a type, which Value(None) does not have. CASE without a match is NULL.
        elif value is None:
            values[key] = Case(When(~Q(path=path), then=Value(other)))
        else:
            values[key] = Case(When(path=path, then=Value(value)))
    return values
