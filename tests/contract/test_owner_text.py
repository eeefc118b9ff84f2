"""Paths that are assigned as text, by every way that takes text."""

import copy

import pytest
from django.core import serializers
from django.core.files.base import ContentFile

from proxy_storage.exceptions import ContentObjectError
from tests.contract.content_objects import get_row, row_of, save_file
from tests.testapp.models import DiskDocument, Document

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("empty_storages")]


@pytest.fixture
def document(field):
    """A document with a file, as it is read from the database."""
    document = Document()
    save_file(document, field)
    return Document.objects.get(pk=document.pk)


class TestPathAsText:
    """A path that is assigned may be anybody's: it changes no owner."""

    @pytest.fixture
    def path(self, document, field):
        return getattr(document, field).name

    def assert_ignored(self, document, field, path, caplog):
        assert get_row(document, field, path) == row_of(document, field)
        assert f"{path!r} was assigned to testapp.Document.{field} as text" in caplog.text

    def test_in_the_constructor(self, document, field, path, caplog):
        Document.objects.create(**{field: path})
        self.assert_ignored(document, field, path, caplog)

    def test_on_an_instance(self, document, field, path, caplog):
        other = Document.objects.create()
        setattr(other, field, path)
        other.save()
        self.assert_ignored(document, field, path, caplog)

    def test_as_the_file_of_another_instance(self, document, field, path, caplog):
        other = Document.objects.create()
        setattr(other, field, getattr(document, field))
        other.save()
        self.assert_ignored(document, field, path, caplog)

    def test_in_a_copy_of_the_row(self, document, field, path, caplog):
        duplicate = copy.copy(document)
        duplicate.pk, duplicate._state.adding = None, True
        duplicate.save()
        self.assert_ignored(document, field, path, caplog)

    def test_that_replaces_a_file_of_ones_own(self, document, field, path, caplog):
        other = Document()
        own = save_file(other, field)
        setattr(other, field, path)
        other.save()
        self.assert_ignored(document, field, path, caplog)
        assert get_row(document, field, own) is None
        # and whoever takes it away again takes no owner away
        setattr(other, field, "")
        other.save()
        assert get_row(document, field, path) == row_of(document, field)
        other.delete()
        assert get_row(document, field, path) == row_of(document, field)

    def test_that_nobody_owns(self, document, field):
        storage = document._meta.get_field(field).storage
        path = storage.save("nobodys.txt", ContentFile(b""))
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
        """The same path on the same row: the other field's storage has no such file."""
        other = "mongo_file" if field == "orm_file" else "orm_file"
        path = getattr(document, field).name
        setattr(document, other, path)
        document.save()
        assert get_row(document, field, path) == row_of(document, field)
        assert f"testapp.Document.{other} as text" in caplog.text
        assert not document._meta.get_field(other).storage.exists(path)


def test_default_of_a_field_was_assigned_by_nobody(caplog):
    DiskDocument.objects.create()
    assert caplog.text == ""
    DiskDocument.objects.create(orm_default="/another.txt")
    assert "'/another.txt' was assigned to testapp.DiskDocument.orm_default" in caplog.text


class TestClaim:
    def test_file_without_owner(self, document, field):
        storage = document._meta.get_field(field).storage
        path = storage.save("imported.txt", ContentFile(b""))
        setattr(document, field, path)
        document.save()
        getattr(document, field).claim()
        getattr(document, field).claim()
        assert get_row(document, field, path) == row_of(document, field)

    def test_file_of_another(self, document, field):
        other = Document.objects.create()
        setattr(other, field, getattr(document, field).name)
        with pytest.raises(
            ContentObjectError, match="no such file without content object"
        ) as caught:
            getattr(other, field).claim()
        assert caught.value.path == getattr(document, field).name
        assert get_row(document, field, caught.value.path) == row_of(document, field)

    def test_that_is_refused_keeps_the_own_file(self, document, field):
        own = getattr(document, field).name
        other = save_file(Document(), field, "other.txt")
        setattr(document, field, other)
        with pytest.raises(ContentObjectError):
            getattr(document, field).claim()
        assert get_row(document, field, own) == row_of(document, field)

    def test_by_an_instance_without_row(self, document, field):
        with pytest.raises(ContentObjectError, match="save it first"):
            getattr(Document(), field).claim()

    @pytest.mark.parametrize("path", ["/nowhere.txt", ""])
    def test_file_that_is_not_there(self, document, field, path):
        setattr(document, field, path)
        with pytest.raises(ContentObjectError):
            getattr(document, field).claim()
