"""nginx and Caddy deliver files themselves, but only to users who may read them."""

import pytest

from demo.services import free_port
from proxy_storage.serving.headers import CONTENT_SECURITY_POLICY
from tests import programs
from tests.servers.authorize.fronts import FRONTS, running_front
from tests.servers.authorize.targets import SECRET, TARGETS
from tests.servers.serverconf_fronts import answering
from tests.servers.site.checks import (
    CONTENT,
    SIZE,
    check_not_modified,
    check_part,
    check_whole,
    get_saved_name,
)
from tests.servers.site.client import ask_raw

NAMES = [
    "with space.txt",
    "per%41cent.txt",
    "a;b,c.txt",
    "a#b.txt",
    "a?b=c&d.txt",
    "a+b.txt",
    "é 日本.txt",
    "folder/quote'\".txt",
    "${HOME} {http.request.uri}.txt",
    "~.txt",
    "n" * 120,
]


@pytest.fixture(scope="module", params=FRONTS)
def front(request, site, need_program):
    need_program(request.param)
    with running_front(site, request.param, site.folder / request.param) as front:
        yield front


#: Names of uploaded files, which the URL does not show.
UPLOADED_NAMES = ["Annual report.pdf", 'a"; filename="evil.html', "日本語 é😀.pdf"]


class TestReader:
    def test_gets_the_file(self, front, url):
        check_whole(front.ask(url, "messi"))

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_gets_each_header_once(self, front, url, method):
        answer = front.ask(url, "messi", method=method)
        expected = {
            "Content-Type": ["text/plain; charset=utf-8"],
            "Content-Disposition": ['inline; filename="letter.txt"'],
            "Content-Length": [str(SIZE)],
            "Cache-Control": ["private, no-cache"],
            "X-Content-Type-Options": ["nosniff"],
            "Content-Security-Policy": [CONTENT_SECURITY_POLICY],
            "X-Frame-Options": ["SAMEORIGIN"],
        }
        assert {name: answer.headers.get_all(name) for name in expected} == expected
        assert "Cookie" in answer.headers["Vary"]
        assert answer.body == (CONTENT if method == "GET" else b"")

    @pytest.mark.parametrize(
        ("headers", "part"),
        [("bytes=0-3", (0, 4)), ("bytes=990-", (990, SIZE)), ("bytes=-5", (SIZE - 5, SIZE))],
    )
    def test_gets_a_part(self, front, url, headers, part):
        answer = front.ask(url, "messi", {"Range": headers})
        check_part(answer, *part)
        assert answer.headers.get_all("Content-Type") == ["text/plain; charset=utf-8"]

    def test_gets_parts_that_say_what_they_are(self, front, url):
        answer = front.ask(url, "messi", {"Range": "bytes=0-3,8-11"})
        (content_type,) = answer.headers.get_all("Content-Type")
        if front.name == "nginx":  # A multipart response would need a second Content-Type.
            check_whole(answer)
        else:
            assert (answer.status, content_type.split(";")[0]) == (206, "multipart/byteranges")

    def test_learns_how_long_the_file_is(self, front, url):
        answer = front.ask(url, "messi", {"Range": f"bytes={SIZE}-"})
        assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{SIZE}")
        for name in ("Content-Type", "X-Content-Type-Options", "Content-Security-Policy"):
            assert len(answer.headers.get_all(name)) == 1

    def test_unchanged_file_is_not_sent(self, front, url):
        etag = front.ask(url, "messi").headers["ETag"]
        check_not_modified(front.ask(url, "messi", {"If-None-Match": etag}), etag)

    def test_gets_a_song_that_the_browser_can_play(self, front, site):
        url = site.save(f"{front.name}.wav", CONTENT, "messi")
        (policy,) = front.ask(url, "messi").headers.get_all("Content-Security-Policy")
        assert "media-src 'self'" in policy
        assert policy.endswith("sandbox allow-same-origin")

    @pytest.mark.parametrize("name", NAMES)
    def test_gets_files_of_every_name(self, front, site, name):
        own_name = f"{front.name}-{name}"
        answer = front.ask(site.save(own_name, CONTENT, "messi"), "messi")
        check_whole(answer)
        assert get_saved_name(answer.headers["Content-Disposition"]) == own_name.split("/")[-1]

    @pytest.mark.parametrize("name", UPLOADED_NAMES)
    def test_gets_the_name_of_the_uploaded_file(self, front, site, name):
        own_name = f"{front.name}-5f0c{UPLOADED_NAMES.index(name)}.pdf"
        url = site.save(own_name, CONTENT, "messi", uploaded_name=name)
        answer = front.ask(url, "messi")
        assert answer.status == 200
        assert get_saved_name(answer.headers["Content-Disposition"]) == name

    @pytest.mark.parametrize("ending", ["html", "svg", "js", "css", "txt.gz"])
    def test_web_server_does_not_choose_the_type(self, front, site, ending):
        url = site.save(f"{front.name}.{ending}", b"<script>", "messi")
        answer = front.ask(url, "messi")
        expected = {
            "html": "text/html; charset=utf-8",
            "svg": "image/svg+xml",
            "txt.gz": "application/gzip",
        }
        (content_type,) = answer.headers.get_all("Content-Type")
        assert content_type == expected.get(ending, "application/octet-stream")
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert "Content-Encoding" not in answer.headers

    def test_may_ask_for_an_attachment(self, front, url):
        answer = front.ask(f"{url}?disposition=attachment", "messi")
        assert answer.headers["Content-Disposition"] == 'attachment; filename="letter.txt"'
        assert front.ask(f"{url}?disposition=upside-down", "messi").status == 400

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_is_told_of_bytes_that_are_gone(self, front, site, method):
        url = site.save(f"{front.name}-{method}-gone.jpg", b"", "messi")
        (site.files_root / url.rpartition("/")[2]).unlink()
        answer = front.ask(url, "messi", method=method)
        assert answer.status == 404
        assert answer.headers.get_all("Content-Type", []) in ([], ["text/html"])
        assert "Content-Disposition" not in answer.headers


class TestOthers:
    @pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-3"}, {"If-None-Match": "*"}])
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_get_no_byte(self, front, url, method, headers):
        for who, status in (("ronaldo", 403), (None, 401)):
            answer = front.ask(url, who, headers, method)
            assert answer.status == status
            for name in ("ETag", "Last-Modified", "Content-Range", "Content-Disposition"):
                assert name not in answer.headers
            assert CONTENT[:4] not in answer.body
            assert ("WWW-Authenticate" in answer.headers) == (status == 401)

    @pytest.mark.parametrize("who", ["messi", "ronaldo", None])
    def test_unknown_file(self, front, who):
        assert front.ask("/avatars/nothing.txt", who).status == 404
        assert front.ask("/avatars/", who).status == 404

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
    def test_other_methods_do_not_reach_the_site(self, front, site, url, method):
        target = f"{url}?{front.name}-{method}"
        answer = front.ask(target, "messi", method=method)
        assert (answer.status, site.count_asked(target)) == (405, 0)

    def test_client_cannot_use_the_authorize_endpoint(self, front, site, url):
        for target in ("/files/authorize/", "//files/authorize/", "/files/x/../authorize/"):
            answer = front.ask(
                f"{target}?storage=avatars", "messi", {FRONTS[front.name][1]: f"{url}?outside"}
            )
            assert answer.status == 404
        assert site.count_asked(f"{url}?outside") == 0

    def test_link_allows_its_file_only(self, front, site, url):
        query = site.get_link("/avatars/letter.txt")
        check_whole(front.ask(f"{url}?{query}"))
        check_part(front.ask(f"{url}?{query}", headers={"Range": "bytes=4-7"}), 4, 8)
        assert front.ask(f"/avatars/secret.txt?{query}").status == 401
        assert front.ask(f"{url}?{query}&disposition=attachment").status == 401

    @pytest.mark.parametrize(("target", "status"), [("db.sqlite3", 404), ("files/secret.txt", 403)])
    def test_link_on_disk_is_not_followed(self, front, site, target, status):
        url = site.save(f"{front.name}-{status}.txt", CONTENT, "messi")
        local = site.files_root / url.rpartition("/")[2]
        local.unlink()
        local.symlink_to(site.folder / target)
        answer = front.ask(url, "messi")
        local.unlink()
        if status == 403 and front.name == "caddy":
            status = 200  # Caddy follows links within the folder.
        assert answer.status == status


class TestHostile:
    @pytest.mark.parametrize("who", ["messi", "stranger"])
    def test_targets(self, front, who):
        wrong = {}
        for target in TARGETS:
            answer = front.ask_raw(target, who)
            is_open = who == "messi" and (answer.status, answer.body) == (200, CONTENT)
            if not (is_open or 400 <= answer.status < 500) or SECRET in answer.body:
                wrong[target] = answer.status
        assert wrong == {}

    @pytest.mark.parametrize("times", [1, 2])
    @pytest.mark.parametrize("value", [b"/avatars/open.txt", b"", b"http://host/avatars/open.txt"])
    def test_headers(self, front, value, times):
        for name in (
            *(b"X-Original-URI", b"X-Forwarded-Uri", b"X_Original_URI", b"X_Forwarded_Uri"),
            *(b"x-original-uri", b"x-forwarded-uri", b"X-Original-URL", b"X-Rewrite-URL"),
            *(b"X-Original_URI", b"X-Forwarded_Uri", b"X_Forwarded-Uri", b"x-FORWARDED_uri"),
        ):
            line = b"%s: %s" % (name, value)
            answer = front.ask_raw(b"/avatars/secret.txt", "messi", *[line] * times)
            assert answer.status in (400, 403)
            assert SECRET not in answer.body


@pytest.mark.parametrize("name", FRONTS)
def test_site_is_given_one_target(site, name):
    """The site refuses requests with several targets, even if the web server lets them through."""
    header = FRONTS[name][1].encode()
    lines = [b"%s: /avatars/%s" % (header, file) for file in (b"open.txt", b"secret.txt")]
    for requested in (lines, lines[::-1]):
        answer = ask_site(site, name, *requested)
        assert (answer.status, answer.body) == (400, b"")
    if FRONTS[name][2] is programs.running_uvicorn:  # gunicorn does not pass these on.
        for spelling in (header.replace(b"-", b"_"), b"X-Forwarded_Uri", b"x_forwarded-uri"):
            answer = ask_site(site, name, lines[0], lines[1].replace(header, spelling))
            assert (answer.status, answer.body) == (400, b"")
    assert ask_site(site, name, lines[0]).status == 204
    assert ask_site(site, name, lines[1]).status == 403


def ask_site(site, name, *headers):
    """Send a request to the site itself, as its web server does."""
    lines = [
        b"GET /files/authorize/?storage=avatars HTTP/1.1",
        f"Host: 127.0.0.1\r\nCookie: {site.get_cookie('messi')}\r\nConnection: close".encode(),
        *headers,
    ]
    return ask_raw(site.addresses[name], b"\r\n".join(lines) + b"\r\n\r\n")


@pytest.mark.parametrize("places", [(0, 1), (0,), (1,)])
def test_site_whose_server_takes_underscores_for_dashes(front, site, places):
    """Python's own server and some others treat underscores as dashes."""
    header, asked = FRONTS[front.name][1], []

    def refuse(environ, start_response):
        asked.append(environ[f"HTTP_{header.upper().replace('-', '_')}"])
        start_response("403 Forbidden", [])
        return []

    words = header.split("-")
    signs = ["_" if place in places else "-" for place in range(len(words) - 1)]
    spelling = "".join(map("".join, zip(words, [*signs, ""], strict=True)))
    line = f"{spelling}: /avatars/open.txt".encode()
    with answering(refuse) as address:
        run_dir = site.folder / f"{front.name}-in-front-of-python-{len(signs)}-{places}"
        with running_front(site, front.name, run_dir, address) as other:
            assert other.ask_raw(b"/avatars/secret.txt", "messi", line).status == 403
    assert asked == ["/avatars/secret.txt"]


def test_no_file_is_delivered_without_the_site(front, site, url):
    run_dir = site.folder / f"{front.name}-alone"
    with running_front(site, front.name, run_dir, f"127.0.0.1:{free_port()}") as alone:
        for who in ("messi", None):
            for method in ("GET", "HEAD"):
                answer = alone.ask(url, who, method=method)
                assert answer.status in (502, 503)
                assert CONTENT[:4] not in answer.body
