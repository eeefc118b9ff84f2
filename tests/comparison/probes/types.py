"""MIME types, active content, and unusual files."""

import gzip
import os
import re

from tests.comparison.outcomes import Leaked, expect, expect_delivered, expect_status
from tests.comparison.probes.base import get_path_urls, probe

GROUP = "types and unusual files"
SCRIPT = b"<script>alert(1)</script>"
HTML = b"<!doctype html><title>t</title>" + SCRIPT
SVG = b'<svg xmlns="http://www.w3.org/2000/svg">' + SCRIPT + b"</svg>"
XHTML = b'<html xmlns="http://www.w3.org/1999/xhtml"><body>' + SCRIPT + b"</body></html>"
PNG = bytes.fromhex("89504e470d0a1a0a") + b"\0" * 16
UTF_8 = "Grüße, 日本\n".encode()
LATIN_1 = "Grüße\n".encode("latin-1")


def _show(site, name, content):
    document = site.new(name, content)
    answer = site.owner.ask(document.show)
    expect_delivered(answer, content)
    return answer


def _get_essence(answer):
    return answer.get("Content-Type").partition(";")[0].strip().lower()


def _is_saved(answer):
    return answer.get("Content-Disposition").lower().startswith("attachment")


def _expect_harmless(answer):
    policy = answer.get("Content-Security-Policy").lower()
    sandbox = re.search(r"(?:^|;)\s*sandbox([^;]*)", policy)
    runs = re.search(r"html|xml", _get_essence(answer)) or not answer.get("Content-Type")
    expect(
        not runs or _is_saved(answer) or (sandbox and "allow-scripts" not in sandbox[1]),
        "it runs in the origin of the site",
    )


@probe(
    GROUP,
    "uploaded HTML, SVG or XML that the browser shows does not run: it is an attachment, "
    "has another type, or a sandbox",
    "RFC 6266 section 4.2; CSP Level 3 section 6.3.2; CWE-79",
    [
        ("HTML", ("page.html", HTML)),
        ("HTM in upper case", ("page.HTM", HTML)),
        ("SVG", ("image.svg", SVG)),
        ("XHTML", ("page.xhtml", XHTML)),
        ("XML", ("feed.xml", XHTML)),
    ],
)
def active(site, case):
    _expect_harmless(_show(site, *case))


@probe(
    GROUP,
    "uploaded HTML or SVG is an attachment if the URL is the one that saves it",
    "RFC 6266 section 4.2; CWE-79",
    [("HTML", ("page.html", HTML)), ("SVG", ("image.svg", SVG))],
)
def saved(site, case):
    document = site.new(*case)
    answer = site.owner.ask(document.save)
    expect(answer.status == 200, f"the response to the owner is {answer.status}")
    expect(_is_saved(answer), "it is not an attachment")


@probe(
    GROUP,
    "browsers do not guess another type: nosniff",
    "MIME Sniffing Standard, no-sniff flag; Fetch Standard, X-Content-Type-Options",
    [
        ("unknown extension with HTML", ("data.unknown", HTML)),
        ("no extension", ("data", HTML)),
        ("text with HTML", ("note.txt", HTML)),
        ("picture with HTML", ("picture.png", HTML)),
    ],
)
def nosniff(site, case):
    answer = _show(site, *case)
    expect(answer.get("X-Content-Type-Options").lower() == "nosniff", "nosniff is missing")


@probe(
    GROUP,
    "a page of the site cannot load an uploaded file as a script",
    "Fetch Standard, X-Content-Type-Options; CSP Level 3, source 'self'",
)
def script(site):
    answer = _show(site, "code.js", b"alert(1)")
    expect("script" not in _get_essence(answer), "it has the type of a script")
    sniffed = answer.get("X-Content-Type-Options").lower() != "nosniff"
    expect(not sniffed, "nosniff is missing, so that it runs with any type")


@probe(
    GROUP,
    "a file that pages embed has its type and is not an attachment",
    "RFC 9110 section 8.3; RFC 6266 section 4.2",
    [
        ("PDF", ("paper.pdf", b"%PDF-1.4\n", "application/pdf")),
        ("PNG", ("picture.png", PNG, "image/png")),
        ("MP4", ("film.mp4", b"\0" * 32, "video/mp4")),
        ("text", ("note.txt", b"text\n", "text/plain")),
    ],
)
def embedded(site, case):
    name, content, expected = case
    answer = _show(site, name, content)
    expect(_get_essence(answer) == expected, "it has another type")
    expect(not _is_saved(answer), "it is an attachment")


@probe(GROUP, "text in UTF-8 has charset=utf-8", "RFC 6657 section 3; RFC 9110 section 8.3.2")
def charset_utf_8(site):
    answer = _show(site, "note.txt", UTF_8)
    charset = (answer.headers.get_content_charset() or "").lower()
    expect(charset == "utf-8", "the charset is missing" if not charset else "another charset")


@probe(
    GROUP,
    "text that is not UTF-8 does not have charset=utf-8",
    "RFC 6657 section 3; RFC 9110 section 8.3.2",
)
def charset_other(site):
    answer = _show(site, "note.txt", LATIN_1)
    charset = (answer.headers.get_content_charset() or "").lower()
    expect(charset != "utf-8", "it has charset=utf-8")


@probe(
    GROUP,
    "a compressed file has the type of its compression, or Content-Encoding, not both or neither",
    "RFC 9110 sections 8.3 and 8.4",
    [("text", "notes.txt.gz"), ("archive", "backup.tar.gz"), ("HTML", "page.html.gz")],
)
def compressed(site, name):
    answer = _show(site, name, gzip.compress(b"text", mtime=0))
    is_type = re.search(r"gzip|octet-stream", _get_essence(answer))
    is_encoding = "gzip" in answer.get("Content-Encoding").lower()
    expect(
        bool(is_type) != is_encoding,
        "the type is that of the decompressed file, without Content-Encoding"
        if not is_type
        else "both the type and Content-Encoding",
    )


@probe(GROUP, "an empty file: 200 with the length 0", "RFC 9110 section 8.6")
def empty(site):
    document = site.new("full.txt", b"x")
    os.truncate(document.disk, 0)
    answer = site.owner.ask(document.show)
    expect_status(answer, 200)
    expect(answer.body == b"" and answer.get("Content-Length") == "0", "the length is not 0")


@probe(
    GROUP,
    "a row whose file is missing on the disk: 404 or 410",
    "RFC 9110 section 15.5.5",
    [("shown", "show"), ("saved", "save")],
)
def missing(site, url):
    document = site.new()
    os.remove(document.disk)
    answer = site.owner.ask(getattr(document, url))
    expect(answer.status in (404, 410), f"the status is {answer.status}, not 404")


@probe(GROUP, "a folder: neither a list of files of other users, nor a file", "CWE-548")
def folder(site):
    document = site.new()
    name = document.stored.rpartition("/")[2].encode()
    for url in get_path_urls(site):
        for path in ("user_1", "user_1/", "", "."):
            answer = site.stranger.ask(url.format(path))
            if name in answer.body:
                raise Leaked("the response has the names of files")
            expect(not answer.get("Content-Disposition"), "a folder is delivered as a file")


@probe(
    GROUP,
    "a symbolic link in the folder that leads out of it is not followed",
    "CWE-59",
    [("shown", "show"), ("saved", "save")],
)
def link(site, url):
    secret, path = site.put_secret()
    document = site.new()
    os.remove(document.disk)
    os.symlink(path, document.disk)
    answer = site.owner.ask(getattr(document, url))
    if secret in answer.body:
        raise Leaked("the response has the content of a file outside of the folder")
