"""Serializers of Django REST framework with a proxied field."""

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
from tests.contract.proxy_storages import read
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


def ask(view_set, method, data=None, pk=None, format="multipart"):  # noqa: A002  (DRF's name)
    """Ask a view set, and return the rendered answer."""
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


def test_field_is_that_of_files(field):
    serializer_field = DocumentSerializer().fields[field]
    assert type(serializer_field) is serializers.FileField
    assert serializer_field.max_length == 255
    assert not serializer_field.required


@pytest.mark.parametrize("image", ["orm_image", "mongo_image"])
def test_field_is_that_of_images(image):
    assert type(PictureSerializer().fields[image]) is serializers.ImageField


class TestRepresentation:
    def test_is_the_url_of_the_endpoint(self, field, document, old_path):
        answer = ask(DocumentViewSet, "get", pk=document.pk)
        url = urlsplit(answer.data[field])
        assert (url.netloc, url.path) == ("testserver", "/files/")
        assert parse_qs(url.query)["path"] == [old_path]

    def test_without_request_has_no_host(self, field, document):
        assert DocumentSerializer(document).data[field] == getattr(document, field).url

    def test_of_no_file_is_none(self, field):
        document = Document.objects.create()
        assert ask(DocumentViewSet, "get", pk=document.pk).data[field] is None

    def test_may_be_the_path(self, field, document, old_path, settings):
        settings.REST_FRAMEWORK = {"UPLOADED_FILES_USE_URL": False}
        assert DocumentSerializer(document).data[field] == old_path


class TestUpload:
    def test_creates(self, field, storage):
        answer = ask(DocumentViewSet, "post", {"title": "new", field: upload()})
        assert answer.status_code == 201
        document = Document.objects.get()
        path = getattr(document, field).name
        assert parse_qs(urlsplit(answer.data[field]).query)["path"] == [path]
        assert read(storage, path) == b"new"
        assert get_row(Document, field, path) == row_of(document, field)

    def test_may_be_missing(self, field, storage):
        answer = ask(DocumentViewSet, "post", {"title": "new"})
        assert answer.status_code == 201
        assert answer.data[field] is None
        assert list(storage.meta_backend) == []

    @pytest.mark.parametrize("method", ["put", "patch"])
    def test_replaces(self, field, storage, document, old_path, method):
        answer = ask(DocumentViewSet, method, {"title": "after", field: upload()}, document.pk)
        assert answer.status_code == 200
        path = getattr(Document.objects.get(), field).name
        assert path != old_path
        assert (read(storage, path), read(storage, old_path)) == (b"new", b"old")
        assert get_row(Document, field, path) == row_of(document, field)
        assert get_row(Document, field, old_path) is None

    @pytest.mark.parametrize("method", ["put", "patch"])
    def test_left_out_keeps_the_file(self, field, document, old_path, method):
        answer = ask(DocumentViewSet, method, {"title": "after"}, document.pk)
        assert answer.status_code == 200
        saved = Document.objects.get()
        assert (saved.title, getattr(saved, field).name) == ("after", old_path)
        assert get_row(Document, field, old_path) == row_of(document, field)


class TestRefusal:
    """The answer is 400, and nothing has changed."""

    @pytest.fixture(params=["post", "put", "patch"])
    def send(self, request, document, field, storage, old_path):
        def send(value, format="multipart"):  # noqa: A002  (DRF's name)
            pk = None if request.param == "post" else document.pk
            answer = ask(DocumentViewSet, request.param, {field: value}, pk, format)
            assert getattr(Document.objects.get(), field).name == old_path
            assert get_row(Document, field, old_path) == row_of(document, field)
            assert len(list(storage.meta_backend)) == 1
            return answer

        return send

    @pytest.mark.parametrize("format", ["multipart", "json"])
    def test_of_text(self, send, field, old_path, format):  # noqa: A002  (DRF's name)
        answer = send(old_path, format)
        assert answer.status_code == 400
        assert answer.data[field][0].code == "invalid"

    def test_of_a_file_in_base64(self, send, field):
        assert send("data:text/plain;base64,bmV3", "json").status_code == 400

    def test_of_null(self, send, field):
        assert send(None, "json").data[field][0].code == "null"

    def test_of_an_empty_file(self, send, field):
        assert send(upload(content=b"")).data[field][0].code == "empty"


class TestImage:
    @pytest.fixture(params=["orm_image", "mongo_image"])
    def field(self, request):
        return request.param

    def test_is_uploaded_with_its_owner(self, field):
        answer = ask(PictureViewSet, "post", {field: upload("a.png", make_png(3, 2))})
        assert answer.status_code == 201
        picture = Picture.objects.get()
        image = getattr(picture, field)
        assert (image.width, image.height) == (3, 2)
        assert get_row(Picture, field, image.name) == row_of(picture, field, Picture)
        ask(PictureViewSet, "patch", {field: upload("a.png", make_png(5, 4))}, picture.pk)
        new = getattr(Picture.objects.get(), field)
        assert (new.width, new.height) == (5, 4)
        assert get_row(Picture, field, new.name) == row_of(picture, field, Picture)
        assert get_row(Picture, field, image.name) is None

    def test_text_is_refused(self, field):
        answer = ask(PictureViewSet, "post", {field: upload("a.png", b"just text")})
        assert answer.status_code == 400
        assert answer.data[field][0].code == "invalid_image"
        assert not Picture.objects.exists()


class TestSignedLink:
    """The representation is a link that opens the file; writing is that of any other file."""

    def opens(self, link, document, field):
        file = getattr(document, field)
        url = urlsplit(link)
        record = file.storage.get_meta_backend_obj(file.name)
        return url.netloc == "testserver" and is_valid_link(
            record, QueryDict(url.query), "GET", None
        )

    def test_is_the_representation(self, field, document):
        answer = ask(SignedViewSet, "get", pk=document.pk)
        assert self.opens(answer.data[field], document, field)
        assert document.title == answer.data["title"]

    def test_of_no_file_is_none(self, field):
        document = Document.objects.create()
        assert ask(SignedViewSet, "get", pk=document.pk).data[field] is None

    def test_is_the_answer_to_an_upload(self, field, storage):
        answer = ask(SignedViewSet, "post", {"title": "new", field: upload()})
        assert answer.status_code == 201
        document = Document.objects.get()
        assert self.opens(answer.data[field], document, field)
        path = getattr(document, field).name
        assert read(storage, path) == b"new"
        assert get_row(Document, field, path) == row_of(document, field)

    @pytest.mark.parametrize("method", ["put", "patch"])
    def test_is_that_of_the_file_which_replaces_another(self, field, document, method):
        before = ask(SignedViewSet, "get", pk=document.pk).data[field]
        answer = ask(SignedViewSet, method, {"title": "after", field: upload()}, document.pk)
        assert answer.status_code == 200
        saved = Document.objects.get()
        assert self.opens(answer.data[field], saved, field)
        assert not self.opens(before, saved, field)

    @pytest.mark.parametrize(
        ("value", "code"),
        [(("a.txt", b""), "empty"), (("a" * 41, b"new"), "max_length"), (None, "invalid")],
    )
    def test_refuses_what_others_refuse(self, field, document, old_path, value, code):
        given = old_path if value is None else upload(*value)
        answer = ask(SignedViewSet, "patch", {field: given}, document.pk)
        assert answer.status_code == 400
        assert answer.data[field][0].code == code
        assert getattr(Document.objects.get(), field).name == old_path
