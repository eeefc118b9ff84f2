"""URLs with and without the download endpoint."""

import asyncio
from pathlib import PurePosixPath

import pytest
from django.contrib import admin
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import path
from storages.backends.s3 import S3Storage

from proxy_storage.exceptions import MetaBackendUnavailable
from proxy_storage.registry import get_proxy_storage
from tests.contract.temporary_storages import configure_proxy_storage
from tests.testapp.models import Document
from tests.testapp.storages import MemoryStorage

pytestmark = pytest.mark.usefixtures("empty_storages")


@pytest.fixture
def no_endpoint(settings):
    settings.MEDIA_URL = "/media/"
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "proxy_storage_api"]


@pytest.fixture
def put(no_endpoint, settings, tmp_path):
    def put(original=None, meta_backend="orm", **options):
        original = original or FileSystemStorage(tmp_path, base_url="/media/")
        return configure_proxy_storage(original, meta_backend, settings, **options)

    return put


def save(storage, name="letters/a b.txt", **kwargs):
    return storage.save(name, ContentFile(b"x"), **kwargs)


@pytest.fixture
def no_queries(monkeypatch):
    """Makes queries of a storage's records fail."""

    def forbid(storage):
        def fail(*args, **kwargs):
            raise AssertionError("A record was queried.")

        for method in ("get", "filter", "exists"):
            monkeypatch.setattr(storage.meta_backend, method, fail)

    return forbid


class TestWithoutEndpoint:
    @pytest.mark.parametrize("options", [{"paths": "full"}, {"paths": None, "path_prefix": "/p/"}])
    def test_path_that_shows_the_name_needs_no_query(self, put, no_queries, options):
        storage = put(**options)
        path = save(storage)
        no_queries(storage)
        assert storage.url(path) == "/media/letters/a%20b.txt"
        assert storage.url("letters/a b.txt") == "/media/letters/a%20b.txt"
        assert storage.url("avatars/from-before.txt") == "/media/avatars/from-before.txt"

    def test_s3_url_needs_no_query(self, put, no_queries):
        original = S3Storage(bucket_name="b", access_key="a", secret_key="s", region_name="r")
        storage = put(original, paths="full")
        no_queries(storage)
        url = storage.url("/letters/a.txt")
        assert "/letters/a.txt?" in url
        assert "Signature=" in url

    def test_unique_name_of_the_bytes_needs_one_query(self, put):
        storage = put(paths="relative")
        path = save(storage)
        record = storage.meta_backend.get(path)
        with CaptureQueriesContext(connection) as queries:
            url = storage.url(path)
        assert url == storage.original_storage.url(record["original_storage_path"])
        assert len(queries) == 1

    def test_kept_name_of_the_bytes_needs_no_query(self, put, no_queries):
        storage = put(paths="relative", unique_original_names=False)
        path = save(storage)
        no_queries(storage)
        assert storage.url(path) == "/media/letters/a%20b.txt"

    def test_several_original_storages(self, no_endpoint, settings, tmp_path):
        originals = {
            name: FileSystemStorage(tmp_path / name, base_url=f"/{name}/") for name in ("a", "b")
        } | {name: MemoryStorage(base_url=f"/{name}/") for name in ("c", "d")}
        options = {"original_storages": originals, "paths": "full"}
        backend = "tests.testapp.storages.MultipleStorage"
        options["meta_backend"] = settings.META_BACKENDS["orm"]
        settings.STORAGES = {**settings.STORAGES, "s": {"BACKEND": backend, "OPTIONS": options}}
        storage = get_proxy_storage("s")
        paths = {using: save(storage, f"{using}.txt", using=using) for using in originals}
        with CaptureQueriesContext(connection) as queries:
            assert storage.url(paths["b"]) == "/b/b.txt"
        assert len(queries) == 0
        # The paths of the two storages in memory look the same, so that the record is read.
        assert storage.url(paths["d"]).startswith("/d/d_")
        assert storage.url("a.txt") == "/a/a.txt"
        assert storage.url("/nothing.txt") == "#nothing.txt"

    def test_local_folder_is_not_shown(self, put, tmp_path):
        storage = put(FileSystemStorage(tmp_path), paths="full")
        storage.original_storage.base_url = None
        path = save(storage)
        assert storage.url(path) == "#letters/a%20b.txt"
        assert storage.url("/srv/elsewhere/b.txt") == "#b.txt"
        assert storage.url("../b.txt") == "#../b.txt"

    @pytest.mark.parametrize("paths", ["full", "relative"])
    @pytest.mark.parametrize(
        "name",
        ["/nothing.txt", "nothing.txt", "../x", "a\0b", "\ud800", "é", "/", ".", "//", "x" * 600],
    )
    def test_missing_and_invalid_names_raise_no_error(self, put, paths, name):
        assert isinstance(put(paths=paths).url(name), str)

    @pytest.mark.parametrize(
        "options",
        [
            {"paths": "full"},
            {"paths": "relative"},
            {"paths": "relative", "unique_original_names": False},
            {"paths": None, "path_prefix": "/"},
        ],
    )
    def test_names_of_any_type_raise_no_error(self, put, options):
        storage = put(**options)
        path = save(storage)
        assert storage.url(PurePosixPath(path)) == storage.url(path) != f"#{path}"
        for name in (PurePosixPath("nothing.txt"), b"bytes", 5, ["a"]):
            assert storage.url(name) == storage.url(str(name))

    @pytest.mark.parametrize("storage", ["orm-gridfs", "orm-relative-gridfs"], indirect=True)
    def test_original_storage_without_urls(self, no_endpoint, storage):
        assert storage.url(save(storage)) == "#letters/a%20b.txt"

    def test_unavailable_meta_backend(self, put, monkeypatch):
        storage = put(paths="relative", meta_backend="mongo")
        path = save(storage)

        def fail(path):
            raise MetaBackendUnavailable("gone")

        monkeypatch.setattr(storage.meta_backend, "get", fail)
        assert storage.url(path) == "#letters/a%20b.txt"

    def test_record_with_an_unknown_original_storage(self, no_endpoint):
        storage = get_proxy_storage("orm-relative-multiple")
        path = save(storage)
        storage.meta_backend.update(path, {"original_storage_name": "former"})
        assert storage.url(path) == "#letters/a%20b.txt"

    def test_empty_name_as_in_django(self, put):
        storage = put(paths="full")
        for name in (None, ""):
            assert storage.url(name) == storage.original_storage.url(name) == "/media/"

    @pytest.mark.parametrize(("paths", "url"), [("full", "/media/a.txt"), ("relative", "#a.txt")])
    def test_in_an_event_loop(self, put, paths, url):
        storage = put(paths=paths)
        path = save(storage, "a.txt")

        async def get_url():
            return storage.url(path)

        assert asyncio.run(get_url()) == url


class TestWithEndpoint:
    @pytest.mark.parametrize(
        ("storage", "path"),
        [
            ("orm-prefix", "%2Fprivate%2Fletters%2Fa.txt"),
            ("orm-gridfs", "%2Fletters%2Fa.txt"),
            ("orm-relative-disk", "letters%2Fa.txt"),
        ],
        indirect=["storage"],
    )
    def test_relative_name_becomes_the_path_of_a_record(self, storage, no_queries, path):
        no_queries(storage)
        for name in ("letters/a.txt", "./letters//a.txt"):
            assert storage.url(name).startswith(f"/files/?path={path}&")

    @pytest.mark.parametrize("storage", ["orm-disk", "orm-relative-disk"], indirect=True)
    def test_other_names_are_used_unchanged(self, storage):
        assert storage.url("../x").startswith("/files/?path=..%2Fx&")
        assert storage.url("/etc/passwd").startswith("/files/?path=%2Fetc%2Fpasswd&")
        assert storage.url("\ud800").startswith("/files/?path=%3F&")

    @pytest.mark.parametrize("storage", ["orm-disk", "orm-relative-disk"], indirect=True)
    def test_empty_name_is_the_url_of_the_endpoint(self, storage):
        assert storage.url(None) == storage.url("") == "/files/"


class DocumentAdmin(admin.ModelAdmin):
    list_display = ("id", "orm_file", "mongo_file")


site = admin.AdminSite()
site.register(Document, DocumentAdmin)
urlpatterns = [path("admin/", site.urls)]


@pytest.mark.urls(__name__)
def test_admin_lists_files_without_record_or_url(no_endpoint, admin_client):
    """Django's admin catches no error of ``url()`` in its lists."""
    Document.objects.create(
        orm_file=ContentFile(b"x", "a.txt"), mongo_file=ContentFile(b"x", "b.txt")
    )
    dead = Document.objects.create(orm_file="avatars/old.txt", mongo_file="/dead.txt")
    page = admin_client.get("/admin/testapp/document/")
    assert page.status_code == 200
    assert '<a href="#dead.txt">' in page.text
    assert '<a href="/media/a.txt">' in page.text
    assert admin_client.get(f"/admin/testapp/document/{dead.pk}/change/").status_code == 200
