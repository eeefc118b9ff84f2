# ruff: noqa: SIM115  (files that are closed already)
"""Content that cannot be read any more, or never could: refused, and looked for nowhere else."""

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

# a file on this machine that has the name of the content
LOCAL = "local.txt"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / LOCAL).write_bytes(b"secret")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_field_file():
    """Return the file of a model instance, which is opened when it is first asked for."""
    file = FieldFile(PlainDocument(), PlainDocument._meta.get_field("orm_file"), LOCAL)
    file.storage = FileSystemStorage(".")
    return file


def close_inside(content):
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
    "ContentFile": lambda: close_inside(ContentFile(b"mine", LOCAL)),
    "ContentFile of text": lambda: close_inside(ContentFile("mine", LOCAL)),
    "upload": lambda: close_inside(SimpleUploadedFile(LOCAL, b"mine")),
    "temporary upload": lambda: close(TemporaryUploadedFile(LOCAL, "text/plain", 4, None)),
    "field's file": lambda: read_and_close(make_field_file()),
    "no file": lambda: File(None, LOCAL),
}


@pytest.mark.parametrize("kind", CLOSED)
def test_closed_content_is_refused_and_not_opened_again(storage, kind):
    content = CLOSED[kind]()
    assert content.closed
    check_raises(storage, content)
    assert content.closed


def test_file_of_a_field_is_opened_by_its_own_storage(storage):
    with make_field_file() as file:
        assert file.closed
        assert read(storage, storage.save("a.txt", file)) == b"secret"


@pytest.mark.parametrize("content", [None, b"mine", "mine", LOCAL, {"mine": 1}], ids=repr)
def test_what_is_no_file_is_refused(storage, content):
    check_raises(storage, content)


def test_closed_content_does_not_matter_where_the_bytes_are_there(storage):
    known = storage.get_original_storage().save("a.txt", ContentFile(b"there"))
    path = storage.save("a.txt", CLOSED["File"](), original_storage_path=known)
    assert read(storage, path) == b"there"
