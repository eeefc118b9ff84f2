from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from django.utils.http import http_date
from hypothesis import given
from hypothesis import strategies as st

from proxy_storage.serving.conditional import RangeNotSatisfiable, matches_if_range, parse_range

LONG_AGO = datetime(2020, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC)
DATE = http_date(LONG_AGO.timestamp())


class TestParseRange:
    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("bytes=0-3", (0, 4)),
            ("bytes=5-", (5, 10)),
            ("bytes=-3", (7, 10)),
            ("bytes=9-9", (9, 10)),
            ("bytes=0-9", (0, 10)),
            ("bytes=0-10", (0, 10)),
            ("bytes=-10", (0, 10)),
            ("bytes=-11", (0, 10)),
            ("BYTES = 0-3 ", (0, 4)),
            ("bytes=0000000000000000000000001-2", (1, 3)),
            (f"bytes=1-{'9' * 5000}", (1, 10)),
            (f"bytes=-{'9' * 5000}", (0, 10)),
        ],
    )
    def test_range(self, header, expected):
        assert parse_range(header, 10) == expected

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=3-2",
            "bytes=a-b",
            "bytes=0-3x",
            "bytes=+1-3",
            "bytes=1 -3",
            "bytes=0-3\n",
            "bytes=--3",
            "bytes=\u0660-\u0663",
            "pages=0-3",
            "0-3",
            "bytes=0-1,4-5",
            "bytes=0-1, 99-",
            "bytes=" + ",".join(["0-"] * 10_000),
        ],
    )
    def test_whole_file_for_other_units_invalid_and_several_ranges(self, header):
        assert parse_range(header, 10) is None

    @pytest.mark.parametrize(
        "header", ["bytes=10-", "bytes=10-20", "bytes=-0", f"bytes={10**4000}-"]
    )
    def test_range_after_the_end_is_not_satisfiable(self, header):
        with pytest.raises(RangeNotSatisfiable):
            parse_range(header, 10)

    def test_empty_file(self):
        assert parse_range("bytes=-5", 0) is None
        with pytest.raises(RangeNotSatisfiable):
            parse_range("bytes=0-", 0)

    @given(st.integers(0, 50), st.from_regex(r"bytes=[0-9]{0,3}-[0-9]{0,3}", fullmatch=True))
    def test_range_is_inside_the_file(self, size, header):
        try:
            found = parse_range(header, size)
        except RangeNotSatisfiable:
            return
        assert found is None or 0 <= found.start < found.stop <= size


class TestIfRange:
    @pytest.mark.parametrize(
        ("if_range", "allowed"),
        [
            (None, True),
            ('"a"', True),
            (' "a" ', True),
            ('"b"', False),
            ('W/"a"', False),
            ('"a", "b"', False),
            (DATE, True),
            (http_date(LONG_AGO.timestamp() + 1), False),
            (http_date(LONG_AGO.timestamp() - 1), False),
            ("yesterday", False),
            ("", False),
            ("*", False),
        ],
    )
    def test_match(self, if_range, allowed):
        assert matches_if_range(if_range, '"a"', LONG_AGO) is allowed

    def test_weak_tag_never_matches(self):
        assert not matches_if_range('W/"a"', 'W/"a"', LONG_AGO)

    def test_file_without_validators(self):
        assert not matches_if_range('"a"', None, None)
        assert not matches_if_range(DATE, None, None)

    def test_date_of_the_current_second_does_not_match(self):
        now = timezone.now()
        assert not matches_if_range(http_date(now.timestamp()), None, now)
        earlier = now - timedelta(seconds=2)
        assert matches_if_range(http_date(earlier.timestamp()), None, earlier)
