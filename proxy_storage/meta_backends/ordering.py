"""The order of records: the same in Python, in a table and in MongoDB.

Text is ordered by its code points. A record without value for a key comes before those that
have one, and in descending order after them. Records that are equal in all keys are ordered
by their paths, so that no two are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import total_ordering
from typing import Any, TypeAlias

from django.db.models import Q

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.conditions import Condition, all_of, any_of
from proxy_storage.meta_backends.values import get_kind

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
