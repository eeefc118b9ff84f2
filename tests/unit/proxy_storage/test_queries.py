"""Conditions, evaluated in Python, and orders of records."""

import itertools
import uuid
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.db.models import Exists, F, Q, Value

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.queries import (
    all_of,
    any_of,
    get_following,
    get_prefix_range,
    get_sort_key,
    get_test,
    matches,
    negate,
    parse_order,
)

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
KEY = uuid.UUID("0123456789abcdef0123456789abcdef")
RECORD = {
    "path": "/letters/a.txt",
    "content_type_id": 7,
    "object_id": 5,
    "field": "scan",
    "size": 10,
    "created_at": NOON,
    "title": None,
    "is_public": True,
    "rating": 2.5,
    "tags": ["a"],
    "key": KEY,
}

TRUE = [
    *(Q(path="/letters/a.txt"), Q(path__exact="/letters/a.txt"), Q(size=10)),
    *(Q(size="10"), Q(content_type_id="7"), Q(created_at=NOON), Q(created_at=str(NOON))),
    *(Q(is_public=True), Q(rating=2.5), Q(key=KEY), Q(rating__gt=2), Q(key__in=[KEY])),
    *(Q(title=None), Q(title__isnull=True), Q(nothing=None), Q(nothing__isnull=True)),
    *(Q(path__isnull=False), Q(path__in=["/letters/a.txt", None]), Q(size__in={10, 11})),
    *(Q(size__in=range(9, 11)), Q(size__in=["10"]), Q(path__startswith="/letters/")),
    *(Q(path__startswith=""), Q(size__gt=9), Q(size__gte=10), Q(size__lt=11), Q(size__lte=10)),
    *(Q(path__gt="/letters"), Q(path__lt="/lettersA"), Q(size__lt=2**70)),
    *(Q(created_at__gte=NOON), Q(created_at__lt="2026-03-29 14:00:01+02:00")),
    *(Q(object_id=5), Q(object_id="5"), Q(object_id__in=["5"]), Q(object_id__in=[KEY, 5])),
    *(Q(object_id__isnull=False), Q(size__gt=-(2**70)), Q(rating__lt=float("inf"))),
    *(Q(is_public=1), Q(path__icontains="A.TXT")),
]
FALSE = [
    *(Q(path="/letters/A.txt"), Q(path="/letters/a.txt "), Q(size=11), Q(size="ten")),
    *(Q(field=None), Q(is_public=0), Q(rating="2.5"), Q(key=str(KEY)), Q(tags="a")),
    *(Q(title=""), Q(title__in=[None]), Q(title__in=["", None]), Q(path__isnull=True)),
    *(Q(title__gt=""), Q(title__lt="z"), Q(nothing__lte=5), Q(title__startswith="")),
    *(Q(path__in=[]), Q(path__in=["/letters", "a.txt"]), Q(path__startswith="/Letters")),
    *(Q(path__startswith="/letters/_"), Q(rating__startswith="2")),
    *(Q(size__gt=10), Q(size=2**70), Q(rating__icontains="2"), Q(rating__lt="9")),
    *(Q(size__gt=2**70), Q(size__gte=2**63), Q(size__lt=-(2**70)), Q(size__gt="a")),
    *(Q(rating__lt=float("nan")), Q(rating__gt=float("nan")), Q(size__in=[2**70])),
    *(Q(size="9" * 5000), Q(created_at="2026-02-30 12:00"), Q(created_at="noon")),
    *(Q(created_at__gt="0001-01-01 00:00:00+14:00"), Q(created_at__lt="9999-12-31 23:59-14:00")),
    *(Q(path="nul\0"), Q(path__gt="\udc80"), Q(path__gt="nul\0"), Q(path__startswith="\udc80")),
    *(Q(object_id="05"), Q(object_id="5.0"), Q(object_id=None), Q(object_id=2**70)),
    *(Q(object_id__in=[]), Q(object_id="nul\0"), Q(object_id__in=[None]), Q(tags__in=["a"])),
    *(Q(size__gt="9a"), Q(title__gt=2**70), Q(key__in=["a", 5])),
]


@pytest.mark.parametrize("condition", TRUE, ids=str)
def test_condition_that_matches(condition):
    assert matches(condition, RECORD)
    assert not matches(~condition, RECORD)
    assert not matches(negate(condition), RECORD)


@pytest.mark.parametrize("condition", FALSE, ids=str)
def test_condition_that_does_not_match(condition):
    assert not matches(condition, RECORD)
    assert matches(~condition, RECORD)
    assert matches(negate(condition), RECORD)


@pytest.mark.parametrize("key", [KEY, str(KEY), 5, "5", "abc", 2**70, -3])
def test_object_id_is_compared_as_text(key):
    for record_key in (key, str(key)):
        record = {"object_id": record_key}
        assert matches(Q(object_id=key), record)
        assert matches(Q(object_id=str(key)), record)
        assert matches(Q(object_id__in=["x", key]), record)
        assert not matches(Q(object_id=f"{key}0"), record)
        assert not matches(Q(object_id=None), record)


def test_text_is_compared_by_code_points():
    texts = ["A", "Z", "a", "z", "é", "\ud7ff", "\ue000", "\U0001f4f7"]
    for place, text in enumerate(texts):
        found = [one for one in texts if matches(Q(field__lt=text), {"field": one})]
        assert found == texts[:place]


@pytest.mark.parametrize(("use_tz", "is_aware"), [(True, False), (False, True)])
def test_times_get_the_time_zone_that_records_have(settings, use_tz, is_aware):
    settings.USE_TZ, settings.TIME_ZONE = use_tz, "America/New_York"
    # The same time as NOON.
    there = datetime(2026, 3, 29, 8)
    record = {"created_at": NOON if use_tz else there}
    value = NOON if is_aware else there
    assert matches(Q(created_at=value), record)
    assert matches(Q(created_at__in=[value]), record)
    assert matches(Q(created_at__lte=str(value)), record)
    assert not matches(Q(created_at__gt=value), record)


CONNECTED = [
    (Q(), True),
    (~Q(), False),
    (Q(_connector=Q.OR), True),
    (Q(Q()), True),
    (~Q(Q()), False),
    (Q(size=1) & Q(), False),
    (Q(True), True),
    (Q(False), False),
    (~Q(False, size=10), True),
    (Q(False, Q(size=10), _connector=Q.OR), True),
    (Q(size=10, field="scan"), True),
    (Q(size=10, field="copy"), False),
    (Q(size=10) | Q(field="copy"), True),
    (~(Q(size=10) & Q(field="copy")), True),
    (~(Q(size=10) | Q(field="copy")), False),
    (~Q(size=1) & ~(Q(field="copy") | ~Q(object_id=5)), True),
    (Q(size=10) ^ Q(field="copy"), True),
    (Q(size=10) ^ Q(field="scan"), False),
    (Q(size=10) ^ Q(field="scan") ^ Q(object_id=5), True),
    (~(Q(size=10) ^ Q(field="scan") ^ Q(object_id=5)), False),
    (Q(Q(size=10), _connector=Q.XOR), True),
    (Q(_connector=Q.XOR), True),
]


@pytest.mark.parametrize(("condition", "expected"), CONNECTED, ids=str)
def test_connectors(condition, expected):
    assert matches(condition, RECORD) is expected
    assert matches(negate(condition), RECORD) is not expected


def test_bool_as_condition():
    assert matches(True, {}) is True
    assert matches(False, RECORD) is False


class TestCombine:
    """An empty Q becomes a bool, since & and | of Django leave it out."""

    def test_all_of(self):
        assert all_of() is True
        assert all_of(True, Q(), True) is True
        assert all_of(Q(size=1), False) is False
        assert all_of(Q(size=1), ~Q()) is False
        assert all_of(True, Q(size=1), Q()) == Q(size=1)
        assert all_of(Q(size=1) | Q(size=2), ~Q(field="a")) == (
            (Q(size=1) | Q(size=2)) & ~Q(field="a")
        )

    def test_any_of(self):
        assert any_of() is False
        assert any_of(False, False) is False
        assert any_of(Q(size=1), True) is True
        assert any_of(Q(size=1), Q()) is True
        assert any_of(False, Q(size=1), ~Q()) == Q(size=1)
        assert any_of(Q(size=1), Q(size=2), Q(size=3)) == Q(size=1) | Q(size=2) | Q(size=3)

    def test_negate(self):
        assert negate(True) is False
        assert negate(False) is True
        assert negate(Q()) is False
        assert negate(~Q()) is True
        assert negate(Q(size=1)) == ~Q(size=1)

    def test_arguments_are_not_changed(self):
        first, second = Q(size=1), Q(size=2)
        both = all_of(first, second)
        any_of(both, Q(size=3))
        negate(both)
        assert first == Q(size=1)
        assert second == Q(size=2)
        assert both == Q(size=1) & Q(size=2)

    @pytest.mark.parametrize("function", [all_of, any_of, negate, get_test])
    @pytest.mark.parametrize(
        "value", [None, 1, "path", [], {"path": "/a"}, Exists(User.objects.all())]
    )
    def test_other_types_are_refused(self, function, value):
        with pytest.raises(ConfigurationError, match="condition"):
            function(value)


class TestRefused:
    @pytest.mark.parametrize("name", ["path__contains", "path__iexact", "path__in__gt", "path__"])
    def test_unknown_lookup(self, name):
        with pytest.raises(ConfigurationError) as caught:
            matches(~Q(Q(**{name: "a"})), RECORD)
        assert f"cannot be compared by {name!r}" in str(caught.value)
        assert "exact, in, isnull, startswith, icontains, gt, gte, lt, lte" in str(caught.value)

    def test_unknown_lookup_of_object_id(self):
        with pytest.raises(ConfigurationError, match=r"'object_id__gt'.* exact, in, isnull\."):
            matches(Q(object_id__gt=5), RECORD)

    @pytest.mark.parametrize("key", ["a.b", "$where", "", "a-b"])
    def test_name_that_is_not_a_key(self, key):
        with pytest.raises(ConfigurationError, match="Use a key of records"):
            matches(Q(**{key: 1}), RECORD)

    @pytest.mark.parametrize(
        "condition",
        [
            *(Q(path={"$ne": ""}), Q(path=["/a"]), Q(path=("/a",)), Q(path={"/a"})),
            *(Q(path=F("field")), Q(path__gt=Value("a")), Q(path__in=[F("field")])),
            *(Q(object_id=User(pk=5)), Q(object_id__in=[User(pk=5)]), Q(path__in=[["/a"]])),
            *(Q(size=User.objects.all()), Q(size__gt=[1]), Q(path__startswith=["/"])),
            *(Q(path__gt=None), Q(title__lt=None), Q(path__startswith=None)),
        ],
        ids=lambda condition: condition.children[0][0],
    )
    def test_value_that_is_not_single(self, condition):
        with pytest.raises(ConfigurationError, match="compared with a single value, not with a"):
            matches(condition, RECORD)

    @pytest.mark.parametrize(
        ("condition", "kind"),
        [
            *((Q(path=5), "str"), (Q(path__in=[b"/a"]), "str"), (Q(field__gt=True), "str")),
            *((Q(size=10.0), "int"), (Q(size__gt=True), "int"), (Q(size__in=[2.5]), "int")),
            *((Q(created_at=5), "datetime"), (~Q(created_at__gt=NOON.date()), "datetime")),
        ],
        ids=str,
    )
    def test_value_of_the_wrong_type(self, condition, kind):
        with pytest.raises(ConfigurationError, match=f"a value of the type {kind}, not "):
            matches(condition, RECORD)

    @pytest.mark.parametrize(
        "condition",
        [Q(size__startswith="1"), Q(created_at__icontains=str(NOON)), Q(rating__startswith=2.5)],
        ids=str,
    )
    def test_text_lookup_of_another_type(self, condition):
        with pytest.raises(ConfigurationError, match="must be a str"):
            matches(condition, RECORD)

    # An iterator would be empty the second time.
    @pytest.mark.parametrize("value", ["/a", 5, None, {"/a": 1}, iter(["/a"])])
    def test_in_needs_a_collection(self, value):
        with pytest.raises(ConfigurationError, match="'path__in' must be a list or a queryset"):
            matches(Q(path__in=value), RECORD)

    @pytest.mark.parametrize("value", [None, 0, "yes"])
    def test_isnull_needs_a_bool(self, value):
        with pytest.raises(ConfigurationError, match="'path__isnull' must be True or False"):
            matches(Q(path__isnull=value), RECORD)

    @pytest.mark.parametrize("child", [Exists(User.objects.all()), F("path"), None])
    def test_expression_in_a_condition(self, child):
        with pytest.raises(ConfigurationError, match="must have keys with values, Q and bool"):
            matches(Q(child, path="/letters/a.txt"), RECORD)


@pytest.mark.django_db
class TestQuerySets:
    def test_are_read_once_for_many_records(self, django_assert_num_queries):
        users = [User.objects.create(username=name) for name in ("messi", "ronaldo")]
        with django_assert_num_queries(1):
            test = get_test(Q(object_id__in=User.objects.filter(username="messi")))
            for _ in range(3):
                assert test({"object_id": users[0].pk})
                assert test({"object_id": str(users[0].pk)})
                assert not test({"object_id": users[1].pk})
                assert not test({})

    def test_are_read_again_by_the_next_evaluation(self):
        condition = Q(object_id__in=User.objects.values("pk"))
        assert not matches(condition, {"object_id": 1})
        user = User.objects.create()
        assert matches(condition, {"object_id": user.pk})
        user.delete()
        assert not matches(condition, {"object_id": user.pk})

    def test_several_columns(self):
        condition = Q(object_id__in=User.objects.values("pk", "username"))
        with pytest.raises(ConfigurationError, match="must have one column, not pk, username"):
            matches(condition, {})


ORDERED_RECORDS = [
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
def test_parse_order(names, expected):
    assert list(parse_order(names).items()) == expected


@pytest.mark.parametrize("name", ["object_id", "-object_id", "", "-", "--path", "a.b", "?", "$x"])
def test_order_by_an_unsupported_name_is_refused(name):
    with pytest.raises(ConfigurationError, match="cannot be ordered by"):
        parse_order(["path", name])


def test_records_without_a_value_come_first_and_last_in_descending_order():
    records = [{"path": "b", "size": 2}, {"path": "a"}, {"path": "c", "size": None}]
    ascending, descending = (get_sort_key(parse_order([name])) for name in ("size", "-size"))
    assert [record["path"] for record in sorted(records, key=ascending)] == ["a", "c", "b"]
    assert [record["path"] for record in sorted(records, key=descending)] == ["b", "c", "a"]


@pytest.mark.parametrize("names", ORDERS, ids=str)
def test_following_records(names):
    order = parse_order(names)
    records = sorted(ORDERED_RECORDS, key=get_sort_key(order))
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


def test_following_records_in_the_order_of_paths():
    assert get_following(parse_order(["path"]), {"path": "/a"}) == Q(path__gt="/a")
