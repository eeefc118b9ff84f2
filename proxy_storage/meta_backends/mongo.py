"""Records in a MongoDB collection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.mongo import AnyDatabase, LazyDatabase, mapped_errors


class MongoMetaBackend(MetaBackendBase):
    """Records in a MongoDB collection, each with its ``_id``.

    A unique index on ``path`` is made when a process first uses the collection.

    Args:
        database: a pymongo ``Database``, a callable that returns one, or the dotted path
            of such a callable; see `proxy_storage.mongo.LazyDatabase`.
        collection: the collection's name.
    """

    def __init__(
        self, database: AnyDatabase | Callable[[], AnyDatabase] | str, collection: str
    ) -> None:
        self.collection_name = collection
        self._database = LazyDatabase(
            database, lambda db: db[collection].create_index("path", unique=True)
        )

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, MongoMetaBackend)
            and other._database == self._database
            and other.collection_name == self.collection_name
        )

    def __hash__(self) -> int:
        return hash((self._database, self.collection_name))

    @property
    def _collection(self) -> Any:
        return self._database.get()[self.collection_name]

    def get_identity(self, record: MetaBackendObject) -> dict[str, Any]:
        """Return the ``_id``."""
        return {"_id": record["_id"]}

    def _create(self, data: dict[str, Any]) -> dict[str, Any]:
        with mapped_errors(data["path"]):
            self._collection.insert_one(data)  # adds _id to the dict
        return data

    def _get(self, path: str) -> dict[str, Any] | None:
        with mapped_errors(path):
            record: dict[str, Any] | None = self._collection.find_one({"path": path})
        return record

    def _exists(self, path: str) -> bool:
        with mapped_errors(path):
            return self._collection.find_one({"path": path}, {"_id": 1}) is not None

    def _update(self, criteria: dict[str, Any], update_data: dict[str, Any]) -> bool:
        with mapped_errors(update_data.get("path", criteria["path"])):
            result = self._collection.update_one(criteria, {"$set": update_data})
        return bool(result.matched_count)

    def _delete(self, criteria: dict[str, Any]) -> bool:
        with mapped_errors(criteria["path"]):
            return bool(self._collection.delete_one(criteria).deleted_count)
