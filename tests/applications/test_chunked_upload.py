"""drf-chunked-upload, which appends to a file on disk and deletes it by its local path."""

from hashlib import md5

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from drf_chunked_upload.models import ChunkedUpload

pytestmark = pytest.mark.parametrize("original", ["disk"], indirect=True)


@pytest.fixture
def upload(staff_client):
    """An upload that came in two chunks, as the application's view leaves it."""
    url = "/uploads/"
    for content, content_range in ((b"first ", "bytes 0-5/12"), (b"second", "bytes 6-11/12")):
        answer = put(staff_client, url, content, content_range)
        assert answer.status_code == 200, answer.content
        url = answer.json()["url"]
    answer = staff_client.post(url, {"md5": md5(b"first second").hexdigest()})
    assert answer.status_code == 200, answer.content
    return ChunkedUpload.objects.get()


def put(client, url, content, content_range):
    data = encode_multipart(BOUNDARY, {"filename": "a.txt", "file": ContentFile(content, "a.txt")})
    return client.put(url, data, MULTIPART_CONTENT, headers={"content-range": content_range})


def test_chunks_are_put_together(upload, media):
    assert media() == {upload.file.name: b"first second"}
    assert default_storage.size(upload.file.name) == 12
    with upload.get_uploaded_file() as file:
        assert file.read() == b"first second"


def test_an_upload_is_deleted_by_its_local_path(upload, media, django_capture_on_commit_callbacks):
    assert upload.file.name in media()
    with django_capture_on_commit_callbacks(execute=True):
        upload.delete()
    assert media() == {}


def test_only_the_upload_at_the_local_path_is_deleted(
    upload, media, django_capture_on_commit_callbacks
):
    other = default_storage.save(upload.file.name, ContentFile(b"other"))
    with django_capture_on_commit_callbacks(execute=True):
        upload.delete()
    assert media() == {other: b"other"}
