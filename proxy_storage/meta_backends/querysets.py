"""Querysets as values of conditions: their one column, read or left to the database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections, router
from django.db.models import (
    CharField,
    F,
    Field,
    IntegerField,
    QuerySet,
    TextField,
    UUIDField,
    Value,
)
from django.db.models.functions import Cast, Collate, Concat, Substr

from proxy_storage.db.collation import MARIADB_COLLATION, MYSQL_COLLATION, LiteralCharField
from proxy_storage.exceptions import ConfigurationError

TEXT = (CharField, TextField)
OTHERS = (IntegerField, UUIDField)
# where the dashes of a UUID are, as start and length of what is between them
UUID_PARTS = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


def get_column_name(queryset: QuerySet[Any, Any]) -> str:
    """Return the name of the one column that a queryset gives out: the key, unless it says.

    Raises:
        ConfigurationError: it gives out several.
    """
    query = queryset.query
    names = ["pk"]
    if query.has_select_fields:
        names = [*query.extra_select, *query.values_select, *query.annotation_select]
    if len(names) != 1:
        raise ConfigurationError(
            f"A queryset in a condition must have one column, not {', '.join(names)}: "
            "name it with values()."
        )
    return names[0]


def read_column(queryset: QuerySet[Any, Any]) -> Iterable[Any]:
    """Read the one column of a queryset; one query, each time."""
    return queryset.values_list(get_column_name(queryset), flat=True).iterator()


class ReadOnce:
    """A queryset in a condition whose column is read when it is first asked for, and then known.

    Args:
        queryset: one of one column.
    """

    def __init__(self, queryset: QuerySet[Any, Any]) -> None:
        self.queryset = queryset
        self._column: tuple[Any, ...] | None = None

    def read_column(self) -> tuple[Any, ...]:
        """Return the one column."""
        if self._column is None:
            self._column = tuple(read_column(self.queryset))
        return self._column


def get_database(queryset: QuerySet[Any, Any]) -> str:
    """Return the alias of the database of a queryset.

    It is the one of ``using()``, otherwise never a replica, which may lag behind.
    """
    return getattr(queryset, "_db", None) or router.db_for_write(queryset.model)


def get_subquery(
    queryset: QuerySet[Any, Any], field: Field[Any, Any], alias: str
) -> QuerySet[Any, Any] | None:
    """Return a queryset as a subquery whose values compare with those of a column.

    Args:
        queryset: one of one column.
        field: the column of the records.
        alias: the database that the records are in.

    Returns:
        ``None`` where it has to be read beforehand: it is in another database, has values that
        are made when they are read, or takes a part of its rows, for which MySQL has no
        subquery.
    """
    query = queryset.query
    column = _get_column(queryset)
    if get_database(queryset) != alias or query.is_sliced or query.combinator or column is None:
        return None
    name = get_column_name(queryset)
    if not isinstance(field, TEXT):
        is_alike = any(isinstance(column, kind) and isinstance(field, kind) for kind in OTHERS)
        return queryset.values_list(name, flat=True) if is_alike else None
    text = _get_text(name, column, alias)
    if text is None:
        return None
    collation = get_literal_collation(connections[alias])
    # text of another collation than the records' would be looked for once for each of them
    text = text if collation is None else Collate(text, collation)
    return queryset.values_list(text, flat=True)


def is_surely_empty(queryset: QuerySet[Any, Any], alias: str) -> bool:
    """Tell whether a queryset finds nothing whatever is in the database, without asking it."""
    try:
        queryset.query.get_compiler(alias).as_sql()
    except EmptyResultSet:
        return True
    return False


def _get_column(queryset: QuerySet[Any, Any]) -> Field[Any, Any] | None:
    """Return the column as the database has it, unless it is computed."""
    query = queryset.query
    column: Any = queryset.model._meta.pk
    if query.has_select_fields:
        column = getattr(query.select[0], "target", None) if query.select else None
    while column is not None and column.remote_field is not None:
        column = column.target_field
    return None if hasattr(column, "from_db_value") else column


def _get_text(name: str, column: Field[Any, Any], alias: str) -> Any:
    """Return what makes a key the text that records have it in, where a database can do so."""
    if isinstance(column, TEXT):
        return F(name)
    if isinstance(column, IntegerField):
        return Cast(name, LiteralCharField(max_length=255))
    if not isinstance(column, UUIDField):
        return None
    text = Cast(name, LiteralCharField(max_length=36))
    if connections[alias].features.has_native_uuid_field:
        return text
    parts = [Substr(text, start, length) for start, length in UUID_PARTS]
    return Concat(*[part for one in parts for part in (Value("-"), one)][1:])


def get_literal_collation(connection: Any) -> str | None:
    """Return the collation that tells all texts apart, where that has to be said."""
    if connection.vendor != "mysql":
        return None
    return MARIADB_COLLATION if connection.mysql_is_mariadb else MYSQL_COLLATION
