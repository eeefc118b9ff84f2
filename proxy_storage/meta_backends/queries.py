"""Conditions on records and orders of records.

A condition is a Django ``Q`` object whose names are keys of records, or a bool: ``True`` selects
all records, ``False`` none. It has the same meaning in Python, in a table and in MongoDB::

    any_of(Q(field="avatar"), content_object_in(letters)) & Q(size__lt=1000)

- The lookups are ``exact``, ``in``, ``isnull``, ``startswith``, ``icontains``, ``gt``, ``gte``,
  ``lt`` and ``lte``; for ``object_id`` only the first three.
- The names are keys, not relations: ``content_type_id`` and not ``content_type__model``.
- A key that a record does not have has the value ``None``. ``exact`` with ``None`` is ``isnull``.
- A comparison with a key that has no value is false, and its negation is true.
- A value must have the type of its key: ``size`` is an ``int``, ``created_at`` a ``datetime``,
  ``path`` a ``str``. Another type is a `ConfigurationError`. Text is converted for keys with
  numbers and times, because pagination cursors contain text; it selects no record if it cannot be
  converted.
- A value that databases cannot store, such as text with NUL, selects no record.
- Text is compared by its code points. ``icontains`` ignores case; beyond ASCII the database
  decides which letters differ only in their case, as in Django.
- ``object_id`` is compared as text, because primary keys have different types: 5 is ``"5"``.
- The value of ``in`` may be a queryset with one column, which is the primary key by default.

Records are ordered by keys. Records without a value come first, and last in descending order.
Records with equal values are ordered by path.
"""

from __future__ import annotations

import operator
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, cmp_to_key, reduce
from types import NoneType
from typing import Any, TypeAlias, TypeVar

from django.conf import settings
from django.db.models import Model, Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.paths import is_literal_path

Condition: TypeAlias = Q | bool
#: keys, and whether the order of each is descending
Order: TypeAlias = Mapping[str, bool]
Test: TypeAlias = Callable[[Mapping[str, Any]], bool]

_Built = TypeVar("_Built")

# Neither MongoDB nor a column of Django stores larger numbers.
SMALLEST, LARGEST = -(2**63), 2**63 - 1
FIRST_SURROGATE, LAST_SURROGATE = 0xD800, 0xDFFF

ORDERED_LOOKUPS = ("gt", "gte", "lt", "lte")
TEXT_LOOKUPS = ("startswith", "icontains")
LOOKUPS = ("exact", "in", "isnull", *TEXT_LOOKUPS, *ORDERED_LOOKUPS)
OBJECT_ID_KEY = "object_id"
#: the keys by which a record names its content object
CONTENT_OBJECT_KEYS = ("content_type_id", OBJECT_ID_KEY, "field")
OBJECT_ID_LOOKUPS = ("exact", "in", "isnull")

#: the types of the values of the keys that this package writes
KINDS: Mapping[str, type] = {
    "path": str,
    "proxy_storage_name": str,
    "original_storage_name": str,
    "original_storage_path": str,
    "content_type_id": int,
    "field": str,
    "size": int,
    "mime_type": str,
    "name": str,
    "charset": str,
    "checksum": str,
    "created_at": datetime,
    "link_version": str,
    "content_object_scope": str,
    "released_at": datetime,
    "former_content_type_id": int,
    "former_field": str,
    "former_content_object_scope": str,
    "uploader_id": str,
    "uploader_scope": str,
}
_CONVERTERS: Mapping[type | None, Callable[[str], Any]] = {int: int, datetime: parse_datetime}

_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "exact": lambda value, others: value in others,
    "in": lambda value, others: value in others,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "startswith": str.startswith,
    "icontains": lambda value, part: part.lower() in str.lower(value),
}
_OPPOSITES = {Q.AND: Q.OR, Q.OR: Q.AND}
# Values other than these are single values, unless they are expressions of Django.
NOT_SINGLE = (Model, Mapping, list, tuple, set, frozenset, NoneType)


def is_storable(value: Any) -> bool:
    """Return whether every supported database can store a string or number."""
    if isinstance(value, str):
        return is_literal_path(value)
    return not isinstance(value, int | float) or SMALLEST <= value <= LARGEST


class QuerySetColumn:
    """The column of a queryset that is the value of ``in``. It is read at most once.

    Raises:
        ConfigurationError: the queryset has several columns.
    """

    def __init__(self, queryset: QuerySet[Any, Any]) -> None:
        query = queryset.query
        names = ["pk"]
        if query.has_select_fields:
            names = [*query.extra_select, *query.values_select, *query.annotation_select]
        if len(names) != 1:
            raise ConfigurationError(
                f"A queryset in a condition must have one column, not {', '.join(names)}. "
                "Select the column with values()."
            )
        self.queryset = queryset
        self.name = names[0]

    @cached_property
    def values(self) -> tuple[Any, ...]:
        """The values of the column; one query."""
        return tuple(self.queryset.values_list(self.name, flat=True).iterator())


@dataclass(frozen=True)
class Comparison:
    """One key compared with one value.

    Args:
        key: the key of records.
        lookup: one of `LOOKUPS`. The value of ``isnull`` is always ``True``.
        value: the value of the lookup. For ``in`` it is a tuple or a `QuerySetColumn`.
    """

    key: str
    lookup: str
    value: Any

    @property
    def values(self) -> tuple[Any, ...]:
        """The values of ``in`` and ``exact``. A queryset is read."""
        if isinstance(self.value, QuerySetColumn):
            return _convert_all(self.key, self.value.values)
        return tuple(self.value) if self.lookup == "in" else (self.value,)


def parse(name: str, value: Any) -> tuple[Comparison | bool, bool]:
    """Parse one part of a condition.

    Args:
        name: the key, and the lookup after two underscores.
        value: the value of the lookup.

    Returns:
        The comparison, or a bool if its result is the same for all records; and whether the
        comparison must be true or false.

    Raises:
        ConfigurationError: the lookup is unknown, or its value has a wrong type.
    """
    key, separator, lookup = name.partition("__")
    lookup = lookup if separator else "exact"
    lookups = OBJECT_ID_LOOKUPS if key == OBJECT_ID_KEY else LOOKUPS
    if lookup not in lookups or not key.isidentifier():
        raise ConfigurationError(
            f"Records cannot be compared by {name!r}. Use a key of records with one of the "
            f"lookups {', '.join(lookups)}."
        )
    if lookup == "isnull" and not isinstance(value, bool):
        raise ConfigurationError(f"{name!r} must be True or False, not {value!r}.")
    if lookup == "isnull" or (lookup == "exact" and value is None):
        return Comparison(key, "isnull", True), value is not False
    if lookup == "in":
        return _parse_in(key, value), True
    value = _convert(key, value)
    if lookup in TEXT_LOOKUPS and not isinstance(value, str | NoneType):
        raise ConfigurationError(f"{name!r} must be a str, and {key!r} a key with text.")
    if key == OBJECT_ID_KEY and value is not None:
        return Comparison(key, "in", get_key_forms(value)), True
    if lookup in ORDERED_LOOKUPS and isinstance(value, int | float):
        value = min(max(value, SMALLEST), LARGEST)
    if value is None or not is_storable(value):
        return False, True
    return Comparison(key, lookup, value), True


def _parse_in(key: str, value: Any) -> Comparison | bool:
    if isinstance(value, QuerySet):
        value = QuerySetColumn(value)
    if isinstance(value, QuerySetColumn):
        return Comparison(key, "in", value)
    if isinstance(value, str | Mapping) or not isinstance(value, Collection):
        raise ConfigurationError(f"'{key}__in' must be a list or a queryset, not {value!r}.")
    values = _convert_all(key, value)
    return Comparison(key, "in", values) if values else False


def _convert_all(key: str, values: Iterable[Any]) -> tuple[Any, ...]:
    converted = (_convert(key, value) for value in values if value is not None)
    known = (value for value in converted if value is not None)
    if key == OBJECT_ID_KEY:
        return tuple(form for value in known for form in get_key_forms(value))
    return tuple(filter(is_storable, known))


def _convert(key: str, value: Any) -> Any:
    """Return a value as records have it, or ``None`` for a value that no record can have."""
    if hasattr(value, "resolve_expression") or isinstance(value, NOT_SINGLE):
        raise ConfigurationError(
            f"{key!r} must be compared with a single value, not with a {type(value).__name__}."
        )
    kind = KINDS.get(key)
    if isinstance(value, str):
        value = _convert_text(kind, value)
        if value is None:
            return None
    if kind is not None and (isinstance(value, bool) or not isinstance(value, kind)):
        raise ConfigurationError(
            f"{key!r} must be compared with a value of the type {kind.__name__}, not {value!r}."
        )
    return _convert_time(value) if isinstance(value, datetime) else value


def _convert_text(kind: type | None, text: str) -> Any:
    if is_storable(text):
        with suppress(ValueError):
            return _CONVERTERS.get(kind, str)(text)
    return None


def _convert_time(time: datetime) -> datetime | None:
    with suppress(OverflowError, ValueError):
        # Databases store times in UTC. Near the years 1 and 9999, UTC cannot represent the time of
        # every time zone.
        (time if timezone.is_aware(time) else timezone.make_aware(time)).astimezone(UTC)
        return localize(time)
    return None


def localize(time: datetime) -> datetime:
    """Return a time as records have it: with a time zone if ``USE_TZ`` is set, else without."""
    if timezone.is_aware(time) == settings.USE_TZ:
        return time
    return timezone.make_aware(time) if settings.USE_TZ else timezone.make_naive(time)


def get_key_forms(key: Any) -> tuple[str | int, ...]:
    """Return the forms in which a record may store a primary key: text, and a number if it is one.

    >>> get_key_forms("5")
    ('5', 5)
    """
    text = str(key)
    with suppress(ValueError):
        number = int(text)
        if str(number) == text and is_storable(number):
            return text, number
    return (text,)


def all_of(*conditions: Condition) -> Condition:
    """Return a condition that is true if all of these conditions are true."""
    return _combine(operator.and_, conditions, neutral=True)


def any_of(*conditions: Condition) -> Condition:
    """Return a condition that is true if any of these conditions is true."""
    return _combine(operator.or_, conditions, neutral=False)


def negate(condition: Condition) -> Condition:
    """Return the opposite of a condition."""
    condition = _simplify(condition)
    return not condition if isinstance(condition, bool) else ~condition


def _combine(
    combine: Callable[[Q, Q], Q], conditions: Sequence[Condition], neutral: bool
) -> Condition:
    parts: list[Q] = []
    for condition in map(_simplify, conditions):
        if isinstance(condition, Q):
            parts.append(condition)
        elif condition is not neutral:
            return condition
    return reduce(combine, parts) if parts else neutral


def _simplify(condition: Condition) -> Condition:
    # Django's & and | leave an empty Q out, so it is replaced by a bool.
    if isinstance(condition, Q) and not condition:
        return not condition.negated
    if not isinstance(condition, Q | bool):
        raise ConfigurationError(
            f"A condition must be a Q or a bool, not {type(condition).__name__}."
        )
    return condition


def read_once(condition: Condition) -> Condition:
    """Return an equal condition that reads each of its querysets at most once.

    A list evaluates its condition several times.
    """

    def replace(name: str, value: Any) -> Any:
        return (name, QuerySetColumn(value)) if name.endswith("__in") else (name, value)

    return _replace_values(condition, QuerySet, replace)  # type: ignore[no-any-return]  # A Q.


class BackendValue(ABC):
    """A value of a condition whose meaning depends on the meta backend of the records.

    Each meta backend replaces the comparison by the condition for its own records.
    """

    @abstractmethod
    def get_condition(self, meta_backend: Any) -> Q | bool:
        """Return the condition on the records of a meta backend."""


def localize_scopes(condition: Condition, meta_backend: Any) -> Condition:
    """Return a condition in which each `BackendValue` is replaced for a meta backend.

    Args:
        condition: a condition, in which a `BackendValue` can be a value.
        meta_backend: the meta backend of the records, or ``None``.
    """

    def replace(name: str, value: BackendValue) -> Any:
        return value.get_condition(meta_backend)

    return _replace_values(condition, BackendValue, replace)  # type: ignore[no-any-return]  # A Q.


def _replace_values(part: Any, kind: type, replace: Callable[[str, Any], Any]) -> Any:
    """Return a part of a condition in which the comparisons with values of a type are replaced."""
    if isinstance(part, tuple):
        return replace(*part) if isinstance(part[1], kind) else part
    if not isinstance(part, Q):
        return part
    parts = (_replace_values(child, kind, replace) for child in part.children)
    return Q(*parts, _connector=part.connector, _negated=part.negated)


def build(
    condition: Any,
    compare: Callable[[Comparison, bool], _Built | bool],
    join: Callable[[str, list[_Built]], _Built],
    is_true: bool = True,
) -> _Built | bool:
    """Translate a condition into another query language.

    Args:
        condition: the condition.
        compare: translates a comparison. The second argument is ``False`` if the comparison is
            negated. It may return a bool if the result is the same for all records.
        join: combines two or more translated parts with ``Q.AND`` or ``Q.OR``.
        is_true: ``False`` to translate the opposite of the condition.

    Raises:
        ConfigurationError: the condition has an unknown lookup, a value of a wrong type, or an
            expression.
    """
    if isinstance(condition, bool):
        return condition is is_true
    if isinstance(condition, tuple):
        comparison, is_meant_true = parse(*condition)
        is_true = is_true is is_meant_true
        return (
            comparison is is_true if isinstance(comparison, bool) else compare(comparison, is_true)
        )
    if not isinstance(condition, Q):
        raise ConfigurationError(
            f"A condition must have keys with values, Q and bool, not {type(condition).__name__}."
        )
    is_true = is_true is not condition.negated
    if not condition.children:
        return is_true
    if condition.connector == Q.XOR:
        return build(reduce(_replace_xor, condition.children), compare, join, is_true)
    connector = condition.connector if is_true else _OPPOSITES[condition.connector]
    neutral = connector == Q.AND
    parts: list[_Built] = []
    for child in condition.children:
        part = build(child, compare, join, is_true)
        if not isinstance(part, bool):
            parts.append(part)
        elif part is not neutral:
            return part
    if len(parts) > 1:
        return join(connector, parts)
    return parts[0] if parts else neutral


def _replace_xor(first: Any, second: Any) -> Q:
    return Q(Q(first, ~Q(second)), Q(~Q(first), second), _connector=Q.OR)


def matches(condition: Condition, record: Mapping[str, Any]) -> bool:
    """Return whether a condition is true for a record.

    Each queryset in the condition is read. Use `get_test` for several records.

    Raises:
        ConfigurationError: the condition has an unknown lookup, or a value of a wrong type.
    """
    return get_test(condition)(record)


def get_test(condition: Condition) -> Test:
    """Return a function that evaluates a condition for a record.

    Querysets in the condition are read once, when this function is called.

    Raises:
        ConfigurationError: as `matches`.
    """
    test = build(localize_scopes(condition, None), _get_test, _join_tests)
    return (lambda record: test) if isinstance(test, bool) else test


def _join_tests(connector: str, tests: list[Test]) -> Test:
    decide = all if connector == Q.AND else any
    return lambda record: decide(test(record) for test in tests)


def _get_test(comparison: Comparison, is_true: bool) -> Test:
    key, lookup, other = comparison.key, comparison.lookup, comparison.value
    if lookup == "isnull":
        return lambda record: (record.get(key) is None) is is_true
    is_object_id = key == OBJECT_ID_KEY
    if lookup in ("exact", "in"):
        other = frozenset(map(str, comparison.values) if is_object_id else comparison.values)
    compare = _OPERATORS[lookup]

    def test(record: Mapping[str, Any]) -> bool:
        value = record.get(key)
        if value is None:
            return not is_true
        try:
            return bool(compare(str(value) if is_object_id else value, other)) is is_true
        except TypeError:  # The record has a value of another type.
            return not is_true

    return test


def parse_order(names: Iterable[str]) -> Order:
    """Parse the names of keys, with ``-`` before those in descending order.

    The path is added if it is missing, in the direction of the last key. So ``-size`` is the
    reverse order of ``size``.

    Raises:
        ConfigurationError: a name is not a key, or is ``object_id``, whose values have different
            types.
    """
    order: dict[str, bool] = {}
    is_descending = False
    for name in names:
        key, is_descending = name.removeprefix("-"), name.startswith("-")
        if not key.isidentifier() or key == OBJECT_ID_KEY:
            raise ConfigurationError(f"Records cannot be ordered by {name!r}. Use another key.")
        order.setdefault(key, is_descending)
    order.setdefault("path", is_descending)
    return order


def get_sort_key(order: Order) -> Callable[[Mapping[str, Any]], Any]:
    """Return the ``key`` of ``sorted()`` for records in an order."""

    def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> int:
        for key, is_descending in order.items():
            one, other = ((one.get(key) is not None, one.get(key)) for one in (first, second))
            if one != other:
                return 1 if (one > other) is not is_descending else -1
        return 0

    return cmp_to_key(compare)


def get_following(order: Order, record: Mapping[str, Any]) -> Condition:
    """Return the condition of the records that come after a record in an order."""
    following: list[Condition] = []
    equal: Condition = True
    for key, is_descending in order.items():
        value = record.get(key)
        if value is None:
            later: Condition = not is_descending and Q(**{f"{key}__isnull": False})
        elif is_descending:
            later = Q(**{f"{key}__lt": value}) | Q(**{f"{key}__isnull": True})
        else:
            later = Q(**{f"{key}__gt": value})
        following.append(all_of(equal, later))
        equal = all_of(equal, Q(**{key: value}))
    return any_of(*following)


def get_prefix_range(prefix: str) -> tuple[str, str | None]:
    """Return the first text with a prefix, and the first text after all texts with it.

    The second one is ``None`` if no text comes after them.
    """
    head = prefix.rstrip(chr(sys.maxunicode))
    if not head:
        return prefix, None
    following = ord(head[-1]) + 1
    if following == FIRST_SURROGATE:  # Surrogates are not characters.
        following = LAST_SURROGATE + 1
    return prefix, head[:-1] + chr(following)
