"""Records in a MongoDB collection."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.utils import timezone

from proxy_storage.exceptions import MetaBackendError, MetaBackendObjectAlreadyExists
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.meta_backends.conditions import Condition
from proxy_storage.meta_backends.mongo_query import get_query, get_range, get_sort
from proxy_storage.meta_backends.ordering import Order
from proxy_storage.mongo import (
    AnyDatabase,
    LazyDatabase,
    NetworkTimeout,
    UpdateMany,
    UpdateOne,
    get_collection,
    mapped_errors,
    timeout,
)

# who deletes a file at the moment, and until when that is believed; nobody else sees it
CLAIM, CLAIMED_UNTIL = "_claim", "_claimed_until"
CLAIM_SECONDS = 30.0
CLAIM_PAUSE = 0.05  # seconds to wait for who deletes the same file
# seconds to look for a record after a time limit has passed
LOOK_AGAIN_TIMEOUT = 0.4


class MongoMetaBackend(MetaBackendBase):
    """Records in a MongoDB collection, each with its ``_id``.

    Its indexes, a unique one on ``path`` and one on the owner, are made when a process
    first uses the collection. Times come back as Django gives them: aware of their zone
    where ``USE_TZ`` is set. MongoDB keeps them to the millisecond.

    Args:
        database: a pymongo ``Database``, a callable that returns one, or the dotted path
            of such a callable; see `proxy_storage.mongo.LazyDatabase`.
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

    def claim(self, record: MetaBackendObject) -> dict[str, Any]:
        """Write a mark of one's own into the document, once nobody else's is there.

        A mark is good for `CLAIM_SECONDS`: who left it may have been killed.
        """
        identity = self.get_identity(record)
        while True:
            now = time.time()
            claim = {CLAIM: uuid4().hex, CLAIMED_UNTIL: now + CLAIM_SECONDS}
            for free in (None, {"$lte": now}):
                query = {**_literal(identity), CLAIMED_UNTIL: free}
                with mapped_errors(record["path"]):
                    if self._collection.update_one(query, {"$set": claim}).matched_count:
                        return {**identity, CLAIM: claim[CLAIM]}
            super().claim(record)  # raises if the record is gone
            time.sleep(CLAIM_PAUSE)

    def release(self, record: MetaBackendObject) -> None:
        """Take the mark away."""
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
                return _from_mongo(data)
            except MetaBackendObjectAlreadyExists as error:
                # or else it has gone by now, and the second attempt succeeds
                if self._exists(path):
                    raise
                refused = error
        raise MetaBackendError(
            f"The record of {path!r} was refused: {refused.__cause__}", path=path, is_certain=True
        ) from refused.__cause__

    def _get(self, path: str) -> dict[str, Any] | None:
        with mapped_errors(path):
            record: dict[str, Any] | None = self._collection.find_one(_literal({"path": path}))
        return None if record is None else _from_mongo(record)

    def _exists(self, path: str) -> bool:
        with mapped_errors(path):
            return self._collection.find_one(_literal({"path": path}), {"_id": 1}) is not None

    def _filter(self, criteria: dict[str, Any], path_prefix: str) -> Iterator[dict[str, Any]]:
        query: dict[str, Any] = _literal(criteria)
        if path_prefix:
            # a range, on the index; no regular expression is made of a path
            query["path"] = get_range(path_prefix)
        with mapped_errors(path_prefix):
            for record in self._collection.find(query).sort("path", 1):
                yield _from_mongo(record)

    def _select(
        self, condition: Condition, order: Order, start: int, stop: int | None
    ) -> list[dict[str, Any]]:
        with mapped_errors(""):
            found = self._collection.find(get_query(condition)).sort(get_sort(order)).skip(start)
            if stop is not None:
                found = found.limit(stop - start)
            return [_from_mongo(record) for record in found]

    def _count(self, condition: Condition) -> int:
        with mapped_errors(""):
            count: int = self._collection.count_documents(get_query(condition))
        return count

    def _update(self, criteria: dict[str, Any], update_data: dict[str, Any]) -> bool:
        with mapped_errors(update_data.get("path", criteria["path"])):
            values = {"$set": _to_mongo(update_data)}
            result = self._collection.update_one(_literal(criteria), values)
        return bool(result.matched_count)

    def _delete(self, criteria: dict[str, Any]) -> bool:
        with mapped_errors(criteria["path"]):
            return bool(self._collection.delete_one(_literal(criteria)).deleted_count)

    def _set_owner(
        self, owner: dict[str, Any], path: str | None, released: Collection[str] | None
    ) -> bool:
        writes: list[Any] = []
        if path is not None:
            new = _literal({"path": path, "content_type_id": None})
            writes.append(UpdateOne(new, {"$set": owner}))
        if released is None or released:
            others = {"$ne": path} if released is None else {"$in": list(released)}
            left = {**_literal(owner), "path": others}
            writes.append(UpdateMany(left, {"$unset": dict.fromkeys(owner)}))
        with mapped_errors(path or ""):
            return bool(self._collection.bulk_write(writes).matched_count)


def _literal(criteria: dict[str, Any]) -> dict[str, Any]:
    """Compare with these very values: an object with operators, or a pattern, is none."""
    return {key: {"$eq": value} for key, value in criteria.items()}


def _to_mongo(data: dict[str, Any]) -> dict[str, Any]:
    """Make times without a zone aware of the one that they are in: MongoDB takes them for UTC."""
    return _convert(data, timezone.is_naive, timezone.make_aware)


def _from_mongo(record: dict[str, Any]) -> dict[str, Any]:
    """Leave the mark of a deletion out, and the zone of times where the project uses none."""
    for key in (CLAIM, CLAIMED_UNTIL):
        record.pop(key, None)
    return _convert(record, timezone.is_aware, timezone.make_naive)


def _convert(data: dict[str, Any], applies: Any, convert: Any) -> dict[str, Any]:
    if settings.USE_TZ:
        return data
    return {
        key: convert(value) if isinstance(value, datetime) and applies(value) else value
        for key, value in data.items()
    }
