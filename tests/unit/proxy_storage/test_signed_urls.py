"""The URLs of a proxy storage with url="signed"."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.core.files.base import ContentFile
from django.db.models import FileField
from django.db.models.fields.files import FieldFile
from django.http import QueryDict
from django.template import Context, Template
from rest_framework.permissions import IsAdminUser

from proxy_storage.checks import check_settings
from proxy_storage.endpoint import RequestedEndpoint, remember_endpoint
from proxy_storage.exceptions import ConfigurationError, MetaBackendUnavailable
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages.lookup import find_records
from proxy_storage_api.checks import check_signed_urls
from proxy_storage_api.fields import SignedFileField
from proxy_storage_permissions import (
    CanReadFile,
    FieldPermissions,
    HasValidSignature,
    IsOwner,
    get_signed_url,
    get_signed_urls,
    links,
)
from proxy_storage_permissions.links import is_valid_link
from tests.contract.content_objects import save_file
from tests.testapp.models import Document, TrackedDocument

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]
NOW = 1_800_000_000
NOW_TIME = datetime.fromtimestamp(NOW, UTC)


class AcceptsLinks(FieldPermissions):
    model = Document
    permissions = {"orm_file": IsOwner("user") | HasValidSignature, "mongo_file": CanReadFile}


StaffAndLinks = IsAdminUser | HasValidSignature


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(links, "time", lambda: NOW)


@pytest.fixture(params=["orm", "mongo"])
def storage(request, settings):
    options = {
        "original_storage": settings.ORIGINAL_STORAGES["memory"],
        "meta_backend": settings.META_BACKENDS[request.param],
        "url": "signed",
    }
    signed = {"BACKEND": "proxy_storage.storages.ProxyStorage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "signed": signed}
    return get_proxy_storage("signed")


@pytest.fixture
def orm_storage(monkeypatch):
    """The storage of the field ``orm_file``, with signed links."""
    storage = get_proxy_storage("orm_disk")
    monkeypatch.setattr(type(storage), "signs_urls", True)
    return storage


def save(storage, name="a & b/é.txt"):
    return storage.get_meta_backend_obj(storage.save(name, ContentFile(b"hello")))


def opens(url, record):
    query = QueryDict(url.partition("?")[2])
    return query["path"] == record["path"] and is_valid_link(record, query, "GET", None)


class TestStorage:
    def test_url_opens_the_file(self, storage):
        record = save(storage)
        url = storage.url(record["path"])
        assert url.startswith("/files/?path=a+%26+b%2F%C3%A9.txt&storage=signed&expires=")
        assert opens(url, record)

    def test_url_is_equal_within_a_step(self, storage, monkeypatch):
        record = save(storage)
        url = storage.url(record["path"])
        assert url == get_signed_url(record).url
        monkeypatch.setattr(links, "time", lambda: NOW + 299)
        assert storage.url(record["path"]) == url
        monkeypatch.setattr(links, "time", lambda: NOW + 300)
        assert storage.url(record["path"]) != url

    def test_url_needs_one_query(self, storage, django_assert_num_queries):
        path = save(storage)["path"]
        has_table = storage.meta_backend.get_transaction_alias() is not None
        with django_assert_num_queries(1 if has_table else 0):
            storage.url(path)

    def test_file_without_record_has_an_unsigned_url(self, storage, client):
        url = storage.url("gone.txt")
        assert url == "/files/?path=gone.txt&storage=signed"
        assert storage.url("") == storage.url(None) == "/files/"
        assert client.get(url).status_code in (403, 404)

    def test_replaced_file_is_not_opened_by_the_former_link(self, storage):
        record = save(storage)
        url = storage.url(record["path"])
        storage.delete(record["path"])
        again = save(storage)
        assert again["path"] == record["path"]
        assert not opens(url, again)

    def test_meta_backend_that_does_not_answer(self, storage, monkeypatch):
        """A page shows its other parts."""

        def fail(path):
            raise MetaBackendUnavailable("The database does not answer.")

        record = save(storage)
        monkeypatch.setattr(storage.meta_backend, "get", fail)
        assert "signature" not in storage.url(record["path"])

    def test_arguments_of_the_endpoint(self, storage, settings):
        settings.ROOT_URLCONF = "tests.unit.proxy_storage.tenant_urls"
        settings.PROXY_STORAGE = {
            **settings.PROXY_STORAGE,
            "FILE_URL_NAME": "tenant:proxy_storage_api:files",
            "FILE_URL_KWARGS": {"tenant": "one"},
        }
        record = save(storage)
        assert storage.url(record["path"]).startswith("/one/files/?path=")
        with remember_endpoint(
            RequestedEndpoint("tenant:proxy_storage_api:files", {"tenant": "two"})
        ):
            url = storage.url(record["path"])
        assert url.startswith("/two/files/?path=")
        assert opens(url, record)

    def test_missing_api_is_an_error(self, storage, settings):
        record = save(storage)
        settings.INSTALLED_APPS = [
            app for app in settings.INSTALLED_APPS if app != "proxy_storage_api"
        ]
        with pytest.raises(ConfigurationError, match="'signed' returns signed links, which"):
            storage.url(record["path"])
        assert [error.id for error in check_settings(None) if "signed links" in error.msg] == [
            "proxy_storage.E021"
        ]

    def test_download_by_the_url(self, storage, client, settings):
        settings.PROXY_STORAGE = {
            **settings.PROXY_STORAGE,
            "DEFAULT_PERMISSION_CLASSES": ["proxy_storage_permissions.HasValidSignature"],
        }
        record = save(storage)
        response = client.get(storage.url(record["path"]))
        assert response.status_code == 200
        assert b"".join(response) == b"hello"
        assert client.get(storage.get_unsigned_url(record["path"])).status_code == 403


class TestField:
    @pytest.fixture
    def document(self, orm_storage):
        document = Document()
        save_file(document, "orm_file")
        return Document.objects.get()

    def get_record(self, document):
        return document.orm_file.storage.get_meta_backend_obj(document.orm_file.name)

    def test_url_in_a_template(self, document, django_assert_num_queries):
        template = Template("{{ document.orm_file.url|safe }}")
        with django_assert_num_queries(1):
            url = template.render(Context({"document": document}))
        assert opens(url, self.get_record(document))

    def test_all_links_are_equal_within_a_step(self, document, admin_client, settings, monkeypatch):
        settings.PROXY_STORAGE = {
            **settings.PROXY_STORAGE,
            "BASE_URL": "http://testserver",
            "DEFAULT_PERMISSION_CLASSES": [f"{__name__}.StaffAndLinks"],
        }
        record = self.get_record(document)
        body = {"path": record["path"], "storage": record["proxy_storage_name"]}
        made = set()
        for passed in (0, 299):
            monkeypatch.setattr(links, "time", lambda now=NOW + passed: now)
            link = admin_client.post("/files/link/", body, content_type="application/json")
            made |= {
                f"http://testserver{document.orm_file.url}",
                f"http://testserver{record.get_proxy_storage().url(record['path'])}",
                f"http://testserver{SignedFileField().to_representation(document.orm_file)}",
                get_signed_url(record, absolute=True).url,
                get_signed_urls([document.orm_file], absolute=True)[0].url,
                link.json()["url"],
            }
        assert len(made) == 1

    def test_url_of_the_file_of_another_instance_is_not_signed(self, document):
        """The path of another row's file is written to this row."""
        thief = Document.objects.create(orm_file=document.orm_file.name)
        assert "signature" not in thief.orm_file.url
        assert "signature" in document.orm_file.url

    def test_url_of_a_deleted_file_is_not_signed(self, document):
        document.orm_file.storage.delete(document.orm_file.name)
        assert "signature" not in document.orm_file.url

    def test_field_without_file_is_an_error(self, document):
        with pytest.raises(ValueError, match="has no file"):
            Document().orm_file.url  # noqa: B018

    def test_meta_backend_that_does_not_answer(self, document, monkeypatch):
        def fail(*args, **kwargs):
            raise MetaBackendUnavailable("The database does not answer.")

        monkeypatch.setattr(document.orm_file.storage.meta_backend, "select", fail)
        assert "signature" not in document.orm_file.url

    def test_records_of_the_api_have_plain_urls(self, document, admin_client, settings):
        """A signed link would open the file for other users as well."""
        settings.PROXY_STORAGE = {
            **settings.PROXY_STORAGE,
            "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
        }
        (shown,) = admin_client.get("/files/").json()["results"]
        assert shown["path"] == document.orm_file.name
        plain = document.orm_file.storage.get_unsigned_url(document.orm_file.name)
        assert shown["url"] == f"http://testserver{plain}"
        assert "signature" not in plain


def get_tracked_storage():
    """Return the storage of the fields of `TrackedDocument`."""
    return TrackedDocument._meta.get_field("orm_file").storage


class TestPlainFields:
    """Files of Django's own fields."""

    @pytest.fixture(params=[True, False])
    def is_tracked(self, request, monkeypatch):
        monkeypatch.setattr(get_tracked_storage(), "signs_urls", True)
        monkeypatch.setattr(get_tracked_storage(), "tracks_plain_fields", request.param)
        return request.param

    @pytest.fixture
    def document(self, is_tracked, monkeypatch):
        """A row with a file that has a content object."""
        monkeypatch.setattr(get_tracked_storage(), "tracks_plain_fields", True)
        document = TrackedDocument()
        save_file(document, "orm_file")
        monkeypatch.setattr(get_tracked_storage(), "tracks_plain_fields", is_tracked)
        return document

    def get_record(self, document):
        return get_tracked_storage().get_meta_backend_obj(document.orm_file.name)

    @pytest.mark.parametrize("is_tracked", [True], indirect=True)
    def test_own_file(self, document, django_assert_num_queries):
        with django_assert_num_queries(1):
            url = document.orm_file.url
        assert opens(url, self.get_record(document))
        text = Template("{{ document.orm_file.url }}").render(Context({"document": document}))
        assert "signature" in text

    @pytest.mark.parametrize("name", ["orm_file", "orm_copy"])
    def test_file_of_another_row(self, document, name):
        """The path of another row's file is written to this row."""
        thief = TrackedDocument.objects.create(**{name: document.orm_file.name})
        url = getattr(thief, name).url
        assert url == get_tracked_storage().get_unsigned_url(document.orm_file.name)

    def test_file_of_a_row_in_another_scope(self, document):
        """Rows of two tenants or databases have the same key."""
        values = {"content_object_scope": "default/other"}
        get_tracked_storage().meta_backend.update(document.orm_file.name, values)
        assert "signature" not in document.orm_file.url

    def test_released_file(self, document):
        path = document.orm_file.name
        get_tracked_storage().meta_backend.update(
            path,
            {"content_type_id": None, "object_id": None, "field": None, "released_at": NOW_TIME},
        )
        thief = TrackedDocument.objects.create(orm_file=path)
        assert "signature" not in thief.orm_file.url

    def test_file_without_content_object(self, is_tracked):
        path = save(get_tracked_storage())["path"]
        url = TrackedDocument.objects.create(orm_file=path).orm_file.url
        assert ("signature" in url) is not is_tracked

    def test_file_without_record(self, is_tracked):
        assert "signature" not in TrackedDocument(orm_file="nothing.txt").orm_file.url

    def test_field_without_file(self, is_tracked):
        with pytest.raises(ValueError, match="has no file"):
            TrackedDocument().orm_file.url  # noqa: B018

    def test_object_that_is_not_a_row(self, document, is_tracked):
        field = TrackedDocument._meta.get_field("orm_file")
        file = FieldFile(SimpleNamespace(), field, document.orm_file.name)
        assert "signature" not in file.url
        file = FieldFile(SimpleNamespace(pk=document.pk), field, document.orm_file.name)
        assert "signature" not in file.url

    def test_field_without_a_model(self, document):
        file = FieldFile(None, FileField(storage=get_tracked_storage()), "x.txt")
        assert "signature" not in file.url
        file.name = document.orm_file.name
        assert "signature" not in file.url

    def test_meta_backend_that_does_not_answer(self, document, monkeypatch):
        def fail(*args, **kwargs):
            raise MetaBackendUnavailable("The database does not answer.")

        monkeypatch.setattr(get_tracked_storage().meta_backend, "select", fail)
        assert "signature" not in document.orm_file.url

    def test_storage_without_signed_urls_makes_no_query(self, db, django_assert_num_queries):
        document = TrackedDocument()
        save_file(document, "orm_file")
        with django_assert_num_queries(0):
            assert "signature" not in document.orm_file.url


class TestChecks:
    def check(self, settings, *classes):
        settings.PROXY_STORAGE = {
            **settings.PROXY_STORAGE,
            "DEFAULT_PERMISSION_CLASSES": list(classes),
        }
        return [message.id for message in check_signed_urls(None)]

    @pytest.mark.parametrize(
        "path",
        [
            "proxy_storage_permissions.HasValidSignature",
            f"{__name__}.AcceptsLinks",
        ],
    )
    def test_links_that_are_accepted(self, storage, settings, path):
        assert self.check(settings, path) == []

    def test_links_that_are_not_accepted(self, storage, settings):
        found = self.check(settings, "rest_framework.permissions.IsAdminUser")
        assert found == ["proxy_storage_api.W007"]
        assert self.check(settings, "no.such.Class") == ["proxy_storage_api.W007"]

    def test_storages_without_signed_links(self, settings):
        assert self.check(settings, "rest_framework.permissions.IsAdminUser") == []

    def test_class_that_cannot_be_used_is_reported_by_another_check(self, storage, settings):
        found = self.check(settings, f"{__name__}.broken", f"{__name__}.AcceptsLinks")
        assert found == []

    def test_broken_storage_is_reported_by_another_check(self, storage, settings):
        broken = {"BACKEND": "proxy_storage.storages.ProxyStorage", "OPTIONS": {"url": "signd"}}
        settings.STORAGES = {**settings.STORAGES, "broken": broken}
        found = self.check(settings, "rest_framework.permissions.IsAdminUser")
        assert found == ["proxy_storage_api.W007"]

    def test_settings_that_cannot_be_read(self, settings):
        settings.PROXY_STORAGE = []
        assert check_signed_urls(None) == []


def broken():
    raise TypeError("This permission needs an argument.")


class TestRecords:
    def test_records_of_several_storages(self, django_assert_num_queries):
        names = ("orm-relative-disk", "orm-disk", "mongo-relative-disk")
        files = [(get_proxy_storage(name), f"{number}.txt") for name in names for number in "12"]
        records = [save(storage, name) for storage, name in files]
        with django_assert_num_queries(1):
            assert find_records(files) == records
        paths = [(record.get_proxy_storage(), record["path"]) for record in records]
        assert find_records(paths) == records
        assert find_records([]) == []

    def test_other_names_have_no_record(self):
        storage = get_proxy_storage("orm-relative-disk")
        path = save(storage, "a.txt")["path"]
        other = get_proxy_storage("orm-relative-memory")
        hostile = ["b.txt", "", "../a.txt", "a\0", "%", "A.txt", "\ud800"]
        assert find_records([(other, path), *((storage, name) for name in hostile)]) == [None] * 8
