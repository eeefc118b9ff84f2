"""Model forms with a proxied field: upload, keep, replace, clear."""

from html.parser import HTMLParser

import pytest
from django import forms
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.forms import modelform_factory

from tests.contract.content_objects import get_row, row_of, save_file
from tests.contract.images import make_png
from tests.contract.proxy_storages import read
from tests.testapp.models import Document, Picture

pytestmark = pytest.mark.usefixtures("empty_storages")


@pytest.fixture
def storage(field):
    return Document._meta.get_field(field).storage


@pytest.fixture
def form_class(field):
    return modelform_factory(Document, fields=["title", field])


@pytest.fixture
def document(field):
    document = Document(title="before")
    save_file(document, field, "old.txt", b"old")
    return document


@pytest.fixture
def old_path(document, field):
    return getattr(document, field).name


def upload(name="new.txt", content=b"new"):
    return SimpleUploadedFile(name, content)


class Links(HTMLParser):
    """The targets of all links in a text."""

    def __init__(self, html):
        super().__init__()
        self.targets = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.targets.append(dict(attrs)["href"])


class TestCreate:
    def test_with_a_file(self, form_class, field, storage):
        form = form_class({"title": "new"}, {field: upload()})
        assert form.is_valid()
        document = form.save()
        file = getattr(Document.objects.get(), field)
        assert read(storage, file.name) == b"new"
        assert get_row(Document, field, file.name) == row_of(document, field)

    def test_without_a_file(self, form_class, field, storage):
        document = form_class({"title": "new"}, {}).save()
        assert not getattr(document, field)
        assert list(storage.meta_backend) == []

    def test_saved_later(self, form_class, field, storage):
        document = form_class({"title": "new"}, {field: upload()}).save(commit=False)
        assert list(storage.meta_backend) == []
        document.save()
        path = getattr(document, field).name
        assert read(storage, path) == b"new"
        assert get_row(Document, field, path) == row_of(document, field)

    def test_empty_file_is_refused(self, form_class, field, storage):
        form = form_class({"title": "new"}, {field: upload(content=b"")})
        assert form.errors.as_data()[field][0].code == "empty"
        assert list(storage.meta_backend) == []


class TestUpdate:
    def test_without_touching_the_file(self, form_class, field, storage, document, old_path):
        form = form_class({"title": "after"}, {}, instance=document)
        assert form.changed_data == ["title"]
        form.save()
        saved = Document.objects.get()
        assert (saved.title, getattr(saved, field).name) == ("after", old_path)
        assert read(storage, old_path) == b"old"
        assert get_row(Document, field, old_path) == row_of(document, field)
        assert len(list(storage.meta_backend)) == 1

    def test_with_another_file(self, form_class, field, storage, document, old_path):
        form = form_class({"title": "after"}, {field: upload()}, instance=document)
        assert form.changed_data == ["title", field]
        form.save()
        path = getattr(Document.objects.get(), field).name
        assert read(storage, path) == b"new"
        assert get_row(Document, field, path) == row_of(document, field)
        # As with Django's field, the file is kept.
        assert read(storage, old_path) == b"old"
        assert get_row(Document, field, old_path) is None

    def test_with_another_file_of_the_same_name(
        self, form_class, field, storage, document, old_path
    ):
        form_class({}, {field: upload("old.txt")}, instance=document).save()
        path = getattr(document, field).name
        assert path != old_path
        assert (read(storage, path), read(storage, old_path)) == (b"new", b"old")
        assert get_row(Document, field, path) == row_of(document, field)
        assert get_row(Document, field, old_path) is None

    def test_that_clears(self, form_class, field, storage, document, old_path):
        form = form_class({f"{field}-clear": "on"}, {}, instance=document)
        assert form.is_valid()
        assert form.cleaned_data[field] is False
        form.save()
        assert not getattr(Document.objects.get(), field)
        assert read(storage, old_path) == b"old"
        assert get_row(Document, field, old_path) is None

    def test_that_contradicts_itself(self, form_class, field, storage, document, old_path):
        data = {"title": "after", f"{field}-clear": "on"}
        form = form_class(data, {field: upload()}, instance=document)
        assert form.errors.as_data()[field][0].code == "contradiction"
        assert getattr(Document.objects.get(), field).name == old_path
        assert get_row(Document, field, old_path) == row_of(document, field)
        assert len(list(storage.meta_backend)) == 1

    def test_path_sent_as_text_is_ignored(self, form_class, field, document, old_path):
        other = Document()
        form_class({field: old_path}, {}, instance=other).save()
        assert not getattr(Document.objects.get(pk=other.pk), field)
        assert get_row(Document, field, old_path) == row_of(document, field)


class TestWidget:
    def test_links_to_the_endpoint(self, form_class, field, storage, document):
        save_file(document, field, "a \"b\" & c='d' <e>.txt")
        form = form_class(instance=document)
        assert isinstance(form.fields[field].widget, forms.ClearableFileInput)
        (target,) = Links(form.as_p()).targets
        assert target == getattr(document, field).url
        assert target.startswith("/files/?path=%2F")
        assert "<e>" not in form.as_p()

    def test_offers_to_clear_an_optional_file(self, form_class, field, document):
        assert f'name="{field}-clear"' in form_class(instance=document).as_p()
        assert f'name="{field}-clear"' not in form_class(instance=Document()).as_p()
        assert Links(form_class(instance=Document()).as_p()).targets == []

    def test_of_a_file_without_record_can_be_shown(self, form_class, field):
        document = Document.objects.create(**{field: "/nowhere.txt"})
        (target,) = Links(form_class(instance=document).as_p()).targets
        assert target.startswith("/files/?path=%2Fnowhere.txt")


class TestRequiredImage:
    @pytest.fixture(params=["orm_image", "mongo_image"])
    def field(self, request):
        return request.param

    @pytest.fixture
    def form_class(self, field):
        return modelform_factory(Picture, fields=["title", field])

    def test_is_an_image_field(self, form_class, field):
        assert isinstance(form_class().fields[field], forms.ImageField)

    def test_is_required(self, form_class, field):
        form = form_class({}, {})
        assert form.errors.as_data()[field][0].code == "required"

    def test_is_saved_with_its_content_object(self, form_class, field):
        form = form_class({}, {field: upload("a.png", make_png(3, 2))})
        picture = form.save()
        image = getattr(Picture.objects.get(), field)
        assert (image.width, image.height) == (3, 2)
        assert get_row(Picture, field, image.name) == row_of(picture, field, Picture)

    @pytest.mark.parametrize("content", [b"just text", make_png(3, 2)[:20]])
    def test_text_is_refused(self, form_class, field, content):
        form = form_class({}, {field: upload("a.png", content)})
        assert form.errors.as_data()[field][0].code == "invalid_image"

    def test_cannot_be_cleared(self, form_class, field):
        picture = Picture()
        getattr(picture, field).save("a.png", ContentFile(make_png(3, 2)))
        path = getattr(picture, field).name
        assert f"{field}-clear" not in form_class(instance=picture).as_p()
        form_class({"title": "after", f"{field}-clear": "on"}, {}, instance=picture).save()
        saved = Picture.objects.get()
        assert (saved.title, getattr(saved, field).name) == ("after", path)
        assert get_row(Picture, field, path) == row_of(picture, field, Picture)
