"""Contract tests of a single record: create, read, update and delete."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from proxy_storage.exceptions import (
    MetaBackendError,
    MetaBackendObjectAlreadyExists,
    MetaBackendObjectDoesNotExist,
)
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.paths import is_literal_path

PATH = "/files/a.txt"
RECORD = {"path": PATH, "proxy_storage_name": "letters", "original_storage_path": "a.txt"}
INVALID_PATHS = [{"$ne": ""}, {"$gt": ""}, [PATH], PATH.encode(), None, 0, "nul\0", "\udc80"]
OTHER_PATHS = ["/files/A.txt", "/files/a.txt ", "/files/%", "/files/.*", "/files/á.txt", "a.txt"]
UNUSUAL_PATHS = [
    "/with space ? # % + & ; = 'single' \"double\".txt",
    "/%41%2Fliteral.txt",
    "/$where/{}.txt",
    "/日本/é.txt",
    "/e\u0301 decomposed.txt",
    "/\U0001f4f7.jpg",
    "/" + "n" * 254,
]


class MetaBackendCases:
    """Base class of the contract tests."""

    pytestmark = pytest.mark.django_db

    def create(self, backend: MetaBackendBase, *paths: str, **data: Any) -> None:
        """Create records that differ only in their paths."""
        for path in paths:
            backend.create({**RECORD, **data, "path": path})


class RecordCases(MetaBackendCases):
    """Create, read, update and delete a record."""

    def test_create_returns_the_record(self, backend: MetaBackendBase) -> None:
        record = backend.create(RECORD)
        assert isinstance(record, MetaBackendObject)
        assert {key: record[key] for key in RECORD} == RECORD
        assert backend.get(PATH) == record
        assert backend.get_identity(record)

    def test_create_does_not_change_its_argument(self, backend: MetaBackendBase) -> None:
        data = dict(RECORD)
        backend.create(data)
        assert data == RECORD

    def test_create_with_a_taken_path(self, backend: MetaBackendBase) -> None:
        backend.create(RECORD)
        with pytest.raises(MetaBackendObjectAlreadyExists) as caught:
            backend.create({**RECORD, "original_storage_path": "b.txt"})
        assert caught.value.path == PATH
        assert backend.get(PATH)["original_storage_path"] == "a.txt"

    def test_transaction_stays_usable_after_create_with_a_taken_path(
        self, backend: MetaBackendBase
    ) -> None:
        backend.create(RECORD)
        with transaction.atomic(backend.get_transaction_alias()):
            with pytest.raises(MetaBackendObjectAlreadyExists):
                backend.create(RECORD)
            self.create(backend, "/files/b.txt")
        assert backend.exists("/files/b.txt")

    @pytest.mark.parametrize("path", INVALID_PATHS, ids=repr)
    def test_invalid_path(self, backend: MetaBackendBase, path: Any) -> None:
        backend.create(RECORD)
        with pytest.raises(MetaBackendObjectDoesNotExist):
            backend.get(path)
        with pytest.raises(MetaBackendObjectDoesNotExist):
            backend.update(path, {"original_storage_path": "changed"})
        with pytest.raises(MetaBackendObjectDoesNotExist):
            backend.delete(path)
        with pytest.raises(MetaBackendError):
            backend.create({**RECORD, "path": path})
        assert not backend.exists(path)
        assert backend.get(PATH)["original_storage_path"] == "a.txt"

    @pytest.mark.parametrize("other", OTHER_PATHS)
    def test_paths_are_compared_literally(self, backend: MetaBackendBase, other: str) -> None:
        backend.create(RECORD)
        assert not backend.exists(other)
        with pytest.raises(MetaBackendObjectDoesNotExist):
            backend.get(other)
        with pytest.raises(MetaBackendObjectDoesNotExist):
            backend.update(other, {"original_storage_path": "changed"})
        with pytest.raises(MetaBackendObjectDoesNotExist):
            backend.delete(other)
        self.create(backend, other)
        assert backend.get(other)["path"] == other
        assert backend.get(PATH)["original_storage_path"] == "a.txt"

    @pytest.mark.parametrize("path", UNUSUAL_PATHS)
    def test_unusual_path(self, backend: MetaBackendBase, path: str) -> None:
        assert is_literal_path(path)
        self.create(backend, path)
        assert backend.exists(path)
        assert backend.get(path)["path"] == path
        backend.delete(path)
        assert not backend.exists(path)

    def test_exists(self, backend: MetaBackendBase) -> None:
        assert not backend.exists(PATH)
        backend.create(RECORD)
        assert backend.exists(PATH)

    def test_update_changes_only_the_given_keys(self, backend: MetaBackendBase) -> None:
        record = backend.create(RECORD)
        backend.update(PATH, {"original_storage_path": "b.txt"})
        assert backend.get(PATH) == {**record, "original_storage_path": "b.txt"}

    def test_update_to_a_taken_path(self, backend: MetaBackendBase) -> None:
        self.create(backend, PATH, "/files/b.txt")
        with pytest.raises(MetaBackendObjectAlreadyExists):
            backend.update("/files/b.txt", {"path": PATH})

    def test_update_and_delete_with_expected_values(self, backend: MetaBackendBase) -> None:
        record = backend.create(RECORD)
        as_it_is = {"content_type_id": None, **backend.get_identity(record)}
        changed = {"original_storage_path": "b.txt"}
        other = {"proxy_storage_name": "another"}
        with pytest.raises(MetaBackendObjectDoesNotExist):
            backend.update(PATH, changed, where=other)
        backend.update(PATH, changed, where=as_it_is)
        with pytest.raises(MetaBackendObjectDoesNotExist):
            backend.delete(PATH, where=other)
        backend.delete(PATH, where=as_it_is)
        assert not backend.exists(PATH)

    def test_update_and_delete_of_a_missing_record(self, backend: MetaBackendBase) -> None:
        with pytest.raises(MetaBackendObjectDoesNotExist, match="No record has the path"):
            backend.update("/nothing", {"original_storage_path": "b.txt"})
        with pytest.raises(MetaBackendObjectDoesNotExist):
            backend.delete("/nothing")

    def test_delete(self, backend: MetaBackendBase) -> None:
        self.create(backend, PATH, "/files/b.txt")
        backend.delete(PATH)
        assert not backend.exists(PATH)
        assert backend.exists("/files/b.txt")

    def test_identity_differs_from_that_of_a_later_record(self, backend: MetaBackendBase) -> None:
        first = backend.create(RECORD)
        backend.delete(PATH)
        backend.create(RECORD)
        with pytest.raises(MetaBackendObjectDoesNotExist):
            backend.delete(PATH, where=backend.get_identity(first))
        assert backend.exists(PATH)
