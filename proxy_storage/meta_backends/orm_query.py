"""Conditions and orders of records as queries of Django's ORM."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import connections
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
    Value,
    When,
)
from django.db.models.expressions import OrderBy
from django.db.models.functions import Collate, Lower

from proxy_storage.db.collation import POSTGRESQL_COLLATION, LiteralCharField
from proxy_storage.meta_backends.queries import (
    ORDERED_LOOKUPS,
    Comparison,
    Condition,
    Order,
    build,
    get_prefix_range,
    localize,
)
from proxy_storage.meta_backends.querysets import (
    get_literal_collation,
    get_subquery,
    is_surely_empty,
)

_Model = TypeVar("_Model", bound=Model)


class RowQuery:
    """Builds the query for rows by condition and order.

    Args:
        rows: all rows, of the database that is to be asked.
    """

    def __init__(self, rows: QuerySet[_Model]) -> None:
        self.rows: QuerySet[Any] = rows
        self.connection: Any = connections[rows.db]
        self.fields = {field.attname: field for field in rows.model._meta.concrete_fields}
        self.literal_texts: dict[str, Any] = {}

    def get_rows(self, condition: Condition, order: Order | None = None) -> QuerySet[Any]:
        """Return the rows that fulfil a condition, in an order if there is one."""
        wanted = build(condition, self._compare, _join)
        names = [self._get_ordering(*item) for item in (order or {}).items()]
        rows: QuerySet[Any] = self.rows.alias(**self.literal_texts)
        if isinstance(wanted, bool):
            rows = rows if wanted else rows.none()
        else:
            rows = rows.filter(wanted)
        return rows.order_by(*(name for name in names if name is not None))

    def _get_ordering(self, key: str, is_descending: bool) -> OrderBy | None:
        if key not in self.fields:
            return None
        column = F(self._get_name(key, is_ordered=True))
        # what PostgreSQL would do otherwise; said elsewhere it keeps indexes from being used
        is_said = self.fields[key].null and not self.connection.features.order_by_nulls_first
        if is_descending:
            return column.desc(nulls_last=is_said or None)
        return column.asc(nulls_first=is_said or None)

    def _compare(self, comparison: Comparison, is_true: bool) -> Q | bool:
        field = self.fields.get(comparison.key)
        if comparison.lookup == "isnull":
            if field is None or not field.null:
                return (field is None) is is_true
            return Q(**{f"{comparison.key}__isnull": is_true})
        found = False if field is None else self._find(comparison, _get_column(field))
        if isinstance(found, bool):
            return found is is_true
        # a comparison with no value is neither in SQL
        return found if is_true else Q(Case(When(found, then=Value(False)), default=Value(True)))

    def _find(self, comparison: Comparison, column: Field[Any, Any]) -> Q | bool:
        key, lookup, value = comparison.key, comparison.lookup, comparison.value
        if lookup == "startswith":
            return self._find_prefix(key, value, column)
        if lookup == "icontains":
            is_text = isinstance(column, CharField | TextField)
            return is_text and self._find_part(key, value, column)
        if lookup in ORDERED_LOOKUPS:
            if isinstance(column, IntegerField) and isinstance(value, float):
                value = math.floor(value) if lookup in ("gt", "lte") else math.ceil(value)
            value = _fit(column, value)
            name = self._get_name(key, is_ordered=True)
            return value is not None and Q(**{f"{name}__{lookup}": value})
        name = self._get_name(key)
        if isinstance(value, QuerySet):
            subquery = get_subquery(value, column, self.connection.alias)
            if subquery is not None:
                # that nothing is among none is for us to say: some databases are told so in
                # words that they do not know
                is_empty = is_surely_empty(subquery, self.connection.alias)
                return not is_empty and Q(**{f"{name}__in": subquery})
        values = [_fit(column, value) for value in comparison.values]
        values = [value for value in values if value is not None]
        return bool(values) and Q(**{f"{name}__in": values})

    def _find_prefix(self, key: str, prefix: str, column: Field[Any, Any]) -> Q | bool:
        if not isinstance(column, CharField | TextField):
            return False
        if self.connection.vendor == "postgresql":
            # which has an index for this
            return Q(**{f"{key}__startswith": prefix})
        # SQLite's LIKE does not tell a from A, and MySQL's that does uses no index
        name = self._get_name(key, is_ordered=True)
        first, following = get_prefix_range(prefix)
        found = Q(**{f"{name}__gte": first})
        return found if following is None else found & Q(**{f"{name}__lt": following})

    def _find_part(self, key: str, part: str, column: Field[Any, Any]) -> Q:
        collation = get_literal_collation(self.connection)
        if collation is None:
            return Q(**{f"{key}__icontains": part})
        # Columns of literal text distinguish case.
        name = f"{key}_in_lower_case"
        self.literal_texts[name] = Lower(Collate(key, collation))
        return Q(**{f"{name}__contains": part.lower()})

    def _get_name(self, key: str, is_ordered: bool = False) -> str:
        """Return the name of a column, or of its text by code points where it is not."""
        collation = self._get_collation(_get_column(self.fields[key]), is_ordered)
        if collation is None:
            return key
        name = f"{key}_by_code_points"
        self.literal_texts[name] = Collate(key, collation)
        return name

    def _get_collation(self, column: Field[Any, Any], is_ordered: bool) -> str | None:
        if not isinstance(column, CharField | TextField):
            return None
        if self.connection.vendor == "postgresql":
            # two texts are equal only if they are the same
            return POSTGRESQL_COLLATION if is_ordered else None
        is_literal = isinstance(column, LiteralCharField)
        return None if is_literal else get_literal_collation(self.connection)


def _join(connector: str, parts: list[Q]) -> Q:
    return Q(*parts, _connector=connector)


def _get_column(field: Field[Any, Any]) -> Field[Any, Any]:
    """Return the field that says what a column holds: of a foreign key that is another."""
    column: Any = field
    while column.remote_field is not None:
        column = column.target_field
    return column  # type: ignore[no-any-return]  # target_field is known to relations only


def _fit(column: Field[Any, Any], value: Any) -> Any:
    """Return a value as a column has it; ``None`` if it can have no such value."""
    with suppress(ValidationError, ValueError, TypeError, OverflowError):
        fitted = column.to_python(value)
        if isinstance(fitted, datetime):
            fitted = localize(fitted)
        is_same = fitted == value and isinstance(fitted, bool) == isinstance(value, bool)
        # text may stand for what the column holds
        if is_same or isinstance(value, str):
            return fitted
    return None
