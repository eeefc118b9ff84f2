"""Conditional requests of the owner."""

import os
from datetime import UTC, datetime
from email.utils import format_datetime

from tests.comparison.outcomes import expect, expect_status
from tests.comparison.probes.base import probe

GROUP = "conditions"
OLD = "Sat, 01 Jan 2000 00:00:00 GMT"


def _get(site):
    document, answer = site.get_shared(GROUP)
    expect(answer.get("ETag") and answer.get("Last-Modified"), "ETag or Last-Modified is missing")
    return document, answer


def _ask(site, status, headers):
    document, _ = _get(site)
    answer = site.owner.ask(document.show, headers)
    expect_status(answer, status)
    return answer


@probe(GROUP, "a response has a validator", "RFC 9110 section 8.8")
def validator(site):
    _get(site)


@probe(
    GROUP,
    "If-None-Match with the tag: 304",
    "RFC 9110 section 13.1.2",
    [("tag", "{}"), ("weak", "W/{}"), ("in a list", '"other", {}, "third"'), ("any", "*")],
)
def same_tag(site, form):
    tag = _get(site)[1].get("ETag").removeprefix("W/")
    _ask(site, 304, {"If-None-Match": form.format(tag)})


@probe(GROUP, "If-None-Match with another tag: 200", "RFC 9110 section 13.1.2")
def other_tag(site):
    _ask(site, 200, {"If-None-Match": '"other"'})


@probe(GROUP, "If-Modified-Since with the date of the file: 304", "RFC 9110 section 13.1.3")
def same_date(site):
    _ask(site, 304, {"If-Modified-Since": _get(site)[1].get("Last-Modified")})


@probe(GROUP, "If-Modified-Since with a later date: 304", "RFC 9110 section 13.1.3")
def later_date(site):
    # A later date than the present one may be ignored, so the file gets an old one.
    document = site.new()
    os.utime(document.disk, (1e9, 1e9))
    date = format_datetime(datetime.fromtimestamp(1e9 + 3600, UTC), usegmt=True)
    answer = site.owner.ask(document.show, {"If-Modified-Since": date})
    expect_status(answer, 304)


@probe(
    GROUP,
    "If-Modified-Since with an earlier or an invalid date: 200",
    "RFC 9110 section 13.1.3",
    [("earlier", OLD), ("invalid", "yesterday")],
)
def earlier_date(site, date):
    _ask(site, 200, {"If-Modified-Since": date})


@probe(
    GROUP,
    "If-Modified-Since is ignored beside If-None-Match",
    "RFC 9110 section 13.2.2",
    [("same tag, earlier date", True), ("other tag, same date", False)],
)
def precedence(site, same):
    answer = _get(site)[1]
    if same:
        _ask(site, 304, {"If-None-Match": answer.get("ETag"), "If-Modified-Since": OLD})
    else:
        date = answer.get("Last-Modified")
        _ask(site, 200, {"If-None-Match": '"other"', "If-Modified-Since": date})


@probe(
    GROUP,
    "If-Match or If-Unmodified-Since of another version: 412",
    "RFC 9110 sections 13.1.1 and 13.1.4",
    [("If-Match", "If-Match"), ("If-Unmodified-Since", "If-Unmodified-Since")],
)
def failed(site, header):
    value = '"other"' if header == "If-Match" else OLD
    _ask(site, 412, {header: value})


@probe(
    GROUP,
    "If-Match or If-Unmodified-Since of this version: 200",
    "RFC 9110 sections 13.1.1 and 13.1.4",
    [("If-Match", "If-Match"), ("If-Unmodified-Since", "If-Unmodified-Since")],
)
def passed(site, header):
    value = _get(site)[1].get("ETag" if header == "If-Match" else "Last-Modified")
    _ask(site, 200, {header: value})


@probe(
    GROUP,
    "304 has the ETag and the Cache-Control of the 200",
    "RFC 9110 section 15.4.5",
)
def headers_of_304(site):
    answer = _get(site)[1]
    got = _ask(site, 304, {"If-None-Match": answer.get("ETag")})
    for name in ("ETag", "Cache-Control", "Vary"):
        expect(got.get(name) == answer.get(name), f"{name} differs from that of the 200")


@probe(
    GROUP,
    "a replaced file: 200 with the new content, although the cached one is as long",
    "RFC 9110 section 8.8.1",
    [("five seconds later", 5), ("within the same second", 0)],
)
def replaced(site, seconds):
    before = site.new(content=b"version one")
    os.utime(before.disk, (1e9, 1e9))
    tag = site.owner.ask(before.show).get("ETag")
    after = site.owner.upload("other.txt", b"version two", before)
    os.utime(after.disk, (1e9 + seconds, 1e9 + seconds))
    # A browser sends the tag of its copy only if the URL is the same.
    got = site.owner.ask(after.show, {"If-None-Match": tag} if after.show == before.show else {})
    expect(got.status == 200, f"the status is {got.status}, so the browser keeps the old content")
    expect(got.body == after.content, "the content is not the new one")
