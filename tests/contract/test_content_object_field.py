"""The content object of a file, on every meta backend."""

import copy

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core import serializers
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.forms import modelform_factory

from proxy_storage.exceptions import MetaBackendUnavailable
from tests.testapp.models import (
    Document,
    ElsewhereDocument,
    KeyedDocument,
    NamedDocument,
    ProxyDocument,
    ScannedDocument,
)

pytestmark = pytest.mark.usefixtures("empty_storages")


def get_record(instance, field):
    file = getattr(instance, field)
    return file.storage.meta_backend.get(file.name)


def get_row(record):
    return record.get("content_type_id"), record.get("object_id"), record.get("field")


def row_of(model, instance, field):
    return ContentType.objects.get_for_model(model).pk, instance.pk, field


def save_file(instance, field, name="hello.txt", content=b"world", **kwargs):
    getattr(instance, field).save(name, ContentFile(content), **kwargs)
    return getattr(instance, field).name


@pytest.mark.parametrize("model", [Document, KeyedDocument])
def test_field_save_writes_the_content_object(field, model):
    instance = model()
    save_file(instance, field)
    record = get_record(instance, field)
    assert get_row(record) == row_of(model, instance, field)
    assert record.get_content_object() == instance


def test_content_object_with_a_text_key(field):
    instance = NamedDocument(code="7-b")
    save_file(instance, field)
    assert get_row(get_record(instance, field)) == row_of(NamedDocument, instance, field)


def test_model_save_writes_the_content_object_of_an_assigned_file(field):
    instance = Document(**{field: SimpleUploadedFile("hello.txt", b"world")})
    instance.save()
    assert get_row(get_record(instance, field)) == row_of(Document, instance, field)


def test_form_writes_the_content_object(field):
    form_class = modelform_factory(Document, fields=[field])
    form = form_class({}, {field: SimpleUploadedFile("hello.txt", b"world")})
    instance = form.save()
    assert get_row(get_record(instance, field)) == row_of(Document, instance, field)


@pytest.mark.parametrize("model", [ScannedDocument, ProxyDocument])
def test_content_object_is_of_the_model_that_declares_the_field(field, model):
    instance = model()
    save_file(instance, field)
    record = get_record(instance, field)
    assert get_row(record) == row_of(Document, instance, field)
    assert record.get_content_object() == Document.objects.get(pk=instance.pk)


def test_two_files_of_one_instance():
    instance = Document()
    save_file(instance, "orm_file", save=False)
    save_file(instance, "mongo_file", save=False)
    instance.save()
    for field in ("orm_file", "mongo_file"):
        assert get_row(get_record(instance, field)) == row_of(Document, instance, field)


def test_field_save_without_model_save_writes_no_content_object(field):
    instance = Document.objects.create()
    save_file(instance, field, save=False)
    assert get_row(get_record(instance, field)) == (None, None, None)
    instance.save(update_fields=["title"])
    assert get_row(get_record(instance, field)) == (None, None, None)
    instance.save(update_fields=[field])
    assert get_row(get_record(instance, field)) == row_of(Document, instance, field)


def test_unchanged_file_costs_nothing(field, django_assert_num_queries):
    instance = Document()
    save_file(instance, field)
    loaded = Document.objects.get(pk=instance.pk)
    for document in (instance, loaded):
        with django_assert_num_queries(1):
            document.save()


@pytest.mark.django_db(transaction=True)
def test_changed_file_costs_one_query_for_its_content_object(django_assert_num_queries):
    instance = Document.objects.create()
    ContentType.objects.get_for_model(Document)
    # Is the path free, the record, the row, the content object.
    with django_assert_num_queries(4):
        save_file(instance, "orm_file")


def test_path_of_another_row_changes_no_content_object(field):
    messi, ronaldo = Document(), Document()
    path = save_file(messi, field)
    setattr(ronaldo, field, path)
    ronaldo.save()
    ronaldo.save(update_fields=[field])
    Document.objects.create(**{field: path})
    assert get_row(get_record(ronaldo, field)) == row_of(Document, messi, field)


def test_file_replaced_before_the_row_is_saved_gets_no_content_object(field):
    instance = Document()
    forgotten = save_file(instance, field, save=False)
    setattr(instance, field, "")
    instance.save()
    storage = Document._meta.get_field(field).storage
    assert get_row(storage.meta_backend.get(forgotten)) == (None, None, None)


def test_fixture_and_text_without_record_do_not_break_a_save(field):
    data = f'[{{"model": "testapp.document", "pk": 5, "fields": {{"{field}": "/nowhere.txt"}}}}]'
    for deserialized in serializers.deserialize("json", data):
        deserialized.save()
    instance = Document.objects.get(pk=5)
    instance.save()
    assert getattr(instance, field).name == "/nowhere.txt"


def test_raw_save_does_not_assign_a_new_file(field):
    instance = Document(pk=7)
    save_file(instance, field, save=False)
    instance.save_base(raw=True)
    assert get_row(get_record(instance, field)) == (None, None, None)


def test_record_deleted_before_the_row_is_saved(field, caplog):
    instance = Document()
    path = save_file(instance, field, save=False)
    getattr(instance, field).storage.delete(path)
    instance.save()
    assert "was deleted or assigned before its row was saved" in caplog.text


def test_failed_write_of_the_content_object_raises(field, monkeypatch):
    instance = Document()
    save_file(instance, field, save=False)

    def fail(*args):
        raise MetaBackendUnavailable("gone")

    meta_backend = getattr(instance, field).storage.meta_backend
    with monkeypatch.context() as patch:
        patch.setattr(meta_backend, "set_content_object", fail)
        with pytest.raises(MetaBackendUnavailable):
            instance.save()
    instance.save()
    assert get_row(get_record(instance, field)) == row_of(Document, instance, field)


def test_field_delete_removes_file_and_record(field):
    instance = Document(user=User.objects.create(username="messi"))
    path = save_file(instance, field)
    storage = getattr(instance, field).storage
    getattr(instance, field).delete()
    assert not storage.exists(path)
    assert not getattr(Document.objects.get(pk=instance.pk), field)


def test_rolled_back_field_delete_keeps_the_file(field):
    instance = Document()
    path = save_file(instance, field)

    def delete_and_fail():
        with transaction.atomic():
            getattr(instance, field).delete()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        delete_and_fail()
    with getattr(Document.objects.get(pk=instance.pk), field).open() as file:
        assert file.name
        assert file.read() == b"world"
    assert get_record(Document.objects.get(pk=instance.pk), field)["path"] == path


@pytest.mark.django_db(transaction=True)
class TestTransactions:
    def test_rolled_back_save_leaves_no_content_object(self, field):
        """Otherwise the next row with this key would get the file."""
        instance = Document()

        def save_and_fail():
            with transaction.atomic():
                save_file(instance, field)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            save_and_fail()
        Document.objects.create(pk=instance.pk)
        storage, path = getattr(instance, field).storage, getattr(instance, field).name
        # A record in the database is rolled back as well. A document stays without content object.
        assert storage.exists(path) is (field == "mongo_file")
        if storage.exists(path):
            assert storage.meta_backend.get(path).get_content_object() is None

    def test_committed_save_writes_the_content_object(self, field):
        with transaction.atomic():
            instance = Document()
            save_file(instance, field)
        assert get_row(get_record(instance, field)) == row_of(Document, instance, field)


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
class TestRecordsInAnotherDatabase:
    @pytest.fixture
    def document(self):
        document = ElsewhereDocument()
        save_file(document, "file")
        return document

    def test_content_object_is_written(self, document):
        record = get_record(document, "file")
        assert get_row(record) == row_of(ElsewhereDocument, document, "file")
        assert record.get_content_object() == document

    def test_rolled_back_delete_keeps_file_and_record(self, document):
        path, storage = document.file.name, document.file.storage

        def delete_and_fail():
            with transaction.atomic():
                document.file.delete()
                raise RuntimeError

        with pytest.raises(RuntimeError):
            delete_and_fail()
        with storage.open(path) as file:
            assert file.read() == b"world"

    def test_rolled_back_save_leaves_no_content_object(self):
        document = ElsewhereDocument()

        def save_and_fail():
            with transaction.atomic():
                save_file(document, "file")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            save_and_fail()
        assert get_row(get_record(document, "file")) == (None, None, None)

    def test_content_type_can_be_deleted(self, document):
        ContentType.objects.get_for_model(ElsewhereDocument).delete()
        ContentType.objects.clear_cache()
        assert get_record(document, "file").get_content_object() is None


def test_file_with_a_reused_path_keeps_its_content_object(field):
    first, second = Document(), Document()
    path = save_file(first, field, save=False)
    getattr(first, field).storage.delete(path)
    assert save_file(second, field) == path
    first.save()
    assert get_row(get_record(second, field)) == row_of(Document, second, field)


def test_copy_of_an_instance_does_not_take_the_file(field):
    original = Document()
    save_file(original, field, save=False)
    duplicate = copy.copy(original)
    original.save()
    duplicate.save()
    assert get_row(get_record(original, field)) == row_of(Document, original, field)
