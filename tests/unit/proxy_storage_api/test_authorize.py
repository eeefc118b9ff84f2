"""``authorize`` with a path, and with the request of a web server's client."""

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
    def test_permitted_request_gets_the_headers_of_the_file(self, log_in, query, method):
        for who in ("messi", "admin"):
            response = getattr(log_in(who), method)(URL, query)
            assert (response.status_code, response.content) == (204, b"")
            assert response["Content-Type"] == "application/pdf"
            assert response["Content-Disposition"] == 'inline; filename="cv.pdf"'
            assert response["X-Content-Type-Options"] == "nosniff"
            assert response["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
            assert response["Cache-Control"] == "no-store"
            assert "Content-Length" not in response

    def test_attachment_changes_the_disposition(self, log_in, query):
        response = log_in("messi").get(URL, {**query, "disposition": "attachment"})
        assert response["Content-Disposition"] == 'attachment; filename="cv.pdf"'

    def test_refusals_have_no_body(self, log_in, query):
        for client in (Client(), log_in("ronaldo")):
            check_refusal(client.get(URL, query), 403)
            check_refusal(client.head(URL, query), 403)
        for client in (Client(), log_in("messi"), log_in("ronaldo")):
            check_refusal(client.get(URL, {"path": "/nothing.pdf"}), 404)
            check_refusal(client.get(URL), 400)
            check_refusal(client.get(URL, {**query, "disposition": "upside-down"}), 400)

    def test_two_paths_are_invalid(self, log_in, query):
        for paths in ([query["path"], "/other.pdf"], ["/other.pdf", query["path"]]):
            check_refusal(log_in("messi").get(URL, {"path": paths}), 400)

    def test_file_of_another_storage_is_not_found(self, log_in, query):
        for name, status in (("gridfs_proxy_storage", 204), ("orm_disk", 404), ("", 404)):
            response = log_in("messi").get(URL, {**query, "storage": name})
            assert response.status_code == status

    def test_header_is_ignored_without_the_setting(self, log_in, query):
        for who, status in (("messi", 204), ("ronaldo", 403)):
            for name in (HEADER, "X-Forwarded-Uri"):
                response = log_in(who).get(URL, query, headers={name: "/nothing.pdf"})
                assert response.status_code == status

    def test_401_has_the_authentication_scheme(self, query):
        view = FileViewSet.as_view(
            {"get": "authorize"}, authentication_classes=[BasicAuthentication]
        )
        response = view(APIRequestFactory().get(URL, query))
        check_refusal(response, 401)
        assert response["WWW-Authenticate"].startswith("Basic")

    def test_429_has_retry_after(self, query):
        view = FileViewSet.as_view({"get": "authorize"}, throttle_classes=[Exhausted])
        response = view(APIRequestFactory().get(URL, query))
        check_refusal(response, 429)
        assert response["Retry-After"] == "7"

    def test_unavailable_meta_backend_is_503(self, log_in, query, monkeypatch):
        def fail(self, path):
            raise MetaBackendUnavailable("gone")

        monkeypatch.setattr(MetaBackendBase, "get", fail)
        check_refusal(log_in("messi").get(URL, query), 503)

    def test_other_actions_are_refused_with_a_body(self, log_in):
        response = log_in("messi").get("/files/", {"path": "/nothing.pdf"})
        assert response.json().keys() == {"detail"}
        assert log_in("messi").post(URL).json().keys() == {"detail"}


@pytest.fixture
def by_header(change):
    """Logged-in users may read all files, and anonymous requests need a signed link."""
    permission = HasValidSignature | IsAuthenticated
    change(AUTHORIZE_URI_HEADER=HEADER, DEFAULT_PERMISSION_CLASSES=[permission])


@pytest.fixture
def ask(by_header, log_in):
    """Return a function that sends the request of a web server which delivers a storage."""

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
    def test_target_has_the_path(self, ask, path):
        assert path == "/private/a b.pdf"
        for target in ("/private/a%20b.pdf", "/private/a b.pdf?x=y", "/private/%61%20b.pdf?"):
            response = ask(target)
            assert response.status_code == 204
            assert response["Content-Disposition"] == 'inline; filename="a b.pdf"'
        check_refusal(ask("/private/a%20b.pdf", Client()), 403)

    def test_path_in_the_query_is_ignored(self, ask, path):
        check_refusal(ask("/private/nothing.pdf", path=path), 404)
        check_refusal(ask(f"/private/nothing.pdf?{urlencode({'path': path})}"), 404)

    @pytest.mark.parametrize("query", [{}, {"storage": ["orm-prefix", "orm-prefix"]}])
    def test_request_without_one_storage_is_invalid(self, by_header, log_in, path, caplog, query):
        headers = {HEADER: "/private/a%20b.pdf"}
        with caplog.at_level(logging.WARNING, "proxy_storage_api"):
            check_refusal(log_in("messi").get(URL, query, headers=headers), 400)
        assert "one query parameter 'storage'" in caplog.text

    def test_request_without_the_header_is_invalid(self, by_header, log_in, path, caplog):
        query, headers = {"storage": "orm-prefix", "path": path}, {"X-Forwarded-Uri": path}
        with caplog.at_level(logging.WARNING, "proxy_storage_api"):
            check_refusal(log_in("messi").get(URL, query, headers=headers), 400)
        assert f"needs the header {HEADER}" in caplog.text

    def test_target_with_the_header_of_traefik(self, ask, log_in, path, change):
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
    def test_second_target_is_invalid(self, ask, path, target, caplog):
        with caplog.at_level(logging.WARNING, "proxy_storage_api"):
            check_refusal(ask(target), 400)
        assert f"more than one target in the header {HEADER}" in caplog.text

    def test_encoded_comma_is_part_of_the_name(self, ask, storage):
        assert storage.save("c,d.pdf", ContentFile(b"c")) == "/private/c,d.pdf"
        assert ask("/private/c%2Cd.pdf?a=%2C").status_code == 204
        check_refusal(ask("/private/c,d.pdf"), 400)

    def test_target_has_the_disposition(self, ask, path):
        response = ask("/private/a%20b.pdf?disposition=attachment", disposition="inline")
        assert response["Content-Disposition"].startswith("attachment")
        response = ask("/private/a%20b.pdf", disposition="attachment")
        assert response["Content-Disposition"].startswith("inline")
        check_refusal(ask("/private/a%20b.pdf?disposition=x"), 400)

    def test_target_may_be_a_signed_link(self, ask, storage, path):
        link = get_signed_url(storage.get_meta_backend_obj(path), as_attachment=True)
        query = link.url.partition("?")[2]
        assert ask(f"/private/a%20b.pdf?{query}", Client()).status_code == 204
        other = storage.save("other.pdf", ContentFile(b""))
        check_refusal(ask(f"{other}?{query}", Client()), 403)
        check_refusal(ask(f"/private/a%20b.pdf?{query}&expires=1", Client()), 403)

    def test_too_many_parameters_are_invalid(self, ask, path, settings):
        settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 3
        assert ask("/private/a%20b.pdf?a&b&c").status_code == 204
        check_refusal(ask("/private/a%20b.pdf?a&b&c&d"), 400)

    @pytest.mark.parametrize("hide", [True, False])
    def test_hide_forbidden_makes_a_forbidden_file_not_found(self, ask, path, change, hide):
        change(HIDE_FORBIDDEN=hide)
        check_refusal(ask("/private/nothing.pdf", Client()), 404)
        check_refusal(ask("/private/a%20b.pdf", Client()), 404 if hide else 403)


class TestFilesAtOtherPaths:
    """A web server would deliver the file at the path, which may belong to another record."""

    def test_file_that_is_not_at_its_path_is_not_found(self, ask, storage):
        record(storage, "/private/b.pdf", "another.pdf")
        check_refusal(ask("/private/b.pdf"), 404)
        check_refusal(ask("/private/b.pdf", Client()), 403)

    def test_name_with_a_backslash_is_not_found(self, ask, storage):
        record(storage, "/private/a/b.pdf", "a\\b.pdf")
        check_refusal(ask("/private/a/b.pdf"), 404)

    def test_symbolic_link_out_of_the_storage_is_not_found(
        self, ask, storage, path, tmp_path, caplog
    ):
        local = Path(storage.original_storage.path("a b.pdf"))
        local.unlink()
        (tmp_path / "outside.pdf").touch()
        local.symlink_to(tmp_path / "outside.pdf")
        with caplog.at_level(logging.ERROR, "proxy_storage_api"):
            check_refusal(ask("/private/a%20b.pdf"), 404)
        assert f"must not deliver {path!r}" in caplog.text

    def test_path_of_another_storage_is_not_found(self, ask, path):
        check_refusal(ask("/private/a%20b.pdf", storage="orm-disk"), 404)
        check_refusal(ask("/private/a%20b.pdf", storage="nothing"), 404)
        check_refusal(ask("/private/a%20b.pdf", storage="orm-prefix/disk"), 404)

    def test_file_of_another_original_storage_is_not_found(self, ask):
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

    def test_record_without_original_storage_name_is_in_the_first_one(self, ask, settings):
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
def test_second_target_under_asgi(headers, expected):
    scope = {
        "type": "http",
        "method": "GET",
        "path": URL,
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }
    assert has_second_target(ASGIRequest(scope, BytesIO()), HEADER) is expected


class TestRelativePaths:
    """A web server finds a file by its own name, and the endpoint a record by its path."""

    @pytest.fixture
    def plain(self):
        return get_proxy_storage("orm-plain-disk")

    @pytest.fixture
    def unique(self):
        return get_proxy_storage("orm-relative-disk")

    def test_file_with_the_name_of_its_path_is_found(self, ask, plain):
        path = plain.save("letters/a b.pdf", ContentFile(b"a"))
        response = ask("/letters/a%20b.pdf?x=y", storage="orm-plain-disk")
        assert response.status_code == 204
        assert response["Content-Disposition"] == 'inline; filename="a b.pdf"'
        check_refusal(ask("/letters/a%20b.pdf", Client(), storage="orm-plain-disk"), 403)
        for target in (f"//{path}", path, "/letters/nothing.pdf", "/letters/./a%20b.pdf", ""):
            check_refusal(ask(target, storage="orm-plain-disk"), 404)

    def test_file_with_a_unique_name_is_found_by_that_name(self, ask, unique):
        path = unique.save("letters/a b.pdf", ContentFile(b"a"))
        name = unique.meta_backend.get(path)["original_storage_path"]
        response = ask(f"/{quote(name)}", storage="orm-relative-disk")
        assert response.status_code == 204
        assert response["Content-Disposition"] == 'inline; filename="a b.pdf"'
        check_refusal(ask(f"/{quote(name)}", Client(), storage="orm-relative-disk"), 403)
        # Another file, or no file, may be at the path itself.
        check_refusal(ask("/letters/a%20b.pdf", storage="orm-relative-disk"), 404)
        other = f"/{quote(name)}".replace(".pdf", "0.pdf")
        check_refusal(ask(other, storage="orm-relative-disk"), 404)

    def test_second_file_of_a_name_is_not_found(self, ask, unique):
        """The second file of a name has another path, which is not part of its name on disk."""
        paths = [unique.save("a.pdf", ContentFile(b"a")) for _ in range(2)]
        names = [unique.meta_backend.get(path)["original_storage_path"] for path in paths]
        statuses = [ask(f"/{name}", storage="orm-relative-disk").status_code for name in names]
        assert statuses == [204, 404]

    def test_moved_file_is_not_found(self, ask, plain):
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
        # The bytes of é as WSGI passes them.
        ("/\xc3\xa9", "/é"),
        ("/%00", "/\0"),
        ("", ""),
    ],
)
def test_read_target_decodes_the_path(target, path):
    assert read_target(target)[0] == path


@pytest.mark.parametrize(
    "target", ["/%ff", "/\xff", "/\u20ac", "/%ED%A0%80", "/%c1%81", "/a#", "/a#b?c", "/a?\u20ac"]
)
def test_ambiguous_target_is_not_found(ask, target):
    check_refusal(ask(target), 404)
