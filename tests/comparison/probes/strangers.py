"""Requests of users who may not read a file."""

import os
from urllib.parse import quote

from tests.comparison.outcomes import Leaked, expect
from tests.comparison.probes.base import get_path_urls, probe

GROUP = "requests of strangers"
ACCESS = "RFC 9110 section 15.5.4; CWE-639"
CONDITIONS = "RFC 9110 section 13.2.1"
TRAVERSAL = "CWE-22"


def expect_refusal(answer, content):
    """Raise `Leaked` if a response reveals content or the state of a file."""
    if content in answer.body:
        raise Leaked("the response has the content of the file")
    if answer.status in (200, 206) and answer.get("Content-Disposition"):
        raise Leaked("the response has the headers of the file")
    if answer.status in (304, 412, 416):
        raise Leaked(f"the status {answer.status} depends on the file")
    expect(
        answer.status in (301, 302, 303, 307, 308) or 400 <= answer.status < 500,
        f"the refusal has the status {answer.status}",
    )


USERS = [("anonymous", "anonymous"), ("another user", "stranger")]


@probe(GROUP, "a user who may not read the file gets a refusal", ACCESS, USERS)
def get(site, user):
    document, _ = site.get_shared(GROUP)
    for url in (document.show, document.save):
        expect_refusal(getattr(site, user).ask(url), document.content)


@probe(GROUP, "HEAD: a refusal without the length, the tag and the date of the file", ACCESS, USERS)
def head(site, user):
    document, answer = site.get_shared(GROUP)
    got = getattr(site, user).ask(document.show, method="HEAD")
    expect_refusal(got, document.content)
    if got.get("ETag") == answer.get("ETag") or got.get("Last-Modified"):
        raise Leaked("the response has the validators of the file")


@probe(GROUP, "a range: a refusal", ACCESS, USERS)
def a_range(site, user):
    document, _ = site.get_shared(GROUP)
    for header in ("bytes=0-3", "bytes=99999-"):
        got = getattr(site, user).ask(document.show, {"Range": header})
        expect_refusal(got, document.content[:4])


@probe(
    GROUP,
    "a condition: a refusal, neither 304 nor 412",
    CONDITIONS,
    [
        (f"{header}, {name}", (user, header))
        for header in ("If-None-Match", "If-None-Match: *", "If-Modified-Since", "If-Match")
        for name, user in USERS
    ],
)
def conditions(site, case):
    user, header = case
    document, answer = site.get_shared(GROUP)
    values = {
        "If-None-Match": ("If-None-Match", answer.get("ETag")),
        "If-None-Match: *": ("If-None-Match", "*"),
        "If-Modified-Since": ("If-Modified-Since", answer.get("Last-Modified")),
        "If-Match": ("If-Match", '"other"'),
    }
    got = getattr(site, user).ask(document.show, dict([values[header]]))
    expect_refusal(got, document.content)


def _ask_with_copy(user, document, answer):
    """Request the file with and without the tag of an earlier response."""
    expect_refusal(user.ask(document.show), document.content)
    got = user.ask(document.show, {"If-None-Match": answer.get("ETag")})
    expect_refusal(got, document.content)


@probe(GROUP, "after the log-out, the old cookie is refused, and a copy is not confirmed", ACCESS)
def after_log_out(site):
    user = site.log_in("messi")
    document = site.new(user=user)
    answer = user.ask(document.show)
    user.ask("/logout/", method="POST")
    _ask_with_copy(user, document, answer)


@probe(GROUP, "after the file was given to another user, a copy is not confirmed", ACCESS)
def after_change(site):
    document = site.new()
    answer = site.owner.ask(document.show)
    site.owner.ask(f"/give/{document.pk}/?to=ronaldo", method="POST")
    _ask_with_copy(site.owner, document, answer)


@probe(GROUP, "a user who was deactivated is refused", ACCESS)
def deactivated(site):
    user = site.log_in("kaka")
    document = site.new(user=user)
    answer = user.ask(document.show)
    user.ask("/deactivate/", method="POST")
    _ask_with_copy(user, document, answer)


@probe(
    GROUP,
    "a deleted document: 404, or another refusal, to its former owner",
    "RFC 9110 section 15.5.5",
)
def deleted(site):
    document = site.new()
    answer = site.owner.ask(document.show)
    site.owner.ask(f"/delete/{document.pk}/", method="POST")
    _ask_with_copy(site.owner, document, answer)


@probe(
    GROUP,
    "the internal location of nginx is not reachable from outside",
    "the documentation of nginx, directive internal",
    [
        ("plain", ("{}", {})),
        ("with X-Accel-Redirect", ("{}", {"X-Accel-Redirect": "{}"})),
        ("with X-Sendfile-Type", ("{}", {"X-Sendfile-Type": "X-Accel-Redirect"})),
        ("two slashes", ("/{}", {})),
        ("dot segment", ("/.{}", {})),
        ("through another URL", ("/login/..{}", {})),
        ("absolute URI", ("http://127.0.0.1{}", {})),
        ("header at the log-in page", ("/login/", {"X-Accel-Redirect": "{}"})),
    ],
)
def internal(site, case):
    target, headers = case
    document, _ = site.get_shared(GROUP)
    url = site.get_internal_url(document)
    headers = {name: value.format(url) for name, value in headers.items()}
    for user in (site.owner, site.stranger):
        got = user.ask(target.format(url), headers)
        if document.content in got.body:
            raise Leaked("the response has the content of the file")


# Spellings of "../secret.txt" in a URL.
UPWARDS = [
    ("plain", "../secret.txt"),
    ("encoded dots", "%2e%2e/secret.txt"),
    ("encoded slash", "..%2fsecret.txt"),
    ("all encoded", "%2e%2e%2fsecret.txt"),
    ("encoded twice", "%252e%252e%252fsecret.txt"),
    ("backslash", "..%5csecret.txt"),
    ("overlong UTF-8", "..%c0%afsecret.txt"),
    ("NUL", "..%2fsecret.txt%00.txt"),
    ("absolute", "{}"),
    ("doubled", "....//secret.txt"),
    ("semicolon", "..;/secret.txt"),
    ("folder of the user", "user_1/../../secret.txt"),
    ("folder of the user, encoded", "user_1%2f..%2f..%2fsecret.txt"),
]


@probe(GROUP, "a path that leads out of the folder of files: a refusal", TRAVERSAL, UPWARDS)
def traversal(site, spelling):
    secret, path = site.put_secret()
    for url in get_path_urls(site):
        for user in (site.owner, site.anonymous):
            got = user.ask(url.format(spelling.format(quote(str(path), safe=""))))
            expect_refusal(got, secret)


@probe(
    GROUP,
    "a path in the internal location that leads out of the folder",
    TRAVERSAL,
    [("plain", "../secret.txt"), ("encoded", "..%2fsecret.txt"), ("dots", "%2e%2e/secret.txt")],
)
def internal_traversal(site, spelling):
    secret, _ = site.put_secret()
    for target in (site.conf.INTERNAL + spelling, site.conf.INTERNAL.rstrip("/") + spelling):
        got = site.owner.ask(target)
        if secret in got.body:
            raise Leaked("the response has the content of the file")


@probe(
    GROUP,
    "another spelling of the path of another user's file: a refusal",
    "CWE-41",
    [
        ("dot segment", "./{}"),
        ("two slashes", "/{}"),
        ("slash at the end", "{}/"),
        ("space at the end", "{}%20"),
        ("dot at the end", "{}."),
        ("NUL at the end", "{}%00"),
        ("through the own folder", "user_2/../{}"),
        ("through the own folder, encoded", "user_2%2f..%2f{}"),
        ("encoded twice", None),
        ("upper case", "upper"),
    ],
)
def spellings(site, spelling):
    document, _ = site.get_shared(GROUP)
    stored = quote(document.stored)
    path = (
        quote(quote(document.stored, safe=""), safe="")
        if spelling is None
        else stored.upper()
        if spelling == "upper"
        else spelling.format(stored)
    )
    for url in get_path_urls(site):
        expect_refusal(site.stranger.ask(url.format(path)), document.content)


@probe(GROUP, "a file in the folder that no row refers to: a refusal", "CWE-552")
def without_row(site):
    document, _ = site.get_shared(GROUP)
    path = os.path.join(os.path.dirname(document.disk), "orphan.txt")
    with open(path, "w") as file:
        file.write("content without a row")
    for url in get_path_urls(site):
        relative = quote(os.path.relpath(path, site.root))
        for user in (site.owner, site.stranger):
            expect_refusal(user.ask(url.format(relative)), b"content without a row")


@probe(
    GROUP,
    "a file of another user and a missing file have the same status",
    "RFC 9110 section 15.5.4; CWE-204",
)
def same_status(site):
    document, _ = site.get_shared(GROUP)
    stem = document.stored.rpartition("/")[2].removesuffix(".txt")
    missing = document.show.replace(stem, "missing").replace(f"/{document.pk}/", "/999999/")
    forbidden, missing = (site.stranger.ask(url).status for url in (document.show, missing))
    if forbidden != missing:
        raise Leaked(f"the status reveals that the file exists: {forbidden} instead of {missing}")
