"""django-cleanup, which deletes the files of rows that have others, or are deleted."""

import pytest
from django.core.files.base import ContentFile

from tests.applications.models import CleanedDocument, CleanedLetter


@pytest.fixture(params=[CleanedDocument, CleanedLetter])
def document(request, db):
    return request.param.objects.create(scan=ContentFile(b"1", "a.txt"))


def test_a_file_that_is_replaced_is_deleted(document, media, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        document.scan = ContentFile(b"2", "b.txt")
        document.save()
    assert media() == {document.scan.name: b"2"} == {"scans/b.txt": b"2"}


def test_the_file_of_a_deleted_row_is_deleted(document, media, django_capture_on_commit_callbacks):
    assert media() == {"scans/a.txt": b"1"}
    with django_capture_on_commit_callbacks(execute=True):
        document.delete()
    assert media() == {}


def test_a_file_that_is_kept_has_its_record(document, records, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        type(document).objects.get().save()
    assert records.get().object_id == str(document.pk)
