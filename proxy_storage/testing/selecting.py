"""Contract tests of lists of records: conditions, orders and slices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q, QuerySet

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.meta_backends.queries import Condition, localize, matches, negate
from proxy_storage.testing.records import RECORD, MetaBackendCases

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
TYPE, OTHER_TYPE = 901, 902  # of models that do not exist
# Keys that a record does not name have no value.
RECORDS: list[dict[str, Any]] = [
    {"path": "/A"},
    {"path": "/a", "content_type_id": TYPE, "object_id": 5, "field": "scan", "size": 3},
    {"path": "/a/%", "content_type_id": TYPE, "object_id": 7, "field": "Scan", "size": 3},
    {"path": "/a/b", "content_type_id": OTHER_TYPE, "object_id": "5", "field": "scan"},
    {"path": "/a/é", "content_type_id": OTHER_TYPE, "object_id": "abc", "field": "scan", "size": 0},
    {"path": "/a0", "content_type_id": OTHER_TYPE, "object_id": "ABC", "field": "copy"},
    {"path": "/z", "size": 5 * 2**40, "created_at": NOON},
    {"path": "/\ue000", "size": 4, "created_at": NOON + timedelta(seconds=1)},
    {"path": "/\U0001f4f7", "created_at": NOON + timedelta(days=1)},
]
CONDITIONS: dict[str, list[Q]] = {
    "path": [
        Q(path="/a"),
        Q(path__exact="/nowhere"),
        Q(path__in=["/a", "/A", "/nowhere"]),
        Q(path__in=[]),
        Q(path__startswith=""),
        Q(path__startswith="/a"),
        Q(path__startswith="/a/%"),
        Q(path__startswith="/a/_"),
        Q(path__startswith="/a\\"),
        Q(path__startswith="/\U0010ffff"),
        Q(path__icontains=""),
        Q(path__icontains="A/"),
        Q(path__icontains=".TXT"),
        Q(path__icontains="%"),
        Q(path__icontains="_"),
        Q(path__icontains="\\"),
        Q(path__icontains="a.b*"),
        Q(path__gt="/a/é"),
        Q(path__gte="/z"),
        Q(path__lt="/a"),
        Q(path__lte="/a"),
        Q(path__gt="/\ue000"),
        Q(path="nul\0"),
        Q(path__gt="\udc80"),
        Q(path__isnull=True),
    ],
    "field": [
        Q(field="scan"),
        Q(field=None),
        Q(field__startswith="S"),
        Q(field__icontains="CA"),
        ~Q(field__icontains="CA"),
        Q(field__in=["copy", None]),
    ],
    "size": [
        Q(size=3),
        Q(size="3"),
        Q(size="three"),
        Q(size__gt=3),
        Q(size__gte=3),
        Q(size__lt=4),
        Q(size__lte=0),
        Q(size__gt=2**70),
        Q(size__lt=2**70),
        Q(size__gt=-(2**70)),
        Q(size__lt=-(2**70)),
        Q(size__in=[0, 4, 2**70]),
        Q(size__isnull=True),
        Q(size__isnull=False),
    ],
    "created_at": [
        Q(created_at=NOON),
        Q(created_at__gt=NOON),
        Q(created_at__lte=NOON + timedelta(seconds=1, microseconds=5)),
        Q(created_at__gte=NOON + timedelta(microseconds=5)),
        Q(created_at__lt=str(NOON + timedelta(seconds=1))),
        Q(created_at__lt="2026-02-30 12:00"),
        Q(created_at__gt="0001-01-01 00:00:00+14:00"),
        Q(created_at__gt="0001-01-01 00:00:00"),
        Q(created_at__lt="9999-12-31 23:59:59.999999"),
        Q(created_at__lt="9999-12-31 23:59:59-14:00"),
    ],
    "object_id": [
        Q(object_id=5),
        Q(object_id="5"),
        Q(object_id="abc"),
        Q(object_id="05"),
        Q(object_id=2**70),
        Q(object_id__in=[5, "ABC", None]),
        Q(object_id__isnull=False),
    ],
    "content_type_id": [
        Q(content_type_id=TYPE),
        Q(content_type_id=str(TYPE)),
        Q(content_type_id__in=[TYPE, 9]),
    ],
    "several": [
        Q(),
        Q(size=3, field="scan"),
        Q(size=3) | Q(field="copy"),
        Q(size=3) ^ Q(field="scan") ^ Q(object_id="5"),
        ~(Q(size__gte=3) & ~Q(field="scan")),
        (Q(object_id=5) | Q(object_id="abc")) & ~Q(content_type_id=TYPE),
        Q(field="scan") & (Q(size__gt=0) | Q(size__isnull=True) & Q(object_id__in=["5"])),
        Q(Q(path__gt="/a"), Q(path__lt="/z")),
        Q(Q(), ~Q(field=None), True),
    ],
}
ORDERS = [
    ["path"],
    ["-path"],
    [],
    ["size"],
    ["-size"],
    ["field", "-size"],
    ["-created_at", "path"],
    ["size", "-path"],
]


class SelectCases(MetaBackendCases):
    """Records by condition, in an order, and in slices."""

    @pytest.fixture
    def filled(self, backend: MetaBackendBase) -> MetaBackendBase:
        """Return the meta backend with `RECORDS`."""
        # The order differs from all orders of the tests.
        for data in RECORDS[::-2] + RECORDS[-2::-2]:
            times = {key: localize(data[key]) for key in ("created_at",) if key in data}
            backend.create({**RECORD, **data, **times})
        return backend

    def get_matching(self, backend: MetaBackendBase, condition: Condition) -> list[str]:
        """Return the paths of the records that fulfil a condition, evaluated in Python."""
        return sorted(record["path"] for record in backend if matches(condition, record))

    @pytest.mark.parametrize("key", CONDITIONS)
    def test_select_and_count_by_condition(self, filled: MetaBackendBase, key: str) -> None:
        for condition in CONDITIONS[key]:
            for asked in (condition, negate(condition), Q(condition, ~Q(path="/a"))):
                expected = self.get_matching(filled, asked)
                assert [record["path"] for record in filled.select(asked)] == expected, asked
                assert filled.count(asked) == len(expected), asked

    def test_select_returns_the_same_records_as_get(self, filled: MetaBackendBase) -> None:
        records = filled.select()
        assert all(isinstance(record, MetaBackendObject) for record in records)
        assert records == [filled.get(data["path"]) for data in RECORDS]

    def test_true_selects_all_records_and_false_none(self, filled: MetaBackendBase) -> None:
        assert len(filled.select(True)) == filled.count(True) == filled.count() == len(RECORDS)
        assert filled.select(False) == []
        assert filled.count(False) == 0

    @pytest.mark.parametrize("names", ORDERS, ids=str)
    def test_order_by(self, filled: MetaBackendBase, names: list[str]) -> None:
        found = [record["path"] for record in filled.select(True, names)]
        expected = sorted(data["path"] for data in RECORDS)
        # Python's sort is stable, so the keys are sorted by in reverse.
        last = names[-1] if names else "path"
        for name in [*names, "-path" if last.startswith("-") else "path"][::-1]:
            key, is_descending = name.removeprefix("-"), name.startswith("-")
            places = {data["path"]: (data.get(key) is not None, data.get(key)) for data in RECORDS}
            expected.sort(key=places.__getitem__, reverse=is_descending)
        assert found == expected
        backwards = [name[1:] if name.startswith("-") else f"-{name}" for name in names or ["path"]]
        assert [record["path"] for record in filled.select(True, backwards)] == expected[::-1]

    @pytest.mark.parametrize(
        ("start", "stop"), [(0, 2), (2, 4), (3, None), (8, 20), (20, 30), (2, 2), (4, 2), (0, 0)]
    )
    def test_slice(self, filled: MetaBackendBase, start: int, stop: int | None) -> None:
        everything = filled.select(order_by=["-size"])
        assert filled.select(True, ["-size"], start, stop) == everything[start:stop]

    def test_key_that_no_record_has_is_none(self, filled: MetaBackendBase) -> None:
        for missing in (Q(title=None), ~Q(title="a"), ~Q(title__gt="a"), Q(title__isnull=True)):
            assert filled.count(missing) == len(RECORDS)
        for missing in (Q(title="a"), Q(title__in=["a"]), Q(title__lt="a"), ~Q(title=None)):
            assert filled.select(missing) == []
        assert filled.select(order_by=["-title"]) == filled.select(order_by=["-path"])

    def test_queryset_as_value(self, filled: MetaBackendBase) -> None:
        model = ContentType.objects.get_for_model(ContentType)
        content_object = {"content_type_id": model.pk, "object_id": model.pk, "field": "scan"}
        self.create(filled, "/owned", **content_object)
        chosen = ContentType.objects.filter(pk=model.pk)
        others = ContentType.objects.exclude(pk=model.pk)
        querysets: list[QuerySet[Any, Any]] = [
            *(chosen, chosen.values("pk"), chosen.values_list("id", flat=True)),
            *(chosen.values("model"), chosen[:1], chosen.none(), chosen.union(chosen)),
            *(others.values("pk"), ContentType.objects.order_by("model").values("pk")[1:]),
        ]
        for queryset in querysets:
            for condition in (Q(object_id__in=queryset), ~Q(object_id__in=queryset)):
                for asked in (condition, Q(condition, field="scan")):
                    expected = self.get_matching(filled, asked)
                    assert [record["path"] for record in filled.select(asked)] == expected
                    assert filled.count(asked) == len(expected)
        own = Q(content_type_id=model.pk, object_id__in=chosen.values("pk"))
        assert [record["path"] for record in filled.select(own)] == ["/owned"]
        types = Q(content_type_id__in=ContentType.objects.filter(model=model.model))
        assert [record["path"] for record in filled.select(types)] == ["/owned"]

    @pytest.mark.parametrize(
        "condition",
        [
            Q(path__contains="a"),
            Q(path__regex="a"),
            Q(content_type__model="user"),
            Q(object_id__gt=5),
            Q(object_id__startswith="5"),
            ~Q(Q(path="/a") | Q(path__iexact="/A")),
            Q(size__isnull="yes"),
            Q(path__in="/a"),
            Q(path=5),
            Q(path__gt=None),
            Q(size=3.5),
            Q(size=True),
            Q(size__startswith="3"),
            Q(size__icontains="3"),
            Q(created_at=5),
            Q(path={"$ne": ""}),
            Q(path=["/a"]),
            Q(path__in=[["/a"]]),
            Q(**{"$where": "true"}),
            Q(**{"a.b": 1}),
        ],
        ids=str,
    )
    def test_unsupported_condition_is_refused(self, backend: MetaBackendBase, condition: Q) -> None:
        with pytest.raises(ConfigurationError):
            backend.select(condition)
        with pytest.raises(ConfigurationError):
            backend.count(condition)

    @pytest.mark.parametrize("name", ["object_id", "-object_id", "a.b", "$natural", "?", ""])
    def test_unsupported_order_is_refused(self, backend: MetaBackendBase, name: str) -> None:
        with pytest.raises(ConfigurationError, match="ordered by"):
            backend.select(True, [name])
