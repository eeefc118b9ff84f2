"""What caches may do with private files."""

import re

from tests.comparison.outcomes import expect, expect_status
from tests.comparison.probes.base import probe

GROUP = "caches"
# Caches may store responses with these statuses without Cache-Control. RFC 9110 section 15.1.
CACHEABLE = {200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501}
NAMES = [("shown", "show"), ("saved", "save")]


def _get_directives(answer):
    return {
        part.strip().partition("=")[0].lower(): part.strip().partition("=")[2]
        for part in answer.get("Cache-Control").split(",")
    }


def _is_validated(directives):
    return "no-store" in directives or "no-cache" in directives or directives.get("max-age") == "0"


def _varies(answer):
    return bool(re.search(r"(?:^|[,\s])(?:cookie|\*)", answer.get("Vary"), re.IGNORECASE))


def _get(site, url):
    document = site.new()
    answer = site.owner.ask(getattr(document, url))
    expect_status(answer, 200)
    return answer


@probe(
    GROUP,
    "a shared cache does not give a private file to another user: "
    "private, no-store, no-cache, or Vary: Cookie",
    "RFC 9111 sections 3, 4.1 and 5.2.2",
    NAMES,
)
def shared(site, url):
    answer = _get(site, url)
    directives = _get_directives(answer)
    expect(
        "private" in directives or _is_validated(directives) or _varies(answer),
        "a shared cache may store it and give it to all users",
    )


@probe(
    GROUP,
    "a browser asks before it shows its copy, for example after the log-out: "
    "no-cache, no-store or max-age=0",
    "RFC 9111 sections 4.2.2 and 5.2.2",
    NAMES,
)
def revalidation(site, url):
    expect(
        _is_validated(_get_directives(_get(site, url))),
        "a browser may show its copy without a request",
    )


@probe(
    GROUP,
    "the browser may keep a copy, and confirm it by a conditional request",
    "RFC 9111 section 4.3; no duty, but each picture of a page is transferred again otherwise",
    NAMES,
)
def copies(site, url):
    answer = _get(site, url)
    expect("no-store" not in _get_directives(answer), "no-store forbids each copy")
    expect(answer.get("ETag") or answer.get("Last-Modified"), "ETag and Last-Modified are missing")


@probe(
    GROUP,
    "a shared cache does not give the refusal of one user to another",
    "RFC 9110 section 15.1; RFC 9111 sections 4.1 and 5.2.2",
    [("anonymous", "anonymous"), ("another user", "stranger")],
)
def refusals(site, user):
    document = site.new()
    answer = getattr(site, user).ask(document.show)
    directives = _get_directives(answer)
    expect(
        answer.status not in CACHEABLE
        or "private" in directives
        or _is_validated(directives)
        or _varies(answer),
        f"the status {answer.status} may be stored and given to all users",
    )
