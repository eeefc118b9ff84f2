"""Conditions that records fulfil or not: Django's ``Q``, read the same way everywhere.

A condition names keys of records, so ``content_type_id`` and never ``content_type__model``.
It means the same in Python, in a table and in MongoDB::

    any_of(Q(field="avatar"), owned) & Q(size__lt=1000)

- Lookups: ``exact``, ``in``, ``isnull``, ``startswith``, ``icontains``, ``gt``, ``gte``, ``lt``,
  ``lte``; of ``object_id`` the first three.
- A key that a record lacks has no value, as has one whose value is ``None``. ``None`` as value
  of ``exact`` asks for that.
- Each comparison is true or false: one with no value is false, and its negation true.
- Only values of one kind are equal, or before or after each other: ``"5"`` is not 5. Text is
  compared by its code points.
- ``icontains`` takes text that contains the value, whatever the case of its letters. Beyond
  ASCII the database decides which letters are the same but for their case, as in Django.
- ``object_id`` is compared as text, since the keys of owners are of every kind: 5 is ``"5"``
  there, and a UUID is its text.
- Text that stands for a number or a time is taken for it in ``content_type_id``, ``size`` and
  ``created_at``.
- A value that no record can have, such as text with NUL, fulfils nothing.
- The value of ``in`` may be a queryset of one column, that of the keys unless it says.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial, reduce, total_ordering
from typing import Any, TypeAlias, TypeVar

from django.conf import settings
from django.db.models import Model, Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.querysets import ReadOnce, get_column_name, read_column
from proxy_storage.paths import is_literal_path
from proxy_storage.scopes import Scopes

# MongoDB has no numbers beyond, nor have columns of Django
SMALLEST, LARGEST = -(2**63), 2**63 - 1


def is_storable(value: Any) -> bool:
    """Tell whether every database can hold a value, as far as text and numbers go."""
    if isinstance(value, str):
        return is_literal_path(value)
    return not isinstance(value, int | float) or SMALLEST <= value <= LARGEST


def get_kind(value: Any) -> str | None:
    """Return the kind of a value: only those of one kind compare.

    ``None`` and what has several values are of no kind.
    """
    if value is None or isinstance(value, list | dict):
        return None
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else type(value).__qualname__


ORDERED_LOOKUPS = ("gt", "gte", "lt", "lte")
# Lookups of text, which take the beginning of a value or any part of it.
TEXT_LOOKUPS = ("startswith", "icontains")
LOOKUPS = ("exact", "in", "isnull", *TEXT_LOOKUPS, *ORDERED_LOOKUPS)
OBJECT_ID_KEY = "object_id"
OBJECT_ID_LOOKUPS = ("exact", "in", "isnull")


def _parse_time(text: str) -> datetime | None:
    try:
        return parse_datetime(text)
    except ValueError:  # well formed, and no such day
        return None


def _parse_number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


# what the values are of the keys that this package writes
KINDS = {
    "path": "text",
    "proxy_storage_name": "text",
    "original_storage_name": "text",
    "original_storage_path": "text",
    "content_type_id": "number",
    "field": "text",
    "size": "number",
    "mime_type": "text",
    "name": "text",
    "charset": "text",
    "checksum": "text",
    "created_at": "datetime",
    "link_version": "text",
    "content_object_scope": "text",
    "released_at": "datetime",
    "former_content_type_id": "number",
    "former_field": "text",
    "former_content_object_scope": "text",
}
# how text is read where they are not text
READERS: Mapping[str, Callable[[str], Any]] = {"number": _parse_number, "datetime": _parse_time}


@dataclass(frozen=True)
class Comparison:
    """One key compared with one value.

    Args:
        key: the key of records.
        lookup: one of `LOOKUPS`; ``isnull`` stands for the true one, ``exact`` always has a
            value, ``in`` has a tuple of values or a queryset of one column.
        value: what to compare with.
        read: reads the column of a queryset.
    """

    key: str
    lookup: str
    value: Any
    read: Callable[[], Iterable[Any]] | None = None

    @property
    def values(self) -> tuple[Any, ...]:
        """The values of ``in`` and ``exact``; a queryset is read."""
        if self.lookup != "in":
            return (self.value,)
        if self.read is not None:
            return _read_all(self.key, self.read())
        values: tuple[Any, ...] = self.value
        return values


def parse(name: str, value: Any) -> tuple[Comparison | bool, bool]:
    """Read one part of a condition.

    Args:
        name: the key, and after two underscores the lookup, if it is another than ``exact``.
        value: the value that is compared with.

    Returns:
        The comparison, or its outcome where that is known; and whether it is meant to be
        true, or else to be false.

    Raises:
        ConfigurationError: there is no such lookup, or it takes no such value.
    """
    key, separator, lookup = name.partition("__")
    if not separator:
        lookup = "exact"
    known = OBJECT_ID_LOOKUPS if key == OBJECT_ID_KEY else LOOKUPS
    if lookup not in known:
        raise ConfigurationError(
            f"Records cannot be compared by {name!r}: there is no lookup {lookup!r} for {key!r}. "
            f"Known are {', '.join(known)}."
        )
    if not key.isidentifier():
        raise ConfigurationError(f"No record has the key {key!r}.")
    if lookup == "isnull" or (lookup == "exact" and value is None):
        if lookup == "isnull" and not isinstance(value, bool):
            raise ConfigurationError(f"{name!r} must be True or False, not {value!r}.")
        return Comparison(key, "isnull", True), value is not False
    if lookup == "in":
        return _parse_in(key, value), True
    return _parse_value(key, lookup, value), True


def _parse_in(key: str, value: Any) -> Comparison | bool:
    if isinstance(value, ReadOnce):
        get_column_name(value.queryset)
        return Comparison(key, "in", value.queryset, value.read_column)
    if isinstance(value, QuerySet):
        get_column_name(value)
        return Comparison(key, "in", value, partial(read_column, value))
    if isinstance(value, str | Mapping) or not isinstance(value, Collection):
        raise ConfigurationError(f"'{key}__in' must be a list or a queryset, not {value!r}.")
    values = _read_all(key, value)
    return Comparison(key, "in", values) if values else False


def _parse_value(key: str, lookup: str, value: Any) -> Comparison | bool:
    value = _read(key, value)
    if value is None:
        return False
    if lookup in TEXT_LOOKUPS:
        return Comparison(key, lookup, value) if isinstance(value, str) else False
    if key == OBJECT_ID_KEY:
        return Comparison(key, "in", get_key_forms(value))
    if not is_storable(value):
        return _parse_number_out_of_reach(key, lookup, value)
    return Comparison(key, lookup, value)


def _parse_number_out_of_reach(key: str, lookup: str, value: float) -> Comparison | bool:
    if lookup.startswith("lt") and value > LARGEST:
        return Comparison(key, "lte", LARGEST)
    if lookup.startswith("gt") and value < SMALLEST:
        return Comparison(key, "gte", SMALLEST)
    return False


def _read_all(key: str, values: Iterable[Any]) -> tuple[Any, ...]:
    found = (_read(key, value) for value in values)
    known = (value for value in found if value is not None)
    if key == OBJECT_ID_KEY:
        return tuple(form for value in known for form in get_key_forms(value))
    return tuple(value for value in known if is_storable(value))


def _read(key: str, value: Any) -> Any:
    """Return a value in the form that records have it in; ``None`` for one that none has."""
    if isinstance(value, Model | QuerySet | Mapping | list | tuple | set | frozenset) or hasattr(
        value, "resolve_expression"
    ):
        raise ConfigurationError(
            f"{key!r} cannot be compared with a {type(value).__name__}, which is no value."
        )
    kind = KINDS.get(key)
    if isinstance(value, str):
        if not is_storable(value):
            return None
        if kind is not None and kind in READERS:
            value = READERS[kind](value)
    if kind is not None and get_kind(value) != kind:
        return None
    return _read_time(value) if isinstance(value, datetime) else value


def _read_time(time: datetime) -> datetime | None:
    try:
        # databases have it in UTC, which begins and ends at other hours than zones do
        (time if timezone.is_aware(time) else timezone.make_aware(time)).astimezone(UTC)
        return localize(time)
    except (OverflowError, ValueError):
        return None


def localize(time: datetime) -> datetime:
    """Return a time as records have it: aware of its zone where the project uses zones."""
    if timezone.is_aware(time) == settings.USE_TZ:
        return time
    return timezone.make_aware(time) if settings.USE_TZ else timezone.make_naive(time)


def get_key_forms(key: Any) -> tuple[str | int, ...]:
    """Return the forms that a record may have an owner's key in: text, and a number if it is one.

    >>> get_key_forms("5")
    ('5', 5)
    """
    text = str(key)
    number = _parse_number(text)
    if number is None or str(number) != text or not is_storable(number):
        return (text,)
    return text, number


# True: every record; False: none. An empty Q is True
Condition: TypeAlias = Q | bool
Test: TypeAlias = Callable[[Mapping[str, Any]], bool]

_Built = TypeVar("_Built")

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "startswith": str.startswith,
}

_OPPOSITES = {Q.AND: Q.OR, Q.OR: Q.AND}


def all_of(*conditions: Condition) -> Condition:
    """Return the condition that a record fulfils which fulfils all of these."""
    return _combine(operator.and_, conditions, neutral=True)


def any_of(*conditions: Condition) -> Condition:
    """Return the condition that a record fulfils which fulfils any of these."""
    return _combine(operator.or_, conditions, neutral=False)


def negate(condition: Condition) -> Condition:
    """Return the condition that those records fulfil which do not fulfil this one."""
    condition = _simplify(condition)
    return not condition if isinstance(condition, bool) else ~condition


def read_once(condition: Condition) -> Condition:
    """Return the same condition, of which no queryset is read more than once from now on.

    It is for one answer that asks several times: what has changed since stays unknown to it.
    """
    return _with_querysets_read_once(condition) if isinstance(condition, Q) else condition


def localize_scopes(condition: Condition, meta_backend: Any) -> Condition:
    """Return the same condition with the scopes as the records of a meta backend have them.

    Args:
        condition: a condition, in which `proxy_storage.scopes.Scopes` are values.
        meta_backend: the meta backend whose records are meant; ``None`` for records on
            their own.
    """
    return _localize(condition, meta_backend) if isinstance(condition, Q) else condition


def _localize(part: Any, meta_backend: Any) -> Any:
    if isinstance(part, Q):
        parts = (_localize(child, meta_backend) for child in part.children)
        return Q(*parts, _connector=part.connector, _negated=part.negated)
    if isinstance(part, tuple) and isinstance(part[1], Scopes):
        return part[1].get_condition(meta_backend)
    return part


def _with_querysets_read_once(part: Any) -> Any:
    if isinstance(part, Q):
        parts = map(_with_querysets_read_once, part.children)
        return Q(*parts, _connector=part.connector, _negated=part.negated)
    if isinstance(part, tuple) and part[0].endswith("__in") and isinstance(part[1], QuerySet):
        return part[0], ReadOnce(part[1])
    return part


def _combine(
    combine: Callable[[Q, Q], Q], conditions: Sequence[Condition], neutral: bool
) -> Condition:
    # Q() says nothing to & and |, so a bool must never become one
    parts: list[Q] = []
    for condition in map(_simplify, conditions):
        if isinstance(condition, Q):
            parts.append(condition)
        elif condition is not neutral:
            return condition
    return reduce(combine, parts) if parts else neutral


def _simplify(condition: Condition) -> Condition:
    if isinstance(condition, Q) and not condition:
        return not condition.negated
    if not isinstance(condition, Q | bool):
        raise ConfigurationError(
            f"A condition must be a Q or a bool, not a {type(condition).__name__}."
        )
    return condition


def build(
    condition: Any,
    compare: Callable[[Comparison, bool], _Built | bool],
    join: Callable[[str, list[_Built]], _Built],
    is_true: bool = True,
) -> _Built | bool:
    """Translate a condition, for meta backends that ask a database.

    Negations are taken down to the single comparisons, and what is known is left out.

    Args:
        condition: what to translate.
        compare: translates a comparison that has to be true, or to be false, as its second
            argument says. It returns a bool where all records agree.
        join: puts two or more together, by ``Q.AND`` or ``Q.OR``.
        is_true: whether the condition has to be true, or else to be false.

    Raises:
        ConfigurationError: the condition has something that no record can be asked for.
    """
    if isinstance(condition, bool):
        return condition is is_true
    if isinstance(condition, tuple):
        comparison, is_meant_true = parse(*condition)
        is_true = is_true is is_meant_true
        if isinstance(comparison, bool):
            return comparison is is_true
        return compare(comparison, is_true)
    if not isinstance(condition, Q):
        raise ConfigurationError(
            f"A {type(condition).__name__} is no condition, nor part of one: that has keys with "
            "values, Q and bool."
        )
    is_true = is_true is not condition.negated
    if not condition.children:
        return is_true
    if condition.connector == Q.XOR:
        return build(_spell_out(condition.children), compare, join, is_true)
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


def _spell_out(parts: Sequence[Any]) -> Q:
    """Say with *and* and *or* that an odd number of parts is true."""
    result = Q(parts[0])
    for part in parts[1:]:
        result = Q(Q(result, ~Q(part)), Q(~result, part), _connector=Q.OR)
    return result


def matches(condition: Condition, record: Mapping[str, Any]) -> bool:
    """Tell whether a record fulfils a condition.

    A queryset in it is read, one query; `get_test` is for many records.

    Raises:
        ConfigurationError: the condition has an unknown lookup, or something else that no
            record can be asked for.
    """
    return get_test(condition)(record)


def get_test(condition: Condition) -> Test:
    """Return a function that tells of each record whether it fulfils a condition.

    Querysets in the condition are read once, now.

    Raises:
        ConfigurationError: as `matches`.
    """
    test = build(localize_scopes(condition, None), _get_test, _join_tests)
    return (lambda record: test) if isinstance(test, bool) else test


def _join_tests(connector: str, tests: list[Test]) -> Test:
    decide = all if connector == Q.AND else any
    return lambda record: decide(test(record) for test in tests)


def _get_test(comparison: Comparison, is_true: bool) -> Test:
    key, test = comparison.key, _get_value_test(comparison)
    return lambda record: test(record.get(key)) is is_true


def _get_value_test(comparison: Comparison) -> Callable[[Any], bool]:
    if comparison.lookup == "isnull":
        return lambda value: value is None
    if comparison.lookup == "icontains":
        part = comparison.value.lower()
        return lambda value: isinstance(value, str) and part in value.lower()
    if comparison.lookup in _OPERATORS:
        compare, other = _OPERATORS[comparison.lookup], comparison.value
        kind = get_kind(other)
        return lambda value: get_kind(value) == kind and compare(value, other)
    if comparison.key == OBJECT_ID_KEY:
        texts = frozenset(map(str, comparison.values))
        return lambda value: value is not None and str(value) in texts
    others = frozenset((get_kind(value), value) for value in comparison.values)
    return lambda value: (kind := get_kind(value)) is not None and (kind, value) in others


# JOINED The order of records: the same in Python, in a table and in MongoDB.
#
# Text is ordered by its code points. A record without value for a key comes before those that
# have one, and in descending order after them. Records that are equal in all keys are ordered
# by their paths, so that no two are.
#

# as in MongoDB, should the values of a key be of several kinds
RANKS = {"number": 1, "text": 2, "bool": 4, "datetime": 5}
OTHER_RANK = 3
FIRST_SURROGATE, LAST_SURROGATE = 0xD800, 0xDFFF

# keys, and for each whether its order is descending
Order: TypeAlias = Mapping[str, bool]


def parse_order(names: Iterable[str]) -> Order:
    """Read the names of keys, with ``-`` before those that are in descending order.

    The path is added where it is missing, in the direction of the last key: so the order of
    ``-size`` is that of ``size`` turned around.

    Raises:
        ConfigurationError: a name cannot be that of a key, or is ``object_id``: owners' keys
            are of every kind.
    """
    order: dict[str, bool] = {}
    is_descending = False
    for name in names:
        key, is_descending = name.removeprefix("-"), name.startswith("-")
        if not key.isidentifier() or key == "object_id":
            raise ConfigurationError(f"Records cannot be ordered by {name!r}.")
        order.setdefault(key, is_descending)
    order.setdefault("path", is_descending)
    return order


def get_sort_key(order: Order) -> Callable[[Mapping[str, Any]], Any]:
    """Return the function that gives what a record is sorted by."""

    def get_key(record: Mapping[str, Any]) -> tuple[Any, ...]:
        places = ((_get_place(record.get(key)), is_last) for key, is_last in order.items())
        return tuple(_Descending(place) if is_last else place for place, is_last in places)

    return get_key


def _get_place(value: Any) -> tuple[Any, ...]:
    kind = get_kind(value)
    return () if kind is None else (RANKS.get(kind, OTHER_RANK), kind, value)


@total_ordering
class _Descending:
    """A place in the opposite order."""

    def __init__(self, place: Any) -> None:
        self.place = place

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and other.place == self.place

    def __lt__(self, other: _Descending) -> bool:
        return bool(other.place < self.place)


def get_following(order: Order, record: Mapping[str, Any]) -> Condition:
    """Return the condition of the records that come after one in an order."""
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
    """Return the range of all texts with a prefix: the first, and what comes after them all.

    ``None`` where nothing does.
    """
    head = prefix.rstrip(chr(sys.maxunicode))
    if not head:
        return prefix, None
    following = ord(head[-1]) + 1
    if following == FIRST_SURROGATE:  # which are no characters
        following = LAST_SURROGATE + 1
    return prefix, head[:-1] + chr(following)
