"""Conditional requests: 304 only if the client's copy has the same bytes."""

from pathlib import PurePosixPath

import pytest

from tests.servers.site import deviations
from tests.servers.site.checks import check_not_modified, check_part, check_whole
from tests.servers.site.client import get_url

NEVER = "Sun, 06 Nov 1994 08:49:37 GMT"


class TestConditions:
    @pytest.fixture
    def etag(self, get):
        return get().headers["ETag"]

    @pytest.fixture
    def date(self, get):
        return get().headers["Last-Modified"]

    @pytest.mark.parametrize("form", ["{}", 'W/"a", {}', '"a", {} , "b"', "W/{}", "*"])
    def test_none_match_of_what_is_there(self, get, etag, form):
        answer = get(If_None_Match=form.format(etag))
        check_not_modified(answer, etag)

    @pytest.mark.parametrize("value", ['"a"', 'W/"a", "b"', '""'])
    def test_none_match_of_something_else(self, get, value):
        check_whole(get(If_None_Match=value))

    def test_modified_since(self, get, date, etag):
        check_not_modified(get(If_Modified_Since=date), etag)
        check_whole(get(If_Modified_Since=NEVER))
        check_whole(get(If_Modified_Since="yesterday"))

    def test_tag_wins_over_date(self, front, get, date, etag):
        check_whole(get(If_None_Match='"a"', If_Modified_Since=date))
        answer = get(If_None_Match=etag, If_Modified_Since=NEVER)
        if front.name in deviations.DATE_AND_TAG:
            check_whole(answer)
        else:
            check_not_modified(answer, etag)

    def test_head_is_not_modified_as_well(self, get, etag):
        check_not_modified(get("HEAD", If_None_Match=etag), etag)

    def test_condition_comes_before_range(self, get, etag):
        check_not_modified(get(If_None_Match=etag, Range="bytes=0-3"), etag)
        check_part(get(If_None_Match='"a"', Range="bytes=0-3"), 0, 4)

    def test_compressed_copy_is_one_of_this_version(self, get, etag):
        answer = get(Accept_Encoding="gzip")
        assert answer.headers["ETag"] == etag
        check_not_modified(get(Accept_Encoding="gzip", If_None_Match=etag), etag)
        check_part(get(Accept_Encoding="gzip", Range="bytes=5-9", If_Range=etag), 5, 10)

    def test_match(self, get, etag):
        check_whole(get(If_Match=etag))
        check_whole(get(If_Match="*"))
        check_part(get(If_Match=f'"a", {etag}', Range="bytes=0-3"), 0, 4)
        assert get(If_Match='"a"').status == 412
        # The comparison is a strong one (section 13.1.1).
        assert get(If_Match=f"W/{etag}").status == 412

    def test_unmodified_since(self, get, date):
        check_whole(get(If_Unmodified_Since=date))
        assert get(If_Unmodified_Since=NEVER).status == 412

    def test_range_if_it_is_the_same(self, get, etag, date):
        check_part(get(Range="bytes=5-9", If_Range=etag), 5, 10)
        check_part(get(Range="bytes=5-9", If_Range=date), 5, 10)

    @pytest.mark.parametrize("value", ['"a"', NEVER, "Thu, 01 Jan 2037 00:00:00 GMT", "W/{}"])
    def test_whole_if_it_is_another(self, get, etag, value):
        check_whole(get(Range="bytes=5-9", If_Range=value.format(etag)))

    def test_whole_file_if_it_is_another_also_beyond_the_end(self, get):
        check_whole(get(Range="bytes=5000-", If_Range='"a"'))


class TestOtherBytes:
    def test_changed_file(self, front, site, file_storage):
        """A new file with the same path and length, within the same second."""
        is_old = front.name in deviations.TAG_BY_SECOND  # Here the first file is older.
        with site.saved(file_storage, "changing.txt", b"first", is_old=is_old) as path:
            first = front.ask(get_url(path))
        with site.saved(file_storage, "changing.txt", b"later") as path_again:
            assert path_again == path
            etag = first.headers["ETag"]
            answers = [
                front.ask(get_url(path), headers)
                for headers in (
                    {"If-None-Match": etag},
                    {"Range": "bytes=1-2", "If-Range": etag},
                    {"Range": "bytes=1-2", "If-Range": first.headers["Last-Modified"]},
                )
            ]
            assert front.ask(get_url(path), {"If-Match": etag}).status == 412
        assert [answer.status for answer in answers[:2]] == [200, 200]
        # Dates have a resolution of a second. A part is correct if it is a part of the new file.
        assert {answer.body for answer in answers} <= {b"later", b"at"}

    def test_changed_file_of_another_day(self, front, site, file_storage):
        with site.saved(file_storage, "old.txt", b"first", is_old=True) as path:
            date = front.ask(get_url(path)).headers["Last-Modified"]
        with site.saved(file_storage, "old.txt", b"later") as path:
            for headers in (
                {"If-Modified-Since": date},
                {"Range": "bytes=1-2", "If-Range": date},
            ):
                answer = front.ask(get_url(path), headers)
                assert (answer.status, answer.body) == (200, b"later")
            assert front.ask(get_url(path), {"If-Unmodified-Since": date}).status == 412

    def test_file_changed_on_disk(self, front, site, file_storage):
        """The response has the bytes on the disk, even if the record describes other bytes."""
        with site.saved(file_storage, "on-disk.txt", b"first") as path:
            etag = front.ask(get_url(path)).headers["ETag"]
            local_path = site.files_root / PurePosixPath(path).name
            local_path.write_bytes(b"longer than before")
            answer = front.ask(get_url(path), {"If-None-Match": etag})
        assert (answer.status, answer.body) == (200, b"longer than before")
        assert answer.headers["Content-Length"] == "18"

    def test_empty_file(self, front, site, file_storage):
        url = get_url(site.keep(file_storage, "empty.txt", b""))
        for headers in ({}, {"Range": "bytes=-5"}, {"Range": "bytes=0-"}, {"Range": "bytes=0-3"}):
            answer = front.ask(url, headers)
            assert answer.body == b"" or answer.status == 416
            if answer.status == 416:
                assert "Range" in headers
                assert answer.headers["Content-Range"] == "bytes */0"
            else:
                assert (answer.status, answer.headers["Content-Length"]) == (200, "0")
        head = front.ask(url, method="HEAD")
        assert head.status == 200
        assert head.headers.get("Content-Length", "0") == "0"
        assert front.ask(url, {"If-None-Match": head.headers["ETag"]}).status == 304

    def test_file_that_is_gone(self, front, site, file_storage):
        with site.saved(file_storage, "gone.txt", b"bytes") as path:
            (site.files_root / PurePosixPath(path).name).unlink()
            assert front.ask(get_url(path)).status == 404
            assert front.ask(get_url(path), method="HEAD").status == 404
