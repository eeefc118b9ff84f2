"""Contract tests of meta backends: records, lists and content objects."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.meta_backends.queries import CONTENT_OBJECT_KEYS
from proxy_storage.testing.records import PATH, RECORD, MetaBackendCases, RecordCases
from proxy_storage.testing.selecting import SelectCases

# MongoDB stores times in milliseconds.
PRECISION = timedelta(milliseconds=1)


def get_paths(backend: MetaBackendBase, *args: Any, **kwargs: Any) -> list[str]:
    """Return the paths of the records of `filter`."""
    return [record["path"] for record in backend.filter(*args, **kwargs)]


class FilterCases(MetaBackendCases):
    """All records, and records by value and prefix."""

    def test_iteration_yields_all_records_by_path(self, backend: MetaBackendBase) -> None:
        assert list(backend) == []
        self.create(backend, "/b", "/a", "/c")
        records = list(backend)
        assert all(isinstance(record, MetaBackendObject) for record in records)
        assert [record["path"] for record in records] == ["/a", "/b", "/c"]
        assert records[0] == backend.get("/a")

    def test_filter_by_values(self, backend: MetaBackendBase) -> None:
        self.create(backend, "/a", "/b")
        self.create(backend, "/c", proxy_storage_name="Letters")
        assert get_paths(backend, {"proxy_storage_name": "letters"}) == ["/a", "/b"]
        assert get_paths(backend, {"proxy_storage_name": "Letters"}) == ["/c"]
        where = {"proxy_storage_name": "letters", "original_storage_path": "b.txt"}
        assert get_paths(backend, where) == []

    @pytest.mark.parametrize(
        ("prefix", "expected"),
        [
            ("", ["/A/x", "/a", "/a/%", "/a/b/c", "/a/é", "/a0"]),
            ("/a", ["/a", "/a/%", "/a/b/c", "/a/é", "/a0"]),
            ("/a/", ["/a/%", "/a/b/c", "/a/é"]),
            ("/a/%", ["/a/%"]),
            ("/a/_", []),
            ("/a/b", ["/a/b/c"]),
            (".*", []),
            ("/a/\ud7ff", []),
            ("/a/\U0010ffff", []),
            ("\U0010ffff", []),
            ("/a\0", []),
        ],
    )
    def test_filter_by_prefix(
        self, backend: MetaBackendBase, prefix: str, expected: list[str]
    ) -> None:
        self.create(backend, "/a/b/c", "/a", "/a/é", "/a0", "/A/x", "/a/%")
        # The order of letters depends on the database.
        assert sorted(get_paths(backend, path_prefix=prefix)) == expected

    def test_filter_by_values_and_prefix(self, backend: MetaBackendBase) -> None:
        self.create(backend, "/a/1", "/b/1")
        self.create(backend, "/a/2", original_storage_path="b.txt")
        assert get_paths(backend, {"original_storage_path": "a.txt"}, "/a/") == ["/a/1"]

    def test_filter_returns_an_iterator(self, backend: MetaBackendBase) -> None:
        self.create(backend, "/a", "/b")
        records = backend.filter()
        assert next(records)["path"] == "/a"
        assert iter(records) is records


class ContentObjectCases(MetaBackendCases):
    """The content object of a file."""

    def get_data(self, key: Any = None, field: str = "scan") -> dict[str, Any]:
        """Return the values of an existing content object: a content type."""
        model = ContentType.objects.get_for_model(ContentType)
        return {
            "content_type_id": model.pk,
            "object_id": model.pk if key is None else key,
            "field": field,
        }

    def get_paths_of(self, backend: MetaBackendBase, data: dict[str, Any]) -> list[str]:
        """Return the paths of the records with this content object."""
        return [
            record["path"]
            for record in backend
            if all(record.get(key) == data[key] for key in CONTENT_OBJECT_KEYS)
        ]

    def test_get_content_object_returns_the_instance(self, backend: MetaBackendBase) -> None:
        data = self.get_data()
        backend.create({**RECORD, **data})
        record = backend.get(PATH)
        assert {key: record[key] for key in CONTENT_OBJECT_KEYS} == data
        assert record.get_content_object() == ContentType.objects.get_for_model(ContentType)
        assert get_paths(backend, data) == [PATH]

    def test_new_record_has_no_content_object(self, backend: MetaBackendBase) -> None:
        record = backend.create(RECORD)
        assert record.get("content_type_id") is None
        assert record.get_content_object() is None
        assert get_paths(backend, {"content_type_id": None}) == [PATH]

    def test_record_without_a_content_object_gets_one(self, backend: MetaBackendBase) -> None:
        self.create(backend, "/a", "/b")
        assert backend.set_content_object(self.get_data(), "/a")
        assert self.get_paths_of(backend, self.get_data()) == ["/a"]

    def test_other_content_objects_are_kept(self, backend: MetaBackendBase) -> None:
        self.create(backend, "/a", **self.get_data())
        assert not backend.set_content_object(self.get_data(key=999), "/a")
        assert not backend.set_content_object(self.get_data(field="other"), None, released=["/a"])
        assert not backend.set_content_object(self.get_data(key=999), None, released=None)
        assert self.get_paths_of(backend, self.get_data()) == ["/a"]

    def test_released_file_loses_its_content_object(self, backend: MetaBackendBase) -> None:
        self.create(backend, "/a", "/b", **self.get_data())
        assert backend.set_content_object(self.get_data(), None, released=["/a", "/nowhere"])
        assert self.get_paths_of(backend, self.get_data()) == ["/b"]
        assert backend.get("/a").get("object_id") is None
        assert backend.get("/a").get("field") is None

    def test_new_file_gets_it_and_the_old_file_loses_it(self, backend: MetaBackendBase) -> None:
        self.create(backend, "/old", "/kept", **self.get_data())
        self.create(backend, "/others", **self.get_data(field="other"))
        self.create(backend, "/new")
        assert backend.set_content_object(self.get_data(), "/new", released=["/old", "/others"])
        assert self.get_paths_of(backend, self.get_data()) == ["/kept", "/new"]
        assert self.get_paths_of(backend, self.get_data(field="other")) == ["/others"]
        assert backend.get("/old").get("content_type_id") is None

    def test_new_file_gets_it_and_all_others_lose_it(self, backend: MetaBackendBase) -> None:
        self.create(backend, "/old", "/older", **self.get_data())
        self.create(backend, "/others", **self.get_data(key=999))
        self.create(backend, "/new", "/without")
        assert backend.set_content_object(self.get_data(), "/new", released=None)
        assert self.get_paths_of(backend, self.get_data()) == ["/new"]
        assert self.get_paths_of(backend, self.get_data(key=999)) == ["/others"]

    def test_nothing_changes_without_paths(self, backend: MetaBackendBase) -> None:
        self.create(backend, "/a", **self.get_data())
        assert not backend.set_content_object(self.get_data())
        assert self.get_paths_of(backend, self.get_data()) == ["/a"]


class OptionalKeyCases(MetaBackendCases):
    """Optional keys of a record."""

    def test_time_is_stored(self, backend: MetaBackendBase) -> None:
        now = timezone.now()
        backend.create({**RECORD, "created_at": now})
        created = backend.get(PATH)["created_at"]
        assert timezone.is_aware(created) == timezone.is_aware(now)
        assert abs(created - now) < PRECISION

    def test_size_of_more_than_four_bytes_is_stored(self, backend: MetaBackendBase) -> None:
        backend.create({**RECORD, "size": 5 * 2**40})
        assert backend.get(PATH)["size"] == 5 * 2**40


class MetaBackendContract(
    RecordCases, FilterCases, SelectCases, ContentObjectCases, OptionalKeyCases
):
    """Tests of a meta backend. A subclass defines the fixture ``backend``.

    The fixture returns a meta backend without records. Records must accept ``size`` and
    ``created_at``. Their content objects are rows of Django's content types.
    """
