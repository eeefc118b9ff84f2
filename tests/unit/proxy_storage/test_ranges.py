from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from django.utils.http import http_date
from hypothesis import given
from hypothesis import strategies as st

from proxy_storage.serving.conditional import RangeNotSatisfiable, allows_part, get_part

LONG_AGO = datetime(2020, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC)
DATE = http_date(LONG_AGO.timestamp())


class TestPart:
    @pytest.mark.parametrize(
        ("header", "part"),
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
    def test_part(self, header, part):
        assert get_part(header, 10) == part

    @pytest.mark.parametrize(
        "header",
        [
            None,
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
    def test_whole(self, header):
        assert get_part(header, 10) is None

    @pytest.mark.parametrize(
        "header", ["bytes=10-", "bytes=10-20", "bytes=-0", f"bytes={10**4000}-"]
    )
    def test_nothing(self, header):
        with pytest.raises(RangeNotSatisfiable):
            get_part(header, 10)

    def test_empty_file(self):
        assert get_part("bytes=-5", 0) is None
        with pytest.raises(RangeNotSatisfiable):
            get_part("bytes=0-", 0)

    @given(st.integers(0, 50), st.from_regex(r"bytes=[0-9]{0,3}-[0-9]{0,3}", fullmatch=True))
    def test_a_part_lies_within_the_file(self, size, header):
        try:
            part = get_part(header, size)
        except RangeNotSatisfiable:
            return
        assert part is None or 0 <= part.start < part.stop <= size


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
    def test_condition(self, if_range, allowed):
        assert allows_part(if_range, '"a"', LONG_AGO) is allowed

    def test_weak_tag_is_never_enough(self):
        assert not allows_part('W/"a"', 'W/"a"', LONG_AGO)

    def test_file_without_validators(self):
        assert not allows_part('"a"', None, None)
        assert not allows_part(DATE, None, None)

    def test_date_of_this_very_second_is_not_enough(self):
        now = timezone.now()
        assert not allows_part(http_date(now.timestamp()), None, now)
        earlier = now - timedelta(seconds=2)
        assert allows_part(http_date(earlier.timestamp()), None, earlier)
