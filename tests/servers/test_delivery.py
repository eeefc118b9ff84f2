"""Each program delivers files as RFC 9110 requires."""

import re
import subprocess
from contextlib import closing
from http.client import HTTPConnection

import pytest

from tests.programs import TIMEOUT
from tests.servers.site import deviations
from tests.servers.site.checks import CONTENT, SIZE, check_any, check_part, check_whole
from tests.servers.site.client import get_url
from tests.servers.site.permissions import COOKIE
from tests.servers.site.running import STORAGES, WEB_SERVERS


class TestWhole:
    def test_file_arrives_with_safe_headers(self, get, file_storage):
        answer = get()
        check_whole(answer)
        assert answer.headers["Content-Type"].partition(";")[0] == "text/plain"
        assert answer.headers["Content-Disposition"] == f'inline; filename="{file_storage}.txt"'
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
        assert answer.headers["Accept-Ranges"] == "bytes"
        for name in ("X-Accel-Redirect", "X-Sendfile"):
            assert name not in answer.headers

    @pytest.mark.parametrize("name", ["song.wav", "film.mp4"])
    def test_browser_may_play_what_is_shown_in_place(self, front, site, file_storage, name):
        url = get_url(site.keep(file_storage, name, CONTENT))
        policies = {
            front.ask(target, headers).headers["Content-Security-Policy"]
            for target in (url, f"{url}&disposition=attachment")
            for headers in ({}, {"Range": "bytes=0-3"})
        }
        playable = {policy for policy in policies if "media-src 'self'" in policy}
        assert len(policies) == 2
        (policy,) = playable
        assert policy.endswith("sandbox allow-same-origin")

    def test_each_header_comes_once(self, get):
        names = [name.lower() for name in get().headers]
        assert sorted(set(names)) == sorted(names)

    def test_validators_are_there_and_strong(self, get):
        answer = get()
        assert re.fullmatch(r'"[^"]+"', answer.headers["ETag"])
        assert answer.headers["Last-Modified"] == "Thu, 29 Feb 2024 12:30:15 GMT"

    def test_head_says_the_same_without_a_body(self, get):
        whole, head = get(), get("HEAD")
        assert (head.status, head.body) == (200, b"")
        assert [h for h in head.facts[1] if h[0] != "connection"] == [
            h for h in whole.facts[1] if h[0] != "connection"
        ]

    def test_head_ignores_a_range(self, front, get):
        head = get("HEAD", Range="bytes=0-3")
        assert head.body == b""
        if front.name in deviations.RANGE_OF_HEAD:
            assert (head.status, head.headers["Content-Length"]) == (206, "4")
        else:
            assert (head.status, head.headers["Content-Length"]) == (200, str(SIZE))

    def test_a_view_of_a_project_delivers_as_well(self, front, url, file_storage):
        query = url.partition("?")[2]
        answer = front.ask(f"/plain/{file_storage}/?{query}&attachment=1&filename=a.txt")
        check_whole(answer)
        assert answer.headers["Content-Disposition"] == 'attachment; filename="a.txt"'

    def test_connection_can_be_used_again(self, front, url):
        requests = [("GET", None), ("HEAD", None), ("GET", "3-5"), ("GET", "9999-"), ("GET", None)]
        answers = []
        with closing(HTTPConnection(*front.address.split(":"), timeout=TIMEOUT)) as connection:
            for method, value in requests:
                headers = {"Range": f"bytes={value}"} if value else {}
                connection.request(method, url, headers={**COOKIE, **headers})
                answer = connection.getresponse()
                answers.append((answer.status, answer.read()))
        assert [status for status, _ in answers] == [200, 200, 206, 416, 200]
        assert [answers[n][1] for n in (0, 1, 2, 4)] == [CONTENT, b"", CONTENT[3:6], CONTENT]


class TestRange:
    @pytest.mark.parametrize(
        ("value", "start", "stop"),
        [
            ("0-3", 0, 4),
            ("5-", 5, SIZE),
            ("-5", SIZE - 5, SIZE),
            ("0-0", 0, 1),
            ("999-999", SIZE - 1, SIZE),
            ("-1", SIZE - 1, SIZE),
            ("990-5000", 990, SIZE),
            ("500-599", 500, 600),
        ],
    )
    def test_part_arrives(self, get, value, start, stop):
        check_part(get(Range=f"bytes={value}"), start, stop)

    @pytest.mark.parametrize("value", ["0-", "0-999", "-1000", "-5000"])
    def test_part_that_is_the_whole(self, get, value):
        answer = get(Range=f"bytes={value}")
        # RFC 9110 section 14.2: a server may ignore the header
        if answer.status == 206:
            check_part(answer, 0, SIZE)
        else:
            check_whole(answer)

    @pytest.mark.parametrize("value", ["1000-", "1000-1001", "99999999999999999999-"])
    def test_beyond_the_end(self, get, value):
        answer = get(Range=f"bytes={value}")
        assert answer.status == 416
        assert answer.headers["Content-Range"] == f"bytes */{SIZE}"
        assert CONTENT[:4] not in answer.body

    @pytest.mark.parametrize(
        "value",
        ["bytes=abc", "bytes=5-3", "bytes=", "bytes=-", "bytes=0-3,abc", "bytes 0-3", "bytes=-0"],
    )
    def test_invalid_range_is_ignored_or_refused(self, front, get, value):
        answer = get(Range=value)
        # RFC 9110 section 14.2 allows each of these responses, also with an unsatisfiable range.
        if answer.status != 416:
            check_any(answer)
        elif front.name not in deviations.REFUSED_WITHOUT_LENGTH:
            assert answer.headers["Content-Range"] == f"bytes */{SIZE}"

    @pytest.mark.parametrize("value", ["lines=0-3", "none"])
    def test_other_unit_is_ignored(self, get, value):
        check_whole(get(Range=value))

    @pytest.mark.parametrize(
        "value", ["0-3,10-13", "0-0,-1", "0-3,2-9", "10-13,0-3", "0-3,2000-", "-5,-10,-15"]
    )
    def test_several_ranges(self, get, value):
        check_any(get(Range=f"bytes={value}"))

    def test_very_many_ranges(self, get):
        check_any(get(Range="bytes=" + ",".join(["0-"] * 800)))


# Headers that a web server may not change in responses of Python.
OWN_HEADERS = [
    *("Content-Type", "Content-Disposition", "Content-Range", "Content-Security-Policy"),
    *("ETag", "Last-Modified", "Cache-Control", "X-Content-Type-Options", "Accept-Ranges"),
    "X-Frame-Options",
]


@pytest.mark.parametrize("storage", ["python", "gridfs", "s3"])
@pytest.mark.parametrize("name", WEB_SERVERS)
def test_responses_of_python_pass_through_unchanged(site, need_program, name, storage):
    need_program(WEB_SERVERS[name])
    front, gunicorn = site.get_front(name), site.get_front("gunicorn")
    url = get_url(site.keep(storage, "through.txt", CONTENT))
    etag = gunicorn.ask(url).headers["ETag"]
    statuses = []
    for method, headers in [
        *(("GET", {}), ("HEAD", {}), ("GET", {"Range": "bytes=0-3"})),
        *(("GET", {"Range": "bytes=-5"}), ("GET", {"Range": "bytes=1000-"})),
        *(("HEAD", {"Range": "bytes=0-3"}), ("GET", {"If-None-Match": etag})),
        *(("GET", {"If-Match": '"a"'}), ("GET", {"Range": "bytes=5-9", "If-Range": etag})),
        ("GET", {"Range": "bytes=5-9", "If-Range": '"a"'}),
    ]:
        expected = gunicorn.ask(url, headers, method=method)
        answer = front.ask(url, headers, method=method)
        assert (answer.status, answer.body) == (expected.status, expected.body)
        for header in OWN_HEADERS:
            assert answer.headers.get_all(header) == expected.headers.get_all(header)
        statuses.append(answer.status)
    assert statuses == [200, 200, 206, 206, 416, 200, 304, 412, 206, 200]
    # Some web servers make the parts of a whole response that Python does not make.
    check_any(front.ask(url, {"Range": "bytes=0-0,500-506"}))


@pytest.mark.parametrize(
    ("name", "saved"),
    [("Grüße.txt", "Gru_e.txt"), ("日本語.txt", "___.txt"), ("a%2Fb.txt", "a_2Fb.txt")],
)
def test_curl_saves_under_a_similar_name(front, site, curl, tmp_path, name, saved):
    """curl does not support the extended form of the name."""
    with site.saved(STORAGES[front.name][0], name, CONTENT) as path:
        done = subprocess.run(
            [
                *(curl, "--silent", "--show-error", "--remote-name", "--remote-header-name"),
                *("--cookie", "reader=yes", f"http://{front.address}{get_url(path)}"),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {saved: CONTENT}


@pytest.mark.parametrize("have", [0, 1, 70_000, 2_999_999])
def test_curl_resumes(front, site, curl, tmp_path, have):
    content = b"".join(b"%07d " % number for number in range(375_000))
    path = site.keep(STORAGES[front.name][0], "large.bin", content)
    target = tmp_path / "download"
    target.write_bytes(content[:have])
    done = subprocess.run(
        [
            *(curl, "--silent", "--show-error", "--continue-at", "-", "--output", target),
            *("--cookie", "reader=yes", "--write-out", "%{http_code} %{size_download}"),
            f"http://{front.address}{get_url(path)}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert target.read_bytes() == content
    # No part is sent twice.
    assert done.stdout == f"{206 if have else 200} {len(content) - have}"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("utf-8", "text/plain; charset=utf-8"), ("latin-1", "text/plain")],
)
def test_charset_of_text(site, front, encoding, expected):
    storage = STORAGES[front.name][0]
    with site.saved(storage, f"{encoding}.txt", "Grüße".encode(encoding)) as path:
        for method in ("GET", "HEAD"):
            assert front.ask(get_url(path), method=method).headers["Content-Type"] == expected
        answer = front.ask(get_url(path), {"Range": "bytes=0-1"})
        assert (answer.status, answer.headers["Content-Type"]) == (206, expected)
