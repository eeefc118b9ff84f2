"""The serializer field that attaches uploads."""

from urllib.parse import quote

import pytest
from django import urls
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.files.base import ContentFile
from django.test import RequestFactory
from django.test.utils import override_script_prefix
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.generics import CreateAPIView

from proxy_storage.exceptions import ConfigurationError, MetaBackendUnavailable
from proxy_storage.registry import get_proxy_storage
from proxy_storage_api.references import FileReferenceField
from proxy_storage_permissions import get_signed_url
from tests.contract.content_objects import get_row, row_of
from tests.contract.images import make_png
from tests.contract.uploads import STORAGES, get_user, upload
from tests.testapp.models import (
    DiskDocument,
    Document,
    ElsewhereDocument,
    LimitedDocument,
    NamedDocument,
    Picture,
    PlainDocument,
    RelativeDocument,
    Team,
)
from tests.unit.proxy_storage_api.documents import describe

pytestmark = pytest.mark.usefixtures("empty_storages")


@pytest.fixture(autouse=True)
def uploads_are_enabled(change):
    change(
        UPLOAD_PERMISSION_CLASSES=["rest_framework.permissions.AllowAny"],
        UPLOAD_STORAGES=["orm_disk", "mongo_gridfs", "mongo_disk"],
    )


@pytest.fixture(params=["orm_file", "mongo_file"])
def field(request):
    return request.param


@pytest.fixture
def messi(db):
    return get_user("messi")


def serialize(model, field, user, data=empty, instance=None, **options):
    """Return a model serializer with one reference."""
    meta = type("Meta", (), {"model": model, "fields": [field]})
    names = {"Meta": meta, field: FileReferenceField(**options)}
    serializer_class = type("Serializer", (serializers.ModelSerializer,), names)
    request = RequestFactory().get("/")
    request.user = user
    given = empty if data is empty else {field: data}
    return serializer_class(instance, data=given, context={"request": request})


def get_errors(model, field, user, data, **options):
    serializer = serialize(model, field, user, data, **options)
    assert not serializer.is_valid()
    return [error.code for error in serializer.errors[field]]


class TestAllowedFiles:
    def test_types_of_the_model_field(self, messi, field):
        path = upload(messi, field, "a.txt")["path"]
        assert get_errors(LimitedDocument, field, messi, path) == ["invalid_type"]
        path = upload(messi, field, "a.pdf")["path"]
        assert serialize(LimitedDocument, field, messi, path).is_valid()

    def test_size_of_the_model_field(self, messi, field):
        path = upload(messi, field, "a.pdf", b"a" * 1025)["path"]
        assert get_errors(LimitedDocument, field, messi, path) == ["too_large"]

    def test_empty_file(self, messi, field):
        path = upload(messi, field, "a.pdf", b"")["path"]
        assert get_errors(LimitedDocument, field, messi, path) == ["empty"]

    def test_recorded_type_and_size_are_used(self, messi, field):
        path = upload(messi, field, "a.pdf")["path"]
        meta_backend = LimitedDocument._meta.get_field(field).storage.meta_backend
        meta_backend.update(path, {"mime_type": "text/html", "size": 2000})
        errors = get_errors(LimitedDocument, field, messi, path)
        assert errors == ["invalid_type", "too_large"]

    def test_other_uploads_have_one_error_regardless_of_their_type(self, messi, field):
        path = upload(get_user("ronaldo"), field, "a.txt")["path"]
        assert get_errors(LimitedDocument, field, messi, path) == ["not_uploaded"]

    def test_path_is_longer_than_the_column(self, messi, field, monkeypatch):
        path = upload(messi, field)["path"]
        monkeypatch.setattr(Document._meta.get_field(field), "max_length", len(path) - 1)
        assert get_errors(Document, field, messi, path) == ["max_length"]
        monkeypatch.setattr(Document._meta.get_field(field), "max_length", len(path))
        assert serialize(Document, field, messi, path).is_valid()
        monkeypatch.setattr(Document._meta.get_field(field), "max_length", None)
        assert serialize(Document, field, messi, path).is_valid()

    def test_validators_can_read_the_file(self, messi, field, monkeypatch):
        def check(file):
            if file.read() == b"bad":
                raise DjangoValidationError("Bad!", code="bad")

        model_field = Document._meta.get_field(field)
        monkeypatch.setattr(model_field, "_validators", [check])
        monkeypatch.delitem(vars(model_field), "validators", raising=False)
        path = upload(messi, field, content=b"bad")["path"]
        assert get_errors(Document, field, messi, path) == ["bad"]
        path = upload(messi, field, content=b"good")["path"]
        assert serialize(Document, field, messi, path).is_valid()
        del vars(model_field)["validators"]


@pytest.mark.parametrize("field", ["orm_image", "mongo_image"])
class TestImage:
    def test_image_is_attached_with_its_size(self, messi, field):
        path = upload(messi, field, "a.png", make_png(3, 2))["path"]
        serializer = serialize(Picture, field, messi, path)
        assert serializer.is_valid()
        picture = serializer.save()
        assert (getattr(picture, field).width, getattr(picture, field).height) == (3, 2)
        assert get_row(Picture, field, path) == row_of(picture, field, Picture)

    def test_file_that_is_not_an_image_is_refused(self, messi, field):
        path = upload(messi, field, "a.png", b"just text")["path"]
        assert get_errors(Picture, field, messi, path) == ["invalid_image"]


class TestEmptyValues:
    @pytest.mark.parametrize(("value", "code"), [(None, "null"), ("", "blank")])
    def test_empty_values_are_refused_by_default(self, messi, field, value, code):
        assert get_errors(Document, field, messi, value) == [code]

    def test_field_is_required_by_default(self, messi, field):
        serializer = serialize(Document, field, messi, "")
        serializer.initial_data = {}
        assert not serializer.is_valid()
        assert serializer.errors[field][0].code == "required"


class TestRepresentation:
    def test_value_is_the_url(self, messi, field):
        document = Document(**{field: "/a.txt"})
        url = serialize(Document, field, messi, instance=document).data[field]
        assert url == f"http://testserver{getattr(document, field).url}"

    def test_value_can_be_the_path(self, messi, field):
        document = Document(**{field: "/a.txt"})
        serializer = serialize(Document, field, messi, instance=document, use_url=False)
        assert serializer.data[field] == "/a.txt"

    def test_validated_data_have_no_url_yet(self, messi, field):
        serializer = serialize(Document, field, messi, upload(messi, field)["path"])
        assert serializer.is_valid()
        assert serializer.data[field] is None


class TestOtherSerializers:
    def test_reference_in_a_nested_serializer(self, messi, field):
        name = field

        class Inner(serializers.ModelSerializer):
            class Meta:
                model = Document
                fields = [name]

            locals()[name] = FileReferenceField()

        class Outer(serializers.Serializer):
            documents = Inner(many=True)

            def create(self, validated_data):
                return [Document.objects.create(**data) for data in validated_data["documents"]]

        request = RequestFactory().get("/")
        request.user = messi
        paths = [upload(messi, field)["path"] for _ in range(2)]
        data = {"documents": [{field: path} for path in paths]}
        serializer = Outer(data=data, context={"request": request})
        assert serializer.is_valid(), serializer.errors
        documents = serializer.save()
        for document, path in zip(documents, paths, strict=True):
            assert get_row(Document, field, path) == row_of(document, field)

    def test_same_upload_twice_in_one_request(self, messi, field):
        path = upload(messi, field)["path"]
        serializers_ = [serialize(Document, field, messi, path) for _ in range(2)]
        for serializer in serializers_:
            assert serializer.is_valid()
        document = serializers_[0].save()
        with pytest.raises(serializers.ValidationError):
            serializers_[1].save()
        assert get_row(Document, field, path) == row_of(document, field)

    def test_reference_with_its_own_model_field(self, messi, field):
        class Form(serializers.Serializer):
            file = FileReferenceField(model_field=Document._meta.get_field(field))

        request = RequestFactory().get("/")
        request.user = messi
        path = upload(messi, field)["path"]
        form = Form(data={"file": path}, context={"request": request})
        assert form.is_valid()
        document = Document.objects.create(**{field: form.validated_data["file"]})
        assert get_row(Document, field, path) == row_of(document, field)

    def test_field_of_django_on_a_proxy_storage(self, messi, change, monkeypatch):
        change(UPLOAD_STORAGES=["orm-relative-disk"])
        monkeypatch.setitem(STORAGES, "plain_file", "orm-relative-disk")
        paths = [upload(messi, "plain_file")["path"] for _ in range(2)]
        document = None
        for path in paths:
            serializer = serialize(RelativeDocument, "plain_file", messi, path, document)
            assert serializer.is_valid()
            document = serializer.save()
            expected = row_of(document, "plain_file", RelativeDocument)
            assert get_row(RelativeDocument, "plain_file", path) == expected
            assert RelativeDocument.objects.get().plain_file.name == path
        assert get_row(RelativeDocument, "plain_file", paths[0]) is None
        serializer = serialize(RelativeDocument, "plain_file", messi, paths[1])
        assert not serializer.is_valid()

    def test_url_with_the_path_in_its_path(self, messi, change, monkeypatch):
        change(UPLOAD_STORAGES=["orm-relative-disk"], FILE_URL_STYLE="path")
        monkeypatch.setitem(STORAGES, "plain_file", "orm-relative-disk")
        answer = upload(messi, "plain_file", "a b.txt")
        url = answer["url"]
        assert "path=" not in url
        assert serialize(RelativeDocument, "plain_file", messi, url).is_valid()
        for other in ("http://testserver/", "http://["):
            assert get_errors(RelativeDocument, "plain_file", messi, other) == ["invalid"]

    def test_instance_with_another_type_of_key(self, messi, field):
        path = upload(messi, field)["path"]
        serializer = serialize(NamedDocument, field, messi, path, NamedDocument(code="a"))
        assert serializer.is_valid()
        document = serializer.save()
        assert get_row(NamedDocument, field, path) == row_of(document, field, NamedDocument)

    def test_same_upload_for_two_fields_of_an_instance(self, messi, field):
        other = field.replace("file", "default")
        path = upload(messi, field.replace("file", "image"))["path"]

        class Form(serializers.ModelSerializer):
            locals().update({name: FileReferenceField() for name in (field, other)})

            class Meta:
                model = DiskDocument
                fields = [field, other]

        request = RequestFactory().get("/")
        request.user = messi
        form = Form(data={field: path, other: path}, context={"request": request})
        assert form.is_valid()
        with pytest.raises(serializers.ValidationError) as caught:
            form.save()
        assert list(caught.value.detail) == [other]
        document = DiskDocument.objects.get()
        assert (getattr(document, field).name, getattr(document, other).name) == (path, "")
        assert get_row(DiskDocument, field, path) == row_of(document, field, DiskDocument)

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("create", ["get_or_create", "update_or_create"])
    def test_queries_that_save_instances(self, messi, field, create):
        paths = [upload(messi, field)["path"] for _ in range(2)]
        for path in paths:
            serializer = serialize(Document, field, messi, path)
            assert serializer.is_valid()
            values = {"title": path, "defaults": serializer.validated_data}
            document, _ = getattr(Document.objects, create)(**values)
            assert get_row(Document, field, path) == row_of(document, field)
        serializer = serialize(Document, field, messi, upload(messi, field)["path"])
        assert serializer.is_valid()
        upload_path = serializer.validated_data[field]
        Document.objects.filter(pk=document.pk).update(**serializer.validated_data)
        assert get_row(Document, field, upload_path) is None
        assert get_row(Document, field, paths[1]) == row_of(document, field)


class TestURLs:
    """The URL of an upload has its path in the query, or in its own path."""

    @pytest.fixture
    def path(self, messi, change, monkeypatch):
        change(UPLOAD_STORAGES=["orm-relative-disk"])
        monkeypatch.setitem(STORAGES, "orm_file", "orm-relative-disk")
        return upload(messi, "orm_file", "a é%41+b.txt")["path"]

    def get_given(self, user, url):
        serializer = serialize(RelativeDocument, "orm_file", user, url)
        return serializer.validated_data["orm_file"] if serializer.is_valid() else None

    @pytest.mark.parametrize("style", ["query", "path"])
    def test_url_of_the_answer(self, messi, path, change, style):
        change(FILE_URL_STYLE=style)
        storage = get_proxy_storage("orm-relative-disk")
        for host in ("http://testserver", "https://cdn.example.com"):
            assert self.get_given(messi, host + storage.url(path)) == path
        record = storage.get_meta_backend_obj(path)
        assert self.get_given(messi, f"http://testserver{get_signed_url(record).url}") == path

    def test_script_name(self, messi, path, change):
        change(FILE_URL_STYLE="path")
        with override_script_prefix("/site/"):
            url = get_proxy_storage("orm-relative-disk").url(path)
            assert url.startswith("/site/files/")
            assert self.get_given(messi, f"http://testserver{url}") == path
        assert self.get_given(messi, f"http://testserver{url}") is None

    @pytest.mark.parametrize(
        "prefix", ["", "/", "/media/", "/files//", "/files/x/../", "/files/./"]
    )
    def test_other_urls(self, messi, path, prefix):
        assert self.get_given(messi, f"http://testserver{prefix}{quote(path)}") is None

    @pytest.mark.parametrize("rest", ["/", "%00", "?path=", "?path=other.txt"])
    def test_other_spellings(self, messi, path, rest):
        assert self.get_given(messi, f"http://testserver/files/{quote(path)}{rest}") is None

    def test_url_that_is_not_valid(self, messi, path):
        url = "http://testserver/files/%FF"
        assert get_errors(RelativeDocument, "orm_file", messi, url) == ["invalid"]


class TestCurrentFile:
    def test_path_of_an_instance_that_is_not_its_own(self, messi, field):
        document = Document.objects.create(**{field: "/missing.txt"})
        data = "/missing.txt"
        serializer = serialize(Document, field, messi, data, document)
        assert not serializer.is_valid()


class TestConfiguration:
    def get_error(self, serializer):
        with pytest.raises(ConfigurationError) as caught:
            serializer.is_valid()
        return str(caught.value)

    def test_serializer_without_a_model(self, messi):
        class Form(serializers.Serializer):
            file = FileReferenceField()

        assert "does not belong to a field of a model" in self.get_error(Form(data={"file": "a"}))

    def test_source_that_is_not_a_field(self, messi):
        serializer = serialize(Document, "pk", messi, "a", source="orm_file.name")
        assert "does not belong to a field of a model" in self.get_error(serializer)

    @pytest.mark.parametrize(("model", "name"), [(PlainDocument, "orm_file"), (Document, "title")])
    def test_other_fields(self, messi, model, name):
        error = self.get_error(serialize(model, name, messi, "a"))
        assert "needs a ProxyStorageFileField" in error

    def test_storage_that_is_not_a_proxy_storage(self, messi, field, monkeypatch):
        monkeypatch.setattr(Document._meta.get_field(field), "storage", None)
        error = self.get_error(serialize(Document, field, messi, "a"))
        assert "needs a ProxyStorageFileField" in error

    def test_records_that_cannot_hold_the_uploader(self, messi):
        error = self.get_error(serialize(ElsewhereDocument, "file", messi, "a"))
        assert "its records cannot hold uploader_id, uploader_scope, created_at" in error
        assert "UploaderMixin" in error

    def test_context_without_a_request(self, messi, field):
        class Form(serializers.Serializer):
            file = FileReferenceField(model_field=Document._meta.get_field(field))

        path = upload(messi, field)["path"]
        assert "needs the request" in self.get_error(Form(data={"file": path}))


tenant = "one"


def get_tenant(model, using):
    return tenant if model is get_user_model() else ""


def test_user_of_another_tenant_with_the_same_key(messi, field, change, monkeypatch):
    change(GET_TENANT=f"{__name__}.get_tenant")
    path = upload(messi, field)["path"]
    monkeypatch.setattr(f"{__name__}.tenant", "two")
    assert get_errors(Document, field, messi, path) == ["not_uploaded"]
    monkeypatch.setattr(f"{__name__}.tenant", "one")
    assert serialize(Document, field, messi, path).is_valid()


def test_user_of_another_database_with_the_same_key(messi, field, change):
    change(CONTENT_OBJECT_DATABASES=["other"])
    path = upload(messi, field)["path"]
    messi._state.db = "other"
    assert get_errors(Document, field, messi, path) == ["not_uploaded"]


def test_users_that_are_not_logged_in(field):
    path = upload(None, field)["path"]
    assert get_errors(Document, field, AnonymousUser(), path) == ["not_uploaded"]
    assert get_errors(Document, field, None, path) == ["not_uploaded"]


def test_requester_that_is_not_a_user(messi, field):
    path = upload(messi, field)["path"]
    team = Team.objects.create(pk=messi.pk)
    team.is_authenticated = True
    assert get_errors(Document, field, team, path) == ["not_uploaded"]


@pytest.mark.parametrize("use_tz", [True, False])
def test_uploads_with_and_without_time_zones(field, settings, use_tz):
    settings.USE_TZ = use_tz
    user = get_user("ronaldo")
    serializer = serialize(Document, field, user, upload(user, field)["path"])
    assert serializer.is_valid()


def test_meta_backend_that_does_not_answer(messi, field, monkeypatch):
    path = upload(messi, field)["path"]
    serializer = serialize(Document, field, messi, path)
    assert serializer.is_valid()

    def fail(*args, **kwargs):
        raise MetaBackendUnavailable("down", path=path)

    monkeypatch.setattr(Document._meta.get_field(field).storage.meta_backend, "update", fail)
    with pytest.raises(MetaBackendUnavailable):
        serializer.save()
    monkeypatch.undo()
    # The row names the path, and the upload can still be attached to it.
    document = Document.objects.get()
    serializer = serialize(Document, field, messi, path, document)
    assert serializer.is_valid()
    serializer.save()
    assert get_row(Document, field, path) == row_of(document, field)


def test_reference_in_an_openapi_document_is_text(settings):
    settings.REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}

    class LetterSerializer(serializers.ModelSerializer):
        orm_file = FileReferenceField(allow_null=True)

        class Meta:
            model = Document
            fields = ["orm_file"]

    class Letters(CreateAPIView):
        serializer_class = LetterSerializer

    document = describe([urls.path("letters/", Letters.as_view())])
    description = "Path of an uploaded file."
    assert document["components"]["schemas"]["Letter"]["properties"] == {
        "orm_file": {"type": "string", "nullable": True, "description": description}
    }


def test_upload_to_records_without_a_time(messi, field, monkeypatch):
    meta_backend = Document._meta.get_field(field).storage.meta_backend
    can_hold = type(meta_backend).can_hold
    monkeypatch.setattr(
        type(meta_backend),
        "can_hold",
        lambda self, *keys: "created_at" not in keys and can_hold(self, *keys),
    )
    record = meta_backend.get(upload(messi, field)["path"])
    assert (record["uploader_id"], record.get("created_at")) == (str(messi.pk), None)


@pytest.mark.django_db(databases=["default", "other"])
def test_upload_to_a_storage_that_cannot_record_the_uploader(messi, change, client):
    change(UPLOAD_STORAGES=["elsewhere"])
    client.force_login(messi)
    answer = client.post("/files/", {"file": ContentFile(b"a", "a.txt")})
    assert answer.status_code == 201
