"""Conditions and orders of records as queries of MongoDB.

A value of a wrong type counts as none, as in `proxy_storage.meta_backends.mongo_documents`.
Comparisons of MongoDB leave such values out by themselves, except for arrays, which it compares
by their elements; some servers of its protocol compare values of all types. So the type of a
known key is part of each query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone

from proxy_storage.meta_backends.base import REQUIRED_KEYS
from proxy_storage.meta_backends.comparisons import KINDS, ORDERED_LOOKUPS, OWNERS_KEY, Comparison
from proxy_storage.meta_backends.conditions import Condition, build
from proxy_storage.meta_backends.mongo_documents import BOUNDS
from proxy_storage.meta_backends.ordering import Order, get_prefix_range

# MongoDB keeps times to the millisecond
PRECISION = 1000
JOINS = {Q.AND: "$and", Q.OR: "$or"}
# The values that count, by kind: for find(), and as names of types for aggregate().
FOUND: Mapping[str, dict[str, Any]] = {
    "text": {"$type": "string"},
    "number": {"$type": "number"},
    # The bounds are enough, and not every server of the protocol supports the name of the type.
    "datetime": {},
}
TYPES: Mapping[str, list[str]] = {
    "text": ["string"],
    "number": ["int", "long", "double", "decimal"],
    # The last one is the name that nx-27017 has for times.
    "datetime": ["date", "unknown"],
}
HAS_NUL: Mapping[str, str] = {"$regex": r"\x00"}
ORDER_PREFIX = "_order_by_"


def get_query(condition: Condition) -> dict[str, Any]:
    """Return the query for the documents that fulfil a condition."""
    query: dict[str, Any] | bool = build(condition, _compare, _join)
    if isinstance(query, bool):
        return {} if query else {"path": {"$in": []}}
    return query


def get_well_formed(*queries: Mapping[str, Any]) -> dict[str, Any]:
    """Return the query for the documents that count as records, and fulfil these queries."""
    well_formed = ({key: {**FOUND[KINDS[key]], "$gt": ""}} for key in REQUIRED_KEYS)
    # A pattern cannot have a NUL in it, so it is escaped.
    wrong = [{key: found} for key in REQUIRED_KEYS for found in ({"$type": "array"}, HAS_NUL)]
    # The queries come first: a server may evaluate the parts of $and one after the other.
    return {"$and": [*filter(None, queries), *well_formed, {"$nor": wrong}]}


def get_criteria(criteria: Mapping[str, Any]) -> dict[str, Any]:
    """Return the query for the records that have all these values."""
    return get_well_formed(*get_comparisons(criteria))


def get_comparisons(criteria: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a query for each of some values, which are compared as they are.

    An object with operators, or a pattern, is not taken for a query.
    """
    comparisons: list[dict[str, Any]] = []
    for key, value in criteria.items():
        has_value = _has_value(key)
        if value is not None:
            comparisons.append({key: {"$eq": value}})
        if has_value is not None:
            comparisons.append({"$nor": [has_value]} if value is None else has_value)
        elif value is None:
            comparisons.append({key: {"$eq": None}})
    return comparisons


def _has_value(key: str) -> dict[str, Any] | None:
    """Return the query for the documents whose value of a key counts.

    ``None`` for keys that this package does not know, and for those that every record has.
    """
    if key == OWNERS_KEY:
        wrong = [{key: {"$type": name}} for name in ("array", "object", "bool", "null")]
        return {"$and": [{key: {"$ne": None}}, {"$nor": wrong}]}
    if key in REQUIRED_KEYS or key not in KINDS:
        return None
    found = dict(FOUND[KINDS[key]])
    if KINDS[key] in BOUNDS:
        found["$gte"], found["$lte"] = BOUNDS[KINDS[key]]
    return {"$and": [{key: found}, {"$nor": [{key: {"$type": "array"}}]}]}


def get_sort(order: Order) -> list[tuple[str, int]]:
    """Return an order as MongoDB takes it; there nothing comes before all that is."""
    return [(key, -1 if is_descending else 1) for key, is_descending in order.items()]


def get_sort_stages(order: Order) -> list[dict[str, Any]]:
    """Return an order as stages of an aggregation, where a value of a wrong type counts as none.

    Returns:
        An empty list for an order that `get_sort` gives as well: values of the keys that every
        record has are text, and the types of other keys are not known.
    """
    computed = {
        key: f"{ORDER_PREFIX}{key}" for key in order if key in KINDS and key not in REQUIRED_KEYS
    }
    if not computed:
        return []
    values = {name: {"$cond": [_counts(key), f"${key}", None]} for key, name in computed.items()}
    sort = {computed.get(key, key): direction for key, direction in get_sort(order)}
    return [{"$addFields": values}, {"$sort": sort}]


def _counts(key: str) -> dict[str, Any]:
    kind = KINDS[key]
    has_type = {"$in": [{"$type": f"${key}"}, TYPES[kind]]}
    if kind not in BOUNDS:
        return has_type
    lowest, highest = BOUNDS[kind]
    return {"$and": [has_type, {"$gte": [f"${key}", lowest]}, {"$lte": [f"${key}", highest]}]}


def get_range(prefix: str) -> dict[str, str]:
    """Return what all texts with a prefix fulfil; no regular expression is made of it."""
    first, following = get_prefix_range(prefix)
    return {"$gte": first} if following is None else {"$gte": first, "$lt": following}


def _join(connector: str, queries: list[dict[str, Any]]) -> dict[str, Any]:
    return {JOINS[connector]: queries}


def _compare(comparison: Comparison, is_true: bool) -> dict[str, Any] | bool:
    value = comparison.value
    has_value = _has_value(comparison.key)
    found: dict[str, Any]
    if comparison.lookup == "isnull":
        if has_value is not None:
            return {"$nor": [has_value]} if is_true else has_value
        found = {"$eq": None}  # a key that is not there, too
    elif comparison.lookup == "startswith":
        found = get_range(value)
    elif comparison.lookup == "icontains":
        found = {"$regex": re.escape(value), "$options": "is"}
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
    query: dict[str, Any] = {comparison.key: found}
    if has_value is not None:
        query = {"$and": [query, has_value]}
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
