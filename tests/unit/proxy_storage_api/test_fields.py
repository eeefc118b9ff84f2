"""The serializer field with signed links."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import QuerySet
from django.http import QueryDict
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from proxy_storage.exceptions import ConfigurationError, ProxyFileNotFoundError
from proxy_storage.registry import get_proxy_storage
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


class DocumentSerializer(serializers.ModelSerializer):
    link = SignedFileField(source="orm_file")
    other = SignedFileField(source="mongo_file")

    class Meta:
        model = Document
        fields = ("link", "other")


class UserSerializer(serializers.ModelSerializer):
    documents = DocumentSerializer(source="document_set", many=True)

    class Meta:
        model = User
        fields = ("documents",)


class NestedSerializer(serializers.Serializer):
    """The instance itself is the value of the nested serializer."""

    document = DocumentSerializer(source="*")
    missing = DocumentSerializer(source="no_such_attribute", required=False)


@pytest.fixture
def selects(monkeypatch):
    """The meta backends that have selected records, one item for each query."""
    found = []
    for name in ("orm_disk", "mongo_gridfs"):
        backend = get_proxy_storage(name).meta_backend
        select = backend.select

        def count(*args, backend=backend, select=select, **kwargs):
            found.append(backend)
            return select(*args, **kwargs)

        monkeypatch.setattr(backend, "select", count)
    return found


def make_documents(number, **values):
    documents = []
    for count in range(number):
        document = Document(**values)
        save_file(document, "orm_file", f"{count}.txt")
        save_file(document, "mongo_file", f"{count}.txt")
        documents.append(document)
    return documents


class TestList:
    def test_list_needs_one_query_for_each_meta_backend(self, selects, django_assert_num_queries):
        made = make_documents(50)
        get_link(made[0], "orm_file")  # caches the content types
        pages = [
            Document.objects.order_by("pk"),
            list(Document.objects.order_by("pk")),
            tuple(Document.objects.order_by("pk")),
        ]
        for page in pages:
            selects.clear()
            queries = 2 if isinstance(page, QuerySet) else 1
            with django_assert_num_queries(queries):
                shown = DocumentSerializer(page, many=True).data
            assert len(selects) == len(set(selects)) == 2
            for document, links_of_document in zip(made, shown, strict=True):
                assert opens(links_of_document["link"], get_record(document, "orm_file"))
                assert opens(links_of_document["other"], get_record(document, "mongo_file"))

    def test_list_has_the_links_of_single_instances(self, field):
        documents = make_documents(3)
        documents[1] = Document.objects.create(**{field: getattr(documents[0], field).name})
        documents.append(Document.objects.create())
        getattr(documents[2], field).storage.delete(getattr(documents[2], field).name)
        name = "link" if field == "orm_file" else "other"
        shown = [each[name] for each in DocumentSerializer(documents, many=True).data]
        assert shown == [get_link(document, field) for document in documents]
        assert [link is None for link in shown] == [False, True, True, True]

    def test_nested_lists_that_are_prefetched(self, selects):
        users = [User.objects.create(username=name) for name in ("a", "b")]
        for user in users:
            make_documents(3, user=user)
        found = User.objects.prefetch_related("document_set").order_by("pk")
        shown = UserSerializer(found, many=True).data
        assert [len([one["link"] for one in user["documents"]]) for user in shown] == [3, 3]
        assert len(selects) == 2
        selects.clear()
        assert UserSerializer(User.objects.order_by("pk"), many=True).data == shown
        assert len(selects) == 12

    def test_nested_serializer(self, selects):
        documents = make_documents(3)
        shown = NestedSerializer(documents, many=True).data
        assert None not in [one["document"]["link"] for one in shown]
        assert len(selects) == 2

    def test_same_instance_twice(self, selects):
        (document,) = make_documents(1)
        first, second = DocumentSerializer([document, document], many=True).data
        assert first == second
        assert first["link"] is not None
        assert len(selects) == 2

    def test_manager_and_iterator_are_read_one_by_one(self, selects):
        make_documents(2)
        for instances in (Document.objects, Document.objects.iterator()):
            selects.clear()
            assert len(DocumentSerializer(instances, many=True).data) == 2
            assert len(selects) == 4

    def test_records_are_not_kept(self, field):
        (document,) = make_documents(1)
        serializer = DocumentSerializer(document)
        name = "link" if field == "orm_file" else "other"
        assert serializer.to_representation(document)[name] is not None
        getattr(document, field).storage.delete(getattr(document, field).name)
        assert serializer.to_representation(document)[name] is None

    def test_files_that_are_not_saved_are_left_out(self, selects):
        (document,) = make_documents(1)
        shown = DocumentSerializer([document, {"orm_file": "a.txt", "mongo_file": ""}], many=True)
        assert [one["link"] is None for one in shown.data] == [False, True]


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
