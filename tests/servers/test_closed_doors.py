"""Responses without permission reveal nothing about a file; no request avoids the permission."""

import pytest

from tests.servers.site.client import Answer, ask_raw, get_url
from tests.servers.site.running import STORAGES

SECRET = b"nobody but readers may have this"
STRANGER = {"Cookie": "reader=no"}


@pytest.fixture
def secret(site, front):
    """The name of a file in the folder of files that needs the permission."""
    name = f"{front.name}-secret.txt"
    site.keep(STORAGES[front.name][0], name, SECRET)
    return name


@pytest.fixture
def secret_url(site, front, secret):
    return get_url(site.keep(STORAGES[front.name][0], secret, SECRET))


class TestStranger:
    @pytest.fixture
    def etag(self, front, secret_url):
        answer = front.ask(secret_url)
        assert answer.body == SECRET
        return answer.headers["ETag"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("If-None-Match", "{}"),
            ("If-None-Match", "*"),
            ("If-Match", "{}"),
            ("If-Match", '"another"'),
            ("If-Modified-Since", "Fri, 01 Jan 2038 00:00:00 GMT"),
            ("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("Range", "bytes=0-3"),
            ("Range", "bytes=9999-"),
            ("Range", "bytes=0-0,5-5"),
        ],
    )
    def test_learns_no_more_than_by_a_plain_request(self, front, secret_url, etag, name, value):
        plain = front.ask(secret_url, STRANGER)
        assert plain.status == 403
        answer = front.ask(secret_url, {**STRANGER, name: value.format(etag)})
        assert answer.facts == plain.facts

    @pytest.mark.parametrize("headers", [{}, {"If-None-Match": "*"}, {"Range": "bytes=9999-"}])
    def test_learns_no_more_by_head(self, front, secret_url, headers):
        plain = front.ask(secret_url, STRANGER)
        answer = front.ask(secret_url, {**STRANGER, **headers}, method="HEAD")
        assert answer.facts == Answer(plain.status, plain.headers, b"").facts

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_response_does_not_depend_on_the_bytes(self, front, site, method):
        """The response for an existing, an empty and a missing file is the same."""
        storage = STORAGES[front.name][0]
        answers = []
        for name, content in (("full.txt", SECRET), ("none.txt", b""), ("gone.txt", SECRET)):
            with site.saved(storage, f"doors-{name}", content) as path:
                if name == "gone.txt":
                    (site.files_root / f"doors-{name}").unlink()
                answers.append(front.ask(get_url(path), STRANGER, method=method).facts)
        assert answers[0][0] == 403
        assert answers == [answers[0]] * 3

    def test_learns_no_more_of_a_view_of_a_project(self, front, secret_url, etag):
        url = f"/plain/{STORAGES[front.name][0]}/?{secret_url.partition('?')[2]}"
        plain = front.ask(url, STRANGER)
        assert plain.status == 403
        for headers in ({"If-None-Match": etag}, {"Range": "bytes=9999-"}, {"If-Match": '"a"'}):
            assert front.ask(url, {**STRANGER, **headers}).facts == plain.facts


# Spellings of a file's URL in the internal location of nginx's configuration.
SPELLINGS = [
    "/serve-from-fs/{}",
    "//serve-from-fs/{}",
    "/serve-from-fs//{}",
    "/./serve-from-fs/{}",
    "/x/../serve-from-fs/{}",
    "/files/../serve-from-fs/{}",
    "/files/%2e%2e/serve-from-fs/{}",
    "/%73erve-from-fs/{}",
    "/serve-from-fs%2F{}",
    "/%2Fserve-from-fs/{}",
    "/serve-from-fs/./{}",
    "/serve-from-fs/x/../{}",
    "/serve-from-fs/%2e/{}",
    "/serve-from-fs/{}?path=/",
    "/serve-from-fs/{}#",
    "/serve-from-fs/{}/",
    "/serve-from-fs/{}%00",
    "/SERVE-FROM-FS/{}",
    "/serve-from-fs../files/{}",
    "/serve-from-fs/../files/{}",
    "http://127.0.0.1/serve-from-fs/{}",
    "http://serve-from-fs/serve-from-fs/{}",
    "\\serve-from-fs\\{}",
    "/files/{}",
    "{}",
]


class TestInternalLocation:
    @pytest.mark.parametrize("spelling", SPELLINGS)
    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
    def test_is_closed_however_it_is_spelled(self, front, secret, spelling, method):
        request = f"{method} {spelling.format(secret)} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        request += "Cookie: reader=yes\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        answer = ask_raw(front.address, request.encode(), method)
        # 405: the request has the URL of a file, and POST is not a method of files.
        assert answer.status in ((400, 403, 404, 405) if method == "POST" else (400, 403, 404))
        assert SECRET not in answer.body
        for name in ("ETag", "Last-Modified", "Accept-Ranges"):
            assert name not in answer.headers

    @pytest.mark.parametrize("target", ["/serve-from-fs/", "/serve-from-fs", "/serve-from-fs/../"])
    def test_shows_no_list(self, front, secret, target):
        answer = front.ask(target)
        assert answer.status in (400, 404)
        assert secret.encode() not in answer.body

    def test_serves_no_neighbour(self, front, site):
        """Neither a file beside the folder, nor a folder whose name has the same beginning."""
        (site.folder / "files-of-others").mkdir(exist_ok=True)
        (site.folder / "files-of-others" / "secret.txt").write_bytes(SECRET)
        for target in (
            "/serve-from-fs-of-others/secret.txt",
            "/serve-from-fs/../files-of-others/secret.txt",
            "/serve-from-fs../files-of-others/secret.txt",
            "/serve-from-fs/..%2Ffiles-of-others/secret.txt",
        ):
            answer = front.ask(target)
            assert answer.status in (400, 404)
            assert SECRET not in answer.body


class TestHeadersOfTheClient:
    @pytest.fixture
    def hostile(self, site, secret):
        local = site.files_root / secret
        return [
            {"X-Accel-Redirect": f"/serve-from-fs/{secret}"},
            {"X-Sendfile": str(local)},
            {"X-LIGHTTPD-send-file": str(local)},
            {"X-Sendfile2": f"{local} 0-"},
            {"X-Sendfile-Type": "X-Accel-Redirect"},
            {"X-Sendfile-Type": "X-Sendfile"},
            {"X_Sendfile_Type": "X-Accel-Redirect"},
            {"X_Sendfile_Type": "X-Sendfile"},
            {"X-Sendfile-Type": "X-Sendfile", "X-Sendfile": str(local)},
            {"X-Accel-Mapping": f"{site.files_root}=/serve-from-fs"},
            {"X-Original-URL": f"/serve-from-fs/{secret}"},
            {"X-Rewrite-URL": f"/serve-from-fs/{secret}"},
        ]

    def test_do_not_give_access(self, front, secret_url, hostile):
        for target in (secret_url, "/files/?path=/nothing", "/nothing"):
            plain = front.ask(target, STRANGER)
            assert plain.status in (403, 404)
            for headers in hostile:
                assert front.ask(target, {**STRANGER, **headers}).facts == plain.facts

    def test_do_not_change_the_file(self, front, site, hostile):
        path = site.keep(STORAGES[front.name][0], f"{front.name}-open.txt", b"for readers")
        plain = front.ask(get_url(path))
        assert (plain.status, plain.body) == (200, b"for readers")
        for headers in hostile:
            assert front.ask(get_url(path), headers).facts == plain.facts


class TestLinkOnDisk:
    def test_is_not_followed_out_of_the_folder(self, front, site):
        outside = site.folder / "outside.txt"
        outside.write_bytes(SECRET)
        with site.saved(STORAGES[front.name][0], "link.txt", SECRET) as path:
            local = site.files_root / "link.txt"
            local.unlink()
            local.symlink_to(outside)
            answer = front.ask(get_url(path))
            head = front.ask(get_url(path), method="HEAD")
        assert (answer.status, head.status) == (404, 404)
        assert SECRET not in answer.body
        program = "uvicorn" if front.name == "uvicorn" else "gunicorn"
        assert "is outside its original storage" in site.log(program)
