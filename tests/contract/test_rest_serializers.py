"""Serializers of Django REST framework with file fields on proxy storages."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict
from rest_framework import serializers
from rest_framework.test import APIRequestFactory
from rest_framework.viewsets import ModelViewSet

from proxy_storage_api.fields import SignedFileField
from proxy_storage_permissions.links import is_valid_link
from tests.contract.content_objects import get_row, row_of, save_file
from tests.contract.images import make_png
from tests.contract.reading import read
from tests.testapp.models import Document, Picture

pytestmark = pytest.mark.usefixtures("empty_storages")


class DocumentSerializer(serializers.ModelSerializer):
    class Meta:
        model = Document
        fields = ["title", "orm_file", "mongo_file"]


class DocumentViewSet(ModelViewSet):
    queryset = Document.objects.order_by("pk")
    serializer_class = DocumentSerializer


class PictureSerializer(serializers.ModelSerializer):
    class Meta:
        model = Picture
        fields = ["title", "orm_image", "mongo_image"]
        extra_kwargs = {"orm_image": {"required": False}, "mongo_image": {"required": False}}


class PictureViewSet(ModelViewSet):
    queryset = Picture.objects.order_by("pk")
    serializer_class = PictureSerializer


class SignedSerializer(serializers.ModelSerializer):
    orm_file = SignedFileField(required=False, max_age=600, max_length=40)
    mongo_file = SignedFileField(required=False, max_age=600, max_length=40)

    class Meta:
        model = Document
        fields = ["title", "orm_file", "mongo_file"]


class SignedViewSet(ModelViewSet):
    queryset = Document.objects.order_by("pk")
    serializer_class = SignedSerializer


ACTIONS = {"get": "retrieve", "post": "create", "put": "update", "patch": "partial_update"}


def send(view_set, method, data=None, pk=None, format="multipart"):  # noqa: A002  (DRF's name)
    """Send a request to a viewset, and return the rendered response."""
    make_request = getattr(APIRequestFactory(), method)
    request = make_request("/") if method == "get" else make_request("/", data, format=format)
    kwargs = {} if pk is None else {"pk": pk}
    return view_set.as_view(ACTIONS)(request, **kwargs)


def upload(name="new.txt", content=b"new"):
    return SimpleUploadedFile(name, content)


@pytest.fixture
def storage(field):
    return Document._meta.get_field(field).storage


@pytest.fixture
def document(field):
    document = Document(title="before")
    save_file(document, field, "old & older.txt", b"old")
    return document


@pytest.fixture
def old_path(document, field):
    return getattr(document, field).name


def test_serializer_field_of_files(field):
    serializer_field = DocumentSerializer().fields[field]
    assert type(serializer_field) is serializers.FileField
    assert serializer_field.max_length == 255
    assert not serializer_field.required


@pytest.mark.parametrize("image", ["orm_image", "mongo_image"])
def test_serializer_field_of_images(image):
    assert type(PictureSerializer().fields[image]) is serializers.ImageField


class TestRepresentation:
    def test_representation_is_the_url_of_the_endpoint(self, field, document, old_path):
        response = send(DocumentViewSet, "get", pk=document.pk)
        url = urlsplit(response.data[field])
        assert (url.netloc, url.path) == ("testserver", "/files/")
        assert parse_qs(url.query)["path"] == [old_path]

    def test_representation_without_request_has_no_host(self, field, document):
        assert DocumentSerializer(document).data[field] == getattr(document, field).url

    def test_representation_of_an_empty_field_is_none(self, field):
        document = Document.objects.create()
        assert send(DocumentViewSet, "get", pk=document.pk).data[field] is None

    def test_representation_can_be_the_path(self, field, document, old_path, settings):
        settings.REST_FRAMEWORK = {"UPLOADED_FILES_USE_URL": False}
        assert DocumentSerializer(document).data[field] == old_path


class TestUpload:
    def test_upload_creates_a_file(self, field, storage):
        response = send(DocumentViewSet, "post", {"title": "new", field: upload()})
        assert response.status_code == 201
        document = Document.objects.get()
        path = getattr(document, field).name
        assert parse_qs(urlsplit(response.data[field]).query)["path"] == [path]
        assert read(storage, path) == b"new"
        assert get_row(Document, field, path) == row_of(document, field)

    def test_file_is_optional(self, field, storage):
        response = send(DocumentViewSet, "post", {"title": "new"})
        assert response.status_code == 201
        assert response.data[field] is None
        assert list(storage.meta_backend) == []

    @pytest.mark.parametrize("method", ["put", "patch"])
    def test_upload_replaces_a_file(self, field, storage, document, old_path, method):
        response = send(DocumentViewSet, method, {"title": "after", field: upload()}, document.pk)
        assert response.status_code == 200
        path = getattr(Document.objects.get(), field).name
        assert path != old_path
        assert (read(storage, path), read(storage, old_path)) == (b"new", b"old")
        assert get_row(Document, field, path) == row_of(document, field)
        assert get_row(Document, field, old_path) is None

    @pytest.mark.parametrize("method", ["put", "patch"])
    def test_request_without_the_field_keeps_the_file(self, field, document, old_path, method):
        response = send(DocumentViewSet, method, {"title": "after"}, document.pk)
        assert response.status_code == 200
        saved = Document.objects.get()
        assert (saved.title, getattr(saved, field).name) == ("after", old_path)
        assert get_row(Document, field, old_path) == row_of(document, field)


class TestInvalidUpload:
    """The response is 400, and the document and its records do not change."""

    @pytest.fixture(params=["post", "put", "patch"])
    def send_file(self, request, document, field, storage, old_path):
        def send_file(value, format="multipart"):  # noqa: A002  (DRF's name)
            pk = None if request.param == "post" else document.pk
            response = send(DocumentViewSet, request.param, {field: value}, pk, format)
            assert getattr(Document.objects.get(), field).name == old_path
            assert get_row(Document, field, old_path) == row_of(document, field)
            assert len(list(storage.meta_backend)) == 1
            return response

        return send_file

    @pytest.mark.parametrize("format", ["multipart", "json"])
    def test_text_is_invalid(self, send_file, field, old_path, format):  # noqa: A002  (DRF's name)
        response = send_file(old_path, format)
        assert response.status_code == 400
        assert response.data[field][0].code == "invalid"

    def test_base64_is_rejected(self, send_file, field):
        assert send_file("data:text/plain;base64,bmV3", "json").status_code == 400

    def test_null_is_rejected(self, send_file, field):
        assert send_file(None, "json").data[field][0].code == "null"

    def test_empty_file_is_rejected(self, send_file, field):
        assert send_file(upload(content=b"")).data[field][0].code == "empty"


class TestImage:
    @pytest.fixture(params=["orm_image", "mongo_image"])
    def field(self, request):
        return request.param

    def test_uploaded_image_gets_its_content_object(self, field):
        response = send(PictureViewSet, "post", {field: upload("a.png", make_png(3, 2))})
        assert response.status_code == 201
        picture = Picture.objects.get()
        image = getattr(picture, field)
        assert (image.width, image.height) == (3, 2)
        assert get_row(Picture, field, image.name) == row_of(picture, field, Picture)
        send(PictureViewSet, "patch", {field: upload("a.png", make_png(5, 4))}, picture.pk)
        new = getattr(Picture.objects.get(), field)
        assert (new.width, new.height) == (5, 4)
        assert get_row(Picture, field, new.name) == row_of(picture, field, Picture)
        assert get_row(Picture, field, image.name) is None

    def test_text_is_not_a_valid_image(self, field):
        response = send(PictureViewSet, "post", {field: upload("a.png", b"just text")})
        assert response.status_code == 400
        assert response.data[field][0].code == "invalid_image"
        assert not Picture.objects.exists()


class TestSignedLink:
    """The representation is a signed link; uploads work like those of other fields."""

    def is_valid(self, link, document, field):
        file = getattr(document, field)
        url = urlsplit(link)
        record = file.storage.get_meta_backend_obj(file.name)
        return url.netloc == "testserver" and is_valid_link(
            record, QueryDict(url.query), "GET", None
        )

    def test_representation_is_a_valid_link(self, field, document):
        response = send(SignedViewSet, "get", pk=document.pk)
        assert self.is_valid(response.data[field], document, field)
        assert document.title == response.data["title"]

    def test_representation_of_an_empty_field_is_none(self, field):
        document = Document.objects.create()
        assert send(SignedViewSet, "get", pk=document.pk).data[field] is None

    def test_response_to_an_upload_has_a_valid_link(self, field, storage):
        response = send(SignedViewSet, "post", {"title": "new", field: upload()})
        assert response.status_code == 201
        document = Document.objects.get()
        assert self.is_valid(response.data[field], document, field)
        path = getattr(document, field).name
        assert read(storage, path) == b"new"
        assert get_row(Document, field, path) == row_of(document, field)

    @pytest.mark.parametrize("method", ["put", "patch"])
    def test_link_of_a_replaced_file_is_invalid(self, field, document, method):
        before = send(SignedViewSet, "get", pk=document.pk).data[field]
        response = send(SignedViewSet, method, {"title": "after", field: upload()}, document.pk)
        assert response.status_code == 200
        saved = Document.objects.get()
        assert self.is_valid(response.data[field], saved, field)
        assert not self.is_valid(before, saved, field)

    @pytest.mark.parametrize(
        ("value", "code"),
        [(("a.txt", b""), "empty"), (("a" * 41, b"new"), "max_length"), (None, "invalid")],
    )
    def test_invalid_files_are_rejected(self, field, document, old_path, value, code):
        given = old_path if value is None else upload(*value)
        response = send(SignedViewSet, "patch", {field: given}, document.pk)
        assert response.status_code == 400
        assert response.data[field][0].code == code
        assert getattr(Document.objects.get(), field).name == old_path
