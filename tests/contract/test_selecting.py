"""Random conditions, orders and slices give the same records as their evaluation in Python."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import Q
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy_storage.meta_backends.queries import (
    all_of,
    any_of,
    get_sort_key,
    matches,
    negate,
    parse_order,
)

KEY = uuid.UUID("0123456789ab4cde8123456789abcdef")
TIME = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
PATHS = ["/A", "/a", "/a/", "/a/b", "/ab", "/a%", "/é", "/\ud7ff", "/\ue000", "/\U0010ffff", "/z"]
OBJECT_IDS = [None, 5, "5", "abc", "ABC", str(KEY), "05", ""]
SIZES = [None, 0, 3, 5, 2**40]
TIMES = [None, TIME, TIME + timedelta(seconds=1), TIME + timedelta(days=1)]
CONTENT_TYPES = [None, 1001, 1002]
FIELDS = [None, "avatar", "Avatar"]
TYPES = ["", "image/png", "Image/PNG"]


def make_records():
    for number, path in enumerate(PATHS):
        record = {
            "path": path,
            "proxy_storage_name": "b" if number % 2 else "B",
            "original_storage_path": "a.txt",
            "content_type_id": CONTENT_TYPES[number % 3],
            "object_id": OBJECT_IDS[number % 8],
            "field": FIELDS[number % 3 - 1],
            "size": SIZES[number % 5],
            "created_at": TIMES[number % 4],
            "mime_type": TYPES[number * 2 % 3],
        }
        # A document need not have all keys.
        yield {key: value for key, value in record.items() if value is not None}


TEXTS = st.sampled_from([*PATHS, "", "/", "A", "nul\0", "\udc80", "\U0010ffff", "image/png", "b"])
NUMBERS = st.sampled_from([0, 3, 4, 5, -1, 2**40, 2**63, -(2**70), "3", "x", "9" * 5000])
VALUES_OF_TIME = st.sampled_from(
    [*TIMES[1:], TIME + timedelta(microseconds=400), TIME.replace(tzinfo=None), str(TIME), "never"]
)
ANYTHING = st.one_of(TEXTS, NUMBERS, st.sampled_from([True, 3.5, *TIMES[1:]]))
KEYS = st.sampled_from([*OBJECT_IDS, KEY, "-0", "5 ", 5.0, 2**70])
ORDERED = st.sampled_from(["gt", "gte", "lt", "lte"])


def compare(key, values):
    none_or_value = st.one_of(values, st.none())
    return st.one_of(
        st.tuples(st.sampled_from([key, f"{key}__exact"]), none_or_value),
        st.tuples(st.just(f"{key}__in"), st.lists(none_or_value, max_size=4)),
        st.tuples(st.just(f"{key}__isnull"), st.booleans()),
        st.tuples(ORDERED.map(f"{key}__{{}}".format), values),
    )


def compare_text(key, values):
    return st.one_of(compare(key, values), st.tuples(st.just(f"{key}__startswith"), TEXTS))


LEAVES = st.one_of(
    compare_text("path", TEXTS),
    compare_text("field", st.sampled_from(["avatar", "Avatar", "AVATAR"])),
    compare_text("proxy_storage_name", st.sampled_from(["b", "B", "c"])),
    compare_text("mime_type", st.sampled_from([*TYPES, "image/", "IMAGE/PNG"])),
    compare("size", NUMBERS),
    compare("created_at", VALUES_OF_TIME),
    compare("content_type_id", st.sampled_from([1001, 1002, "1001", 7])),
    compare("missing", ANYTHING),
    st.tuples(st.just("object_id"), KEYS),
    st.tuples(st.just("object_id__in"), st.lists(KEYS, max_size=4)),
    st.tuples(st.just("object_id__isnull"), st.booleans()),
).map(Q)


def combine(conditions):
    some = st.lists(conditions, max_size=3)
    return st.one_of(
        conditions.map(negate),
        some.map(lambda parts: all_of(*parts)),
        some.map(lambda parts: any_of(*parts)),
        some.map(lambda parts: Q(*parts, _connector=Q.XOR)),
        some.map(lambda parts: ~Q(*parts)),
    )


CONDITIONS = st.recursive(st.one_of(LEAVES, st.booleans(), st.just(Q())), combine, max_leaves=6)
ORDERS = st.lists(
    st.sampled_from(
        ["path", "-path", "size", "-size", "field", "-created_at", "mime_type", "-missing"]
    ),
    max_size=3,
)


@pytest.fixture
def filled(backend):
    for record in make_records():
        backend.create(record)
    return backend


@settings(
    max_examples=60,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(condition=CONDITIONS, order_by=ORDERS, start=st.integers(0, 12), length=st.integers(0, 12))
def test_select_and_count_agree_with_matches(filled, condition, order_by, start, length):
    expected = [record for record in filled if matches(condition, record)]
    expected.sort(key=get_sort_key(parse_order(order_by)))
    assert filled.select(condition, order_by) == expected
    assert (
        filled.select(condition, order_by, start, start + length)
        == (expected[start : start + length])
    )
    assert filled.select(condition, order_by, start) == expected[start:]
    assert filled.count(condition) == len(expected)
