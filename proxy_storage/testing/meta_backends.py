"""The contract of meta backends: records, lists of them, and their owners."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from proxy_storage.content_objects import CONTENT_OBJECT_KEYS
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.testing.records import PATH, RECORD, MetaBackendCases, RecordCases
from proxy_storage.testing.selecting import SelectCases

# MongoDB keeps times to the millisecond
PRECISION = timedelta(milliseconds=1)


def get_paths(backend: MetaBackendBase, *args: Any, **kwargs: Any) -> list[str]:
    """Return the paths that a filter gives out."""
    return [record["path"] for record in backend.filter(*args, **kwargs)]


class FilterCases(MetaBackendCases):
    """Many records."""

    def test_all_records(self, backend: MetaBackendBase) -> None:
        assert list(backend) == []
        self.create(backend, "/b", "/a", "/c")
        records = list(backend)
        assert all(isinstance(record, MetaBackendObject) for record in records)
        assert [record["path"] for record in records] == ["/a", "/b", "/c"]
        assert records[0] == backend.get("/a")

    def test_by_equality(self, backend: MetaBackendBase) -> None:
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
    def test_by_prefix(self, backend: MetaBackendBase, prefix: str, expected: list[str]) -> None:
        self.create(backend, "/a/b/c", "/a", "/a/é", "/a0", "/A/x", "/a/%")
        # databases sort letters each in a way of its own
        assert sorted(get_paths(backend, path_prefix=prefix)) == expected

    def test_by_both(self, backend: MetaBackendBase) -> None:
        self.create(backend, "/a/1", "/b/1")
        self.create(backend, "/a/2", original_storage_path="b.txt")
        assert get_paths(backend, {"original_storage_path": "a.txt"}, "/a/") == ["/a/1"]

    def test_is_given_out_as_it_is_read(self, backend: MetaBackendBase) -> None:
        self.create(backend, "/a", "/b")
        records = backend.filter()
        assert next(records)["path"] == "/a"
        assert iter(records) is records


class OwnerCases(MetaBackendCases):
    """The owner of a file."""

    def get_owner(self, key: Any = None, field: str = "scan") -> dict[str, Any]:
        """Return the values for an owner that exists: a content type, for one."""
        model = ContentType.objects.get_for_model(ContentType)
        return {
            "content_type_id": model.pk,
            "object_id": model.pk if key is None else key,
            "field": field,
        }

    def get_owned(self, backend: MetaBackendBase, owner: dict[str, Any]) -> list[str]:
        """Return the paths of the records that have this owner."""
        return [
            record["path"]
            for record in backend
            if all(record.get(key) == owner[key] for key in CONTENT_OBJECT_KEYS)
        ]

    def test_comes_back_as_an_instance(self, backend: MetaBackendBase) -> None:
        owner = self.get_owner()
        backend.create({**RECORD, **owner})
        record = backend.get(PATH)
        assert {key: record[key] for key in CONTENT_OBJECT_KEYS} == owner
        assert record.get_content_object() == ContentType.objects.get_for_model(ContentType)
        assert get_paths(backend, owner) == [PATH]

    def test_is_none_at_first(self, backend: MetaBackendBase) -> None:
        record = backend.create(RECORD)
        assert record.get("content_type_id") is None
        assert record.get_content_object() is None
        assert get_paths(backend, {"content_type_id": None}) == [PATH]

    def test_is_given_where_there_is_none(self, backend: MetaBackendBase) -> None:
        self.create(backend, "/a", "/b")
        assert backend.set_content_object(self.get_owner(), "/a")
        assert self.get_owned(backend, self.get_owner()) == ["/a"]

    def test_is_not_taken_from_another(self, backend: MetaBackendBase) -> None:
        self.create(backend, "/a", **self.get_owner())
        assert not backend.set_content_object(self.get_owner(key=999), "/a")
        assert not backend.set_content_object(self.get_owner(field="other"), None, released=["/a"])
        assert not backend.set_content_object(self.get_owner(key=999), None, released=None)
        assert self.get_owned(backend, self.get_owner()) == ["/a"]

    def test_is_taken_from_a_file_that_was_left(self, backend: MetaBackendBase) -> None:
        self.create(backend, "/a", "/b", **self.get_owner())
        assert backend.set_content_object(self.get_owner(), None, released=["/a", "/nowhere"])
        assert self.get_owned(backend, self.get_owner()) == ["/b"]
        assert backend.get("/a").get("object_id") is None
        assert backend.get("/a").get("field") is None

    def test_goes_from_the_old_file_to_the_new_one(self, backend: MetaBackendBase) -> None:
        self.create(backend, "/old", "/kept", **self.get_owner())
        self.create(backend, "/others", **self.get_owner(field="other"))
        self.create(backend, "/new")
        assert backend.set_content_object(self.get_owner(), "/new", released=["/old", "/others"])
        assert self.get_owned(backend, self.get_owner()) == ["/kept", "/new"]
        assert self.get_owned(backend, self.get_owner(field="other")) == ["/others"]
        assert backend.get("/old").get("content_type_id") is None

    def test_goes_from_all_files_to_the_new_one(self, backend: MetaBackendBase) -> None:
        self.create(backend, "/old", "/older", **self.get_owner())
        self.create(backend, "/others", **self.get_owner(key=999))
        self.create(backend, "/new", "/nobodys")
        assert backend.set_content_object(self.get_owner(), "/new", released=None)
        assert self.get_owned(backend, self.get_owner()) == ["/new"]
        assert self.get_owned(backend, self.get_owner(key=999)) == ["/others"]

    def test_does_not_change_where_nothing_is_named(self, backend: MetaBackendBase) -> None:
        self.create(backend, "/a", **self.get_owner())
        assert not backend.set_content_object(self.get_owner())
        assert self.get_owned(backend, self.get_owner()) == ["/a"]


class FactCases(MetaBackendCases):
    """Values beside the necessary ones."""

    def test_a_time_comes_back(self, backend: MetaBackendBase) -> None:
        now = timezone.now()
        backend.create({**RECORD, "created_at": now})
        created = backend.get(PATH)["created_at"]
        assert timezone.is_aware(created) == timezone.is_aware(now)
        assert abs(created - now) < PRECISION

    def test_a_size_beyond_four_bytes_comes_back(self, backend: MetaBackendBase) -> None:
        backend.create({**RECORD, "size": 5 * 2**40})
        assert backend.get(PATH)["size"] == 5 * 2**40


class MetaBackendContract(RecordCases, FilterCases, SelectCases, OwnerCases, FactCases):
    """Tests of a meta backend; subclasses give the fixture ``backend``.

    The fixture is a meta backend without records. The owner that they are given is a row
    of Django's content types. Records can have ``size`` and ``created_at``.
    """
