"""Content objects after saves of instances with a given key, fixtures and stale copies."""

import copy
from contextlib import suppress

import pytest
from django.contrib.auth.models import User
from django.core import serializers
from django.core.files.base import ContentFile
from django.db import transaction

from proxy_storage.exceptions import ContentObjectError, MetaBackendUnavailable
from tests.contract.content_objects import get_row, row_of, save_file
from tests.testapp.models import (
    Document,
    KeyedDocument,
    LateChild,
    LateDocument,
    LateProxy,
    NamedDocument,
    ScannedDocument,
)

pytestmark = pytest.mark.usefixtures("empty_storages")


@pytest.fixture
def replaced(field):
    """A document whose file was replaced, and the paths of both files."""
    document = Document()
    first = save_file(document, field, "first.txt")
    second = save_file(document, field, "second.txt")
    return document, first, second


class TestFieldOfAFinishedClass:
    @pytest.mark.parametrize("model", [LateDocument, LateChild, LateProxy])
    @pytest.mark.django_db(transaction=True)
    def test_writes_and_releases_the_content_object(self, field, model):
        document = model()
        first = save_file(document, field)
        assert get_row(document, field, first) == row_of(document, field, LateDocument)
        second = save_file(document, field, "second.txt")
        assert get_row(document, field, first) is None
        document.delete()
        assert get_row(document, field, second) is None


class TestReusedKey:
    """The files of rows that were deleted without a signal do not belong to later rows."""

    def test_new_row_has_only_the_file_that_it_is_saved_with(self, field):
        former = Document(pk=7)
        old = save_file(former, field)
        Document.objects.all()._raw_delete("default")
        document = Document(pk=7)
        new = save_file(document, field, "new.txt")
        assert get_row(document, field, old) is None
        assert get_row(document, field, new) == row_of(document, field)

    def test_new_row_with_a_key_that_the_database_has_chosen(self, field):
        former = Document()
        old = save_file(former, field)
        Document.objects.all()._raw_delete("default")
        document = Document(pk=None)
        save_file(document, field, "new.txt", save=False)
        document.pk = former.pk
        document.save(force_insert=True)
        assert get_row(document, field, old) is None

    @pytest.mark.parametrize("value", ["", None, "/text.txt"])
    def test_new_row_without_an_own_file(self, field, value):
        old = save_file(NamedDocument(code="7-b"), field)
        NamedDocument.objects.all()._raw_delete("default")
        document = NamedDocument.objects.create(code="7-b", **{field: value})
        assert get_row(document, field, old) is None

    def test_new_row_that_names_the_former_file(self, field):
        """A row that is restored manually keeps the file that it names."""
        document = NamedDocument(code="7-b")
        path = save_file(document, field)
        NamedDocument.objects.all()._raw_delete("default")
        NamedDocument.objects.create(code="7-b", **{field: path})
        assert get_row(document, field, path) == row_of(document, field, NamedDocument)

    def test_costs_no_query_with_a_key_by_default(self, field, django_assert_num_queries):
        with django_assert_num_queries(1):
            KeyedDocument.objects.create()
        with django_assert_num_queries(1):
            Document.objects.create()

    def test_new_row_gets_its_file_by_a_second_save(self, field):
        former = NamedDocument(code="7-b")
        old = save_file(former, field)
        NamedDocument.objects.all()._raw_delete("default")
        document = Document()
        document.save()
        release = document._meta.get_field(field).storage.meta_backend
        # The database has chosen the same key again.
        release.update(old, {"content_type_id": row_of(document, field)[0]})
        release.update(old, {"object_id": document.pk})
        new = save_file(document, field, "new.txt")
        assert get_row(document, field, old) is None
        assert get_row(document, field, new) == row_of(document, field)

    def test_second_save_costs_one_query(self, django_assert_num_queries):
        document = Document.objects.create()
        with django_assert_num_queries(1):
            document.save()
        save_file(document, "orm_file", save=False)
        with django_assert_num_queries(1 + 1):
            document.save()
        with django_assert_num_queries(1):
            document.save()

    def test_row_that_is_created_again_after_a_rollback(self, field):
        old = save_file(NamedDocument(code="7-b"), field)
        NamedDocument.objects.all()._raw_delete("default")
        document = NamedDocument(code="7-b")
        with suppress(RuntimeError), transaction.atomic():
            document.save()
            raise RuntimeError
        document.save()
        assert get_row(document, field, old) is None


class TestInstanceWithTheKeyOfAnExistingRow:
    def test_saved_again_after_a_rollback(self, replaced, field):
        document, first, second = replaced
        created = Document(pk=document.pk, **{field: first})
        with suppress(RuntimeError), transaction.atomic():
            created.save()
            raise RuntimeError
        created.save()
        assert get_row(document, field, second) is None

    def test_field_that_is_saved_later(self, replaced, field):
        document, _, second = replaced
        created = Document(pk=document.pk, title="new")
        created.save(force_update=True, update_fields=["title"])
        created.save()
        assert get_row(document, field, second) is None

    def test_parent_that_becomes_a_child_without_its_file(self, field):
        document = Document()
        path = save_file(document, field)
        child = ScannedDocument(document_ptr_id=document.pk)
        child.__dict__.update(document.__dict__)
        setattr(child, field, "")
        child.save()
        assert get_row(document, field, path) is None

    def test_former_path(self, replaced, field):
        document, first, second = replaced
        Document(pk=document.pk, **{field: first}).save()
        assert get_row(document, field, second) is None

    def test_path_of_the_row_keeps_its_content_object(self, replaced, field):
        document, _, second = replaced
        Document(pk=document.pk, title="reverted", **{field: second}).save()
        assert get_row(document, field, second) == row_of(document, field)

    def test_cleared(self, replaced, field):
        document, _, second = replaced
        Document(pk=document.pk).save()
        assert get_row(document, field, second) is None

    def test_update_fields_do_not_change_other_fields(self, replaced, field):
        document, _, second = replaced
        created = Document(pk=document.pk, title="new")
        created.save(force_update=True, update_fields=["title"])
        assert get_row(document, field, second) == row_of(document, field)

    def test_key_by_default(self, field):
        document = KeyedDocument()
        path = save_file(document, field)
        KeyedDocument(pk=document.pk).save(force_update=True)
        assert get_row(document, field, path) is None

    def test_child(self, field):
        child = ScannedDocument()
        path = save_file(child, field)
        ScannedDocument(pk=child.pk, document_ptr_id=child.pk).save()
        assert get_row(child, field, path) is None

    def test_second_save_of_the_same_instance(self, replaced, field, django_assert_num_queries):
        document, _, second = replaced
        created = Document(pk=document.pk, **{field: second})
        created.save()
        with django_assert_num_queries(1):
            created.save()


@pytest.mark.django_db(transaction=True)
class TestRawSave:
    def test_releases_the_file_that_the_row_no_longer_names(self, field):
        document = Document()
        first = save_file(document, field, "first.txt")
        fixture = serializers.serialize("json", [document])
        second = save_file(document, field, "second.txt")
        for item in serializers.deserialize("json", fixture):
            item.save()
        assert get_row(document, field, second) is None
        getattr(Document.objects.get(pk=document.pk), field).assign()
        assert get_row(document, field, first) == row_of(document, field)

    def test_of_a_child_does_not_release_files_of_its_parent(self, field):
        child = ScannedDocument()
        path = save_file(child, field)
        parent = Document.objects.get(pk=child.pk)
        ScannedDocument(document_ptr=parent, pages=2).save_base(raw=True)
        assert get_row(parent, field, path) == row_of(parent, field)

    def test_new_file_is_assigned_by_the_next_save(self, field):
        document = Document()
        path = save_file(document, field, save=False)
        document.save_base(raw=True)
        assert get_row(document, field, path) is None
        document.save()
        assert get_row(document, field, path) == row_of(document, field)

    def test_succeeds_if_records_cannot_be_written(self, field, monkeypatch, caplog):
        document = Document()
        path = save_file(document, field)

        def fail(*args):
            raise MetaBackendUnavailable("gone")

        monkeypatch.setattr(
            getattr(document, field).storage.meta_backend, "set_content_object", fail
        )
        Document(pk=document.pk, title="raw").save_base(raw=True)
        assert Document.objects.get(pk=document.pk).title == "raw"
        assert "gone" in caplog.text
        assert get_row(document, field, path) == row_of(document, field)


class TestStaleCopy:
    @pytest.mark.parametrize("name", ["third.txt", None])
    def test_releases_the_file_of_the_other_copy(self, field, name):
        document = Document()
        save_file(document, field, "first.txt")
        stale = Document.objects.get(pk=document.pk)
        second = save_file(document, field, "second.txt")
        setattr(stale, field, name and ContentFile(b"third", name))
        stale.save()
        assert get_row(document, field, second) is None

    def test_its_file_can_be_assigned_to_a_later_copy(self, field):
        document = Document()
        first = save_file(document, field, "first.txt")
        stale = Document.objects.get(pk=document.pk)
        second = save_file(document, field, "second.txt")
        later = Document.objects.get(pk=document.pk)
        setattr(later, field, getattr(stale, field))
        later.save()
        assert get_row(document, field, second) is None
        getattr(later, field).assign()
        assert get_row(document, field, first) == row_of(document, field)

    def test_is_assigned_the_file_that_it_writes_into_the_row(self, field):
        document = Document()
        first = save_file(document, field, "first.txt")
        stale = Document.objects.get(pk=document.pk)
        second = save_file(document, field, "second.txt")
        stale.save()
        assert get_row(document, field, first) == row_of(document, field)
        assert get_row(document, field, second) is None

    def test_is_assigned_its_file_after_a_save_with_a_given_key(self, field):
        document = Document()
        first = save_file(document, field, "first.txt")
        stale = Document.objects.get(pk=document.pk)
        replaced = Document(pk=document.pk)
        second = save_file(replaced, field, "second.txt")
        stale.save()
        assert get_row(document, field, first) == row_of(document, field)
        assert get_row(document, field, second) is None

    def test_is_assigned_its_file_after_another_stale_copy(self, field):
        document = Document()
        paths = [save_file(document, field, "first.txt")]
        stale = [Document.objects.get(pk=document.pk)]
        paths.append(save_file(document, field, "second.txt"))
        stale.append(Document.objects.get(pk=document.pk))
        save_file(document, field, "third.txt")
        for copy_of_it, path in zip(stale, paths, strict=True):
            copy_of_it.save()
            assert get_row(document, field, path) == row_of(document, field)
        assert get_row(document, field, paths[0]) is None

    def test_is_not_assigned_a_file_of_another_row(self, field):
        document, other = Document(), Document()
        first = save_file(document, field, "first.txt")
        stale = Document.objects.get(pk=document.pk)
        save_file(document, field, "second.txt")
        other.save()
        setattr(other, field, first)
        other.save()
        getattr(other, field).assign()
        stale.save()
        assert get_row(document, field, first) == row_of(other, field)

    def test_is_not_assigned_a_later_file_with_the_same_path(self, field):
        document = Document()
        first = save_file(document, field, "first.txt")
        stale = Document.objects.get(pk=document.pk)
        storage = getattr(document, field).storage
        setattr(document, field, "")
        document.save()
        storage.delete(first)
        assert storage.save("first.txt", ContentFile(b"another's")) == first
        stale.save()
        assert get_row(document, field, first) is None

    def test_instance_that_was_read_after_the_release_costs_nothing(
        self, field, django_assert_num_queries
    ):
        document = Document()
        first = save_file(document, field, "first.txt")
        save_file(document, field, "second.txt")
        Document.objects.filter(pk=document.pk).update(**{field: first})
        for instance in (Document.objects.get(pk=document.pk), document):
            instance.refresh_from_db()
            with django_assert_num_queries(1):
                instance.save()


class TestAssign:
    def test_releases_other_files_of_the_field(self, field):
        document = Document()
        first = save_file(document, field, "first.txt")
        second = getattr(document, field).storage.save("second.txt", ContentFile(b"2"))
        Document.objects.filter(pk=document.pk).update(**{field: second})
        getattr(Document.objects.get(pk=document.pk), field).assign()
        assert get_row(document, field, first) is None
        assert get_row(document, field, second) == row_of(document, field)

    def test_refused_file_releases_nothing(self, field):
        document, other = Document(), Document()
        own = save_file(document, field)
        setattr(document, field, save_file(other, field))
        with pytest.raises(ContentObjectError):
            getattr(document, field).assign()
        assert get_row(other, field, getattr(other, field).name) == row_of(other, field)
        assert get_row(document, field, own) is None or own


class TestDeleteThroughAField:
    @pytest.fixture
    def document(self, field):
        document = Document(user=User.objects.create_user("messi"))
        save_file(document, field)
        return document

    def check_can_be_read(self, document, field):
        with getattr(Document.objects.get(pk=document.pk), field).open() as file:
            assert file.read() == b"world"

    @pytest.mark.parametrize("is_saved", [True, False])
    def test_of_a_copied_row(self, document, field, is_saved, caplog):
        duplicate = Document.objects.get(pk=document.pk)
        duplicate.pk, duplicate._state.adding = None, True
        if is_saved:
            duplicate.save()
        getattr(duplicate, field).delete(save=is_saved)
        self.check_can_be_read(document, field)
        assert not getattr(duplicate, field)
        assert "belongs to another row" in caplog.text

    def test_of_a_path_as_text(self, document, field):
        other = Document.objects.create(**{field: getattr(document, field).name})
        getattr(other, field).delete()
        self.check_can_be_read(document, field)
        assert not getattr(Document.objects.get(pk=other.pk), field)

    def test_of_another_field_of_the_same_row(self, document, field):
        storage = getattr(document, field).storage
        other = copy.copy(getattr(document, field))
        other.field = copy.copy(other.field)
        other.field.name = "other"
        other.delete(save=False)
        assert storage.exists(Document.objects.values_list(field, flat=True).get(pk=document.pk))

    def test_of_its_own_row(self, document, field):
        storage, path = getattr(document, field).storage, getattr(document, field).name
        getattr(document, field).open()
        getattr(document, field).delete()
        assert not storage.exists(path)
        assert not getattr(Document.objects.get(pk=document.pk), field)

    def test_of_a_file_that_is_gone(self, document, field):
        file = getattr(document, field)
        file.storage.delete(file.name)
        file.delete()
        assert not getattr(Document.objects.get(pk=document.pk), field)

    def test_by_the_same_object_again(self, document, field):
        file = getattr(document, field)
        file.delete(save=False)
        file.name = save_file(Document(), field, save=False)
        file.delete()
        assert not getattr(Document.objects.get(pk=document.pk), field)

    def test_of_a_file_without_content_object(self, field):
        document = Document()
        path = save_file(document, field, save=False)
        getattr(document, field).delete(save=False)
        assert not document._meta.get_field(field).storage.exists(path)

    def test_of_a_file_that_gets_a_content_object_at_this_moment(self, field, monkeypatch):
        """The content object is compared again when the record is deleted."""
        document, other = Document(), Document.objects.create()
        path = save_file(document, field, save=False)
        storage = getattr(document, field).storage
        delete_record = type(storage).delete_record

        def delete_later(self, record, where):
            setattr(other, field, path)
            getattr(other, field).assign()
            delete_record(self, record, where)

        monkeypatch.setattr(type(storage), "delete_record", delete_later)
        getattr(document, field).delete(save=False)
        assert storage.exists(path)
        assert get_row(document, field, path) == row_of(other, field)


class TestOpenThroughAField:
    @pytest.fixture
    def document(self, field):
        document = Document()
        save_file(document, field)
        return document

    @pytest.mark.parametrize("how", ["open", "file", "read", "chunks", "text"])
    def test_of_another_row_is_refused(self, document, field, how):
        other = Document.objects.create(**{field: getattr(document, field).name})
        file = getattr(other, field)
        actions = {
            "open": lambda: file.open(),
            "file": lambda: file.file,
            "read": lambda: file.read(),
            "chunks": lambda: list(file.chunks()),
            "text": lambda: file.open("r"),
        }
        with pytest.raises(FileNotFoundError, match="belongs to another row"):
            actions[how]()

    def test_of_an_unsaved_instance_is_refused(self, document, field):
        other = Document(**{field: getattr(document, field).name})
        with pytest.raises(FileNotFoundError, match="belongs to another row"):
            getattr(other, field).open()

    def test_of_its_own_row(self, document, field, django_assert_num_queries):
        file = getattr(Document.objects.get(pk=document.pk), field)
        with django_assert_num_queries(1 if field == "orm_file" else 0), file.open() as opened:
            assert opened.read() == b"world"
        assert file.closed
        with file.open() as opened:
            assert opened.read() == b"world"

    def test_by_another_field_of_the_same_row(self, document, field):
        storage = getattr(document, field).storage
        file = copy.copy(getattr(document, field))
        file.field = copy.copy(file.field)
        file.field.name = "other"
        assert file.storage is storage
        with file.open() as opened:
            assert opened.read() == b"world"

    def test_of_a_file_without_content_object(self, field):
        document = Document()
        path = save_file(document, field, save=False)
        other = Document(**{field: path})
        with getattr(other, field).open() as file:
            assert file.read() == b"world"

    def test_overridden_open_of_the_storage_is_used(self, document, field, monkeypatch):
        """The ``_open()`` of a project may decrypt files."""
        storage = getattr(document, field).storage

        def open_by_name(self, name, mode="rb"):
            return ContentFile(f"opened {mode}".encode())

        monkeypatch.setattr(type(storage), "_open", open_by_name)
        file = getattr(Document.objects.get(pk=document.pk), field)
        assert file.read() == b"opened rb"
