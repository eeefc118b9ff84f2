"""The order of records, and what of them comes next."""

import itertools
import random

import pytest
from django.db.models import Q

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.queries import (
    get_following,
    get_prefix_range,
    get_sort_key,
    matches,
    parse_order,
)

RECORDS = [
    {"path": path, **({} if size is None else {"size": size}), "field": field}
    for path, (size, field) in zip(
        "abcdefghijkl", itertools.product([None, 1, 2, 3], [None, "x", "y"]), strict=True
    )
]
ORDERS = [["path"], ["-path"], ["size"], ["-size"], ["field", "-size"], ["-field", "size", "path"]]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], [("path", False)]),
        (["path"], [("path", False)]),
        (["-path"], [("path", True)]),
        (["size"], [("size", False), ("path", False)]),
        (["-size"], [("size", True), ("path", True)]),
        (["-size", "field"], [("size", True), ("field", False), ("path", False)]),
        (["-size", "path"], [("size", True), ("path", False)]),
        (["path", "-size"], [("path", False), ("size", True)]),
        (["size", "-size"], [("size", False), ("path", True)]),
    ],
)
def test_names(names, expected):
    assert list(parse_order(names).items()) == expected


@pytest.mark.parametrize("name", ["object_id", "-object_id", "", "-", "--path", "a.b", "?", "$x"])
def test_names_that_are_none(name):
    with pytest.raises(ConfigurationError, match="cannot be ordered by"):
        parse_order(["path", name])


def test_no_value_is_first_and_in_descending_order_last():
    records = [{"path": "b", "size": 2}, {"path": "a"}, {"path": "c", "size": None}]
    ascending, descending = (get_sort_key(parse_order([name])) for name in ("size", "-size"))
    assert [record["path"] for record in sorted(records, key=ascending)] == ["a", "c", "b"]
    assert [record["path"] for record in sorted(records, key=descending)] == ["b", "c", "a"]


def test_values_of_several_kinds_have_an_order():
    values = [None, 1, 2.5, "1", "a", True]
    records = [{"path": "a", "title": value} for value in values]
    random.Random(0).shuffle(records)
    records.sort(key=get_sort_key(parse_order(["title"])))
    assert [record["title"] for record in records] == values


@pytest.mark.parametrize("names", ORDERS, ids=str)
def test_the_following_ones_are_those_that_come_after(names):
    order = parse_order(names)
    records = sorted(RECORDS, key=get_sort_key(order))
    for place, record in enumerate(records):
        following = get_following(order, record)
        assert [one for one in records if matches(following, one)] == records[place + 1 :]


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("", ("", None)),
        ("/a", ("/a", "/b")),
        ("/a\U0010ffff", ("/a\U0010ffff", "/b")),
        ("\U0010ffff\U0010ffff", ("\U0010ffff\U0010ffff", None)),
        ("/\ud7ff", ("/\ud7ff", "/\ue000")),
    ],
)
def test_prefix_range(prefix, expected):
    assert get_prefix_range(prefix) == expected
    first, following = expected
    texts = [prefix, f"{prefix}0", f"{prefix}\U0010ffff"]
    assert all(first <= text and (following is None or text < following) for text in texts)


def test_following_is_a_condition_on_the_path_alone_where_that_is_the_order():
    assert get_following(parse_order(["path"]), {"path": "/a"}) == Q(path__gt="/a")
