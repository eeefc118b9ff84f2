"""Range requests and HEAD."""

import re

from tests.comparison.outcomes import expect, expect_status
from tests.comparison.probes.base import probe

GROUP = "ranges and HEAD"
SECTION = "RFC 9110 section 14."
CONTENT = b"0123456789abcdefghij"
LENGTH = len(CONTENT)


def _get(site):
    """Return the URL of a file with a known content, and the response without conditions."""
    document, answer = site.get_shared(GROUP, CONTENT)
    return document.show, answer


def _expect_part(answer, first, last):
    expect_status(answer, 206)
    expect(answer.body == CONTENT[first : last + 1], "the content is not that of the range")
    expect(
        answer.get("Content-Range") == f"bytes {first}-{last}/{LENGTH}", "Content-Range is wrong"
    )


def _expect_whole(answer):
    expect_status(answer, 200)
    expect(answer.body == CONTENT, "the content is not the whole file")


@probe(GROUP, "the whole file with its length", "RFC 9110 section 8.6")
def whole(site):
    _, answer = _get(site)
    _expect_whole(answer)
    expect(answer.get("Content-Length") == str(LENGTH), "Content-Length is wrong")


@probe(
    GROUP,
    "one range: 206 with this part of the file",
    SECTION + "1.2",
    [
        ("from the start", ("bytes=0-0", 0, 0)),
        ("in the middle", ("bytes=2-5", 2, 5)),
        ("without an end", ("bytes=15-", 15, 19)),
        ("suffix", ("bytes=-3", 17, 19)),
        ("suffix longer than the file", ("bytes=-99", 0, 19)),
        ("end after the file", ("bytes=18-99", 18, 19)),
    ],
)
def one_range(site, case):
    url, _ = _get(site)
    header, first, last = case
    _expect_part(site.owner.ask(url, {"Range": header}), first, last)


@probe(GROUP, "a range behind the end: 416 with the length", "RFC 9110 section 15.5.17")
def unsatisfiable(site):
    url, _ = _get(site)
    answer = site.owner.ask(url, {"Range": "bytes=99-"})
    expect_status(answer, 416)
    expect(answer.get("Content-Range") == f"bytes */{LENGTH}", "Content-Range is wrong")


@probe(
    GROUP,
    "an unknown unit or an invalid range is ignored: the whole file, or 416",
    SECTION + "2",
    [("unknown unit", "lines=1-2"), ("invalid", "bytes=5-2"), ("text", "bytes=a-b")],
)
def invalid(site, header):
    url, _ = _get(site)
    answer = site.owner.ask(url, {"Range": header})
    if header.startswith("lines") or answer.status != 416:
        _expect_whole(answer)


@probe(GROUP, "several ranges: all parts as multipart/byteranges, or the whole file", SECTION + "6")
def several(site):
    url, _ = _get(site)
    answer = site.owner.ask(url, {"Range": "bytes=0-1,10-11"})
    if answer.status == 200:
        _expect_whole(answer)
        return
    expect_status(answer, 206)
    expect(
        answer.get("Content-Type").startswith("multipart/byteranges"), "the type is not multipart"
    )
    found = re.findall(rb"Content-Range: bytes (\d+)-(\d+)/20\r\n\r\n(.*?)\r\n--", answer.body)
    expect(found == [(b"0", b"1", b"01"), (b"10", b"11", b"ab")], "the parts are wrong")


@probe(
    GROUP, "many overlapping ranges do not make the response larger than the file", SECTION + "2"
)
def overlapping(site):
    url, _ = _get(site)
    answer = site.owner.ask(url, {"Range": "bytes=" + ",".join(["0-"] * 100)})
    # A response with one part has headers of its own, so it may be a little larger.
    expect(len(answer.body) < LENGTH + 500, "the response has each of the overlapping ranges")


@probe(
    GROUP,
    "If-Range with the current validator: the range",
    "RFC 9110 section 13.1.5",
    [("tag", "ETag"), ("date", "Last-Modified")],
)
def if_range_current(site, validator):
    url, answer = _get(site)
    expect(answer.get(validator), f"the header {validator} is missing")
    headers = {"Range": "bytes=2-5", "If-Range": answer.get(validator)}
    _expect_part(site.owner.ask(url, headers), 2, 5)


@probe(
    GROUP,
    "If-Range with another validator: the whole file",
    "RFC 9110 section 13.1.5",
    [("tag", '"other"'), ("date", "Sat, 01 Jan 2000 00:00:00 GMT")],
)
def if_range_old(site, value):
    url, _ = _get(site)
    _expect_whole(site.owner.ask(url, {"Range": "bytes=2-5", "If-Range": value}))


@probe(GROUP, "HEAD: the headers of GET without a body", "RFC 9110 section 9.3.2")
def head(site):
    url, answer = _get(site)
    got = site.owner.ask(url, method="HEAD")
    expect_status(got, 200)
    expect(got.body == b"", "the response to HEAD has a body")
    for name in ("Content-Length", "Content-Type", "ETag", "Last-Modified", "Cache-Control"):
        expect(got.get(name) == answer.get(name), f"{name} differs from that of GET")


@probe(GROUP, "Range is ignored for HEAD", SECTION + "2")
def range_of_head(site):
    url, _ = _get(site)
    answer = site.owner.ask(url, {"Range": "bytes=2-5"}, "HEAD")
    expect(answer.status == 200, "the response to HEAD with Range is 206")
