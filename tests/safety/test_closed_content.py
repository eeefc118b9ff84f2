# ruff: noqa: SIM115  (files that are closed already)
"""Closed content and invalid content raise an error, and no other file is read instead."""

import io
from pathlib import Path

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.db.models.fields.files import FieldFile

from tests.contract.reading import read
from tests.safety.content_checks import STORAGES, check_raises
from tests.testapp.models import PlainDocument

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.parametrize("storage", STORAGES, indirect=True),
]

# A local file with the name of the content
LOCAL = "local.txt"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / LOCAL).write_bytes(b"secret")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_field_file():
    """Return the file of a model instance, which is opened at its first use."""
    file = FieldFile(PlainDocument(), PlainDocument._meta.get_field("orm_file"), LOCAL)
    file.storage = FileSystemStorage(".")
    return file


def close_wrapped_file(content):
    content.file.close()
    return content


def close(content):
    content.close()
    return content


def read_and_close(content):
    content.read()
    return close(content)


CLOSED = {
    "file": lambda: close(Path(LOCAL).open("rb")),
    "text file": lambda: close(Path(LOCAL).open(encoding="utf-8")),
    "File": lambda: close(File(Path(LOCAL).open("rb"))),
    "named File": lambda: close(File(Path("other.txt").open("w+b"), LOCAL)),
    "BytesIO": lambda: close(io.BytesIO(b"mine")),
    "StringIO": lambda: close(io.StringIO("mine")),
    "ContentFile": lambda: close_wrapped_file(ContentFile(b"mine", LOCAL)),
    "ContentFile of text": lambda: close_wrapped_file(ContentFile("mine", LOCAL)),
    "upload": lambda: close_wrapped_file(SimpleUploadedFile(LOCAL, b"mine")),
    "temporary upload": lambda: close(TemporaryUploadedFile(LOCAL, "text/plain", 4, None)),
    "field's file": lambda: read_and_close(make_field_file()),
    "no file": lambda: File(None, LOCAL),
}


@pytest.mark.parametrize("kind", CLOSED)
def test_closed_content_raises_and_is_not_reopened(storage, kind):
    content = CLOSED[kind]()
    assert content.closed
    check_raises(storage, content)
    assert content.closed


def test_closed_field_file_is_opened_by_its_storage(storage):
    with make_field_file() as file:
        assert file.closed
        assert read(storage, storage.save("a.txt", file)) == b"secret"


@pytest.mark.parametrize("content", [None, b"mine", "mine", LOCAL, {"mine": 1}], ids=repr)
def test_content_that_is_not_a_file_raises(storage, content):
    check_raises(storage, content)


def test_closed_content_is_ignored_for_an_existing_file(storage):
    known = storage.get_original_storage().save("a.txt", ContentFile(b"there"))
    path = storage.save("a.txt", CLOSED["File"](), original_storage_path=known)
    assert read(storage, path) == b"there"
