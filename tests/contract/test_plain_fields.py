"""Content objects of the files of Django's own fields, if their storage tracks them."""

import copy
import pickle
import uuid
from contextlib import suppress

import pytest
from django.contrib.auth.models import User
from django.core import serializers
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections, models, transaction
from django.test.utils import CaptureQueriesContext, isolate_apps

from proxy_storage.content_objects import RELEASED_KEY, get_content_object_models
from proxy_storage.db.fields import assign
from proxy_storage.exceptions import ContentObjectError
from tests.contract.content_objects import get_row, row_of, save_file
from tests.contract.images import make_png
from tests.testapp.models import (
    LateTrackedDocument,
    PlainDocument,
    TrackedChild,
    TrackedDocument,
    TrackedKeyedDocument,
    TrackedPicture,
    TrackedProxy,
    get_orm_relative_storage,
)

pytestmark = pytest.mark.usefixtures("empty_storages")


@pytest.fixture(autouse=True)
def run_callbacks(request, django_capture_on_commit_callbacks):
    """Write the records in MongoDB, which wait for the commit."""
    if request.node.get_closest_marker("django_db"):
        yield
        return
    with django_capture_on_commit_callbacks(execute=True):
        yield


@pytest.fixture
def field(db):
    """Return the name of a field whose records are in the same transaction as the row.

    `test_records_in_mongodb` has the other meta backend.
    """
    return "orm_file"


@pytest.fixture
def document(field):
    document = TrackedDocument()
    save_file(document, field, "first.txt")
    return document


def reread(document):
    return type(document).objects.get(pk=document.pk)


def owned(document, path, field="orm_file", model=TrackedDocument):
    """Return whether the record of a path names a document and field."""
    return get_row(document, field, path) == row_of(document, field, model)


class TestSave:
    @pytest.mark.parametrize("how", ["field", "create", "assigned"])
    def test_file_gets_its_row(self, how):
        file = SimpleUploadedFile("My letter.txt", b"Dear Anna")
        document = TrackedDocument()
        if how == "field":
            document.orm_file.save(file.name, file)
        elif how == "create":
            document = TrackedDocument.objects.create(orm_file=file)
        else:
            document.save()
            document.orm_file = file
            document.save()
        path = document.orm_file.name
        record = get_orm_relative_storage().meta_backend.get(path)
        assert path.startswith("t/")
        assert owned(document, path)
        assert record.get_content_object() == document

    @pytest.mark.parametrize("model", [TrackedChild, TrackedProxy])
    def test_row_is_of_the_model_that_declares_the_field(self, model):
        document = model()
        path = save_file(document, "orm_file")
        assert owned(document, path)
        new = save_file(reread(document), "orm_file", "new.txt")
        assert get_row(document, "orm_file", path) is None
        assert owned(document, new)
        document.delete()
        assert get_row(document, "orm_file", new) is None

    def test_field_of_an_abstract_model(self):
        document = TrackedKeyedDocument()
        path = save_file(document, "orm_file")
        type_id, key, _name = row_of(document, "orm_file", TrackedKeyedDocument)
        assert get_row(document, "orm_file", path) == (type_id, key, "orm_file")
        assert isinstance(key, uuid.UUID)

    def test_field_that_was_added_to_the_class(self):
        document = LateTrackedDocument()
        first = save_file(document, "orm_file")
        second = save_file(reread(document), "orm_file", "second.txt")
        assert get_row(document, "orm_file", first) is None
        assert owned(document, second, model=LateTrackedDocument)

    def test_image(self):
        picture = TrackedPicture()
        picture.orm_file.save("a.png", ContentFile(make_png(3, 2), "a.png"))
        first = picture.orm_file.name
        assert owned(picture, first, model=TrackedPicture)
        picture = reread(picture)
        picture.orm_file = ContentFile(make_png(4, 5), "b.png")
        picture.save()
        picture.refresh_from_db()
        assert (picture.width, picture.height) == (4, 5)
        assert owned(picture, picture.orm_file.name, model=TrackedPicture)
        assert get_row(picture, "orm_file", first) is None

    def test_bulk_create_waits_for_a_save(self):
        TrackedDocument.objects.bulk_create(
            [TrackedDocument(orm_file=ContentFile(b"1", "bulk.txt"))]
        )
        document = TrackedDocument.objects.get()
        document.save()
        assert get_row(document, "orm_file", document.orm_file.name) is None


def test_records_in_mongodb(mongodb_uri, db, django_capture_on_commit_callbacks):
    document = TrackedDocument()
    with django_capture_on_commit_callbacks(execute=True):
        first = save_file(document, "mongo_file", "first.txt")
    assert owned(document, first, "mongo_file")
    with django_capture_on_commit_callbacks(execute=True):
        second = save_file(reread(document), "mongo_file", "second.txt")
    assert get_row(document, "mongo_file", first) is None
    assert owned(document, second, "mongo_file")
    with django_capture_on_commit_callbacks(execute=True):
        document.delete()
    assert get_row(document, "mongo_file", second) is None


class TestQueries:
    @pytest.fixture(params=["saved", "read", "refreshed", "deferred", "copied", "pickled"])
    def unchanged(self, request, document):
        if request.param == "refreshed":
            document.refresh_from_db()
        elif request.param == "deferred":
            document = TrackedDocument.objects.only("title").get()
            assert document.orm_file
        elif request.param != "saved":
            document = reread(document)
        if request.param == "copied":
            return copy.deepcopy(document)
        return pickle.loads(pickle.dumps(document)) if request.param == "pickled" else document

    def test_unchanged_file_costs_nothing(self, unchanged, django_assert_num_queries, caplog):
        with django_assert_num_queries(1):
            unchanged.save()
        assert owned(unchanged, unchanged.orm_file.name)
        assert caplog.text == ""

    def test_new_file_costs_one_query(self, unchanged, django_assert_num_queries):
        former = unchanged.orm_file.name
        unchanged.orm_file.save("new.txt", ContentFile(b"new"), save=False)
        with django_assert_num_queries(1 + 1):
            unchanged.save()
        assert owned(unchanged, unchanged.orm_file.name)
        assert get_row(unchanged, "orm_file", former) is None
        with django_assert_num_queries(1):
            unchanged.save()

    def test_path_of_a_file_that_was_not_read(self, document, django_assert_num_queries, caplog):
        """Django 6.1 assigns the paths of deferred fields as text with ``FETCH_PEERS``."""
        path = document.orm_file.name
        deferred = TrackedDocument.objects.only("title").get()
        deferred.orm_file = path
        with django_assert_num_queries(1 + 1):
            deferred.save()
        assert owned(document, path)
        assert caplog.text == ""
        with django_assert_num_queries(1):
            deferred.save()

    def test_row_without_file_costs_nothing(self, db, django_assert_num_queries):
        with django_assert_num_queries(1):
            document = TrackedDocument.objects.create()
        with django_assert_num_queries(1):
            document.save()


class TestRelease:
    @pytest.mark.parametrize("value", ["", None, "text", "upload"])
    @pytest.mark.parametrize("how", ["saved", "read", "deferred", "only"])
    def test_former_file(self, document, how, value):
        path = document.orm_file.name
        if how == "read":
            document = reread(document)
        elif how == "deferred":
            document = TrackedDocument.objects.defer("orm_file").get()
        elif how == "only":
            document = TrackedDocument.objects.only("pk").get()
            assert document.orm_file
        if value == "text":
            value = get_orm_relative_storage().save("other.txt", ContentFile(b"other"))
        elif value == "upload":
            value = ContentFile(b"other", "other.txt")
        document.orm_file = value
        document.save()
        record = get_orm_relative_storage().meta_backend.get(path)
        assert record["object_id"] is None
        assert record[RELEASED_KEY] is not None
        assert record["former_object_id"] == str(document.pk)
        new = document.orm_file.name
        if new:
            assert owned(document, new) is isinstance(value, ContentFile)

    def test_of_a_deleted_row_and_queryset(self, document, field):
        path = document.orm_file.name
        TrackedDocument.objects.all().delete()
        assert get_row(document, field, path) is None

    def test_of_a_field_that_is_not_updated_waits(self, document, field):
        path = document.orm_file.name
        document.orm_file = ""
        document.save(update_fields=["title"])
        assert owned(document, path)
        document.save()
        assert get_row(document, field, path) is None

    def test_of_a_field_that_was_not_read_is_kept(self, document, django_assert_num_queries):
        deferred = TrackedDocument.objects.only("title").get()
        with django_assert_num_queries(1):
            deferred.save()
        assert owned(document, document.orm_file.name)

    def test_file_that_is_deleted_by_the_field(self, document):
        path = document.orm_file.name
        document.orm_file.delete()
        assert not get_orm_relative_storage().exists(path)
        assert not reread(document).orm_file

    def test_discarded_change_releases_nothing(self, document, caplog):
        path = document.orm_file.name
        document.orm_file.save("new.txt", ContentFile(b"new"), save=False)
        discarded = document.orm_file.name
        document.refresh_from_db()
        document.save()
        assert owned(document, path)
        assert get_row(document, "orm_file", discarded) is None
        assert caplog.text == ""

    def test_refresh_of_another_field_keeps_the_change(self, document):
        path = document.orm_file.name
        document.orm_file.save("new.txt", ContentFile(b"new"), save=False)
        document.refresh_from_db(fields=["title"])
        document.save()
        assert owned(document, document.orm_file.name)
        assert get_row(document, "orm_file", path) is None

    def test_two_new_files_before_a_save(self, document):
        path = document.orm_file.name
        first = save_file(document, "orm_file", "a.txt", save=False)
        second = save_file(document, "orm_file", "b.txt", save=False)
        document.save()
        assert [get_row(document, "orm_file", name) for name in (path, first)] == [None, None]
        assert owned(document, second)

    def test_file_that_moves_to_another_field(self, document):
        path = document.orm_file.name
        document.orm_copy, document.orm_file = document.orm_file, ""
        document.save()
        assert get_row(document, "orm_copy", path) == row_of(document, "orm_copy", TrackedDocument)

    def test_stale_copy_writes_a_former_path_back(self, document):
        stale = reread(document)
        save_file(document, "orm_file", "new.txt")
        stale.save()
        assert owned(document, stale.orm_file.name)


class TestOtherRows:
    def test_path_as_text_changes_nothing(self, document, caplog):
        path = document.orm_file.name
        TrackedDocument.objects.create(orm_file=path)
        assert "as text" in caplog.text
        other = TrackedDocument.objects.create()
        other.orm_file = path
        other.save()
        other.orm_file = ""
        other.save()
        other.orm_file = document.orm_file
        other.save()
        other.delete()
        assert owned(document, path)

    def test_file_of_the_storage_gets_no_row(self, caplog):
        path = get_orm_relative_storage().save("a.txt", ContentFile(b"a"))
        document = TrackedDocument.objects.create(orm_file=path)
        assert get_row(document, "orm_file", path) is None
        assert "proxy_storage.db.fields.assign()" in caplog.text

    def test_copied_row_does_not_take_the_file(self, document):
        path, key = document.orm_file.name, document.pk
        document.pk, document._state.adding = None, True
        document.save()
        assert document.pk != key
        document.delete()
        assert owned(TrackedDocument(pk=key), path)

    def test_row_with_a_key_by_hand_releases_the_files_of_the_key(self):
        path = save_file(TrackedDocument(pk=7), "orm_file")
        document = TrackedDocument(pk=7)
        new = save_file(document, "orm_file", "new.txt")
        assert get_row(document, "orm_file", path) is None
        assert owned(document, new)

    def test_key_that_is_used_again(self):
        former = TrackedDocument(pk=7)
        old = save_file(former, "orm_file")
        TrackedDocument.objects.all()._raw_delete("default")
        document = TrackedDocument(pk=7)
        new = save_file(document, "orm_file", "new.txt")
        assert get_row(document, "orm_file", old) is None
        assert owned(document, new)

    def test_later_file_of_the_same_path(self, document):
        """A deleted file's path belongs to the next row that is saved with it."""
        stale = TrackedDocument(orm_file=ContentFile(b"1", "taken.txt"))
        stale.orm_file.save("taken.txt", ContentFile(b"1"), save=False)
        path = stale.orm_file.name
        get_orm_relative_storage().delete(path)
        other = TrackedDocument()
        assert save_file(other, "orm_file", "taken.txt") == path
        stale.save()
        assert owned(other, path)


class TestAssign:
    def test_path_as_text(self, document):
        former = document.orm_file.name
        path = get_orm_relative_storage().save("a.txt", ContentFile(b"a"))
        document.orm_file = path
        document.save()
        assign(document.orm_file)
        assert owned(document, path)
        assert get_row(document, "orm_file", former) is None

    def test_file_of_another_row_is_refused(self, document):
        other = TrackedDocument.objects.create(orm_file=document.orm_file.name)
        with pytest.raises(ContentObjectError, match="another content object"):
            assign(other.orm_file)
        assert owned(document, document.orm_file.name)

    def test_field_without_content_objects_is_refused(self, db):
        document = PlainDocument()
        save_file(document, "orm_file")
        with pytest.raises(ContentObjectError, match="tracks_plain_fields"):
            assign(document.orm_file)


class TestFixtures:
    def load(self, fixture):
        for item in serializers.deserialize("json", fixture):
            item.save()

    def test_existing_row(self, document):
        first = document.orm_file.name
        fixture = serializers.serialize("json", [document])
        second = save_file(document, "orm_file", "second.txt")
        self.load(fixture)
        assert reread(document).orm_file.name == first
        assert get_row(document, "orm_file", second) is None

    def test_new_row_changes_nothing(self, document):
        path = document.orm_file.name
        fixture = serializers.serialize("json", [document])
        document.delete()
        self.load(fixture)
        assert TrackedDocument.objects.get().orm_file.name == path
        assert get_row(document, "orm_file", path) is None


@pytest.mark.django_db(transaction=True)
class TestTransactions:
    def test_save_is_repeated_after_a_rollback(self):
        document = TrackedDocument()
        first = save_file(document, "orm_file", "first.txt")
        with suppress(RuntimeError), transaction.atomic():
            save_file(document, "orm_file", "second.txt")
            raise RuntimeError
        assert owned(document, first)
        document.save()
        assert owned(document, document.orm_file.name)
        assert document.orm_file.name != first
        assert get_row(document, "orm_file", first) is None
        with reread(document).orm_file.open() as file:
            assert file.read() == b"world"

    def test_refresh_after_a_rollback(self):
        document = TrackedDocument()
        first = save_file(document, "orm_file", "first.txt")
        with suppress(RuntimeError), transaction.atomic():
            save_file(document, "orm_file", "second.txt")
            raise RuntimeError
        document.refresh_from_db()
        with CaptureQueriesContext(connections["default"]) as queries:
            document.save()
        assert len(queries) == 1
        assert owned(document, first)

    def test_two_saves_of_one_transaction(self):
        document = TrackedDocument()
        with transaction.atomic():
            paths = [save_file(document, "orm_file", name) for name in ("a.txt", "b.txt", "c.txt")]
        assert [get_row(document, "orm_file", path) for path in paths[:2]] == [None, None]
        assert owned(document, paths[2])

    def test_new_row_is_saved_again_after_a_rollback(self):
        document = TrackedDocument(pk=1_000_000)
        with suppress(RuntimeError), transaction.atomic():
            save_file(document, "orm_file")
            raise RuntimeError
        other = TrackedDocument()
        path = save_file(other, "orm_file")
        document.save()
        assert owned(other, path)
        assert owned(document, document.orm_file.name)
        assert document.orm_file.name != path


@pytest.mark.django_db(databases=["default", "other"])
def test_rows_of_two_databases():
    first, second = LateTrackedDocument(pk=5), LateTrackedDocument(pk=5)
    path = save_file(first, "orm_file", save=False)
    first.save(using="default")
    other = save_file(second, "orm_file", "other.txt", save=False)
    second.save(using="other")
    backend = get_orm_relative_storage().meta_backend
    assert [backend.get(name)["content_object_scope"] for name in (path, other)] == [None, "other"]
    second.delete(using="other")
    assert backend.get(path)["object_id"] == 5


@pytest.mark.django_db(transaction=True)
@isolate_apps("tests.testapp")
def test_model_that_is_made_later():
    class Note(models.Model):
        class Meta:
            app_label = "testapp"

    Note.add_to_class("orm_file", models.FileField(storage=get_orm_relative_storage))

    class LongNote(Note):
        class Meta:
            app_label = "testapp"

    with connections["default"].schema_editor() as editor:
        editor.create_model(Note)
        editor.create_model(LongNote)
    try:
        note = LongNote()
        first = save_file(note, "orm_file")
        second = save_file(LongNote.objects.get(), "orm_file", "second.txt")
        assert get_row(note, "orm_file", first) is None
        # The key is text, because the model of the content type is not installed.
        type_id, key, name = row_of(note, "orm_file", Note)
        assert get_row(note, "orm_file", second) == (type_id, str(key), name)
        Note.objects.all().delete()
        assert get_row(note, "orm_file", second) is None
    finally:
        with connections["default"].schema_editor() as editor:
            editor.delete_model(LongNote)
            editor.delete_model(Note)


def test_models_of_tracked_fields_are_content_objects():
    models = get_content_object_models()
    assert {TrackedDocument, TrackedKeyedDocument, LateTrackedDocument, TrackedPicture} <= {*models}
    assert not {TrackedChild, TrackedProxy, PlainDocument, User} & {*models}
