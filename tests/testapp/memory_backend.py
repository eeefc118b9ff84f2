"""A meta backend with only the methods that the contract requires."""

import itertools

from proxy_storage.exceptions import MetaBackendError, MetaBackendObjectAlreadyExists
from proxy_storage.meta_backends.base import MetaBackendBase


class MemoryMetaBackend(MetaBackendBase):
    """Records in a dict."""

    def __init__(self):
        self.records = {}
        self.numbers = itertools.count(1)

    def get_identity(self, record):
        return {"number": record["number"]}

    def _create(self, data):
        if data["path"] in self.records:
            raise MetaBackendObjectAlreadyExists("taken", path=data["path"])
        if not isinstance(data["original_storage_path"], str):
            raise MetaBackendError("refused", path=data["path"])
        self.records[data["path"]] = {**data, "number": next(self.numbers)}
        return dict(self.records[data["path"]])

    def _get(self, path):
        record = self.records.get(path)
        return None if record is None else dict(record)

    def _exists(self, path):
        return path in self.records

    def _filter(self, criteria, path_prefix):
        for path in sorted(self.records):
            if path.startswith(path_prefix) and self._matches(path, criteria):
                yield dict(self.records[path])

    def _update(self, criteria, update_data):
        path = criteria["path"]
        if not self._matches(path, criteria):
            return False
        new_path = update_data.get("path", path)
        if new_path != path and new_path in self.records:
            raise MetaBackendObjectAlreadyExists("taken", path=new_path)
        self.records[new_path] = {**self.records.pop(path), **update_data}
        return True

    def _delete(self, criteria):
        if not self._matches(criteria["path"], criteria):
            return False
        del self.records[criteria["path"]]
        return True

    def _matches(self, path, criteria):
        record = self.records.get(path)
        return record is not None and all(record.get(key) == criteria[key] for key in criteria)
