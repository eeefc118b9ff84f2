"""``authorize``, asked as web servers ask it: with a path, or with what their client asked for."""

import logging
from io import BytesIO
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from django.core.files.base import ContentFile
from django.core.handlers.asgi import ASGIRequest
from django.test import Client
from rest_framework.authentication import BasicAuthentication
from rest_framework.permissions import IsAuthenticated
from rest_framework.test import APIRequestFactory
from rest_framework.throttling import BaseThrottle

from jobs.models import JobApply
from proxy_storage.exceptions import MetaBackendUnavailable
from proxy_storage.meta_backends.base import MetaBackendBase
from proxy_storage.registry import get_proxy_storage
from proxy_storage.serving.headers import CONTENT_SECURITY_POLICY
from proxy_storage_api.authorize import has_second_target, read_target
from proxy_storage_api.viewsets import FileViewSet
from proxy_storage_permissions import HasValidSignature, get_signed_url

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
URL = "/files/authorize/"
HEADER = "X-Original-URI"


class Exhausted(BaseThrottle):
    def allow_request(self, request, view):
        return False

    def wait(self):
        return 7


def check_refusal(response, status):
    assert response.status_code == status
    assert response.content == b""
    assert "Content-Type" not in response
    assert response["Cache-Control"] == "no-store"


class TestByQuery:
    @pytest.fixture
    def application(self, log_in):
        application = JobApply(user=log_in("messi").user)
        application.resume.save("cv.pdf", ContentFile(b"resume"))
        return application

    @pytest.fixture
    def query(self, application):
        return {"path": application.resume.name}

    @pytest.mark.parametrize("method", ["get", "head"])
    def test_reader_gets_the_headers_of_the_file(self, log_in, query, method):
        for who in ("messi", "admin"):
            response = getattr(log_in(who), method)(URL, query)
            assert (response.status_code, response.content) == (204, b"")
            assert response["Content-Type"] == "application/pdf"
            assert response["Content-Disposition"] == 'inline; filename="cv.pdf"'
            assert response["X-Content-Type-Options"] == "nosniff"
            assert response["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
            assert response["Cache-Control"] == "no-store"
            assert "Content-Length" not in response

    def test_attachment(self, log_in, query):
        response = log_in("messi").get(URL, {**query, "disposition": "attachment"})
        assert response["Content-Disposition"] == 'attachment; filename="cv.pdf"'

    def test_refusals(self, log_in, query):
        for client in (Client(), log_in("ronaldo")):
            check_refusal(client.get(URL, query), 403)
            check_refusal(client.head(URL, query), 403)
        for client in (Client(), log_in("messi"), log_in("ronaldo")):
            check_refusal(client.get(URL, {"path": "/nothing.pdf"}), 404)
            check_refusal(client.get(URL), 400)
            check_refusal(client.get(URL, {**query, "disposition": "upside-down"}), 400)

    def test_two_paths(self, log_in, query):
        for paths in ([query["path"], "/other.pdf"], ["/other.pdf", query["path"]]):
            check_refusal(log_in("messi").get(URL, {"path": paths}), 400)

    def test_only_a_file_of_the_storage_that_is_named(self, log_in, query):
        for name, status in (("gridfs_proxy_storage", 204), ("orm_disk", 404), ("", 404)):
            response = log_in("messi").get(URL, {**query, "storage": name})
            assert response.status_code == status

    def test_header_of_a_client_is_not_looked_at(self, log_in, query):
        for who, status in (("messi", 204), ("ronaldo", 403)):
            for name in (HEADER, "X-Forwarded-Uri"):
                response = log_in(who).get(URL, query, headers={name: "/nothing.pdf"})
                assert response.status_code == status

    def test_401_says_how_to_log_in(self, query):
        view = FileViewSet.as_view(
            {"get": "authorize"}, authentication_classes=[BasicAuthentication]
        )
        response = view(APIRequestFactory().get(URL, query))
        check_refusal(response, 401)
        assert response["WWW-Authenticate"].startswith("Basic")

    def test_429_says_when_to_come_again(self, query):
        view = FileViewSet.as_view({"get": "authorize"}, throttle_classes=[Exhausted])
        response = view(APIRequestFactory().get(URL, query))
        check_refusal(response, 429)
        assert response["Retry-After"] == "7"

    def test_meta_backend_that_does_not_answer(self, log_in, query, monkeypatch):
        def fail(self, path):
            raise MetaBackendUnavailable("gone")

        monkeypatch.setattr(MetaBackendBase, "get", fail)
        check_refusal(log_in("messi").get(URL, query), 503)

    def test_other_requests_are_refused_with_a_body(self, log_in):
        response = log_in("messi").get("/files/", {"path": "/nothing.pdf"})
        assert response.json().keys() == {"detail"}
        assert log_in("messi").post(URL).json().keys() == {"detail"}


@pytest.fixture
def by_header(change):
    """Whoever is logged in may read everything, and others what they have a link to."""
    permission = HasValidSignature | IsAuthenticated
    change(AUTHORIZE_URI_HEADER=HEADER, DEFAULT_PERMISSION_CLASSES=[permission])


@pytest.fixture
def ask(by_header, log_in):
    """Ask as a web server that has the folder of a storage."""

    def ask(target, client=None, storage="orm-prefix", **query):
        client = client or log_in("messi")
        query = {"storage": storage, **query}
        return client.get(f"{URL}?{urlencode(query, doseq=True)}", headers={HEADER: target})

    return ask


@pytest.fixture
def storage():
    return get_proxy_storage("orm-prefix")


@pytest.fixture
def path(storage):
    return storage.save("a b.pdf", ContentFile(b"a"))


def record(storage, path, original_storage_path, **data):
    names = {"proxy_storage_name": "orm-prefix", "original_storage_path": original_storage_path}
    return storage.meta_backend.create({"path": path, **names, **data})


class TestByHeader:
    def test_the_path_is_that_of_the_target(self, ask, path):
        assert path == "/private/a b.pdf"
        for target in ("/private/a%20b.pdf", "/private/a b.pdf?x=y", "/private/%61%20b.pdf?"):
            response = ask(target)
            assert response.status_code == 204
            assert response["Content-Disposition"] == 'inline; filename="a b.pdf"'
        check_refusal(ask("/private/a%20b.pdf", Client()), 403)

    def test_the_query_says_no_path(self, ask, path):
        check_refusal(ask("/private/nothing.pdf", path=path), 404)
        check_refusal(ask(f"/private/nothing.pdf?{urlencode({'path': path})}"), 404)

    @pytest.mark.parametrize("query", [{}, {"storage": ["orm-prefix", "orm-prefix"]}])
    def test_web_server_that_does_not_name_its_storage(
        self, by_header, log_in, path, caplog, query
    ):
        headers = {HEADER: "/private/a%20b.pdf"}
        with caplog.at_level(logging.WARNING, "proxy_storage_api"):
            check_refusal(log_in("messi").get(URL, query, headers=headers), 400)
        assert "one query parameter 'storage'" in caplog.text

    def test_web_server_that_does_not_send_the_header(self, by_header, log_in, path, caplog):
        query, headers = {"storage": "orm-prefix", "path": path}, {"X-Forwarded-Uri": path}
        with caplog.at_level(logging.WARNING, "proxy_storage_api"):
            check_refusal(log_in("messi").get(URL, query, headers=headers), 400)
        assert f"needs the header {HEADER}" in caplog.text

    def test_traefik(self, ask, log_in, path, change):
        change(AUTHORIZE_URI_HEADER="X-Forwarded-Uri")
        headers = {
            "X-Forwarded-Method": "POST",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "example.org",
            "X-Forwarded-Uri": "/private/a%20b.pdf?disposition=attachment",
            "X-Forwarded-For": "192.0.2.1",
        }
        target = f"{URL}?storage=orm-prefix"
        response = log_in("messi").get(target, headers=headers)
        assert response.status_code == 204
        assert response["Content-Disposition"] == 'attachment; filename="a b.pdf"'
        check_refusal(Client().get(target, headers=headers), 403)

    @pytest.mark.parametrize(
        "target",
        [
            "/private/a%20b.pdf,/private/nothing.pdf",
            "/private/nothing.pdf, /private/a%20b.pdf",
            "/private/a%20b.pdf?,/private/nothing.pdf",
            "/private/a%20b.pdf?a=b,c",
            ",/private/a%20b.pdf",
            "/private/a%20b.pdf,",
        ],
    )
    def test_target_that_came_twice(self, ask, path, target, caplog):
        with caplog.at_level(logging.WARNING, "proxy_storage_api"):
            check_refusal(ask(target), 400)
        assert f"more than one target in the header {HEADER}" in caplog.text

    def test_encoded_comma_is_a_part_of_the_name(self, ask, storage):
        assert storage.save("c,d.pdf", ContentFile(b"c")) == "/private/c,d.pdf"
        assert ask("/private/c%2Cd.pdf?a=%2C").status_code == 204
        check_refusal(ask("/private/c,d.pdf"), 400)

    def test_disposition_is_said_by_the_target(self, ask, path):
        response = ask("/private/a%20b.pdf?disposition=attachment", disposition="inline")
        assert response["Content-Disposition"].startswith("attachment")
        response = ask("/private/a%20b.pdf", disposition="attachment")
        assert response["Content-Disposition"].startswith("inline")
        check_refusal(ask("/private/a%20b.pdf?disposition=x"), 400)

    def test_signed_link(self, ask, storage, path):
        link = get_signed_url(storage.get_meta_backend_obj(path), as_attachment=True)
        query = link.url.partition("?")[2]
        assert ask(f"/private/a%20b.pdf?{query}", Client()).status_code == 204
        other = storage.save("other.pdf", ContentFile(b""))
        check_refusal(ask(f"{other}?{query}", Client()), 403)
        check_refusal(ask(f"/private/a%20b.pdf?{query}&expires=1", Client()), 403)

    def test_too_many_parameters(self, ask, path, settings):
        settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 3
        assert ask("/private/a%20b.pdf?a&b&c").status_code == 204
        check_refusal(ask("/private/a%20b.pdf?a&b&c&d"), 400)

    @pytest.mark.parametrize("hide", [True, False])
    def test_forbidden_looks_like_unknown_where_it_has_to(self, ask, path, change, hide):
        change(HIDE_FORBIDDEN=hide)
        check_refusal(ask("/private/nothing.pdf", Client()), 404)
        check_refusal(ask("/private/a%20b.pdf", Client()), 404 if hide else 403)


class TestWhatLiesElsewhere:
    """A web server would deliver what lies at the path, whose record may be another one."""

    def test_record_of_bytes_that_are_not_at_its_path(self, ask, storage):
        record(storage, "/private/b.pdf", "another.pdf")
        check_refusal(ask("/private/b.pdf"), 404)
        check_refusal(ask("/private/b.pdf", Client()), 403)

    def test_name_with_a_backslash(self, ask, storage):
        record(storage, "/private/a/b.pdf", "a\\b.pdf")
        check_refusal(ask("/private/a/b.pdf"), 404)

    def test_link_that_leads_out(self, ask, storage, path, tmp_path, caplog):
        local = Path(storage.original_storage.path("a b.pdf"))
        local.unlink()
        (tmp_path / "outside.pdf").touch()
        local.symlink_to(tmp_path / "outside.pdf")
        with caplog.at_level(logging.ERROR, "proxy_storage_api"):
            check_refusal(ask("/private/a%20b.pdf"), 404)
        assert f"must not deliver {path!r}" in caplog.text

    def test_file_of_another_storage(self, ask, path):
        check_refusal(ask("/private/a%20b.pdf", storage="orm-disk"), 404)
        check_refusal(ask("/private/a%20b.pdf", storage="nothing"), 404)
        check_refusal(ask("/private/a%20b.pdf", storage="orm-prefix/disk"), 404)

    def test_file_of_another_original_storage(self, ask):
        storage = get_proxy_storage("orm-multiple")
        path = storage.save("c.pdf", ContentFile(b"c"), using="disk")
        for place, status in (
            ("orm-multiple/disk", 204),
            ("orm-multiple", 404),
            ("orm-multiple/", 404),
            ("orm-multiple/gridfs", 404),
            ("orm-prefix/disk", 404),
        ):
            assert ask(path, storage=place).status_code == status

    def test_record_without_the_name_of_its_original_storage(self, ask, settings):
        """Its bytes are in the first one."""
        originals = {key: settings.ORIGINAL_STORAGES[key] for key in ("disk", "gridfs")}
        options = {
            "original_storages": originals,
            "meta_backend": settings.META_BACKENDS["orm"],
            "path_prefix": "/several/",
        }
        backend = "tests.testapp.storages.MultipleStorage"
        settings.STORAGES = {"several": {"BACKEND": backend, "OPTIONS": options}}
        storage = get_proxy_storage("several")
        path = storage.save("d.pdf", ContentFile(b"d"))
        storage.meta_backend.update(path, {"original_storage_name": ""})
        for place, status in (("several/disk", 204), ("several", 404), ("several/gridfs", 404)):
            assert ask(path, storage=place).status_code == status


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("x-original-uri", "/a")], False),
        ([("x-original-uri", "/a"), ("x-original-uri", "/b")], True),
        ([("x-original-uri", "/a"), ("x-original_uri", "/b")], True),
        ([("X_Original_URI", "/b"), ("x-original-uri", "/a")], True),
        ([("x-original-uri", "/a"), ("x_other", "/b")], False),
        ([("x-original-uri", "/a%2C")], False),
        ([], False),
    ],
)
def test_headers_of_an_event_loop(headers, expected):
    scope = {
        "type": "http",
        "method": "GET",
        "path": URL,
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }
    assert has_second_target(ASGIRequest(scope, BytesIO()), HEADER) is expected


class TestRelativePaths:
    """A web server finds bytes by their own name, and a record by its path."""

    @pytest.fixture
    def plain(self):
        return get_proxy_storage("orm-plain-disk")

    @pytest.fixture
    def unique(self):
        return get_proxy_storage("orm-relative-disk")

    def test_bytes_that_have_the_name_of_the_path(self, ask, plain):
        path = plain.save("letters/a b.pdf", ContentFile(b"a"))
        response = ask("/letters/a%20b.pdf?x=y", storage="orm-plain-disk")
        assert response.status_code == 204
        assert response["Content-Disposition"] == 'inline; filename="a b.pdf"'
        check_refusal(ask("/letters/a%20b.pdf", Client(), storage="orm-plain-disk"), 403)
        for target in (f"//{path}", path, "/letters/nothing.pdf", "/letters/./a%20b.pdf", ""):
            check_refusal(ask(target, storage="orm-plain-disk"), 404)

    def test_bytes_with_a_name_of_their_own(self, ask, unique):
        path = unique.save("letters/a b.pdf", ContentFile(b"a"))
        name = unique.meta_backend.get(path)["original_storage_path"]
        response = ask(f"/{quote(name)}", storage="orm-relative-disk")
        assert response.status_code == 204
        assert response["Content-Disposition"] == 'inline; filename="a b.pdf"'
        check_refusal(ask(f"/{quote(name)}", Client(), storage="orm-relative-disk"), 403)
        # at the path itself there may be another file, or none
        check_refusal(ask("/letters/a%20b.pdf", storage="orm-relative-disk"), 404)
        other = f"/{quote(name)}".replace(".pdf", "0.pdf")
        check_refusal(ask(other, storage="orm-relative-disk"), 404)

    def test_the_file_of_one_record_is_not_that_of_another(self, ask, unique):
        """The second file of a name has another path, which its name on disk does not tell."""
        paths = [unique.save("a.pdf", ContentFile(b"a")) for _ in range(2)]
        names = [unique.meta_backend.get(path)["original_storage_path"] for path in paths]
        statuses = [ask(f"/{name}", storage="orm-relative-disk").status_code for name in names]
        assert statuses == [204, 404]

    def test_record_of_bytes_that_have_been_moved(self, ask, plain):
        path = plain.save("a.pdf", ContentFile(b"a"))
        plain.meta_backend.update(path, {"original_storage_path": "b.pdf"})
        check_refusal(ask("/a.pdf", storage="orm-plain-disk"), 404)
        check_refusal(ask("/b.pdf", storage="orm-plain-disk"), 404)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a.txt", "/a.txt"),
        ("/a%20b+c.txt", "/a b+c.txt"),
        ("/%2541.txt", "/%41.txt"),
        ("/a.txt?b", "/a.txt"),
        ("/a.txt?b?c#d", "/a.txt"),
        ("/a%3Fb%23c", "/a?b#c"),
        ("/a;b", "/a;b"),
        ("//host/a.txt", "//host/a.txt"),
        ("/../a//b/./c", "/../a//b/./c"),
        ("http://host/a.txt", "http://host/a.txt"),
        ("/%C3%A9", "/é"),
        # as WSGI gives out the bytes of é
        ("/\xc3\xa9", "/é"),
        ("/%00", "/\0"),
        ("", ""),
    ],
)
def test_path_of_a_target(target, path):
    assert read_target(target)[0] == path


@pytest.mark.parametrize(
    "target", ["/%ff", "/\xff", "/\u20ac", "/%ED%A0%80", "/%c1%81", "/a#", "/a#b?c", "/a?\u20ac"]
)
def test_target_that_leads_nowhere(ask, target):
    check_refusal(ask(target), 404)
