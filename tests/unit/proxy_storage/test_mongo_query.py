"""What MongoDB is told; that it understands, the contract shows."""

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db.models import Q
from pymongo import MongoClient, monitoring

from demo.services import free_port
from proxy_storage.exceptions import MetaBackendUnavailable
from proxy_storage.meta_backends.mongo import MongoMetaBackend
from proxy_storage.meta_backends.mongo_query import get_query, get_sort
from proxy_storage.meta_backends.ordering import parse_order

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
AFTER_NOON = NOON + timedelta(microseconds=400)


class Commands(monitoring.CommandListener):
    def __init__(self):
        self.sent = []

    def started(self, event):
        self.sent.append(event.command)

    def succeeded(self, event):
        pass

    def failed(self, event):
        pass


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (True, {}),
        (Q(), {}),
        (False, {"path": {"$in": []}}),
        (Q(path="/a"), {"path": {"$in": ["/a"]}}),
        (~Q(path="/a"), {"$nor": [{"path": {"$in": ["/a"]}}]}),
        (Q(object_id=5), {"object_id": {"$in": ["5", 5]}}),
        (Q(object_id__in=["abc", "5"]), {"object_id": {"$in": ["abc", "5", 5]}}),
        (Q(field=None), {"field": {"$eq": None}}),
        (Q(path__startswith="/a.*"), {"path": {"$gte": "/a.*", "$lt": "/a.+"}}),
        (
            ~Q(size__gt=5),
            {"$or": [{"$nor": [{"size": {"$gt": 5}}]}, {"size": {"$eq": None}}]},
        ),
        (
            Q(size=1) & (Q(field="a") | ~Q(field=None)),
            {
                "$and": [
                    {"size": {"$in": [1]}},
                    {"$or": [{"field": {"$in": ["a"]}}, {"$nor": [{"field": {"$eq": None}}]}]},
                ]
            },
        ),
    ],
    ids=str,
)
def test_query(condition, expected):
    assert get_query(condition) == expected


@pytest.mark.parametrize(
    ("lookup", "value", "expected"),
    [
        ("gt", NOON, {"$gt": NOON}),
        ("gte", NOON, {"$gte": NOON}),
        ("exact", NOON, {"$in": [NOON]}),
        # it would be cut to noon
        ("gt", AFTER_NOON, {"$gt": AFTER_NOON}),
        ("gte", AFTER_NOON, {"$gt": AFTER_NOON}),
        ("lt", AFTER_NOON, {"$lte": AFTER_NOON}),
        ("lte", AFTER_NOON, {"$lte": AFTER_NOON}),
        ("in", [NOON, AFTER_NOON], {"$in": [NOON]}),
    ],
    ids=str,
)
def test_times_are_kept_to_the_millisecond(lookup, value, expected):
    assert get_query(Q(**{f"created_at__{lookup}": value})) == {"created_at": expected}


def test_a_time_that_no_document_can_have():
    assert get_query(Q(created_at=AFTER_NOON)) == get_query(False)
    assert get_query(~Q(created_at=AFTER_NOON)) == {}


def test_times_without_zone(settings):
    settings.USE_TZ, settings.TIME_ZONE = False, "America/New_York"
    for value in (datetime(2026, 3, 29, 8), NOON):
        (found,) = get_query(Q(created_at=value))["created_at"]["$in"]
        assert found == NOON


def test_sort():
    assert get_sort(parse_order(["-size", "field"])) == [("size", -1), ("field", 1), ("path", 1)]


def test_one_command_reads_no_more_than_a_part(mongodb_uri):
    commands = Commands()
    with MongoClient(mongodb_uri, event_listeners=[commands]) as client:
        backend = MongoMetaBackend(database=client[settings.MONGODB_NAME], collection="records")
        backend.exists("/a")  # makes the indexes
        commands.sent.clear()
        backend.select(Q(size__gt=5), ["-size"], 5, 8)
        (command,) = commands.sent
        assert command["find"] == "records"
        assert (command["skip"], command["limit"]) == (5, 3)
        commands.sent.clear()
        backend.count(Q(size__gt=5))
        assert len(commands.sent) == 1


def test_no_answer():
    with MongoClient(port=free_port(), serverSelectionTimeoutMS=50) as client:
        backend = MongoMetaBackend(database=client["nowhere"], collection="records")
        for ask in (backend.select, backend.count):
            with pytest.raises(MetaBackendUnavailable, match="did not answer"):
                ask(Q(path="/a"))
