"""Paths that are assigned as text, in every way that Django accepts text."""

import copy

import pytest
from django.core import serializers
from django.core.files.base import ContentFile

from proxy_storage.db.fields import ProxyStorageFieldFile
from proxy_storage.exceptions import ContentObjectError
from tests.contract.content_objects import get_row, row_of, save_file
from tests.testapp.models import DiskDocument, Document

pytestmark = pytest.mark.usefixtures("empty_storages")


@pytest.fixture
def document(field):
    """A document with a file, as it is read from the database."""
    document = Document()
    save_file(document, field)
    return Document.objects.get(pk=document.pk)


class TestPathAsText:
    """A path as text can be the path of any file, so it does not change a content object."""

    @pytest.fixture
    def path(self, document, field):
        return getattr(document, field).name

    def check_is_unchanged(self, document, field, path, caplog):
        assert get_row(document, field, path) == row_of(document, field)
        assert f"{path!r} was assigned to testapp.Document.{field} as text" in caplog.text

    def test_in_the_constructor(self, document, field, path, caplog):
        Document.objects.create(**{field: path})
        self.check_is_unchanged(document, field, path, caplog)

    def test_on_an_instance(self, document, field, path, caplog):
        other = Document.objects.create()
        setattr(other, field, path)
        other.save()
        self.check_is_unchanged(document, field, path, caplog)

    def test_as_the_file_of_another_instance(self, document, field, path, caplog):
        other = Document.objects.create()
        setattr(other, field, getattr(document, field))
        other.save()
        self.check_is_unchanged(document, field, path, caplog)

    def test_in_a_copy_of_the_row(self, document, field, path, caplog):
        duplicate = copy.copy(document)
        duplicate.pk, duplicate._state.adding = None, True
        duplicate.save()
        self.check_is_unchanged(document, field, path, caplog)

    def test_that_replaces_an_own_file(self, document, field, path, caplog):
        other = Document()
        own = save_file(other, field)
        setattr(other, field, path)
        other.save()
        self.check_is_unchanged(document, field, path, caplog)
        assert get_row(document, field, own) is None
        # To clear the path, or to delete the row, does not change the content object either.
        setattr(other, field, "")
        other.save()
        assert get_row(document, field, path) == row_of(document, field)
        other.delete()
        assert get_row(document, field, path) == row_of(document, field)

    def test_of_a_file_without_content_object(self, document, field):
        storage = document._meta.get_field(field).storage
        path = storage.save("free.txt", ContentFile(b""))
        Document.objects.create(**{field: path})
        assert get_row(document, field, path) is None

    def test_in_a_queryset(self, document, field, path):
        other = Document.objects.create()
        Document.objects.filter(pk=other.pk).update(**{field: path})
        Document.objects.bulk_create([Document(**{field: path})])
        Document.objects.get(pk=other.pk).save()
        assert get_row(document, field, path) == row_of(document, field)

    def test_in_a_fixture(self, document, field, path):
        data = serializers.serialize("json", [document])
        data = data.replace(f'"pk": {document.pk}', '"pk": 99')
        for deserialized in serializers.deserialize("json", data):
            deserialized.save()
        assert getattr(Document.objects.get(pk=99), field).name == path
        assert get_row(document, field, path) == row_of(document, field)

    def test_in_another_field(self, document, field, caplog):
        """The storage of the other field does not have a file with this path."""
        other = "mongo_file" if field == "orm_file" else "orm_file"
        path = getattr(document, field).name
        setattr(document, other, path)
        document.save()
        assert get_row(document, field, path) == row_of(document, field)
        assert f"testapp.Document.{other} as text" in caplog.text
        assert not document._meta.get_field(other).storage.exists(path)


def test_default_of_a_field_is_not_reported_as_assigned(caplog):
    DiskDocument.objects.create()
    assert caplog.text == ""
    DiskDocument.objects.create(orm_default="/another.txt")
    assert "'/another.txt' was assigned to testapp.DiskDocument.orm_default" in caplog.text


class TestAssign:
    def test_claim_is_an_alias(self):
        assert ProxyStorageFieldFile.claim is ProxyStorageFieldFile.assign

    def test_file_without_content_object(self, document, field):
        storage = document._meta.get_field(field).storage
        path = storage.save("imported.txt", ContentFile(b""))
        setattr(document, field, path)
        document.save()
        getattr(document, field).assign()
        getattr(document, field).assign()
        assert get_row(document, field, path) == row_of(document, field)

    def test_file_of_another_row_is_refused(self, document, field):
        other = Document.objects.create()
        setattr(other, field, getattr(document, field).name)
        with pytest.raises(ContentObjectError, match="belongs to another content object") as caught:
            getattr(other, field).assign()
        assert caught.value.path == getattr(document, field).name
        assert get_row(document, field, caught.value.path) == row_of(document, field)

    def test_refused_file_does_not_release_the_own_file(self, document, field):
        own = getattr(document, field).name
        other = save_file(Document(), field, "other.txt")
        setattr(document, field, other)
        with pytest.raises(ContentObjectError):
            getattr(document, field).assign()
        assert get_row(document, field, own) == row_of(document, field)

    def test_unsaved_instance_is_refused(self, document, field):
        with pytest.raises(ContentObjectError, match="Save the instance first"):
            getattr(Document(), field).assign()

    @pytest.mark.parametrize("path", ["/nowhere.txt", ""])
    def test_missing_file_is_refused(self, document, field, path):
        setattr(document, field, path)
        with pytest.raises(ContentObjectError):
            getattr(document, field).assign()
