"""The serializer field with signed links."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from proxy_storage.exceptions import ConfigurationError, ProxyFileNotFoundError
from proxy_storage_api.fields import SignedFileField
from proxy_storage_permissions import links
from tests.contract.content_objects import save_file
from tests.testapp.models import (
    Document,
    KeyedDocument,
    NamedDocument,
    PlainDocument,
    ProxyDocument,
    ScannedDocument,
)

pytestmark = pytest.mark.usefixtures("empty_storages")
NOW = 1_800_000_000


@pytest.fixture(params=["orm_file", "mongo_file"])
def field(request):
    return request.param


@pytest.fixture
def document(field):
    document = Document()
    save_file(document, field, "a & b.txt")
    return document


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(links, "time", lambda: NOW)


def get_link(instance, field, request=None, **options):
    """Return the value of the field for an instance."""
    signed_field = SignedFileField(source=field, **options)
    serializer_class = type("Files", (serializers.Serializer,), {"link": signed_field})
    context = {} if request is None else {"request": request}
    return serializer_class(instance, context=context).data["link"]


def get_record(instance, field):
    file = getattr(instance, field)
    return file.storage.get_meta_backend_obj(file.name)


def opens(link, record):
    query = QueryDict(urlsplit(link).query)
    return query["path"] == record["path"] and links.is_valid_link(record, query, "GET", None)


class TestLink:
    def test_link_opens_the_file(self, document, field):
        link = get_link(document, field)
        assert opens(link, get_record(document, field))
        assert (urlsplit(link).netloc, urlsplit(link).path) == ("", "/files/")

    def test_link_is_absolute_with_a_request(self, document, field):
        request = Request(APIRequestFactory().get("/documents/"))
        link = get_link(document, field, request)
        assert link.startswith("http://testserver/files/?")
        assert opens(link, get_record(document, field))

    def test_link_has_the_options_of_the_field(self, document, field):
        plain = parse_qs(urlsplit(get_link(document, field)).query)
        assert plain["expires"] == [str(NOW + 3600)]
        assert "disposition" not in plain
        link = get_link(document, field, max_age=60, as_attachment=True)
        assert parse_qs(urlsplit(link).query)["expires"] == [str(NOW + 60)]
        assert parse_qs(urlsplit(link).query)["disposition"] == ["attachment"]
        assert opens(link, get_record(document, field))

    def test_link_for_each_type_of_primary_key(self, field):
        for instance in (KeyedDocument(), NamedDocument(code="an a"), NamedDocument(code="1")):
            save_file(instance, field)
            again = type(instance).objects.get(pk=instance.pk)
            assert opens(get_link(again, field), get_record(again, field))

    def test_link_through_parent_and_proxy_models(self, field):
        scanned = ScannedDocument()
        save_file(scanned, field)
        for model in (Document, ProxyDocument, ScannedDocument):
            instance = model.objects.get(pk=scanned.pk)
            assert opens(get_link(instance, field), get_record(instance, field))

    def test_link_needs_one_query(self, document, field, django_assert_num_queries):
        get_link(document, field)  # caches the content types
        with django_assert_num_queries(1 if field == "orm_file" else 0):
            assert get_link(document, field)

    def test_longer_lifetime_than_the_setting_is_an_error(self, document, field):
        with pytest.raises(ValueError, match="max_age"):
            get_link(document, field, max_age=3601)


class TestNoLink:
    def test_empty_field_has_no_link(self, field):
        assert get_link(Document.objects.create(), field) is None

    def test_deleted_file_has_no_link(self, document, field):
        getattr(document, field).storage.delete(getattr(document, field).name)
        assert get_link(document, field) is None

    def test_file_of_another_instance_has_no_link(self, document, field):
        """The path of another row's file is written to this row."""
        path = getattr(document, field).name
        thief = Document.objects.create(**{field: path})
        with pytest.raises(ProxyFileNotFoundError, match="belongs to another row"):
            getattr(thief, field).open()
        assert get_link(thief, field) is None
        assert get_link(Document.objects.get(pk=thief.pk), field) is None
        assert get_link(document, field) is not None

    def test_file_of_another_model_has_no_link(self, field):
        document = Document(pk=1)
        save_file(document, field)
        path = getattr(document, field).name
        other = NamedDocument.objects.create(code="1", **{field: path})
        assert get_link(document, field) is not None
        assert get_link(other, field) is None

    def test_file_of_another_field_has_no_link(self):
        document = Document()
        path = save_file(document, "orm_file")
        storage = document.orm_file.storage
        storage.meta_backend.update(path, {"field": "mongo_file"})
        assert get_link(document, "orm_file") is None

    def test_file_without_content_object_has_no_link(self, field):
        """A path that is written to a row does not give access to its file."""
        storage = Document._meta.get_field(field).storage
        path = storage.save("unowned.txt", SimpleUploadedFile("a.txt", b"hello"))
        for document in (Document(**{field: path}), NamedDocument(code="None", **{field: path})):
            document.save()
            assert get_link(document, field) is None
        getattr(Document.objects.get(), field).assign()
        assert get_link(Document.objects.get(), field) is not None

    def test_replaced_file_has_no_link(self, document, field):
        stale = Document.objects.get()
        save_file(document, field, "new.txt")
        assert get_link(stale, field) is None
        assert get_link(document, field) is not None

    def test_unsaved_instance_has_no_link(self, document, field):
        copy = Document(**{field: getattr(document, field).name})
        assert get_link(copy, field) is None
        named = NamedDocument(code="None")
        save_file(named, field)
        assert get_link(named, field) is not None
        named.code = None
        assert get_link(named, field) is None

    def test_unsaved_upload_has_no_link(self, field):
        class Upload(serializers.Serializer):
            link = SignedFileField()

        upload = Upload(data={"link": SimpleUploadedFile("a.txt", b"hello")})
        assert upload.is_valid()
        assert upload.data == {"link": None}


def test_other_file_field_is_an_error(field):
    document = PlainDocument()
    save_file(document, field)
    with pytest.raises(
        ConfigurationError, match=rf"testapp\.PlainDocument\.{field} is a FileField"
    ):
        get_link(document, field)
    assert get_link(PlainDocument(), field) is None


@pytest.mark.parametrize(
    ("value", "code"), [("a.txt", "invalid"), (SimpleUploadedFile("a.txt", b""), "empty")]
)
def test_invalid_input_is_refused_as_by_file_field(value, code):
    field = SignedFileField(max_length=10)
    with pytest.raises(serializers.ValidationError) as raised:
        field.run_validation(value)
    assert raised.value.get_codes() == [code]
    upload = SimpleUploadedFile("a.txt", b"hello")
    assert field.run_validation(upload) is upload
