"""What ``proxystorage serverconf`` prints, in the programs that it is for: files on disk."""

import gzip
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.conf import settings
from django.test import override_settings

from demo.services import DEPLOY_DIR, PROJECT_DIR
from proxy_storage.serving.headers import CONTENT_SECURITY_POLICY
from tests.integration.serverconf_fronts import (
    OF_THE_PROJECT,
    PASSWD,
    PROGRAMS,
    VARY,
    Site,
    answering,
    make_settings,
    running_front,
)
from tests.site.nginx import get_commented

MEDIA_POLICY = (
    "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'; "
    "sandbox allow-same-origin"
)
CONTENT = b"0123456789" * 10
ROOTS = [
    "plain",
    "with  space",
    'double"quote',
    "single'quote",
    "do$lar $1",
    "${HOME}/{braces}",
    "back\\slash \\n",
    'both\\"',
    "at the end\\",
    "back`tick",
    "per%41cent #hash; semicolon",
    "é 日本",
]
NAMES = [
    "plain.txt",
    "with space.txt",
    "%41.txt",
    "100%.txt",
    "what?a=b&c.txt",
    "no#1;.txt",
    "a+b.txt",
    "é 日本.jpg",
    "folder/quote'\".txt",
    "back\\slash.txt",
    "index.html",
    "proxy-storage",
    "${HOME} {braces}",
    "n" * 250,
]
SERVERS = {
    "nginx": ("XAccelRedirectServer", {"location": "/internal/{}/"}),
    "caddy": ("XAccelRedirectServer", {"location": "/internal/{}/"}),
    "apache": ("XSendfileServer", {}),
    "lighttpd": ("XSendfileServer", {"escape": True}),
}


@pytest.fixture(scope="module")
def folder():
    # not pytest's own folder, which a web server of another user may not enter
    with TemporaryDirectory(prefix="proxy-storage-serverconf-") as name:
        path = Path(name).resolve()
        path.chmod(0o711)
        for root in ROOTS:
            for name in NAMES:
                file = path / "files" / root / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(CONTENT)
        for name in ("CASE.txt", "case.txt", "song.wav"):
            (path / "files" / ROOTS[0] / name).write_bytes(name.encode())
        yield path


@pytest.fixture(scope="module", params=PROGRAMS)
def front(request, folder, need_web_server):
    """Each web server, in front of a site with a storage in each folder."""
    name = request.param
    need_web_server(PROGRAMS[name])
    server, options = SERVERS[name]
    storages = {}
    for number, root in enumerate(ROOTS):
        if name == "caddy" and "{" in root:
            continue  # which it cannot be told of
        original = {"BACKEND": settings.DISK, "OPTIONS": {"location": folder / "files" / root}}
        own = {key: str(value).format(number) for key, value in options.items()}
        storages[str(number)] = (original, server, own)
    run_dir = folder / name
    run_dir.mkdir()
    with override_settings(**make_settings(storages)), ExitStack() as stack:
        site = stack.enter_context(answering(Site()))
        yield stack.enter_context(running_front(name, run_dir, site))


def test_file_of_every_name_arrives_from_every_folder(front):
    wrong = {}
    for storage in settings.PROXY_STORAGE["SERVERS"]:
        for name in NAMES:
            answer = front.ask(storage, name)
            if (answer.status, answer.body) != (200, CONTENT):
                wrong[storage, name] = answer.status
    assert wrong == {}


@pytest.mark.parametrize(
    ("name", "policy"), [("song.wav", MEDIA_POLICY), ("plain.txt", CONTENT_SECURITY_POLICY)]
)
def test_policy_is_that_of_the_type(front, name, policy):
    for headers, status in (({}, 200), ({"Range": "bytes=3-6"}, 206)):
        answer = front.ask("0", name, headers)
        assert answer.status == status
        assert answer.headers.get_all("Content-Security-Policy") == [policy]


@pytest.mark.parametrize("query", [{}, {"streamed": 1}])
class TestCompression:
    def test_keeps_the_etag(self, front, query):
        etag = front.ask("0", "plain.txt", **query).headers["ETag"]
        answer = front.ask("0", "plain.txt", {"Accept-Encoding": "gzip"}, **query)
        assert answer.headers["ETag"] == etag
        is_compressed = answer.headers.get("Content-Encoding") == "gzip"
        assert (gzip.decompress(answer.body) if is_compressed else answer.body) == CONTENT
        # mod_xsendfile leaves out mod_deflate, and the others are not told to compress.
        assert is_compressed == (front.name == "apache" and "streamed" in query)
        headers = {"Accept-Encoding": "gzip", "If-None-Match": etag}
        assert front.ask("0", "plain.txt", headers, **query).status == 304

    def test_part_is_one_of_the_file(self, front, query):
        etag = front.ask("0", "plain.txt", **query).headers["ETag"]
        for condition in ({}, {"If-Range": etag}):
            headers = {"Accept-Encoding": "gzip", "Range": "bytes=3-6", **condition}
            answer = front.ask("0", "plain.txt", headers, **query)
            assert (answer.status, answer.body) == (206, b"3456")


def test_headers_of_what_python_delivers_come_once(front):
    headers = front.ask("0", "plain.txt", streamed=1).headers
    # Caddy adds its own name to that of the site's program.
    names = [name.lower() for name in headers if name.lower() != "server"]
    assert sorted(names) == sorted(set(names))
    assert {name: headers[name] for name in OF_THE_PROJECT} == OF_THE_PROJECT


def test_name_in_capitals_is_another_one(front):
    """lighttpd would take one for the other, for all that the configuration around says."""
    assert front.ask("0", "CASE.txt").body == b"CASE.txt"
    assert front.ask("0", "case.txt").body == b"case.txt"


@pytest.mark.parametrize(
    ("more", "status"),
    [("", 400), ('server.http-parseopts = ("url-ctrls-reject" => "disable")', 200)],
)
def test_lighttpd_refuses_control_characters_unless_it_is_told_otherwise(
    folder, need_web_server, tmp_path, more, status
):
    need_web_server("lighttpd")
    root = folder / "files" / ROOTS[0]
    (root / "a\x01b.txt").write_bytes(CONTENT)
    # lighttpd itself would look for this one.
    (root / "a_b.txt").write_bytes(b"another file")
    original = {"BACKEND": settings.DISK, "OPTIONS": {"location": root}}
    run_dir = folder / f"lighttpd-{status}"
    run_dir.mkdir()
    with (
        override_settings(**make_settings({"0": (original, *SERVERS["lighttpd"])})),
        answering(Site()) as site,
        running_front("lighttpd", run_dir, site, more) as front,
    ):
        answer = front.ask("0", "a\x01b.txt")
    assert answer.status == status
    assert (answer.body == CONTENT) == (status == 200)
    assert b"another" not in answer.body


def test_part_of_a_file(front):
    answer = front.ask("0", "%41.txt", {"Range": "bytes=3-6"})
    assert (answer.status, answer.body) == (206, b"3456")
    assert answer.headers["Content-Range"] == "bytes 3-6/100"


def test_head_has_the_length_and_no_body(front):
    answer = front.ask("0", "plain.txt", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Length"] == "100"


def test_file_that_has_not_changed_is_not_sent(front):
    etag = front.ask("0", "plain.txt").headers["ETag"]
    answer = front.ask("0", "plain.txt", {"If-None-Match": etag})
    assert (answer.status, answer.body) == (304, b"")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_headers_of_the_site_come_once_and_none_says_where_the_file_is(front, folder, method):
    headers = front.ask("0", "é 日本.jpg", method=method).headers
    expected = {
        "Content-Type": ["image/jpeg"],
        "Content-Disposition": [
            "inline; filename=\"e __.jpg\"; filename*=utf-8''%C3%A9%20%E6%97%A5%E6%9C%AC.jpg"
        ],
        "Cache-Control": ["private, no-cache"],
        "X-Content-Type-Options": ["nosniff"],
        "Content-Security-Policy": [CONTENT_SECURITY_POLICY],
        "X-Frame-Options": ["SAMEORIGIN"],
        "Vary": [VARY],
        **{name: [value] for name, value in OF_THE_PROJECT.items()},
    }
    if front.name == "nginx":
        expected["X-Of-Server"] = ["yes"]
    assert {name: headers.get_all(name) for name in expected} == expected
    told = str(headers).lower()
    for secret in ("x-accel", "x-sendfile", "/internal/", str(folder)):
        assert secret not in told


@pytest.mark.parametrize("headers", [{}, {"X-Accel-Redirect": "/internal/0/plain.txt"}])
@pytest.mark.parametrize(
    "target",
    ["/internal/0/plain.txt", "/internal/0", "/internal/0/", "/internal/0/../0/plain.txt", "/x/"],
)
def test_nobody_gets_in_from_outside(front, target, headers):
    answer = front.ask_for(target, headers)
    assert answer.status == 404
    assert CONTENT not in answer.body


def test_nothing_but_the_folders_is_handed_over(front):
    answer = front.ask_for("/outside/")
    assert b"root" not in answer.body
    assert PASSWD not in str(answer.headers)


def test_client_cannot_announce_another_web_server(front):
    answer = front.ask("0", "plain.txt", {"X-Sendfile-Type": "pigeon"})
    assert (answer.status, answer.body) == (200, CONTENT)


@pytest.mark.parametrize(
    ("web_server", "example_server"),
    [("nginx", "x-accel"), ("apache", "x-sendfile"), ("lighttpd", "lighttpd")],
)
def test_example_is_set_up_as_the_command_says(web_server, example_server, tmp_path):
    done = subprocess.run(
        [sys.executable, "manage.py", "proxystorage", "serverconf", web_server],
        cwd=PROJECT_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "EXAMPLE_DATA_DIR": str(tmp_path),
            "EXAMPLE_SERVER": example_server,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    template = (DEPLOY_DIR / f"{PROGRAMS[web_server]}.conf").read_text()
    values = {"FILES_ROOT": tmp_path / "files", "SITE_HOST": "127.0.0.1", "SITE_PORT": "8000"}
    for name, value in values.items():
        template = template.replace(f"${{{name}}}", str(value))
    written = normalise(template)
    blocks = (
        done.stdout.split("\n\n")
        + get_commented(done.stdout, "passes requests to Django").splitlines()
    )
    missing = [block for block in map(normalise, blocks) if block not in written]
    assert missing == []


def normalise(text):
    """Return a configuration without comments and with one blank where there are more."""
    return " ".join(re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE).split())
