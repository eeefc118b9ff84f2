"""Conditions and orders of records as queries of Django's ORM."""

from __future__ import annotations

from typing import Any, TypeVar

from django.core.exceptions import EmptyResultSet, ValidationError
from django.db import connections, router
from django.db.models import (
    Case,
    CharField,
    F,
    Field,
    IntegerField,
    Model,
    Q,
    QuerySet,
    TextField,
    UUIDField,
    Value,
    When,
)
from django.db.models.expressions import OrderBy
from django.db.models.functions import Cast, Collate, Concat, Lower, Substr

from proxy_storage.db.collation import (
    MARIADB_COLLATION,
    MYSQL_COLLATION,
    POSTGRESQL_COLLATION,
    LiteralCharField,
)
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.queries import (
    ORDERED_LOOKUPS,
    Comparison,
    Condition,
    Order,
    QuerySetColumn,
    build,
    get_prefix_range,
)

_Model = TypeVar("_Model", bound=Model)

TEXT = (CharField, TextField)
# Types whose columns can be compared with each other in a subquery.
COMPARABLE = (IntegerField, UUIDField)
# The start and the length of the parts of a UUID between its dashes.
UUID_PARTS = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


class RowQuery:
    """A query for rows by condition and order.

    Args:
        rows: all rows of the table, in the database that the query uses.
    """

    def __init__(self, rows: QuerySet[_Model]) -> None:
        self.rows: QuerySet[Any] = rows
        self.connection: Any = connections[rows.db]
        self.fields = {field.attname: field for field in rows.model._meta.concrete_fields}
        self.literal_texts: dict[str, Any] = {}

    def get_rows(self, condition: Condition, order: Order | None = None) -> QuerySet[Any]:
        """Return the rows that fulfil a condition.

        Raises:
            ConfigurationError: a value does not have the type of its column.
        """
        wanted = build(
            condition, self._compare, lambda connector, parts: Q(*parts, _connector=connector)
        )
        names = [
            self._get_ordering(*item) for item in (order or {}).items() if item[0] in self.fields
        ]
        rows: QuerySet[Any] = self.rows.alias(**self.literal_texts)
        if isinstance(wanted, bool):
            rows = rows if wanted else rows.none()
        else:
            try:
                rows = rows.filter(wanted)
            except (ValidationError, ValueError, TypeError) as error:
                raise ConfigurationError(
                    f"A condition has a value that does not have the type of its column in "
                    f"{rows.model._meta.label}: {error}"
                ) from error
        return rows.order_by(*names)

    def _get_ordering(self, key: str, is_descending: bool) -> OrderBy:
        field = self.fields[key]
        column = F(self._get_name(key, get_target_field(field), is_ordered=True))
        # PostgreSQL sorts NULL last. Other databases use no index if the place of NULL is given.
        is_given = field.null and not self.connection.features.order_by_nulls_first
        if is_descending:
            return column.desc(nulls_last=is_given or None)
        return column.asc(nulls_first=is_given or None)

    def _compare(self, comparison: Comparison, is_true: bool) -> Q | bool:
        field = self.fields.get(comparison.key)
        if comparison.lookup == "isnull":
            if field is None or not field.null:
                return (field is None) is is_true
            return Q(**{f"{comparison.key}__isnull": is_true})
        found = False if field is None else self._find(comparison, get_target_field(field))
        if isinstance(found, bool):
            return found is is_true
        # A comparison with NULL is neither true nor false in SQL.
        return found if is_true else Q(Case(When(found, then=Value(False)), default=Value(True)))

    def _find(self, comparison: Comparison, column: Field[Any, Any]) -> Q | bool:
        key, lookup, value = comparison.key, comparison.lookup, comparison.value
        if lookup == "startswith":
            return isinstance(column, TEXT) and self._find_prefix(key, column, value)
        if lookup == "icontains":
            return isinstance(column, TEXT) and self._find_part(key, value)
        if lookup in ORDERED_LOOKUPS:
            return Q(**{f"{self._get_name(key, column, is_ordered=True)}__{lookup}": value})
        name = self._get_name(key, column)
        if isinstance(value, QuerySetColumn):
            subquery = get_subquery(value, column, self.connection.alias)
            if subquery is not None:
                # Django 6.1 writes the negation of an empty queryset as CAST(... AS bool), which
                # MariaDB rejects.
                is_empty = _is_surely_empty(subquery, self.connection.alias)
                return not is_empty and Q(**{f"{name}__in": subquery})
        values = comparison.values
        return bool(values) and Q(**{f"{name}__in": values})

    def _find_prefix(self, key: str, column: Field[Any, Any], prefix: str) -> Q:
        if self.connection.vendor == "postgresql":
            # PostgreSQL has an index for LIKE.
            return Q(**{f"{key}__startswith": prefix})
        # LIKE ignores case in SQLite, and uses no index in MySQL where it does not.
        name = self._get_name(key, column, is_ordered=True)
        first, following = get_prefix_range(prefix)
        found = Q(**{f"{name}__gte": first})
        return found if following is None else found & Q(**{f"{name}__lt": following})

    def _find_part(self, key: str, part: str) -> Q:
        collation = get_literal_collation(self.connection)
        if collation is None:
            return Q(**{f"{key}__icontains": part})
        # Columns with literal text distinguish case, also in LIKE.
        name = f"{key}_in_lower_case"
        self.literal_texts[name] = Lower(Collate(key, collation))
        return Q(**{f"{name}__contains": part.lower()})

    def _get_name(self, key: str, column: Field[Any, Any], is_ordered: bool = False) -> str:
        """Return the name of a column, or of an alias that compares its text by code points."""
        collation = None
        if not isinstance(column, TEXT):
            return key
        if self.connection.vendor == "postgresql":
            # Two texts are equal only if they are the same in every collation.
            collation = POSTGRESQL_COLLATION if is_ordered else None
        elif not isinstance(column, LiteralCharField):
            collation = get_literal_collation(self.connection)
        if collation is None:
            return key
        name = f"{key}_by_code_points"
        self.literal_texts[name] = Collate(key, collation)
        return name


def get_queryset_database(queryset: QuerySet[Any, Any]) -> str:
    """Return the alias of the database of a queryset, which is never a replica.

    A replica may lag behind, so it is used only if ``using()`` names it.
    """
    return getattr(queryset, "_db", None) or router.db_for_write(queryset.model)


def get_subquery(
    value: QuerySetColumn, field: Field[Any, Any], alias: str
) -> QuerySet[Any, Any] | None:
    """Return a queryset as a subquery whose values can be compared with a column of records.

    Args:
        value: the queryset.
        field: the field of the column.
        alias: the database of the records.

    Returns:
        ``None`` if the queryset has to be read first: it is in another database, its values are
        computed in Python, or it is sliced, which MySQL does not support in subqueries.
    """
    queryset, name, query = value.queryset, value.name, value.queryset.query
    column: Any = queryset.model._meta.pk
    if query.has_select_fields:
        column = getattr(query.select[0], "target", None) if query.select else None
    if (
        column is None
        or query.is_sliced
        or query.combinator
        or get_queryset_database(queryset) != alias
    ):
        return None
    column = get_target_field(column)
    if hasattr(column, "from_db_value"):
        return None
    if not isinstance(field, TEXT):
        is_alike = any(isinstance(column, kind) and isinstance(field, kind) for kind in COMPARABLE)
        return queryset.values_list(name, flat=True) if is_alike else None
    text = _get_text(name, column, alias)
    if text is None:
        return None
    collation = get_literal_collation(connections[alias])
    # MariaDB would run the subquery for each record if its text had another collation.
    text = text if collation is None else Collate(text, collation)
    return queryset.values_list(text, flat=True)


def _is_surely_empty(queryset: QuerySet[Any, Any], alias: str) -> bool:
    """Return whether a queryset is empty for any content of the database, such as ``none()``."""
    try:
        queryset.query.get_compiler(alias).as_sql()
    except EmptyResultSet:
        return True
    return False


def get_target_field(field: Any) -> Field[Any, Any]:
    """Return the field whose values a column has: for a foreign key, the referenced field."""
    while field.remote_field is not None:
        field = field.target_field
    return field  # type: ignore[no-any-return]  # Only relations have a target_field.


def _get_text(name: str, column: Field[Any, Any], alias: str) -> Any:
    """Return an expression for the text of a primary key, or ``None`` if there is none."""
    if isinstance(column, TEXT):
        return F(name)
    if isinstance(column, IntegerField):
        return Cast(name, LiteralCharField(max_length=255))
    if not isinstance(column, UUIDField):
        return None
    text = Cast(name, LiteralCharField(max_length=36))
    if connections[alias].features.has_native_uuid_field:
        return text
    # Databases without a type for UUIDs store them without dashes.
    parts = [Substr(text, start, length) for start, length in UUID_PARTS]
    return Concat(*[part for one in parts for part in (Value("-"), one)][1:])


def get_literal_collation(connection: Any) -> str | None:
    """Return the collation that compares text by code points, if the database needs one."""
    if connection.vendor != "mysql":
        return None
    return MARIADB_COLLATION if connection.mysql_is_mariadb else MYSQL_COLLATION
