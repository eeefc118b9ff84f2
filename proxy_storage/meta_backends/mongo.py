"""Records in a MongoDB collection."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from proxy_storage.content_objects import RELEASED_KEY
from proxy_storage.exceptions import (
    MetaBackendError,
    MetaBackendObjectAlreadyExists,
    MetaBackendUnavailable,
)
from proxy_storage.meta_backends.base import (
    REQUIRED_KEYS,
    MetaBackendBase,
    MetaBackendObject,
    is_required_text,
)
from proxy_storage.meta_backends.queries import (
    KINDS,
    LARGEST,
    OBJECT_ID_KEY,
    ORDERED_LOOKUPS,
    SMALLEST,
    Comparison,
    Condition,
    Order,
    build,
    get_kind,
    get_prefix_range,
)
from proxy_storage.mongodb import (
    AnyDatabase,
    DatabaseUserMixin,
    Decimal128,
    LazyDatabase,
    NetworkTimeout,
    UpdateMany,
    UpdateOne,
    get_collection,
    mapped_errors,
    timeout,
)

# JOINED Documents of MongoDB as records.
#
# A collection has no schema: other programs, and former versions of a project, may have written
# documents that are not records, or values of another type than a key has. A document that
# lacks one of `REQUIRED_KEYS`, or has something there that `MetaBackendBase.create` refuses, such
# as a number or empty text, does not count as a record. A known key whose value has a wrong type
# counts as a key without value. Queries follow the same rules: see
# `proxy_storage.meta_backends.mongo`.
#

logger = logging.getLogger("proxy_storage")

# The ranges of the values that count, by kind. A time that is less than a day away from the ends
# of Python's calendar cannot be given in every time zone.
BOUNDS: Mapping[str, tuple[Any, Any]] = {
    "number": (SMALLEST, LARGEST),
    "datetime": (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)),
}
OPTIONAL_KEYS = tuple(key for key in (*KINDS, OBJECT_ID_KEY) if key not in REQUIRED_KEYS)


def read_document(document: dict[str, Any]) -> dict[str, Any] | None:
    """Return the record that a document holds, without values of a wrong type.

    What is left out is logged, in one line for the document.

    Args:
        document: a document, or the part of it that a projection gives; it is changed.

    Returns:
        ``None`` for a document that is not a record.
    """
    missing = [key for key in REQUIRED_KEYS if not is_required_text(document.get(key))]
    if missing:
        logger.warning(
            "The document %r with the path %r does not count as a record: %s must be text "
            "without NUL that is not empty.",
            document.get("_id"),
            document.get("path"),
            " and ".join(missing),
        )
        return None
    wrong = []
    for key in OPTIONAL_KEYS:
        value = document.get(key)
        if value is None:
            continue
        document[key] = number = _to_number(value)
        if not _is_valid(key, number):
            del document[key]
            wrong.append(f"{key} is of the type {type(value).__name__}")
    if wrong:
        logger.warning(
            "The record of %r counts as one without the values of a wrong type: %s.",
            document["path"],
            ", ".join(wrong),
        )
    return document


def _to_number(value: Any) -> Any:
    """Return the ``int`` for a number that another program has written as a decimal or a float."""
    if isinstance(value, Decimal128):
        value = float(value.to_decimal())
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_valid(key: str, value: Any) -> bool:
    kind = get_kind(value)
    if key == OBJECT_ID_KEY:
        # Keys are of every type, but Django's integer fields read True as 1.
        return kind not in (None, "bool")
    if kind != KINDS[key]:
        return False
    # Django's integer fields read the key 2.5 as 2.
    if key == "content_type_id" and isinstance(value, float):
        return False
    lowest, highest = BOUNDS.get(kind, (value, value))
    return bool(lowest <= value <= highest)


# JOINED Conditions and orders of records as queries of MongoDB.
#
# A value of a wrong type counts as none, as in `proxy_storage.meta_backends.mongo`.
# Comparisons of MongoDB leave such values out by themselves, except for arrays, which it compares
# by their elements; some servers of its protocol compare values of all types. So the type of a
# known key is part of each query.
#

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
    if key == OBJECT_ID_KEY:
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
        values = [_to_mongo_value(value) for value in comparison.values if _is_kept(value)]
        if not values:
            return not is_true
        found = {"$in": values}
    else:
        lookup = comparison.lookup
        if not _is_kept(value):
            # the time that is kept in its place comes before it
            lookup = {"gte": "gt", "lt": "lte"}.get(lookup, lookup)
        found = {f"${lookup}": _to_mongo_value(value)}
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


def _to_mongo_value(value: Any) -> Any:
    """Make a time without a zone aware of the one that it is in: MongoDB takes it for UTC."""
    is_naive = isinstance(value, datetime) and timezone.is_naive(value)
    return timezone.make_aware(value) if is_naive else value


# The lock of a record while its file is deleted: a random token, and the time at which the lock
# ends, in seconds since 1970. Records do not show these keys.
CLAIM, CLAIMED_UNTIL = "_claim", "_claimed_until"
# The lifetime of a lock, in seconds: its process may have been killed.
CLAIM_SECONDS = 30.0
# How far apart the clocks of two machines may be, in seconds.
CLOCK_TOLERANCE = 5.0
# How long a delete waits for the lock of another one, and the pause between two attempts, in
# seconds.
LOCK_WAIT_SECONDS = 5.0
CLAIM_PAUSE = 0.05
# seconds to look for a record after a time limit has passed
LOOK_AGAIN_TIMEOUT = 0.4


class MongoMetaBackend(DatabaseUserMixin, MetaBackendBase):
    """Records in a MongoDB collection, each with its ``_id``.

    Its indexes, a unique one on ``path`` and one on the owner, are made when a process
    first uses the collection. Times come back as Django gives them: aware of their zone
    where ``USE_TZ`` is set. MongoDB keeps them to the millisecond.

    Args:
        database: a pymongo ``Database``, a callable that returns one, or the dotted path
            of such a callable; see `proxy_storage.mongodb.LazyDatabase`. Migrations can write
            down only the latter two.
        collection: the collection's name.
    """

    def __init__(
        self, database: AnyDatabase | Callable[[], AnyDatabase] | str, collection: str
    ) -> None:
        self.collection_name = collection
        self._database = LazyDatabase(database, self._make_indexes)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, MongoMetaBackend)
            and other._database == self._database
            and other.collection_name == self.collection_name
        )

    def __hash__(self) -> int:
        return hash((self._database, self.collection_name))

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        """Return the path of the class and the arguments, for migrations.

        Raises:
            TypeError: it was made with a pymongo ``Database`` and not with a function that
                returns one.
        """
        self._database.check_has_name("written to a migration")
        return super().deconstruct()

    def _make_indexes(self, database: AnyDatabase) -> None:
        collection = database[self.collection_name]
        collection.create_index("path", unique=True)
        collection.create_index([("object_id", 1), ("content_type_id", 1)])

    @property
    def _collection(self) -> Any:
        return get_collection(self._database.get(), self.collection_name)

    def get_identity(self, record: MetaBackendObject) -> dict[str, Any]:
        """Return the ``_id``."""
        return {"_id": record["_id"]}

    def get_blank_values(self) -> dict[str, Any]:
        """Return the keys that this package writes, and ``_id``."""
        return {**super().get_blank_values(), "_id": None}

    def claim(self, record: MetaBackendObject) -> dict[str, Any]:
        """Lock a record, as soon as it is not locked by another delete.

        A lock ends by itself after `CLAIM_SECONDS`. One that ends later than that was written
        by a process whose clock is wrong, and is ignored.

        Raises:
            MetaBackendObjectDoesNotExist: the record is gone.
            MetaBackendUnavailable: another delete holds the lock for `LOCK_WAIT_SECONDS`.
        """
        path, identity = record["path"], self.get_identity(record)
        give_up_at = time.monotonic() + LOCK_WAIT_SECONDS
        ends_at: Any = None
        while True:
            now = time.time()
            claim = {CLAIM: uuid4().hex, CLAIMED_UNTIL: now + CLAIM_SECONDS}
            # Of two processes that have seen the same end of a lock, one finds it in the document.
            seen = None if ends_at is None else {"$eq": ends_at}
            with mapped_errors(path):
                collection = self._collection
                query = {**_literal(identity), CLAIMED_UNTIL: seen}
                if collection.update_one(query, {"$set": claim}).matched_count:
                    return {**identity, CLAIM: claim[CLAIM]}
                found = collection.find_one(_literal(identity), {CLAIMED_UNTIL: 1})
            if found is None:
                raise self._does_not_exist(path)
            if time.monotonic() >= give_up_at:
                raise MetaBackendUnavailable(
                    f"Another delete has locked the record of {path!r} for {LOCK_WAIT_SECONDS:g} "
                    f"seconds. Try again; the lock of a process that was killed ends after "
                    f"{CLAIM_SECONDS:g} seconds.",
                    path=path,
                    nothing_written=True,
                )
            ends_at = found.get(CLAIMED_UNTIL)
            if _is_locked(ends_at, now):
                time.sleep(CLAIM_PAUSE)
                ends_at = None

    def release(self, record: MetaBackendObject) -> None:
        """Unlock a record."""
        identity = _literal(self.get_identity(record))
        with mapped_errors(record["path"]):
            self._collection.update_one(identity, {"$unset": {CLAIM: "", CLAIMED_UNTIL: ""}})

    def get_after_error(self, path: str, error: BaseException) -> MetaBackendObject:
        """Return a record; ask for a moment only if waiting for the server took its time."""
        waited = isinstance(error.__cause__, NetworkTimeout)
        with timeout(LOOK_AGAIN_TIMEOUT if waited else None):
            return self.get(path)

    def _create(self, data: dict[str, Any]) -> dict[str, Any]:
        data = _to_mongo(data)
        path = data["path"]
        for _attempt in range(2):
            try:
                with mapped_errors(path):
                    self._collection.insert_one(data)  # adds _id to the dict
                return _convert(data, timezone.is_aware, timezone.make_naive)
            except MetaBackendObjectAlreadyExists as error:
                # Otherwise it was deleted meanwhile, and the second attempt succeeds.
                if self._is_taken(path):
                    raise
                refused = error
        raise MetaBackendError(
            f"The record of {path!r} was refused: {refused.__cause__}",
            path=path,
            nothing_written=True,
        ) from refused.__cause__

    def _is_taken(self, path: str) -> bool:
        """Return whether a document has the path, also one that does not count as a record."""
        with mapped_errors(path):
            return self._collection.find_one(_literal({"path": path}), {"_id": 1}) is not None

    def _get(self, path: str) -> dict[str, Any] | None:
        with mapped_errors(path):
            document = self._collection.find_one(_literal({"path": path}))
        return None if document is None else _from_mongo(document)

    def _exists(self, path: str) -> bool:
        # As `_get` decides, without the values that do not matter for it.
        with mapped_errors(path):
            document = self._collection.find_one(
                _literal({"path": path}), dict.fromkeys(REQUIRED_KEYS, 1)
            )
        return document is not None and read_document(document) is not None

    def _filter(self, criteria: dict[str, Any], path_prefix: str) -> Iterator[dict[str, Any]]:
        parts = get_comparisons(criteria)
        if path_prefix:
            # A range uses the index; a path is never made into a regular expression.
            parts.append({"path": get_range(path_prefix)})
        query: dict[str, Any] = {"$and": parts} if parts else {}
        with mapped_errors(path_prefix):
            yield from _read(self._collection.find(query).sort("path", 1))

    def _select(
        self, condition: Condition, order: Order, start: int, stop: int | None
    ) -> list[dict[str, Any]]:
        query = get_query(condition)
        with mapped_errors(""):
            if start:
                return list(_read(self._find(get_well_formed(query), order, start, stop)))
            # Documents that are not records are read as well, so that they are logged.
            documents = list(self._find(query, order, 0, stop))
            records = list(_read(documents))
            if len(documents) == stop and len(records) < stop:
                records += _read(self._find(get_well_formed(query), order, len(records), stop))
            return records

    def _find(
        self, query: dict[str, Any], order: Order, start: int, stop: int | None
    ) -> Iterable[dict[str, Any]]:
        """Return the documents of a query from one place of an order to another."""
        sort = get_sort_stages(order)
        if not sort:
            found = self._collection.find(query).sort(get_sort(order)).skip(start)
            return found if stop is None else found.limit(stop - start)  # type: ignore[no-any-return]
        # MongoDB merges the first two; nx-27017 would give `_id` as text for some queries.
        stages = [{"$match": {}}, {"$match": query}, *sort, {"$skip": start}]
        if stop is not None:
            stages.append({"$limit": stop - start})
        return self._collection.aggregate(stages)  # type: ignore[no-any-return]

    def _count(self, condition: Condition) -> int:
        with mapped_errors(""):
            query = get_well_formed(get_query(condition))
            count: int = self._collection.count_documents(query)
        return count

    def _update(self, criteria: dict[str, Any], update_data: dict[str, Any]) -> bool:
        with mapped_errors(update_data.get("path", criteria["path"])):
            values = {"$set": _to_mongo(update_data)}
            result = self._collection.update_one(get_criteria(criteria), values)
        return bool(result.matched_count)

    def _delete(self, criteria: dict[str, Any]) -> bool:
        with mapped_errors(criteria["path"]):
            return bool(self._collection.delete_one(get_criteria(criteria)).deleted_count)

    def _set_content_object(
        self, owner: dict[str, Any], path: str | None, released: Collection[str] | None
    ) -> bool:
        writes: list[Any] = []
        if path is not None:
            new = get_criteria({"path": path, "content_type_id": None})
            writes.append(UpdateOne(new, _get_changes(self.get_assigned_values(owner))))
        if released is None or released:
            others = {"$ne": path} if released is None else {"$in": list(released)}
            left = get_well_formed(*get_comparisons(owner), {"path": others})
            changes = _get_changes(self.get_released_values(owner))
            # The time of the server is the same for all processes.
            del changes["$set"][RELEASED_KEY]
            writes.append(UpdateMany(left, {**changes, "$currentDate": {RELEASED_KEY: True}}))
        with mapped_errors(path or ""):
            return bool(self._collection.bulk_write(writes).matched_count)


def _get_changes(values: dict[str, Any]) -> dict[str, Any]:
    """Return an update that writes these values. A key without value is left out."""
    present = {key: value for key, value in values.items() if value is not None}
    absent = dict.fromkeys(key for key, value in values.items() if value is None)
    return {"$set": _to_mongo(present), "$unset": absent}


def _literal(criteria: dict[str, Any]) -> dict[str, Any]:
    """Compare with these very values: an object with operators, or a pattern, is none."""
    return {key: {"$eq": value} for key, value in criteria.items()}


def _to_mongo(data: dict[str, Any]) -> dict[str, Any]:
    """Make times without a zone aware of the one that they are in: MongoDB takes them for UTC."""
    return _convert(data, timezone.is_naive, timezone.make_aware)


def _read(documents: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Return the records among some documents."""
    records = map(_from_mongo, documents)
    return (record for record in records if record is not None)


def _from_mongo(document: dict[str, Any]) -> dict[str, Any] | None:
    """Return the record that a document holds; times have no zone where the project uses none.

    The keys that only this module uses are left out.
    """
    own = {CLAIM, CLAIMED_UNTIL, *(key for key in document if key.startswith(ORDER_PREFIX))}
    record = read_document({key: value for key, value in document.items() if key not in own})
    return None if record is None else _convert(record, timezone.is_aware, timezone.make_naive)


def _is_locked(ends_at: Any, now: float) -> bool:
    """Return whether a lock with this end is one that has not ended."""
    if isinstance(ends_at, bool) or not isinstance(ends_at, int | float):
        return False
    return now < ends_at <= now + CLAIM_SECONDS + CLOCK_TOLERANCE


def _convert(data: dict[str, Any], applies: Any, convert: Any) -> dict[str, Any]:
    if settings.USE_TZ:
        return data
    return {
        key: convert(value) if isinstance(value, datetime) and applies(value) else value
        for key, value in data.items()
    }
