"""Files of Django's own fields on a storage that tracks them, and the rows that they belong to."""

import copy
import logging
from types import SimpleNamespace

import pytest
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import FileField
from django.db.models.fields.files import FieldFile

from proxy_storage.content_objects import SCOPE_KEY
from proxy_storage.exceptions import ProxyFileNotFoundError
from tests.contract.content_objects import get_row, row_of, save_file
from tests.contract.images import make_png
from tests.testapp.models import (
    PlainDocument,
    TrackedChild,
    TrackedDocument,
    TrackedPicture,
    get_orm_relative_storage,
)

pytestmark = pytest.mark.usefixtures("empty_storages")


@pytest.fixture
def document(db):
    document = TrackedDocument()
    save_file(document, "orm_file", "first.txt")
    return document


@pytest.fixture
def thief(document):
    """Another row with the path of the file, which was assigned as text."""
    return TrackedDocument.objects.create(orm_file=document.orm_file.name)


@pytest.fixture(params=["child", "another copy", "another field", "nothing"])
def own(request, document):
    """A file that the row may read."""
    if request.param == "child":
        child = TrackedChild()
        save_file(child, "orm_file")
        return TrackedChild.objects.get().orm_file
    if request.param == "another copy":
        return copy.deepcopy(TrackedDocument.objects.get()).orm_file
    if request.param == "another field":
        TrackedDocument.objects.update(orm_copy=document.orm_file.name)
        return TrackedDocument.objects.get().orm_copy
    path = get_orm_relative_storage().save("a.txt", ContentFile(b"world"))
    return TrackedDocument.objects.create(orm_file=path).orm_file


READERS = {
    "open": lambda file: file.open().read(),
    "file": lambda file: file.file.read(),
    "read": lambda file: file.read(),
    "chunks": lambda file: b"".join(file.chunks()),
}


def read(file, how="read"):
    try:
        return READERS[how](file)
    finally:
        file.close()


@pytest.mark.parametrize("how", READERS)
class TestOpen:
    def test_own_file(self, own, how):
        assert read(own, how) == b"world"

    def test_file_of_another_row(self, thief, how):
        with pytest.raises(ProxyFileNotFoundError, match="belongs to another row"):
            read(thief.orm_file, how)
        with pytest.raises(ProxyFileNotFoundError, match="belongs to another row"):
            read(TrackedDocument(orm_file=thief.orm_file.name).orm_file, how)

    def test_row_of_the_same_key_in_another_scope(self, document, how):
        """Rows of two tenants or databases have the same key."""
        path = document.orm_file.name
        get_orm_relative_storage().meta_backend.update(path, {SCOPE_KEY: "default/other"})
        with pytest.raises(ProxyFileNotFoundError, match="belongs to another row"):
            read(TrackedDocument.objects.get().orm_file, how)

    def test_file_that_does_not_exist(self, document, how):
        get_orm_relative_storage().delete(document.orm_file.name)
        with pytest.raises(ProxyFileNotFoundError, match="No record"):
            read(TrackedDocument.objects.get().orm_file, how)

    def test_field_without_file(self, document, how):
        with pytest.raises(ValueError, match="has no file"):
            read(TrackedDocument().orm_file, how)

    def test_field_that_is_not_tracked(self, db, how):
        document = PlainDocument()
        save_file(document, "orm_file")
        other = PlainDocument.objects.create(orm_file=document.orm_file.name)
        assert read(other.orm_file, how) == b"world"

    def test_field_that_does_not_belong_to_a_model(self, document, how):
        field = FileField(storage=get_orm_relative_storage())
        file = FieldFile(None, field, document.orm_file.name)
        assert read(file, how) == b"world"


def test_file_is_opened_again(document):
    file = TrackedDocument.objects.get().orm_file
    assert file.open() is file
    assert file.read() == b"world"
    assert file.open().read() == b"world"
    file.close()


def test_opening_costs_one_query(document, django_assert_num_queries):
    file = TrackedDocument.objects.get().orm_file
    with django_assert_num_queries(1):
        file.open().close()


class TestDelete:
    @pytest.mark.parametrize("save", [True, False])
    def test_own_file(self, document, save, django_capture_on_commit_callbacks):
        path = document.orm_file.name
        with django_capture_on_commit_callbacks(execute=True):
            document.orm_file.delete(save=save)
        assert not document.orm_file
        assert not get_orm_relative_storage().exists(path)
        assert TrackedDocument.objects.get().orm_file.name == ("" if save else path)

    def test_open_file_is_closed(self, document):
        file = document.orm_file.open()
        opened = file.file
        file.delete()
        assert opened.closed

    def test_another_file_of_the_same_object(self, document):
        file = document.orm_file
        file.delete()
        file.name = path = get_orm_relative_storage().save("b.txt", ContentFile(b"b"))
        file.delete()
        assert not get_orm_relative_storage().exists(path)

    def test_file_of_another_row_is_kept(
        self, document, thief, caplog, django_capture_on_commit_callbacks
    ):
        path = document.orm_file.name
        caplog.clear()
        with django_capture_on_commit_callbacks(execute=True):
            thief.orm_file.delete()
        assert "belongs to another row" in caplog.text
        assert not TrackedDocument.objects.get(pk=thief.pk).orm_file
        assert get_row(document, "orm_file", path) == row_of(document, "orm_file", TrackedDocument)
        assert read(TrackedDocument.objects.get(pk=document.pk).orm_file) == b"world"

    def test_file_of_another_field_is_kept(self, document):
        path = document.orm_file.name
        TrackedDocument.objects.update(orm_copy=path)
        TrackedDocument.objects.get().orm_copy.delete()
        assert get_orm_relative_storage().exists(path)

    def test_instance_that_is_not_a_row(self, document, caplog):
        """Packages delete files without touching the instance."""
        path = document.orm_file.name
        field = TrackedDocument._meta.get_field("orm_file")
        FieldFile(SimpleNamespace(), field, path).delete(save=False)
        assert get_orm_relative_storage().exists(path)
        get_orm_relative_storage().meta_backend.update(path, {"content_type_id": None})
        FieldFile(SimpleNamespace(), field, path).delete(save=False)
        assert get_orm_relative_storage().exists(path)
        get_orm_relative_storage().meta_backend.update(path, {"object_id": None, "field": None})
        FieldFile(SimpleNamespace(), field, path).delete(save=False)
        assert not get_orm_relative_storage().exists(path)

    def test_file_that_is_gone(self, document, caplog):
        get_orm_relative_storage().delete(document.orm_file.name)
        with caplog.at_level(logging.INFO, "proxy_storage"):
            document.orm_file.delete()
        assert "was deleted before" in caplog.text
        assert not TrackedDocument.objects.get().orm_file

    def test_field_without_file(self, db, django_assert_num_queries):
        document = TrackedDocument.objects.create()
        with django_assert_num_queries(0):
            document.orm_file.delete()

    def test_field_that_is_not_tracked(self, db):
        document = PlainDocument()
        path = save_file(document, "orm_file")
        document.orm_file.delete()
        assert not document.orm_file.storage.exists(path)


class TestImages:
    @pytest.fixture
    def picture(self, db):
        picture = TrackedPicture()
        picture.orm_file.save("a.png", ContentFile(make_png(3, 2), "a.png"))
        return picture

    def test_image_of_another_row_has_no_size(self, picture):
        other = TrackedPicture.objects.create(orm_file=picture.orm_file.name)
        assert (other.width, other.height) == (None, None)
        # Django reads the size again if the columns are empty.
        other = TrackedPicture.objects.get(pk=other.pk)
        assert (other.width, other.height) == (None, None)
        other.orm_file = picture.orm_file
        assert (other.width, other.height) == (None, None)

    def test_image_that_does_not_exist(self, picture):
        get_orm_relative_storage().delete(picture.orm_file.name)
        with pytest.raises(ProxyFileNotFoundError, match="No record"):
            TrackedPicture(orm_file=picture.orm_file.name)

    def test_size_of_a_deleted_image_is_cleared(self, picture):
        assert picture.orm_file.width == 3
        picture.orm_file.delete()
        assert (picture.width, picture.height) == (None, None)


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
@pytest.mark.parametrize("is_rolled_back", [False, True])
def test_delete_in_transactions_of_two_databases(is_rolled_back):
    """The file is deleted after the commit, and the save of the row comes before."""
    document = TrackedDocument()
    path = save_file(document, "orm_file")
    with transaction.atomic(), transaction.atomic(using="other"):
        document.orm_file.delete()
        transaction.set_rollback(is_rolled_back)
    assert get_orm_relative_storage().exists(path) is is_rolled_back
    if is_rolled_back:
        row = row_of(document, "orm_file", TrackedDocument)
        assert get_row(document, "orm_file", path) == row
        document.save()
        assert get_row(document, "orm_file", path) is None
