"""Django's contract of file fields in rows: defaults, deferred fields, image sizes."""

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
        """Return the path of the default file."""
        model_field = DiskDocument._meta.get_field(field)
        path = model_field.storage.save("blank.txt", ContentFile(b"blank"))
        model_field.storage.meta_backend.update(path, {"path": model_field.default})
        return model_field.default

    def test_all_instances_have_the_default_file(self, field, blank):
        for document in (DiskDocument(), DiskDocument.objects.create()):
            with getattr(document, field).open() as file:
                assert file.name == blank
                assert file.read() == b"blank"

    def test_default_file_has_no_content_object_and_is_kept(
        self, field, blank, django_capture_on_commit_callbacks
    ):
        document = DiskDocument.objects.create()
        document.save()
        assert get_row(DiskDocument, field, getattr(document, field).name) is None
        with django_capture_on_commit_callbacks(execute=True):
            document.delete()
        assert getattr(DiskDocument(), field).size == 5

    def test_default_file_can_be_replaced(self, field, blank):
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
    def test_save_keeps_the_content_object(self, deferred, document, field, is_read):
        if is_read:
            assert getattr(deferred, field)
        deferred.save()
        saved = getattr(DiskDocument.objects.get(), field)
        assert saved == getattr(document, field)
        assert get_row(DiskDocument, field, saved.name) == row_of(document, field, DiskDocument)

    def test_replaced_file_loses_its_content_object(self, deferred, document, field):
        old = getattr(document, field).name
        getattr(deferred, field).save("new.txt", ContentFile(b"new"))
        new = getattr(DiskDocument.objects.get(), field)
        assert get_row(DiskDocument, field, new.name) == row_of(document, field, DiskDocument)
        assert get_row(DiskDocument, field, old) is None

    def test_unread_file_is_replaced(self, deferred, document, field):
        old = getattr(document, field).name
        setattr(deferred, field, ContentFile(b"new", name="new.txt"))
        deferred.save()
        new = getattr(DiskDocument.objects.get(), field)
        assert new.name != old
        assert get_row(DiskDocument, field, new.name) == row_of(document, field, DiskDocument)
        assert get_row(DiskDocument, field, old) is None

    def test_unread_file_is_cleared(self, deferred, document, field):
        file = getattr(document, field)
        setattr(deferred, field, "")
        deferred.save()
        assert not getattr(DiskDocument.objects.get(), field)
        assert get_row(DiskDocument, field, file.name) is None


class TestRefreshFromDb:
    def test_refresh_discards_an_unsaved_change(self, document, field, caplog):
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
    def test_discarded_file_gets_no_content_object(self, document, field, fields, caplog):
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

    def test_refresh_loads_a_change_of_another_instance(self, document, field):
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

    def test_image_has_its_size_and_content_object(self, field):
        picture = Picture(**{field: make_image(3, 2)})
        picture.save()
        image = getattr(Picture.objects.get(), field)
        assert (image.width, image.height) == (3, 2)
        assert image.closed
        assert get_row(Picture, field, image.name) == row_of(picture, field, Picture)

    def test_image_of_another_row_has_no_size(self):
        """Its path can be assigned, but the image cannot be read."""
        picture = Picture.objects.create(orm_image=make_image(3, 2))
        other = Picture(orm_image=picture.orm_image.name)
        assert (other.width, other.height) == (None, None)
        other = Picture.objects.create(orm_image=make_image(4, 5))
        other.orm_image = picture.orm_image
        assert (other.width, other.height) == (None, None)

    def test_missing_image_raises_file_not_found(self):
        with pytest.raises(FileNotFoundError):
            Picture(orm_image="/missing.png")

    def test_size_fields_of_the_row_are_updated(self, django_assert_num_queries):
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

    def test_replaced_image_loses_its_content_object(self, field):
        picture = Picture()
        getattr(picture, field).save("a.png", make_image(3, 2))
        old = getattr(picture, field).name
        setattr(picture, field, make_image(4, 5))
        picture.save()
        image = getattr(picture, field)
        assert (image.width, image.height) == (4, 5)
        assert get_row(Picture, field, image.name) == row_of(picture, field, Picture)
        assert get_row(Picture, field, old) is None

    def test_row_of_a_missing_image_can_be_saved(self, field):
        picture = Picture()
        getattr(picture, field).save("a.png", make_image(3, 2))
        Path(getattr(picture, field).path).unlink()
        saved = Picture.objects.get()
        saved.title = "lost"
        saved.save()
        with pytest.raises(FileNotFoundError, match="missing"):
            getattr(saved, field).open()
