"""Uploads over real connections. The body of a refused upload is not read."""

import json
import os
import socket
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.conf import settings

from tests.servers.site.client import ask, ask_raw
from tests.servers.site.running import WEB_SERVERS, running_site

CONTENT = "Grüße".encode() * 1000
BOUNDARY = "limit"


@pytest.fixture(scope="module")
def inbox():
    """A folder for uploads, on a disk of one MiB if the user can mount one."""
    with TemporaryDirectory(prefix="proxy-storage-inbox-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "tmpfs", folder]
        is_mounted = os.geteuid() == 0 and subprocess.run(mount, check=False).returncode == 0
        yield Path(folder), is_mounted
        if is_mounted:
            subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="module")
def site(mongodb_uri, inbox):
    name = f"proxy_storage_uploads_{settings.RUN}"
    # None of its files is in S3.
    s3_url = "http://127.0.0.1:9"
    with running_site(mongodb_uri, name, s3_url, SITE_UPLOAD_FOLDER=str(inbox[0])) as site:
        yield site


@pytest.fixture(params=["gunicorn", "uvicorn", "nginx"])
def front(request, site, need_program):
    need_program(WEB_SERVERS.get(request.param))
    return site.get_front(request.param)


def make_body(*files):
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"'
        "\r\n\r\n".encode()
        + content
        + b"\r\n"
        for name, content in files
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def post(front, *files, **headers):
    headers["Content-Type"] = f"multipart/form-data; boundary={BOUNDARY}"
    return ask(front.address, "/files/", headers, "POST", make_body(*files))


def get_names(inbox):
    return sorted(path.name for path in inbox[0].rglob("*") if path.is_file())


def test_file_and_its_name(front, inbox):
    names = ["Annual report.txt", "Annual report.txt"]
    for name in names:
        answer = post(front, (name, CONTENT))
        assert answer.status == 201
        record = json.loads(answer.body)
        assert record["name"] == name
        target = record["url"].partition(front.address)[2]
        answer = front.ask(target)
        assert answer.body == CONTENT
        assert 'filename="Annual report.txt"' in answer.headers["Content-Disposition"]
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_two_files(front, inbox):
    before = get_names(inbox)
    answer = post(front, ("a.txt", b"a"), ("b.txt", b"b"))
    assert answer.status == 400
    assert json.loads(answer.body) == {"file": ["Send one file in a request."]}
    assert get_names(inbox) == before


def test_chunked_body(front):
    body = make_body(("a.txt", b"a"))
    head = (
        "POST /files/ HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: reader=yes\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n"
    )
    answer = ask_raw(front.address, head.encode() + body + b"\r\n0\r\n\r\n", "POST")
    # nginx reads the whole body and sends its length to the site.
    assert answer.status == (201 if front.name == "nginx" else 411)


@pytest.mark.parametrize(
    ("cookie", "length", "status"),
    [("reader=yes", 3 * 1024 * 1024, 413), ("reader=no", 1000, 403), ("reader=no", 10**9, 403)],
)
def test_body_of_a_refused_upload_is_not_read(site, cookie, length, status):
    """The response does not wait for the body, which is never sent. ASGI cannot do that."""
    host, port = site.get_front("gunicorn").address.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        head = (
            f"POST /files/ HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
            f"Content-Length: {length}\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert connection.recv(12) == f"HTTP/1.1 {status}".encode()


def test_full_disk(front, inbox):
    is_mounted = inbox[1]
    if not is_mounted:
        pytest.skip("Only root can mount a small disk.")
    before = get_names(inbox)
    answer = post(front, ("large.bin", bytes(1_500_000)))
    assert answer.status == 507
    assert json.loads(answer.body) == {"detail": "There is not enough space to save the file."}
    assert get_names(inbox) == before
    assert post(front, ("small.txt", b"small")).status == 201
