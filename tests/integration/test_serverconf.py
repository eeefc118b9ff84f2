"""What ``proxystorage serverconf`` prints, in the programs that it is for: files on disk."""

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
    PASSWD,
    PROGRAMS,
    VARY,
    Site,
    answering,
    make_settings,
    running_front,
)
from tests.site.nginx import get_commented

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
        "Content-Disposition": ["inline; filename*=utf-8''%C3%A9%20%E6%97%A5%E6%9C%AC.jpg"],
        "Cache-Control": ["private"],
        "X-Content-Type-Options": ["nosniff"],
        "Content-Security-Policy": [CONTENT_SECURITY_POLICY],
        "Vary": [VARY],
    }
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
    blocks = done.stdout.split("\n\n") + get_commented(done.stdout, "hands requests").splitlines()
    missing = [block for block in map(normalise, blocks) if block not in written]
    assert missing == []


def normalise(text):
    """Return a configuration without comments and with one blank where there are more."""
    return " ".join(re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE).split())
