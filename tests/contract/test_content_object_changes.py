"""The content object of a file after its field gets another file, or its row is deleted."""

import pickle

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.forms import modelform_factory
from django.test.utils import CaptureQueriesContext

from proxy_storage.meta_backends.queries import CONTENT_OBJECT_KEYS
from tests.contract.content_objects import get_row, row_of, save_file
from tests.testapp.models import (
    Case,
    Document,
    ElsewhereDocument,
    NamedDocument,
    ScannedDocument,
)

CASE_STORAGE = "tests.testapp.storages.CaseStorage"
pytestmark = pytest.mark.usefixtures("empty_storages")


@pytest.fixture
def document(field):
    """A document with a file, as it is read from the database."""
    document = Document()
    save_file(document, field)
    return Document.objects.get(pk=document.pk)


class TestPreviousFile:
    def test_replaced_by_field_save(self, document, field):
        old = getattr(document, field).name
        new = save_file(document, field)
        assert get_row(document, field, old) is None
        assert get_row(document, field, new) == row_of(document, field)

    def test_replaced_by_assignment(self, document, field):
        old = getattr(document, field).name
        setattr(document, field, SimpleUploadedFile("new.txt", b"new"))
        document.save()
        assert get_row(document, field, old) is None
        new = getattr(document, field).name
        assert get_row(document, field, new) == row_of(document, field)

    def test_replaced_several_times_before_the_save(self, document, field):
        paths = [getattr(document, field).name]
        paths += [save_file(document, field, f"{n}.txt", save=False) for n in range(3)]
        document.save()
        *previous, last = [get_row(document, field, path) for path in paths]
        assert previous == [None] * 3
        assert last == row_of(document, field)

    @pytest.mark.parametrize("nothing", ["", None])
    def test_cleared(self, document, field, nothing):
        old = getattr(document, field).name
        setattr(document, field, nothing)
        assert get_row(document, field, old) == row_of(document, field)
        document.save()
        assert get_row(document, field, old) is None

    def test_cleared_in_a_form(self, document, field):
        old = getattr(document, field).name
        form_class = modelform_factory(Document, fields=[field])
        form_class({f"{field}-clear": "on"}, {}, instance=document).save()
        assert get_row(document, field, old) is None

    def test_cleared_and_set_again_keeps_its_content_object(self, document, field):
        old = getattr(document, field).name
        setattr(document, field, "")
        setattr(document, field, old)
        document.save()
        assert get_row(document, field, old) == row_of(document, field)

    def test_is_released_by_the_save_that_writes_the_field(self, document, field):
        old = getattr(document, field).name
        setattr(document, field, "")
        document.save(update_fields=["title"])
        assert get_row(document, field, old) == row_of(document, field)
        document.save(update_fields=[field])
        assert get_row(document, field, old) is None

    def test_replaced_while_it_was_deferred(self, document, field):
        old = getattr(document, field).name
        deferred = Document.objects.defer(field).get(pk=document.pk)
        setattr(deferred, field, SimpleUploadedFile("new.txt", b"new"))
        deferred.save()
        assert get_row(document, field, old) is None
        new = getattr(deferred, field).name
        assert get_row(document, field, new) == row_of(document, field)

    def test_cleared_while_it_was_deferred(self, document, field):
        old = getattr(document, field).name
        deferred = Document.objects.only("title").get(pk=document.pk)
        setattr(deferred, field, "")
        deferred.save()
        assert get_row(document, field, old) is None

    def test_replaced_twice_while_it_was_deferred(self, document, field):
        old = getattr(document, field).name
        deferred = Document.objects.only("title").get(pk=document.pk)
        setattr(deferred, field, "/nowhere.txt")
        new = save_file(deferred, field)
        assert get_row(document, field, old) is None
        assert get_row(document, field, new) == row_of(document, field)

    def test_deferred_and_not_read_is_not_changed(self, document, field, django_assert_num_queries):
        old = getattr(document, field).name
        deferred = Document.objects.only("title").get(pk=document.pk)
        with django_assert_num_queries(1):
            deferred.save()
        assert get_row(document, field, old) == row_of(document, field)

    def test_set_to_its_own_path_while_it_was_deferred(self, document, field):
        old = getattr(document, field).name
        other = document._meta.get_field(field).storage.save("other.txt", ContentFile(b""))
        getattr(document, field).storage.meta_backend.set_content_object(
            dict(zip(CONTENT_OBJECT_KEYS, row_of(document, field), strict=True)), other
        )
        deferred = Document.objects.defer(field).get(pk=document.pk)
        setattr(deferred, field, old)
        deferred.save()
        assert get_row(document, field, old) == row_of(document, field)
        assert get_row(document, field, other) is None

    def test_deferred_read_and_refresh_are_not_changes(self, document, field):
        deferred = Document.objects.defer(field).get(pk=document.pk)
        old = getattr(deferred, field).name
        document.refresh_from_db()
        for instance in (deferred, document):
            with CaptureQueriesContext(connection) as queries:
                instance.save()
            assert len(queries) == 1
        assert get_row(document, field, old) == row_of(document, field)

    def test_refresh_discards_a_change(self, document, field, caplog):
        old = getattr(document, field).name
        setattr(document, field, "")
        document.refresh_from_db()
        document.save()
        assert get_row(document, field, old) == row_of(document, field)
        assert caplog.text == ""

    def test_replaced_by_an_instance_with_the_key_of_an_existing_row(self, document, field):
        old = getattr(document, field).name
        by_hand = Document(pk=document.pk, **{field: SimpleUploadedFile("new.txt", b"new")})
        by_hand.save()
        assert get_row(document, field, old) is None
        new = getattr(by_hand, field).name
        assert get_row(document, field, new) == row_of(document, field)

    def test_cleared_in_a_pickled_instance(self, document, field):
        old = getattr(document, field).name
        setattr(document, field, "")
        pickle.loads(pickle.dumps(document)).save()
        assert get_row(document, field, old) is None

    def test_of_a_parent_is_cleared_through_the_child(self, field):
        child = ScannedDocument()
        old = save_file(child, field)
        child = ScannedDocument.objects.get(pk=child.pk)
        setattr(child, field, "")
        child.save()
        assert get_row(child, field, old) is None


class TestMovedFile:
    """Case has two fields with the same storage."""

    @pytest.fixture
    def case(self, settings):
        classes = {**settings.PROXY_STORAGE["PROXY_STORAGE_CLASSES"], "cases": CASE_STORAGE}
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "PROXY_STORAGE_CLASSES": classes}
        contents = {name: ContentFile(name.encode(), f"{name}.txt") for name in ("scan", "copy")}
        return Case.objects.create(**contents)

    def test_to_another_field_of_the_row(self, case, caplog):
        path, former = case.scan.name, case.copy.name
        case.copy, case.scan = case.scan, ""
        case.save()
        assert get_row(case, "copy", path) == row_of(case, "copy", Case)
        assert get_row(case, "copy", former) is None
        assert not caplog.text

    def test_by_the_first_of_two_saves_in_a_transaction(self, case):
        path = case.scan.name
        with transaction.atomic():
            case.copy, case.scan = case.scan, ""
            case.save()
            case.save()
        assert get_row(case, "copy", path) == row_of(case, "copy", Case)

    def test_two_fields_exchange_their_files(self, case):
        scan, copy = case.scan.name, case.copy.name
        case.scan, case.copy = case.copy, case.scan
        case.save()
        assert get_row(case, "copy", scan) == row_of(case, "copy", Case)
        assert get_row(case, "scan", copy) == row_of(case, "scan", Case)

    def test_to_the_same_field_changes_nothing(self, case):
        path = case.scan.name
        case.scan = case.scan
        case.save()
        assert get_row(case, "scan", path) == row_of(case, "scan", Case)

    def test_file_of_another_row_is_not_moved(self, case):
        other = Case.objects.create()
        other.scan = case.scan.name
        other.copy = other.scan
        other.save()
        assert get_row(case, "scan", case.scan.name) == row_of(case, "scan", Case)


@pytest.mark.django_db(transaction=True)
class TestDeletedRow:
    """A new row with the same key must not get the files of the deleted row."""

    def test_its_files_are_released(self, field):
        instance = NamedDocument(code="7-b")
        path = save_file(instance, field)
        NamedDocument.objects.get(code="7-b").delete()
        NamedDocument.objects.create(code="7-b")
        assert get_row(instance, field, path) is None
        assert instance._meta.get_field(field).storage.exists(path)

    def test_by_a_queryset(self, document, field):
        path = getattr(document, field).name
        Document.objects.all().delete()
        assert get_row(document, field, path) is None

    def test_by_a_cascade(self, document, field):
        path = getattr(document, field).name
        document.user = User.objects.create(username="messi")
        document.save()
        document.user.delete()
        assert get_row(document, field, path) is None

    def test_of_a_child_together_with_its_parent(self, field):
        child = ScannedDocument()
        path = save_file(child, field)
        ScannedDocument.objects.get(pk=child.pk).delete()
        assert get_row(child, field, path) is None

    def test_of_a_child_alone(self, field):
        child = ScannedDocument()
        path = save_file(child, field)
        ScannedDocument.objects.get(pk=child.pk).delete(keep_parents=True)
        assert get_row(child, field, path) == row_of(child, field)

    def test_rolled_back(self, document, field):
        path = getattr(document, field).name

        def delete_and_fail():
            with transaction.atomic():
                document.delete()
                raise RuntimeError

        pk = document.pk
        with pytest.raises(RuntimeError):
            delete_and_fail()
        document.pk = pk
        assert get_row(document, field, path) == row_of(document, field)


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_previous_file_with_a_record_in_another_database_is_released_after_the_commit():
    document = ElsewhereDocument()
    old = save_file(document, "file")
    with transaction.atomic():
        document.file = ""
        document.save()
        assert get_row(document, "file", old) is not None
    assert get_row(document, "file", old) is None


@pytest.mark.django_db(transaction=True)
class TestQueries:
    """The queries of a save, in addition to the one that writes the row."""

    def count(self, function):
        ContentType.objects.get_for_model(Document)
        with CaptureQueriesContext(connection) as queries:
            function()
        return len(queries)

    def test_unchanged_file_costs_nothing(self, document):
        document.title = "new"
        assert self.count(document.save) == 1

    def test_cleared_file_costs_one(self):
        document = Document()
        save_file(document, "orm_file")
        document.orm_file = ""
        assert self.count(document.save) == 1 + 1

    def test_new_file_costs_one(self):
        document = Document()
        save_file(document, "orm_file", save=False)
        assert self.count(document.save) == 1 + 1

    def test_replaced_file_costs_one(self):
        document = Document()
        save_file(document, "orm_file")
        save_file(document, "orm_file", save=False)
        assert self.count(document.save) == 1 + 1

    def test_path_as_text_costs_nothing(self):
        document = Document.objects.create()
        document.orm_file = "/another/row.txt"
        assert self.count(document.save) == 1
