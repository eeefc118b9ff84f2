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
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, TypeAlias, TypeVar

from django.db.models import Q, QuerySet

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.comparisons import OWNERS_KEY, Comparison, parse
from proxy_storage.meta_backends.querysets import ReadOnce
from proxy_storage.meta_backends.values import get_kind
from proxy_storage.scopes import Scopes

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
    if comparison.key == OWNERS_KEY:
        texts = frozenset(map(str, comparison.values))
        return lambda value: value is not None and str(value) in texts
    others = frozenset((get_kind(value), value) for value in comparison.values)
    return lambda value: (kind := get_kind(value)) is not None and (kind, value) in others
