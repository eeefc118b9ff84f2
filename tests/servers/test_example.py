"""The running example project: gunicorn alone, and behind nginx, Apache and lighttpd."""

import os
import re
import socket
import subprocess
import sys
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from pymongo import MongoClient

from demo import scenario, services
from demo.__main__ import WEB_SERVERS, running_site
from demo.client import Client, Upload

AWKWARD = scenario.AWKWARD_NAME


SITES = [
    pytest.param(name, marks=() if name == "x-accel" else pytest.mark.slow) for name in WEB_SERVERS
]


@pytest.fixture(scope="module", params=SITES)
def site(request, need_program):
    """The running site: its URL, the program that delivers avatars, and its data folder."""
    web_server = WEB_SERVERS[request.param]
    need_program(web_server)
    # A web server of another user could not enter pytest's folder.
    with TemporaryDirectory(prefix="proxy-storage-site-") as folder:
        Path(folder).chmod(0o711)
        port = services.free_port()
        with running_site(Path(folder), request.param, port, throw_away=True) as base_url:
            yield base_url, web_server or "python", Path(folder)


def find_avatar(site):
    """Return the local path of messi's avatar, which has a generated name."""
    (avatar,) = (site[2] / "files").glob("messi_avatar_*.jpg")
    return avatar


@pytest.fixture(scope="module")
def story(site):
    """The site after one run of the demo, with an avatar that has an awkward name."""
    base_url, server, _ = site
    return list(scenario.play(base_url, server, site[2] / "files"))


def test_every_answer_is_right(site, story):
    assert len(story) == (17 if site[1] == "nginx" else 16)
    assert [outcome for outcome in story if not outcome.right] == []


def test_avatars_are_delivered_by_the_configured_server(site, story):
    servers = {o.server for o in story if "avatar" in o.file}
    assert servers == {site[1]}


@pytest.mark.usefixtures("story")
class TestDownload:
    @pytest.fixture
    def client(self, site):
        return Client(site[0])

    def test_headers_are_safe_with_each_server(self, client):
        link = client.find_link("/", "messi", "avatar")
        headers = client.request(link).headers
        assert headers["content-type"] == "image/jpeg"
        assert headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["cache-control"] == "private, no-cache"
        assert headers["content-disposition"] == 'inline; filename="messi_avatar.jpg"'

    def test_head_has_the_headers_and_no_body(self, client):
        link = client.find_link("/", "messi", "avatar")
        get, head = client.request(link), client.request(link, method="HEAD")
        assert head.status == 200
        assert head.body == b""
        for name in ("content-length", "content-type", "content-disposition"):
            assert head.headers[name] == get.headers[name]

    def test_awkward_name_arrives_whole(self, client):
        answer = client.request(client.find_link("/", "ronaldo", "avatar"))
        assert answer.body == scenario.AVATAR
        assert scenario.saved_as(answer.headers["content-disposition"]) == AWKWARD

    def test_part_of_a_file(self, client):
        link = client.find_link("/", "ronaldo", "avatar")
        answer = client.request(link, headers={"Range": "bytes=2-5"})
        assert answer.status == 206
        assert answer.headers["content-range"] == f"bytes 2-5/{len(scenario.AVATAR)}"
        assert answer.body == scenario.AVATAR[2:6]

    def test_range_means_nothing_to_head(self, client, site):
        link = client.find_link("/", "messi", "avatar")
        answer = client.request(link, headers={"Range": "bytes=2-5"}, method="HEAD")
        # nginx describes the part and does not have a setting for it.
        expected = (206, 4) if site[1] == "nginx" else (200, len(scenario.AVATAR))
        assert (answer.status, int(answer.headers["content-length"])) == expected

    def test_copy_that_is_newer_than_the_file_is_not_sent_again(self, client):
        link = client.find_link("/", "messi", "avatar")
        now = client.request(link).headers["date"]
        assert client.request(link, headers={"If-Modified-Since": now}).status == 304

    def test_client_cannot_say_what_the_web_server_understands(self, client):
        link = client.find_link("/", "messi", "avatar")
        answer = client.request(link, headers={"X-Sendfile-Type": "pigeon"})
        assert answer.status == 200
        assert answer.body == scenario.AVATAR

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_local_path_is_not_revealed(self, client, site, method):
        answer = client.request(client.find_link("/", "messi", "avatar"), method=method)
        told = "".join(f"{name}: {value}\n" for name, value in answer.headers.items())
        assert "sendfile" not in told
        assert "x-accel" not in told
        assert str(site[2]) not in told

    def test_image_tag_of_a_browser(self, client):
        link = client.find_link("/", "messi", "avatar")
        answer = client.request(link, headers={"Accept": "image/avif,image/webp,image/*"})
        assert answer.status == 200

    @pytest.mark.parametrize(
        "url",
        [
            "/serve-from-fs/AVATAR",
            "/serve-from-fs/",
            "/serve-from-fs",
            "/serve-from-fs/../db.sqlite3",
            "/serve-from-fs../db.sqlite3",
            "/serve-from-fs/%2e%2e/db.sqlite3",
            "//serve-from-fs/AVATAR",
            "/x/../serve-from-fs/AVATAR",
            "/AVATAR",
            "/../files/AVATAR",
            "/../lighttpd.pid",
        ],
    )
    def test_internal_location_is_closed(self, client, site, url):
        avatar = find_avatar(site)
        sent = {
            "X-Accel-Redirect": f"/serve-from-fs/{avatar.name}",
            "X-Sendfile": str(avatar),
        }
        answer = client.request(url.replace("AVATAR", avatar.name), headers=sent)
        assert answer.status in (400, 404)
        assert answer.body != scenario.AVATAR

    def test_link_on_disk_that_leads_out_is_not_followed(self, client, site):
        folder, avatar = site[2], find_avatar(site)
        content = avatar.read_bytes()
        link = client.find_link("/", "messi", "avatar")
        avatar.unlink()
        avatar.symlink_to(folder / "db.sqlite3")
        try:
            answer = client.request(link)
            assert answer.status == 404
            assert b"SQLite" not in answer.body
        finally:
            avatar.unlink()
            avatar.write_bytes(content)

    def test_changed_file_is_not_taken_from_a_cache(self, client, site):
        avatar = find_avatar(site)
        content = avatar.read_bytes()
        link = client.find_link("/", "messi", "avatar")
        first = client.request(link)
        # The request header that a browser sends for its copy.
        known = {"If-None-Match": first.headers.get("etag", '"none"')}
        avatar.write_bytes(content + b"more")
        try:
            changed = client.request(link, headers=known)
            assert changed.status == 200
            assert changed.body == content + b"more"
        finally:
            avatar.write_bytes(content)

    def test_other_machines_are_not_served(self, site):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.2", urllib.parse.urlsplit(site[0]).port)) != 0

    def test_admin_shows_links_to_the_endpoint(self, site):
        admin = Client(site[0])
        admin.log_in("admin")
        page = admin.request("/admin/jobs/jobapply/1/change/").body.decode()
        resume = urllib.parse.urlencode({"path": "messi_resume.txt"})
        assert f'href="/files/?{resume}"' in page

    def test_deletes_at_once(self, site):
        """No request fails, and an application that was deleted does not come back."""
        client = Client(site[0])
        client.log_in("messi")
        files = {
            "resume": Upload("cv.txt", b"x"),
            "avatar": Upload("me.jpg", scenario.AVATAR),
            "certificate": Upload("me.jpg", scenario.AVATAR),
        }
        for _ in range(3):
            page = client.submit("/apply/", {"what_you_want": "To play"}, files).body.decode()
            application = re.search(r"/applications/\d+/", page)[0]
            form = client.request(f"{application}delete/").body.decode()
            token = re.search('name="csrfmiddlewaretoken" value="([^"]*)"', form)[1]
            data = urllib.parse.urlencode({"csrfmiddlewaretoken": token}).encode()
            urls = [f"{application}delete/", f"{application}certificate/delete/"] * 2
            with ThreadPoolExecutor() as pool:
                answers = list(pool.map(client.request, urls, [data] * len(urls)))
            assert {answer.status for answer in answers} <= {200, 404}
            assert client.request(application).status == 404

    def test_wrong_response_is_detected(self, client):
        file = scenario.find_files(client, "python")[0]
        wrong = scenario.File(file.title, file.url, b"other bytes", file.readers, "python")
        outcome = scenario.ask(client, "anonymous", wrong, "unknown")
        assert not outcome.right
        assert outcome.content == "wrong"


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize(
    ("who", "resume", "avatar"),
    [
        (None, "403 Forbidden", "200 OK"),
        ("messi", "200 OK", "200 OK"),
        ("ronaldo", "403 Forbidden", "200 OK"),
        ("admin", "200 OK", "200 OK"),
    ],
)
def test_documented_requests_by_curl(site, curl, who, resume, avatar):
    client, command = Client(site[0]), [curl, "--silent", "--head"]
    if who is not None:
        client.log_in(who)
        command += ["--cookie", f"sessionid={client.cookies['sessionid']}"]
    for path, expected in (("messi_resume.txt", resume), ("messi_avatar.jpg", avatar)):
        url = f"{site[0]}/files/?path={path}"
        answer = subprocess.run([*command, url], capture_output=True, text=True, check=True)
        assert answer.stdout.splitlines()[0] == f"HTTP/1.1 {expected}"


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(False, id="own mongo"),
        pytest.param(True, id="MONGODB_URI", marks=pytest.mark.long),
    ],
)
def test_demo_ends_well_and_cleans_up(given, mongodb_uri, tmp_path):
    env = {**os.environ, "EXAMPLE_SERVER": "stream", "TMPDIR": str(tmp_path)}
    env.pop("MONGODB_URI", None)
    if given:
        env["MONGODB_URI"] = mongodb_uri
    done = subprocess.run(
        [sys.executable, "-m", "demo"],
        cwd=services.PROJECT_DIR,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 wrong." in done.stdout
    assert list(tmp_path.iterdir()) == []
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(tmp_path) not in processes.stdout
    with MongoClient(mongodb_uri) as client:
        names = client.list_database_names()
    assert [name for name in names if name.startswith("proxy_storage_demo")] == []


def test_program_that_does_not_start_says_why(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('no licence')"]
    with (
        pytest.raises(services.ServiceError, match="no licence"),
        services.running(command, lambda: False, tmp_path / "output"),
    ):
        pass


@pytest.mark.parametrize("options", [[], ["--serve", "--port", "0"]], ids=["demo", "serve"])
def test_mongo_that_does_not_answer(tmp_path, options):
    env = {**os.environ, "EXAMPLE_SERVER": "stream", "EXAMPLE_DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "demo", *options],
        cwd=services.PROJECT_DIR,
        env={**env, "MONGODB_URI": "mongodb://me:s3cret@127.0.0.1:1/db"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "127.0.0.1:1: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "s3cret" not in done.stdout + done.stderr


def test_example_server_that_does_not_exist():
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "EXAMPLE_SERVER": "pigeon"}
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=services.PROJECT_DIR,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "must be one of stream, x-accel, x-sendfile, lighttpd" in done.stderr
