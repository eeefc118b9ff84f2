"""Records of one or several meta backends as a list, for paginators and filters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Any, Self, overload

from django.db.models import Q

from proxy_storage import content_objects
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.meta_backends.queries import (
    Condition,
    all_of,
    get_following,
    get_sort_key,
    parse_order,
    read_once,
)

# The number of records that are read and checked at once.
CHUNK_SIZE = 200
# The largest number of records of each meta backend that are kept in memory.
LARGEST_CHUNK = 2000


@dataclass(frozen=True)
class Step:
    """Records that have passed the check, and the position after them.

    Attributes:
        records: the records.
        position: the values by which the last checked record is ordered; ``None`` if there are no
            more records.
    """

    records: list[MetaBackendObject]
    position: dict[str, Any] | None


class RecordSet:
    """The records that fulfil a condition, in an order. They are read when they are needed.

    Paginators can use it like a queryset: it has a length, slices, `filter` and `order_by`.

    Args:
        meta_backends: the meta backends. The records of several are merged.
        condition: the condition; see `proxy_storage.meta_backends.queries`.
        ordering: keys, with ``-`` before those in descending order.
        check: a function that returns whether a record is part of the list, if the condition is
            not sufficient. The content objects have been fetched before, with one query for many
            records. Each record is read and checked once, and only if it is needed.
    """

    # Django's paginator warns about lists without an order.
    ordered = True

    def __init__(
        self,
        meta_backends: Iterable[MetaBackendBase],
        condition: Condition = True,
        ordering: Sequence[str] = ("path",),
        check: Callable[[MetaBackendObject], bool] | None = None,
    ) -> None:
        self.meta_backends = tuple(meta_backends)
        # Each meta backend evaluates the condition for its length and its records.
        self.condition = read_once(all_of(condition))
        self.ordering = tuple(ordering)
        self.check = check
        self._order = parse_order(self.ordering)
        self._count: int | None = None
        # The records that have passed the check so far, and those that are not checked yet.
        self._passed: list[MetaBackendObject] = []
        self._candidates = self._read_all()

    def filter(self, *conditions: Condition, **values: Any) -> Self:
        """Return the records that also fulfil these conditions; itself if there are none."""
        condition = all_of(self.condition, *conditions, Q(**values))
        if condition is self.condition:
            return self
        return type(self)(self.meta_backends, condition, self.ordering, self.check)

    def order_by(self, *names: str) -> Self:
        """Return the records in this order, by path if there are no names; itself if it has it."""
        if names == self.ordering:
            return self
        return type(self)(self.meta_backends, self.condition, names, self.check)

    def decide_on(self, size: int, limit: int, position: Mapping[str, Any] | None = None) -> Step:
        """Return the next records that pass the check, and check a limited number of records.

        Args:
            size: the number of records to return.
            limit: the largest number of records to check.
            position: the position of the previous step; by default the beginning.
        """
        condition = self.condition
        if position is not None:
            condition = all_of(condition, get_following(self._order, position))
        candidates = type(self)(self.meta_backends, condition, self.ordering)._read_all()
        passed: list[MetaBackendObject] = []
        last: MetaBackendObject | None = None
        while limit > 0:
            wanted = min(CHUNK_SIZE, limit)
            chunk = list(islice(candidates, wanted))
            content_objects.fetch_content_objects(chunk)
            for place, last in enumerate(chunk, 1):
                if self.check is None or self.check(last):
                    passed.append(last)
                if len(passed) == size and (place < len(chunk) or len(chunk) == wanted):
                    return Step(passed, self._get_position(last))
            if len(chunk) < wanted:
                return Step(passed, None)
            limit -= wanted
        return Step(passed, None if last is None else self._get_position(last))

    def _get_position(self, record: MetaBackendObject) -> dict[str, Any]:
        return {key: record.get(key) for key in self._order}

    @property
    def order(self) -> tuple[str, ...]:
        """The keys by which the records are ordered, including the path."""
        return tuple(self._order)

    def count(self) -> int:
        """Return the number of records. All records are read if there is a check."""
        if self._count is None:
            if self.check is None:
                self._count = sum(one.count(self.condition) for one in self.meta_backends)
            else:
                self._count = len(self._get_passed(None))
        return self._count

    def __len__(self) -> int:
        return self.count()

    def __bool__(self) -> bool:
        return bool(self[:1])

    def __iter__(self) -> Iterator[MetaBackendObject]:
        if self.check is None:
            yield from self._read_all()
            return
        place = 0
        while place < len(self._get_passed(place + 1)):
            yield self._passed[place]
            place += 1

    @overload
    def __getitem__(self, place: int) -> MetaBackendObject: ...

    @overload
    def __getitem__(self, place: slice) -> list[MetaBackendObject]: ...

    def __getitem__(self, place: int | slice) -> MetaBackendObject | list[MetaBackendObject]:
        if isinstance(place, slice):
            start, stop = place.start or 0, place.stop
        else:
            start, stop = place, place + 1
        if start < 0 or (stop is not None and stop < 0):
            raise ValueError("Negative indexing is not supported.")
        part = self._get_part(start, stop)
        return part[:: place.step] if isinstance(place, slice) else part[0]

    def _get_part(self, start: int, stop: int | None) -> list[MetaBackendObject]:
        if self.check is not None:
            return self._get_passed(stop)[start:stop]
        if len(self.meta_backends) == 1:
            return self._select(self.meta_backends[0], self.condition, start, stop)
        # One of the meta backends may have all of the first records.
        size = LARGEST_CHUNK if stop is None else min(stop, LARGEST_CHUNK)
        return list(islice(self._read_all(size), start, stop))

    def _get_passed(self, stop: int | None) -> list[MetaBackendObject]:
        """Check records until there are enough, or all are checked."""
        try:
            while stop is None or len(self._passed) < stop:
                chunk = list(islice(self._candidates, CHUNK_SIZE))
                if not chunk:
                    break
                content_objects.fetch_content_objects(chunk)
                self._passed += filter(self.check, chunk)
        except BaseException:
            # Start again: the records of this chunk that were not checked would be left out.
            self._passed, self._candidates = [], self._read_all()
            raise
        return self._passed

    def _read_all(self, size: int = CHUNK_SIZE) -> Iterator[MetaBackendObject]:
        readers = [self._read(one, size) for one in self.meta_backends]
        return merge(*readers, key=get_sort_key(self._order))

    def _read(self, meta_backend: MetaBackendBase, size: int) -> Iterator[MetaBackendObject]:
        """Yield all records of a meta backend, read in chunks."""
        condition = self.condition
        while chunk := self._select(meta_backend, condition, 0, size):
            yield from chunk
            if len(chunk) < size:
                break
            condition = all_of(self.condition, get_following(self._order, chunk[-1]))

    def _select(
        self, meta_backend: MetaBackendBase, condition: Condition, start: int, stop: int | None
    ) -> list[MetaBackendObject]:
        records = meta_backend.select(condition, self.ordering, start, stop)
        for record in records:
            # Paginators read the keys by which the records are ordered.
            for key in self._order:
                record.setdefault(key, None)
        return records
