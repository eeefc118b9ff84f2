"""Records by condition, order and place: what lists and paginators ask for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from proxy_storage.meta_backends.queries import (
    Condition,
    Order,
    all_of,
    get_sort_key,
    get_test,
    localize_scopes,
    parse_order,
)

if TYPE_CHECKING:
    from proxy_storage.meta_backends.base import MetaBackendObject


class SelectingBase(ABC):
    """What a meta backend answers about many records at once.

    It works on what ``_filter`` gives out. Override `_select` and `_count` where a database
    can do it in one query.
    """

    def select(
        self,
        condition: Condition = True,
        order_by: Sequence[str] = ("path",),
        start: int = 0,
        stop: int | None = None,
    ) -> list[MetaBackendObject]:
        """Return the records that fulfil a condition, or a part of them; one query.

        Args:
            condition: see `proxy_storage.meta_backends.queries`.
            order_by: keys, with ``-`` before those that are in descending order. No value is
                first in ascending order, and last in descending. What is equal is ordered
                by path.
            start: how many of them to leave out.
            stop: how many to read in all, with those that are left out; ``None`` for all.

        Raises:
            ConfigurationError: the condition has an unknown lookup, or there is no such order.
            MetaBackendUnavailable: the database does not answer.
        """
        condition, order = self._localize(condition), parse_order(order_by)
        if condition is False or (stop is not None and stop <= start):
            return []
        return self._make_objects(self._select(condition, order, start, stop))

    def count(self, condition: Condition = True) -> int:
        """Return how many records fulfil a condition; one query.

        Raises:
            ConfigurationError: the condition has an unknown lookup.
            MetaBackendUnavailable: the database does not answer.
        """
        condition = self._localize(condition)
        return 0 if condition is False else self._count(condition)

    def _localize(self, condition: Condition) -> Condition:
        meta_backend: Any = self
        return localize_scopes(all_of(condition), meta_backend)

    def _select(
        self, condition: Condition, order: Order, start: int, stop: int | None
    ) -> list[dict[str, Any]]:
        """Return the records that fulfil a condition, in this order, from one place to another."""
        test = get_test(condition)
        records = [data for data in self._filter({}, "") if test(data)]
        return sorted(records, key=get_sort_key(order))[start:stop]

    def _count(self, condition: Condition) -> int:
        """Return how many records fulfil a condition."""
        test = get_test(condition)
        return sum(test(data) for data in self._filter({}, ""))

    @abstractmethod
    def _filter(self, criteria: dict[str, Any], path_prefix: str) -> Iterator[dict[str, Any]]:
        """Give out the records that have all these values and such a path, sorted by path."""

    @abstractmethod
    def _make_objects(self, data: list[dict[str, Any]]) -> list[MetaBackendObject]:
        """Make objects of records as they are stored."""
