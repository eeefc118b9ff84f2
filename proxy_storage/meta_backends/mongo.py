"""Records in a MongoDB collection.

A collection has no schema: other programs, and former versions of a project, may have written
documents that are not records, or values of another type than a key has. A document in which one
of `REQUIRED_KEYS` is missing, or has a value that `MetaBackendBase.create` refuses, does not count
as a record. A value of a wrong type counts as no value. Queries follow the same rules. Comparisons
of MongoDB leave most values of a wrong type out, but compare the elements of arrays, and some
servers of its protocol compare values of all types. So a query contains the type of each key.
"""

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
from proxy_storage.paths import is_literal_path

logger = logging.getLogger("proxy_storage")

# The time after which MongoDB counts as not available for `find_problems`.
DIAGNOSIS_SECONDS = 5

# The ranges of valid values, by type. A time less than a day from the ends of Python's calendar
# does not exist in every time zone.
BOUNDS: Mapping[type, tuple[Any, Any]] = {
    int: (SMALLEST, LARGEST),
    datetime: (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)),
}
OPTIONAL_KEYS = tuple(key for key in (*KINDS, OBJECT_ID_KEY) if key not in REQUIRED_KEYS)


def read_document(document: dict[str, Any]) -> dict[str, Any] | None:
    """Return a document as a record, without values of a wrong type.

    One warning is logged for a document with such values.

    Args:
        document: a document, or its projection. It is modified.

    Returns:
        ``None`` if the document is not a record.
    """
    missing = [
        key for key in REQUIRED_KEYS if not (is_literal_path(document.get(key)) and document[key])
    ]
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
    """Return an ``int`` for an integer that another program has written as a decimal or float."""
    if isinstance(value, Decimal128):
        value = float(value.to_decimal())
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_valid(key: str, value: Any) -> bool:
    # Django's integer fields read True as 1, and the primary key 2.5 as 2.
    if isinstance(value, bool):
        return False
    if key == OBJECT_ID_KEY:
        return not isinstance(value, list | dict)
    if not isinstance(value, (int, float) if key == "size" else KINDS[key]):
        return False
    lowest, highest = BOUNDS.get(KINDS[key], (value, value))
    return bool(lowest <= value <= highest)


# MongoDB stores times in milliseconds.
PRECISION = 1000  # microseconds
JOINS = {Q.AND: "$and", Q.OR: "$or"}
# The types of valid values: a query for find(), and the names for aggregate().
FOUND: Mapping[type, dict[str, Any]] = {
    str: {"$type": "string"},
    int: {"$type": "number"},
    # BOUNDS are enough. Not every server of the protocol supports the name of this type.
    datetime: {},
}
TYPES: Mapping[type, list[str]] = {
    str: ["string"],
    int: ["int", "long", "double", "decimal"],
    # The server nx-27017 returns "unknown" for times.
    datetime: ["date", "unknown"],
}
HAS_NUL: Mapping[str, str] = {"$regex": r"\x00"}
ORDER_PREFIX = "_order_by_"


def get_query(condition: Condition) -> dict[str, Any]:
    """Return the query of a condition."""
    query: dict[str, Any] | bool = build(
        condition, _compare, lambda connector, queries: {JOINS[connector]: queries}
    )
    if isinstance(query, bool):
        return {} if query else {"path": {"$in": []}}
    return query


def get_well_formed(*queries: Mapping[str, Any]) -> dict[str, Any]:
    """Return the query for documents that count as records and match these queries."""
    well_formed = ({key: {**FOUND[KINDS[key]], "$gt": ""}} for key in REQUIRED_KEYS)
    # A pattern cannot contain a NUL, so it is escaped.
    wrong = [{key: found} for key in REQUIRED_KEYS for found in ({"$type": "array"}, HAS_NUL)]
    # These queries come first, since a server may evaluate the parts of $and in their order.
    return {"$and": [*filter(None, queries), *well_formed, {"$nor": wrong}]}


def get_criteria(criteria: Mapping[str, Any]) -> dict[str, Any]:
    """Return the query for the records with these values."""
    return get_well_formed(*get_comparisons(criteria))


def get_comparisons(criteria: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one query for each of these values.

    The values are compared literally: an object with operators, or a pattern, is not a query.
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
    """Return the query for the documents in which a key has a valid value.

    Returns:
        ``None`` for the keys of the project, and for the keys that every record has.
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
    """Return the argument of ``sort()`` for an order. MongoDB sorts missing values first."""
    return [(key, -1 if is_descending else 1) for key, is_descending in order.items()]


def get_sort_stages(order: Order) -> list[dict[str, Any]]:
    """Return the stages of an aggregation in which a value of a wrong type counts as no value.

    Returns:
        An empty list if the order has only keys that every record has and keys of the project.
        `get_sort` is enough for them.
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
    """Return the query for texts with a prefix. A range uses the index."""
    first, following = get_prefix_range(prefix)
    return {"$gte": first} if following is None else {"$gte": first, "$lt": following}


def _compare(comparison: Comparison, is_true: bool) -> dict[str, Any] | bool:
    value = comparison.value
    has_value = _has_value(comparison.key)
    found: dict[str, Any]
    if comparison.lookup == "isnull":
        if has_value is not None:
            return {"$nor": [has_value]} if is_true else has_value
        found = {"$eq": None}  # It matches missing keys as well.
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
            # MongoDB compares with the millisecond before this time.
            lookup = {"gte": "gt", "lt": "lte"}.get(lookup, lookup)
        found = {f"${lookup}": _to_mongo_value(value)}
    query: dict[str, Any] = {comparison.key: found}
    if has_value is not None:
        query = {"$and": [query, has_value]}
    if is_true:
        return query
    negation = {"$nor": [query]}
    if comparison.lookup in ORDERED_LOOKUPS:
        # A missing value matches, but some servers of the protocol leave it out.
        return {"$or": [negation, {comparison.key: {"$eq": None}}]}
    return negation


def _is_kept(value: Any) -> bool:
    """Return whether MongoDB stores exactly this value."""
    return not isinstance(value, datetime) or value.microsecond % PRECISION == 0


def _to_mongo_value(value: Any) -> Any:
    """Add the time zone to a time without one, which MongoDB would take for UTC."""
    is_naive = isinstance(value, datetime) and timezone.is_naive(value)
    return timezone.make_aware(value) if is_naive else value


# The keys of the lock of a record whose file is being deleted: a random token, and the end of the
# lock in seconds since 1970. Records do not contain these keys. The names are those of former
# versions, whose processes may be running at the same time.
LOCK_KEY, LOCKED_UNTIL_KEY = "_claim", "_claimed_until"
# The lifetime of a lock, in seconds. A killed process does not unlock its records.
LOCK_SECONDS = 30.0
# The largest difference between the clocks of two machines, in seconds.
CLOCK_TOLERANCE = 5.0
# The time that a delete waits for the lock of another delete, and between two attempts, in seconds.
LOCK_WAIT_SECONDS = 5.0
LOCK_PAUSE = 0.05
# The time limit of the query for a record after a write has timed out, in seconds.
LOOK_AGAIN_TIMEOUT = 0.4


class MongoMetaBackend(DatabaseUserMixin, MetaBackendBase):
    """Records in a MongoDB collection, each with an ``_id``.

    A process creates the indexes when it first uses the collection: a unique one on ``path``, and
    one on the content object. Times have a time zone if ``USE_TZ`` is set. MongoDB stores them in
    milliseconds.

    Args:
        database: a pymongo ``Database``, a callable that returns one, or the dotted path
            of such a callable; see `proxy_storage.mongodb.LazyDatabase`. Migrations cannot
            contain a ``Database``.
        collection: the name of the collection.
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
            TypeError: the argument ``database`` is a pymongo ``Database``.
        """
        self._database.check_has_name("written to a migration")
        return super().deconstruct()

    def _make_indexes(self, database: AnyDatabase) -> None:
        collection = database[self.collection_name]
        collection.create_index("path", unique=True)
        collection.create_index([("object_id", 1), ("content_type_id", 1)])

    def find_problems(self) -> list[tuple[str, str]]:
        """Return whether the unique index on the path is missing.

        Raises:
            MetaBackendError: MongoDB does not answer within `DIAGNOSIS_SECONDS`, or the indexes
                cannot be created, for example because two documents have the same path.
        """
        with timeout(DIAGNOSIS_SECONDS), mapped_errors(""):
            indexes = self._collection.index_information().values()
        if any(one["key"] == [("path", 1)] and one.get("unique") for one in indexes):
            return []
        cause = f"The collection {self.collection_name!r} has no unique index on 'path'."
        return [(cause, "Create the index, or restart the processes of the site, which create it.")]

    @property
    def _collection(self) -> Any:
        return get_collection(self._database.get(), self.collection_name)

    def get_identity(self, record: MetaBackendObject) -> dict[str, Any]:
        """Return the ``_id``."""
        return {"_id": record["_id"]}

    def get_blank_values(self) -> dict[str, Any]:
        """Return the keys that this package writes, and ``_id``."""
        return {**super().get_blank_values(), "_id": None}

    def lock(self, record: MetaBackendObject) -> dict[str, Any]:
        """Lock a record as soon as no other delete has locked it.

        A lock ends by itself after `LOCK_SECONDS`. A lock that ends later than that is ignored: the
        clock of its process was wrong.

        Raises:
            MetaBackendObjectDoesNotExist: the record was deleted.
            MetaBackendUnavailable: another delete holds the lock for `LOCK_WAIT_SECONDS`.
        """
        path, identity = record["path"], self.get_identity(record)
        give_up_at = time.monotonic() + LOCK_WAIT_SECONDS
        ends_at: Any = None
        while True:
            now = time.time()
            lock = {LOCK_KEY: uuid4().hex, LOCKED_UNTIL_KEY: now + LOCK_SECONDS}
            # If several processes have seen that a lock has ended, only one of them replaces it.
            seen = None if ends_at is None else {"$eq": ends_at}
            with mapped_errors(path):
                collection = self._collection
                query = {**_literal(identity), LOCKED_UNTIL_KEY: seen}
                if collection.update_one(query, {"$set": lock}).matched_count:
                    return {**identity, LOCK_KEY: lock[LOCK_KEY]}
                found = collection.find_one(_literal(identity), {LOCKED_UNTIL_KEY: 1})
            if found is None:
                raise self._does_not_exist(path)
            if time.monotonic() >= give_up_at:
                raise MetaBackendUnavailable(
                    f"Another delete has locked the record of {path!r} for {LOCK_WAIT_SECONDS:g} "
                    f"seconds. Try again; the lock of a process that was killed ends after "
                    f"{LOCK_SECONDS:g} seconds.",
                    path=path,
                    nothing_written=True,
                )
            ends_at = found.get(LOCKED_UNTIL_KEY)
            if _is_locked(ends_at, now):
                time.sleep(LOCK_PAUSE)
                ends_at = None

    def unlock(self, record: MetaBackendObject) -> None:
        """Unlock a record."""
        identity = _literal(self.get_identity(record))
        with mapped_errors(record["path"]):
            keys = {LOCK_KEY: "", LOCKED_UNTIL_KEY: ""}
            self._collection.update_one(identity, {"$unset": keys})

    def get_after_error(self, path: str, error: BaseException) -> MetaBackendObject:
        """Return a record, with a short time limit if the failed write has timed out."""
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
                # Otherwise the record was deleted meanwhile, and the second attempt succeeds.
                if self._is_taken(path):
                    raise
                refused = error
        raise MetaBackendError(
            f"The record of {path!r} was refused: {refused.__cause__}",
            path=path,
            nothing_written=True,
        ) from refused.__cause__

    def _is_taken(self, path: str) -> bool:
        """Return whether a document has the path, even if it does not count as a record."""
        with mapped_errors(path):
            return self._collection.find_one(_literal({"path": path}), {"_id": 1}) is not None

    def _get(self, path: str) -> dict[str, Any] | None:
        with mapped_errors(path):
            document = self._collection.find_one(_literal({"path": path}))
        return None if document is None else _from_mongo(document)

    def _exists(self, path: str) -> bool:
        # The projection has all keys that decide whether a document counts as a record.
        with mapped_errors(path):
            document = self._collection.find_one(
                _literal({"path": path}), dict.fromkeys(REQUIRED_KEYS, 1)
            )
        return document is not None and read_document(document) is not None

    def _filter(self, criteria: dict[str, Any], path_prefix: str) -> Iterator[dict[str, Any]]:
        parts = get_comparisons(criteria)
        if path_prefix:
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
            # Documents that are not records are read as well, so that a warning is logged.
            documents = list(self._find(query, order, 0, stop))
            records = list(_read(documents))
            if len(documents) == stop and len(records) < stop:
                records += _read(self._find(get_well_formed(query), order, len(records), stop))
            return records

    def _find(
        self, query: dict[str, Any], order: Order, start: int, stop: int | None
    ) -> Iterable[dict[str, Any]]:
        """Return a slice of the documents of a query, in an order."""
        sort = get_sort_stages(order)
        if not sort:
            found = self._collection.find(query).sort(get_sort(order)).skip(start)
            return found if stop is None else found.limit(stop - start)  # type: ignore[no-any-return]
        # MongoDB merges the first two stages. nx-27017 needs the first to return `_id` unchanged.
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
        self,
        content_object_data: dict[str, Any],
        path: str | None,
        released: Collection[str] | None,
    ) -> bool:
        writes: list[Any] = []
        assigned_values, released_values = self.get_content_object_values(content_object_data)
        if path is not None:
            new = get_criteria({"path": path, "content_type_id": None})
            writes.append(UpdateOne(new, _get_changes(assigned_values)))
        if released is None or released:
            others = {"$ne": path} if released is None else {"$in": list(released)}
            left = get_well_formed(*get_comparisons(content_object_data), {"path": others})
            changes = _get_changes(released_values)
            # All processes use the clock of the server.
            del changes["$set"][RELEASED_KEY]
            writes.append(UpdateMany(left, {**changes, "$currentDate": {RELEASED_KEY: True}}))
        with mapped_errors(path or ""):
            return bool(self._collection.bulk_write(writes).matched_count)


def _get_changes(values: dict[str, Any]) -> dict[str, Any]:
    """Return an update that writes these values, and removes keys without a value."""
    present = {key: value for key, value in values.items() if value is not None}
    absent = dict.fromkeys(key for key, value in values.items() if value is None)
    return {"$set": _to_mongo(present), "$unset": absent}


def _literal(criteria: dict[str, Any]) -> dict[str, Any]:
    """Return a query for exactly these values. An object with operators is compared as a value."""
    return {key: {"$eq": value} for key, value in criteria.items()}


def _to_mongo(data: dict[str, Any]) -> dict[str, Any]:
    """Add the time zone to times without one, which MongoDB would take for UTC."""
    return _convert(data, timezone.is_naive, timezone.make_aware)


def _read(documents: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the documents that are records."""
    records = map(_from_mongo, documents)
    return (record for record in records if record is not None)


def _from_mongo(document: dict[str, Any]) -> dict[str, Any] | None:
    """Return a document as a record, without the keys that only this module uses.

    Its times have a time zone only if ``USE_TZ`` is set.
    """
    own = {LOCK_KEY, LOCKED_UNTIL_KEY, *(key for key in document if key.startswith(ORDER_PREFIX))}
    record = read_document({key: value for key, value in document.items() if key not in own})
    return None if record is None else _convert(record, timezone.is_aware, timezone.make_naive)


def _is_locked(ends_at: Any, now: float) -> bool:
    """Return whether a lock with this end is valid and has not ended."""
    if isinstance(ends_at, bool) or not isinstance(ends_at, int | float):
        return False
    return now < ends_at <= now + LOCK_SECONDS + CLOCK_TOLERANCE


def _convert(data: dict[str, Any], applies: Any, convert: Any) -> dict[str, Any]:
    if settings.USE_TZ:
        return data
    return {
        key: convert(value) if isinstance(value, datetime) and applies(value) else value
        for key, value in data.items()
    }
