"""Documents and images of wagtail, uploaded and deleted in its admin."""

import json

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from wagtail.documents import get_document_model
from wagtail.images import get_image_model
from wagtail.models import Collection

from tests.applications.files import make_image

Document, Image = get_document_model(), get_image_model()


@pytest.fixture
def wagtail(staff_client):
    """A client in wagtail's admin, which uploads a file and deletes it."""
    Collection.add_root(name="Root")
    return Wagtail(staff_client)


class Wagtail:
    def __init__(self, client):
        self.client = client

    def upload(self, kind, file):
        answer = self.client.post(f"/cms/{kind}/multiple/add/", {"title": "x", "files[]": file})
        assert json.loads(answer.content)["success"], answer.content

    def replace(self, kind, pk, file):
        data = {"title": "x", "file": file, "collection": Collection.objects.get().pk, "tags": ""}
        answer = self.client.post(f"/cms/{kind}/edit/{pk}/", data)
        assert answer.status_code == 302, answer.content

    def delete(self, kind, pk):
        answer = self.client.post(
            f"/cms/{kind}/{pk}/delete/" if kind == "images" else f"/cms/{kind}/delete/{pk}/"
        )
        assert answer.status_code == 302


@pytest.fixture
def serve_method(original, settings):
    """Let wagtail choose, but for InMemoryStorage, which names local paths that do not exist."""
    if original == "memory":
        settings.WAGTAILDOCS_SERVE_METHOD = "redirect"


@pytest.mark.usefixtures("serve_method")
def test_a_document_is_uploaded_served_and_deleted(
    wagtail, media, django_capture_on_commit_callbacks
):
    wagtail.upload("documents", ContentFile(b"content", "letter.txt"))
    document = Document.objects.get()
    assert media() == {"documents/letter.txt": b"content"}
    answer = wagtail.client.get(document.url)
    if answer.status_code == 302:
        assert answer.url == document.file.url
        answer = wagtail.client.get(answer.url)
    assert (answer.status_code, b"".join(answer.streaming_content)) == (200, b"content")
    with django_capture_on_commit_callbacks(execute=True):
        wagtail.delete("documents", document.pk)
    assert media() == {}


def test_the_former_file_of_a_document_is_deleted(
    wagtail, media, django_capture_on_commit_callbacks
):
    wagtail.upload("documents", ContentFile(b"former", "letter.txt"))
    document = Document.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        wagtail.replace("documents", document.pk, ContentFile(b"new", "letter.txt"))
    document.refresh_from_db()
    assert media() == {document.file.name: b"new"}


def test_renditions_of_an_image_are_found_again_and_deleted_with_it(
    wagtail, media, django_capture_on_commit_callbacks
):
    wagtail.upload("images", make_image("cat.png"))
    image = Image.objects.get()
    rendition = image.get_rendition("fill-10x10")
    assert rendition.file.name.startswith("images/cat")
    assert set(media()) >= {"original_images/cat.png", rendition.file.name}
    before = set(media())
    assert Image.objects.get().get_rendition("fill-10x10").file.name == rendition.file.name
    assert set(media()) == before
    with default_storage.open(rendition.file.name) as file:
        assert file.read(4) == b"\x89PNG"
    with django_capture_on_commit_callbacks(execute=True):
        wagtail.delete("images", image.pk)
    assert media() == {}


def test_only_the_user_who_has_uploaded_a_document_reads_it(
    wagtail, owner, stranger, read, list_files
):
    wagtail.upload("documents", ContentFile(b"content", "letter.txt"))
    document = Document.objects.get()
    assert read(document.file, owner) == 403
    document.uploaded_by_user = owner
    document.save()
    assert read(document.file, owner) == 200
    assert [read(document.file, user) for user in (stranger, None)] == [403, 403]
    assert list_files(owner) == {document.file.name}
    assert list_files(stranger) == set()


def test_the_former_file_of_a_document_belongs_to_no_row(wagtail, owner, read, records):
    wagtail.upload("documents", ContentFile(b"former", "letter.txt"))
    document = Document.objects.get()
    former = document.file
    document.uploaded_by_user, document.file = owner, ContentFile(b"new", "letter.txt")
    document.save()
    assert read(document.file, owner) == 200
    assert read(former, owner) == 403
    assert records.get(path=former.name).former_object_id == str(document.pk)


def test_images_and_renditions_belong_to_the_user_who_has_uploaded_them(
    wagtail, owner, stranger, read, list_files
):
    wagtail.upload("images", make_image("cat.png"))
    image = Image.objects.get()
    image.uploaded_by_user = owner
    image.save()
    rendition = image.get_rendition("fill-10x10")
    for file in (image.file, rendition.file):
        assert [read(file, user) for user in (owner, stranger)] == [200, 403]
    assert list_files(owner) >= {image.file.name, rendition.file.name}


def test_renditions_that_are_made_together_have_no_content_object(wagtail, owner, read, records):
    """wagtail inserts their rows by ``bulk_create()``, which sends no signal."""
    wagtail.upload("images", make_image("cat.png"))
    image = Image.objects.get()
    image.uploaded_by_user = owner
    image.save()
    for rendition in image.get_renditions("fill-10x10", "fill-20x20").values():
        assert read(rendition.file, owner) == 403
        assert records.get(path=rendition.file.name).object_id is None
