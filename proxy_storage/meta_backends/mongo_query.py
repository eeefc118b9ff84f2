"""Conditions and orders of records as queries of MongoDB."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone

from proxy_storage.meta_backends.comparisons import ORDERED_LOOKUPS, Comparison
from proxy_storage.meta_backends.conditions import Condition, build
from proxy_storage.meta_backends.ordering import Order, get_prefix_range

# MongoDB keeps times to the millisecond
PRECISION = 1000
JOINS = {Q.AND: "$and", Q.OR: "$or"}


def get_query(condition: Condition) -> dict[str, Any]:
    """Return the query for the documents that fulfil a condition."""
    query: dict[str, Any] | bool = build(condition, _compare, _join)
    if isinstance(query, bool):
        return {} if query else {"path": {"$in": []}}
    return query


def get_sort(order: Order) -> list[tuple[str, int]]:
    """Return an order as MongoDB takes it; there nothing comes before all that is."""
    return [(key, -1 if is_descending else 1) for key, is_descending in order.items()]


def get_range(prefix: str) -> dict[str, str]:
    """Return what all texts with a prefix fulfil; no regular expression is made of it."""
    first, following = get_prefix_range(prefix)
    return {"$gte": first} if following is None else {"$gte": first, "$lt": following}


def _join(connector: str, queries: list[dict[str, Any]]) -> dict[str, Any]:
    return {JOINS[connector]: queries}


def _compare(comparison: Comparison, is_true: bool) -> dict[str, Any] | bool:
    value = comparison.value
    found: dict[str, Any]
    if comparison.lookup == "isnull":
        found = {"$eq": None}  # a key that is not there, too
    elif comparison.lookup == "startswith":
        found = get_range(value)
    elif comparison.lookup in ("exact", "in"):
        values = [_to_mongo(value) for value in comparison.values if _is_kept(value)]
        if not values:
            return not is_true
        found = {"$in": values}
    else:
        lookup = comparison.lookup
        if not _is_kept(value):
            # the time that is kept in its place comes before it
            lookup = {"gte": "gt", "lt": "lte"}.get(lookup, lookup)
        found = {f"${lookup}": _to_mongo(value)}
    query = {comparison.key: found}
    if is_true:
        return query
    negation = {"$nor": [query]}
    if comparison.lookup in ORDERED_LOOKUPS:
        # what has no value fulfils it, which some servers of its protocol do not see
        return {"$or": [negation, {comparison.key: {"$eq": None}}]}
    return negation


def _is_kept(value: Any) -> bool:
    """Tell whether a document can have exactly this value."""
    return not isinstance(value, datetime) or value.microsecond % PRECISION == 0


def _to_mongo(value: Any) -> Any:
    """Make a time without a zone aware of the one that it is in: MongoDB takes it for UTC."""
    is_naive = isinstance(value, datetime) and timezone.is_naive(value)
    return timezone.make_aware(value) if is_naive else value
