"""Django's admin with a proxied field, over HTTP as far as the test client goes."""

from html import unescape

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import include, path, reverse

from tests.contract.content_objects import get_row, row_of, save_file
from tests.contract.images import make_png
from tests.contract.proxy_storages import read
from tests.testapp.models import Document, Picture

# each view of the admin is one transaction, and must see it committed
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.urls(__name__),
]


class DocumentAdmin(admin.ModelAdmin):
    list_display = ["title", "orm_file", "mongo_file"]
    fields = ["title", "orm_file", "mongo_file"]


site = admin.AdminSite()
site.register(Document, DocumentAdmin)
site.register(Picture, fields=["title", "orm_image"])
urlpatterns = [
    path("admin/", site.urls),
    path("files/", include("proxy_storage_api.urls")),
]


@pytest.fixture
def storage(field):
    return Document._meta.get_field(field).storage


@pytest.fixture
def staff(client):
    client.force_login(User.objects.create_superuser("admin"))
    return client


@pytest.fixture
def document(field):
    document = Document(title="before")
    save_file(document, field, "old.txt", b"old")
    return document


@pytest.fixture
def old_path(document, field):
    return getattr(document, field).name


def change(staff, document, **data):
    """Send the form of the admin's page, and return the answer."""
    url = reverse("admin:testapp_document_change", args=[document.pk])
    return staff.post(url, {"title": "after", **data})


def upload(content=b"new"):
    return SimpleUploadedFile("new.txt", content)


def test_add(staff, field, storage):
    url = reverse("admin:testapp_document_add")
    answer = staff.post(url, {"title": "new", field: upload()})
    assert answer.status_code == 302
    document = Document.objects.get()
    file = getattr(document, field)
    assert read(storage, file.name) == b"new"
    assert get_row(Document, field, file.name) == row_of(document, field)


def test_change_without_touching_the_file(staff, field, storage, document, old_path):
    assert change(staff, document).status_code == 302
    saved = Document.objects.get()
    assert (saved.title, getattr(saved, field).name) == ("after", old_path)
    assert read(storage, old_path) == b"old"
    assert get_row(Document, field, old_path) == row_of(document, field)


def test_replace(staff, field, storage, document, old_path):
    assert change(staff, document, **{field: upload()}).status_code == 302
    new_path = getattr(Document.objects.get(), field).name
    assert read(storage, new_path) == b"new"
    assert get_row(Document, field, new_path) == row_of(document, field)
    assert read(storage, old_path) == b"old"
    assert get_row(Document, field, old_path) is None


def test_clear(staff, field, storage, document, old_path):
    assert change(staff, document, **{f"{field}-clear": "on"}).status_code == 302
    assert not getattr(Document.objects.get(), field)
    assert read(storage, old_path) == b"old"
    assert get_row(Document, field, old_path) is None


def test_contradiction_changes_nothing(staff, field, storage, document, old_path):
    answer = change(staff, document, **{f"{field}-clear": "on", field: upload()})
    assert answer.status_code == 200
    assert answer.context["errors"]
    saved = Document.objects.get()
    assert (saved.title, getattr(saved, field).name) == ("before", old_path)
    assert get_row(Document, field, old_path) == row_of(document, field)
    assert len(list(storage.meta_backend)) == 1


def delete_on_its_page(staff, document):
    return staff.post(reverse("admin:testapp_document_delete", args=[document.pk]), {"post": "yes"})


def delete_in_the_list(staff, document):
    data = {"action": "delete_selected", "_selected_action": [document.pk], "post": "yes"}
    return staff.post(reverse("admin:testapp_document_changelist"), data)


@pytest.mark.parametrize("delete", [delete_on_its_page, delete_in_the_list])
def test_delete_leaves_the_bytes_to_nobody(staff, field, storage, document, old_path, delete):
    other = Document()
    other_path = save_file(other, field)
    assert delete(staff, document).status_code == 302
    assert Document.objects.get() == other
    assert read(storage, old_path) == b"old"
    assert get_row(Document, field, old_path) is None
    assert get_row(Document, field, other_path) == row_of(other, field)


def test_view_that_fails_leaves_no_owner(staff, field, document, old_path, monkeypatch):
    def fail(*args):
        raise RuntimeError

    monkeypatch.setattr(DocumentAdmin, "log_change", fail)
    with pytest.raises(RuntimeError):
        change(staff, document, **{field: upload()})
    assert getattr(Document.objects.get(), field).name == old_path
    assert get_row(Document, field, old_path) == row_of(document, field)
    for record in Document._meta.get_field(field).storage.meta_backend:
        assert record["path"] == old_path or record.get_content_object() is None


def test_pages_link_to_the_endpoint(staff, field, document):
    save_file(document, field, "a b & c.txt")
    link = f'href="{getattr(document, field).url}"'
    assert link.startswith('href="/files/?path=%2F')
    for name, args in (("change", [document.pk]), ("changelist", [])):
        page = staff.get(reverse(f"admin:testapp_document_{name}", args=args))
        assert link in unescape(page.text)
    page = staff.get(reverse("admin:testapp_document_delete", args=[document.pk]))
    assert page.status_code == 200


def test_pages_of_a_file_without_record(staff, field):
    document = Document.objects.create(title="lost", **{field: "/nowhere.txt"})
    for name, args in (("change", [document.pk]), ("changelist", [])):
        page = staff.get(reverse(f"admin:testapp_document_{name}", args=args))
        assert "/files/?path=%2Fnowhere.txt" in page.text
    assert change(staff, document).status_code == 302
    assert getattr(Document.objects.get(), field).name == "/nowhere.txt"


class TestImage:
    def test_has_to_be_one(self, staff):
        url = reverse("admin:testapp_picture_add")
        for data in ({}, {"orm_image": upload(b"just text")}):
            answer = staff.post(url, {"title": "new", **data})
            assert answer.status_code == 200
            assert "orm_image" in answer.context["adminform"].form.errors
        assert not Picture.objects.exists()

    def test_is_added_and_replaced(self, staff):
        image = ContentFile(make_png(3, 2), name="a.png")
        staff.post(reverse("admin:testapp_picture_add"), {"orm_image": image})
        picture = Picture.objects.get()
        old_path = picture.orm_image.name
        image = ContentFile(make_png(5, 4), name="b.png")
        url = reverse("admin:testapp_picture_change", args=[picture.pk])
        staff.post(url, {"orm_image": image})
        picture.refresh_from_db()
        assert (picture.width, picture.height) == (5, 4)
        assert get_row(Picture, "orm_image", picture.orm_image.name) == row_of(
            picture, "orm_image", Picture
        )
        assert get_row(Picture, "orm_image", old_path) is None
