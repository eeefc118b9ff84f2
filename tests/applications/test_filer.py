"""Files and images of django-filer, uploaded in its admin, with thumbnails by easy-thumbnails."""

import pytest
from django.core.files.base import ContentFile
from filer.models import File, Image

from tests.applications.files import make_image


@pytest.fixture
def upload(staff_client):
    def upload(file):
        url = "/admin/filer/clipboard/operations/upload/no_folder/"
        answer = staff_client.post(url, {"file": file})
        assert answer.status_code == 200, answer.content
        return File.objects.get(pk=answer.json()["file_id"])

    return upload


def test_a_file_is_uploaded_read_and_deleted(upload, media):
    file = upload(ContentFile(b"content", "letter.txt"))
    assert file.file.name.endswith("/letter.txt")
    assert media() == {file.file.name: b"content"}
    assert file.file.read() == b"content"
    file.delete()
    assert media() == {}


# The application reopens a file without a mode, which files of InMemoryStorage refuse.
@pytest.mark.parametrize("original", ["disk", "s3"], indirect=True)
def test_a_file_is_copied_within_its_storage(upload, media):
    file = upload(ContentFile(b"content", "letter.txt"))
    assert file._copy_file("copies/letter.txt") == "copies/letter.txt"
    assert media() == {file.file.name: b"content", "copies/letter.txt": b"content"}


def make_thumbnails(image):
    return {image.file.get_thumbnail({"size": size}).name for size in ((10, 10), (20, 20))}


def test_thumbnails_of_an_image_are_found_again_and_deleted_with_it(upload, media):
    image = upload(make_image())
    names = make_thumbnails(image)
    before = media()
    assert len(names) == 2
    assert set(before) == {image.file.name, *names}
    assert make_thumbnails(Image.objects.get()) == names
    assert media() == before
    image.delete()
    assert media() == {}


@pytest.mark.parametrize("make", [lambda: ContentFile(b"content", "letter.txt"), make_image])
def test_only_the_owner_reads_a_file(upload, owner, stranger, read, list_files, make):
    uploaded = upload(make())
    assert read(uploaded.file, owner) == 403
    uploaded.owner = owner
    uploaded.save()
    assert [read(uploaded.file, user) for user in (owner, stranger)] == [200, 403]
    assert uploaded.file.name in list_files(owner)
    assert list_files(stranger) == set()
