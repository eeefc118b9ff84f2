"""The queries of conditions for MongoDB. The contract tests run them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db.models import Q
from pymongo import MongoClient, monitoring

from demo.services import free_port
from proxy_storage.exceptions import MetaBackendUnavailable
from proxy_storage.meta_backends.mongo import MongoMetaBackend, get_comparisons, get_query, get_sort
from proxy_storage.meta_backends.queries import parse_order

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


def no_array(key):
    return {"$nor": [{key: {"$type": "array"}}]}


KEY = {
    "$and": [
        {"object_id": {"$ne": None}},
        {"$nor": [{"object_id": {"$type": name}} for name in ("array", "object", "bool", "null")]},
    ]
}
FIELD = {"$and": [{"field": {"$type": "string"}}, no_array("field")]}
SIZE = {
    "$and": [
        {"size": {"$type": "number", "$gte": -(2**63), "$lte": 2**63 - 1}},
        no_array("size"),
    ]
}
FIRST, LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
TIME = {"$and": [{"created_at": {"$gte": FIRST, "$lte": LAST}}, no_array("created_at")]}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (True, {}),
        (Q(), {}),
        (False, {"path": {"$in": []}}),
        (Q(path="/a"), {"path": {"$in": ["/a"]}}),
        (~Q(path="/a"), {"$nor": [{"path": {"$in": ["/a"]}}]}),
        (Q(object_id=5), {"$and": [{"object_id": {"$in": ["5", 5]}}, KEY]}),
        (Q(object_id__in=["abc", "5"]), {"$and": [{"object_id": {"$in": ["abc", "5", 5]}}, KEY]}),
        (Q(field=None), {"$nor": [FIELD]}),
        (Q(field__isnull=False), FIELD),
        (Q(title=None), {"title": {"$eq": None}}),
        (Q(title="a"), {"title": {"$in": ["a"]}}),
        (
            ~Q(title__gt="a"),
            {"$or": [{"$nor": [{"title": {"$gt": "a"}}]}, {"title": {"$eq": None}}]},
        ),
        (Q(path__startswith="/a.*"), {"path": {"$gte": "/a.*", "$lt": "/a.+"}}),
        (
            ~Q(size__gt=5),
            {
                "$or": [
                    {"$nor": [{"$and": [{"size": {"$gt": 5}}, SIZE]}]},
                    {"size": {"$eq": None}},
                ]
            },
        ),
        (
            Q(size=1) & (Q(field="a") | ~Q(field=None)),
            {
                "$and": [
                    {"$and": [{"size": {"$in": [1]}}, SIZE]},
                    {"$or": [{"$and": [{"field": {"$in": ["a"]}}, FIELD]}, FIELD]},
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
        # MongoDB would store it as noon.
        ("gt", AFTER_NOON, {"$gt": AFTER_NOON}),
        ("gte", AFTER_NOON, {"$gt": AFTER_NOON}),
        ("lt", AFTER_NOON, {"$lte": AFTER_NOON}),
        ("lte", AFTER_NOON, {"$lte": AFTER_NOON}),
        ("in", [NOON, AFTER_NOON], {"$in": [NOON]}),
    ],
    ids=str,
)
def test_times_are_compared_in_milliseconds(lookup, value, expected):
    found = get_query(Q(**{f"created_at__{lookup}": value}))
    assert found == {"$and": [{"created_at": expected}, TIME]}


def test_time_that_no_document_has():
    assert get_query(Q(created_at=AFTER_NOON)) == get_query(False)
    assert get_query(~Q(created_at=AFTER_NOON)) == {}


def test_times_without_zone(settings):
    settings.USE_TZ, settings.TIME_ZONE = False, "America/New_York"
    for value in (datetime(2026, 3, 29, 8), NOON):
        assert get_query(Q(created_at=value)) == {"$and": [{"created_at": {"$in": [NOON]}}, TIME]}


def test_sort():
    assert get_sort(parse_order(["-size", "field"])) == [("size", -1), ("field", 1), ("path", 1)]


def test_slice_is_one_command_with_a_limit(mongodb_uri, empty_storages):
    commands = Commands()
    with MongoClient(mongodb_uri, event_listeners=[commands]) as client:
        backend = MongoMetaBackend(database=client[settings.MONGODB_NAME], collection="records")
        backend.exists("/a")  # Creates the indexes.
        commands.sent.clear()
        for start in (0, 5):
            backend.select(Q(size__gt=5), ["-path"], start, 8)
            (command,) = commands.sent
            assert command["find"] == "records"
            assert (command.get("skip", 0), command["limit"]) == (start, 8 - start)
            commands.sent.clear()
        backend.select(Q(size__gt=5), ["-size"], 5, 8)
        (command,) = commands.sent
        assert command["aggregate"] == "records"
        assert command["pipeline"][-2:] == [{"$skip": 5}, {"$limit": 3}]
        commands.sent.clear()
        backend.count(Q(size__gt=5))
        assert len(commands.sent) == 1


def test_server_that_does_not_answer():
    with MongoClient(port=free_port(), serverSelectionTimeoutMS=50) as client:
        backend = MongoMetaBackend(database=client["nowhere"], collection="records")
        for ask in (backend.select, backend.count, lambda condition: list(backend)):
            with pytest.raises(MetaBackendUnavailable, match="did not answer"):
                ask(Q(path="/a"))


def test_values_of_keys_of_the_project_are_compared_literally():
    assert get_comparisons({"title": None, "pages": {"$gt": 5}}) == [
        {"title": {"$eq": None}},
        {"pages": {"$eq": {"$gt": 5}}},
    ]
