"""Hostile names are refused, or each program delivers them unchanged."""

import posixpath
import re
import unicodedata
from pathlib import PurePosixPath
from urllib.parse import quote

import pytest

from proxy_storage.endpoint import is_kept_in_urls
from tests.hostile_names import HOSTILE_NAMES
from tests.servers.site.checks import get_saved_name
from tests.servers.site.client import get_url
from tests.servers.site.running import STORAGES

NAMES = dict(HOSTILE_NAMES)
CONTENT = "the bytes of {!r}"


def may_be_refused(name):
    """Return whether a file system or a header could not contain a name."""
    parts = name.replace("\\", "/").split("/")
    return (
        ".." in parts
        or name.startswith("/")
        or any(unicodedata.category(character) in ("Cc", "Cs") for character in name)
        or max(len(part.encode(errors="surrogatepass")) for part in parts) > 255
    )


def without_directions(name):
    """Return a name as it is recorded: without the characters that change its direction."""
    return re.sub("[\u202a-\u202e\u2066-\u2069]", "", name)


@pytest.fixture(params=NAMES)
def name(request):
    return NAMES[request.param]


def test_name_is_refused_or_arrives(front, site, name):
    storage = STORAGES[front.name][0]
    content = CONTENT.format(name).encode()
    before = sorted(site.files_root.rglob("*"))
    try:
        path = site.save(storage, name, content)
    except ValueError as error:
        refusal = str(error)
    else:
        refusal = None
    if refusal is not None:
        assert may_be_refused(name)
        assert refusal.startswith("InvalidNameError: ")
        assert sorted(site.files_root.rglob("*")) == before
        return
    try:
        whole = front.ask(get_url(path))
        part = front.ask(get_url(path), {"Range": "bytes=4-8"})
        head = front.ask(get_url(path), method="HEAD")
    finally:
        site.delete(storage, path)
    assert path == f"/{storage}/{posixpath.normpath(name.replace(chr(92), '/'))}"
    assert (whole.status, whole.body) == (200, content)
    assert (part.status, part.body) == (206, content[4:9])
    assert head.status == 200
    for answer in (whole, part, head):
        disposition = answer.headers["Content-Disposition"]
        assert get_saved_name(disposition) == without_directions(PurePosixPath(path).name)
        assert answer.headers["Content-Type"] == whole.headers["Content-Type"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "uploaded_name", ["Annual report.txt", 'a"; filename="evil.html', "日本語 é😀.txt", "%41"]
)
def test_name_of_the_uploaded_file_arrives(front, site, uploaded_name, method):
    """The path, and the name of the bytes, do not have it."""
    storage = STORAGES[front.name][0]
    with site.saved(storage, "5f0c.txt", b"x", uploaded_name=uploaded_name) as path:
        for headers in ({}, {"Range": "bytes=0-0"}):
            answer = front.ask(get_url(path), headers, method=method)
            assert get_saved_name(answer.headers["Content-Disposition"]) == uploaded_name


def test_path_of_a_url_arrives(front, site, name):
    """Web servers decode and encode the path of a URL, and do not change the name in it."""
    content = CONTENT.format(name).encode()
    try:
        path = site.save("relative", name, content)
    except ValueError:
        assert may_be_refused(name)
        return
    assert is_kept_in_urls(path)
    try:
        answer = front.ask(f"/files/{quote(path)}")
        other = front.ask(f"/files/{quote(path)}.txt")
    finally:
        site.delete("relative", path)
    assert (answer.status, answer.body) == (200, content)
    assert other.status == 404


@pytest.mark.long
def test_name_arrives_by_django_sendfile2(site, name, need_program):
    need_program("nginx")
    content = CONTENT.format(name).encode()
    try:
        path = site.save("sendfile", name, content)
    except ValueError:
        assert may_be_refused(name)
        return
    try:
        answer = site.get_front("nginx").ask(get_url(path))
    finally:
        site.delete("sendfile", path)
    assert (answer.status, answer.body) == (200, content)
    saved_name = get_saved_name(answer.headers["Content-Disposition"])
    assert saved_name == without_directions(PurePosixPath(path).name)


def test_names_in_folders_arrive(front, site):
    storage = STORAGES[front.name][0]
    for name in ("a b/c d.txt", "a%2Fb/é?#.txt", "日本/+;=/x.txt", ".hidden/-x/.txt"):
        with site.saved(storage, name, name.encode()) as path:
            assert path == f"/{storage}/{name}"
            assert front.ask(get_url(path)).body == name.encode()


def test_refused_upload_says_what_is_wrong(site):
    with pytest.raises(ValueError, match="must be relative"):
        site.save("python", "../evil.txt")
    with pytest.raises(ValueError, match="control characters"):
        site.save("python", "a\r\nSet-Cookie: evil=1.txt")
