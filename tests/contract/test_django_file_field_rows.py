"""Django's ideas of a file field in a row: defaults, deferred fields, sizes of images."""

from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from tests.contract.content_objects import get_row, row_of
from tests.contract.images import make_png
from tests.testapp.models import DiskDocument, Picture

pytestmark = pytest.mark.usefixtures("empty_storages")


@pytest.fixture
def document(field):
    document = DiskDocument()
    getattr(document, field).save("hello.txt", ContentFile(b"hello world"))
    return document


class TestDefault:
    @pytest.fixture(params=["orm_default", "mongo_default"])
    def field(self, request):
        return request.param

    @pytest.fixture
    def blank(self, field):
        """The path of the file that every row has at first."""
        model_field = DiskDocument._meta.get_field(field)
        path = model_field.storage.save("blank.txt", ContentFile(b"blank"))
        model_field.storage.meta_backend.update(path, {"path": model_field.default})
        return model_field.default

    def test_is_one_file_for_all(self, field, blank):
        for document in (DiskDocument(), DiskDocument.objects.create()):
            with getattr(document, field).open() as file:
                assert file.name == blank
                assert file.read() == b"blank"

    def test_is_nobodys_and_stays(self, field, blank, django_capture_on_commit_callbacks):
        document = DiskDocument.objects.create()
        document.save()
        assert get_row(DiskDocument, field, getattr(document, field).name) is None
        with django_capture_on_commit_callbacks(execute=True):
            document.delete()
        assert getattr(DiskDocument(), field).size == 5

    def test_is_left_for_a_file_of_its_own(self, field, blank):
        document = DiskDocument.objects.create()
        getattr(document, field).save("mine.txt", ContentFile(b"mine"))
        assert get_row(DiskDocument, field, getattr(document, field).name) == row_of(
            document, field, DiskDocument
        )
        assert get_row(DiskDocument, field, blank) is None
        assert getattr(DiskDocument(), field).size == 5


class TestDeferred:
    @pytest.fixture(params=["only", "defer"])
    def deferred(self, request, document, field):
        rows = DiskDocument.objects
        rows = rows.only("pk") if request.param == "only" else rows.defer(field)
        return rows.get()

    def test_file_is_read_with_one_query(
        self, deferred, document, field, django_assert_num_queries
    ):
        assert field in deferred.get_deferred_fields()
        with django_assert_num_queries(1):
            assert getattr(deferred, field) == getattr(document, field)
        with getattr(deferred, field).open() as file:
            assert file.read() == b"hello world"

    @pytest.mark.parametrize("is_read", [True, False])
    def test_save_changes_no_owner(self, deferred, document, field, is_read):
        if is_read:
            assert getattr(deferred, field)
        deferred.save()
        saved = getattr(DiskDocument.objects.get(), field)
        assert saved == getattr(document, field)
        assert get_row(DiskDocument, field, saved.name) == row_of(document, field, DiskDocument)

    def test_file_is_replaced(self, deferred, document, field):
        old = getattr(document, field).name
        getattr(deferred, field).save("new.txt", ContentFile(b"new"))
        new = getattr(DiskDocument.objects.get(), field)
        assert get_row(DiskDocument, field, new.name) == row_of(document, field, DiskDocument)
        assert get_row(DiskDocument, field, old) is None

    def test_file_is_replaced_without_having_been_read(self, deferred, document, field):
        old = getattr(document, field).name
        setattr(deferred, field, ContentFile(b"new", name="new.txt"))
        deferred.save()
        new = getattr(DiskDocument.objects.get(), field)
        assert new.name != old
        assert get_row(DiskDocument, field, new.name) == row_of(document, field, DiskDocument)
        assert get_row(DiskDocument, field, old) is None

    def test_file_is_cleared_without_having_been_read(self, deferred, document, field):
        file = getattr(document, field)
        setattr(deferred, field, "")
        deferred.save()
        assert not getattr(DiskDocument.objects.get(), field)
        assert get_row(DiskDocument, field, file.name) is None


class TestReadAgain:
    def test_change_that_was_not_saved_is_forgotten(self, document, field, caplog):
        old = getattr(document, field).name
        setattr(document, field, "")
        document.refresh_from_db()
        caplog.clear()
        document.save()
        assert caplog.text == ""
        assert getattr(document, field).name == old
        assert get_row(DiskDocument, field, getattr(document, field).name) == row_of(
            document, field, DiskDocument
        )

    @pytest.mark.parametrize("fields", [None, "one"])
    def test_file_that_was_not_saved_gets_no_owner(self, document, field, fields, caplog):
        old = getattr(document, field).name
        getattr(document, field).save("new.txt", ContentFile(b"new"), save=False)
        new = getattr(document, field).name
        document.refresh_from_db(fields=fields and [field])
        caplog.clear()
        document.save()
        assert caplog.text == ""
        assert getattr(document, field).name == old
        assert get_row(DiskDocument, field, getattr(document, field).name) == row_of(
            document, field, DiskDocument
        )
        assert get_row(DiskDocument, field, new) is None

    def test_change_by_somebody_else_is_seen(self, document, field):
        old = getattr(document, field).name
        getattr(DiskDocument.objects.get(), field).save("new.txt", ContentFile(b"new"))
        assert getattr(document, field).name == old
        document.refresh_from_db()
        assert getattr(document, field).size == 3
        document.save()
        assert get_row(DiskDocument, field, getattr(document, field).name) == row_of(
            document, field, DiskDocument
        )


def make_image(width, height):
    return ContentFile(make_png(width, height), name="picture.png")


class TestImage:
    @pytest.fixture(params=["orm_image", "mongo_image"])
    def field(self, request):
        return request.param

    def test_knows_its_size_and_its_owner(self, field):
        picture = Picture(**{field: make_image(3, 2)})
        picture.save()
        image = getattr(Picture.objects.get(), field)
        assert (image.width, image.height) == (3, 2)
        assert image.closed
        assert get_row(Picture, field, image.name) == row_of(picture, field, Picture)

    def test_image_of_another_row_has_no_size(self):
        """Its path can be assigned, but its bytes cannot be read."""
        picture = Picture.objects.create(orm_image=make_image(3, 2))
        thief = Picture(orm_image=picture.orm_image.name)
        assert (thief.width, thief.height) == (None, None)
        thief = Picture.objects.create(orm_image=make_image(4, 5))
        thief.orm_image = picture.orm_image
        assert (thief.width, thief.height) == (None, None)

    def test_image_that_is_missing_is_an_error(self):
        with pytest.raises(FileNotFoundError):
            Picture(orm_image="/missing.png")

    def test_tells_the_row_its_size(self, django_assert_num_queries):
        picture = Picture()
        picture.orm_image.save("a.png", make_image(3, 2))
        with django_assert_num_queries(1):
            saved = Picture.objects.get()
            assert (saved.width, saved.height) == (3, 2)
        saved.orm_image = make_image(4, 5)
        assert (saved.width, saved.height) == (4, 5)
        saved.save()
        saved.orm_image.delete()
        saved.refresh_from_db()
        assert (saved.width, saved.height) == (None, None)

    def test_is_replaced(self, field):
        picture = Picture()
        getattr(picture, field).save("a.png", make_image(3, 2))
        old = getattr(picture, field).name
        setattr(picture, field, make_image(4, 5))
        picture.save()
        image = getattr(picture, field)
        assert (image.width, image.height) == (4, 5)
        assert get_row(Picture, field, image.name) == row_of(picture, field, Picture)
        assert get_row(Picture, field, old) is None

    def test_without_bytes_the_row_can_be_read(self, field):
        picture = Picture()
        getattr(picture, field).save("a.png", make_image(3, 2))
        Path(getattr(picture, field).path).unlink()
        saved = Picture.objects.get()
        saved.title = "lost"
        saved.save()
        with pytest.raises(FileNotFoundError, match="gone"):
            getattr(saved, field).open()
