"""A save that is repeated after a rollback keeps its file, as with Django's storages."""

import copy
import pickle
from contextlib import suppress

import pytest
from django.core.files.base import ContentFile
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from proxy_storage.exceptions import ProxyFileNotFoundError
from proxy_storage.registry import get_proxy_storage
from tests.testapp.models import (
    Document,
    LatePlainDocument,
    NamedDocument,
    PlainDocument,
    RelativeDocument,
    ScannedDocument,
)

pytestmark = [
    pytest.mark.database,
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(transaction=True, databases=["default", "other"]),
]

#: Models with the names of their file fields.
FIELDS = [
    *(
        (model, name)
        for model in (Document, ScannedDocument)
        for name in ("orm_file", "mongo_file")
    ),
    *(
        (model, name)
        for model in (PlainDocument, LatePlainDocument)
        for name in ("orm_file", "mongo_file")
    ),
    *((RelativeDocument, name) for name in ("orm_file", "mongo_file", "plain_file")),
]
FIELD_IDS = [f"{model.__name__}-{name}" for model, name in FIELDS]


@pytest.fixture(params=FIELDS, ids=FIELD_IDS)
def case(request):
    return request.param


class Failure(Exception):
    """An error at the end of the transaction."""


def roll_back(*actions):
    """Call functions in a transaction that is rolled back."""
    with suppress(Failure), transaction.atomic():
        for action in actions:
            action()
        raise Failure


def read(instance, name):
    """Return the content of a file, read through a new instance."""
    loaded = type(instance).objects.get(pk=instance.pk)
    with getattr(loaded, name).open() as file:
        return file.read()


def get_content_object(instance, name):
    file = getattr(type(instance).objects.get(pk=instance.pk), name)
    return file.storage.get_meta_backend_obj(file.name).get_content_object()


def assert_has_content_object(instance, name):
    if type(instance) in (PlainDocument, LatePlainDocument) or name == "plain_file":
        return
    found = get_content_object(instance, name)
    assert (found.pk, type(found)) == (
        instance.pk,
        instance._meta.get_field(name).model,
    )


class TestNewRow:
    def test_second_save_keeps_the_file(self, case):
        model, name = case
        instance = model(**{name: ContentFile(b"the only copy", "cv.txt")})
        roll_back(instance.save)
        instance.save()
        assert read(instance, name) == b"the only copy"
        assert_has_content_object(instance, name)

    def test_second_save_in_a_transaction_keeps_the_file(self, case):
        model, name = case
        instance = model(**{name: ContentFile(b"the only copy", "cv.txt")})
        roll_back(instance.save)
        with transaction.atomic():
            instance.save()
        assert read(instance, name) == b"the only copy"
        assert_has_content_object(instance, name)

    def test_third_save_keeps_the_file(self, case):
        model, name = case
        instance = model(**{name: ContentFile(b"the only copy", "cv.txt")})
        roll_back(instance.save)
        roll_back(instance.save)
        instance.save()
        assert read(instance, name) == b"the only copy"
        assert_has_content_object(instance, name)

    def test_rollback_to_a_savepoint(self, case):
        model, name = case
        instance = model(**{name: ContentFile(b"the only copy", "cv.txt")})
        with transaction.atomic():
            roll_back(instance.save)
            instance.save()
        assert read(instance, name) == b"the only copy"
        assert_has_content_object(instance, name)

    def test_refresh_before_the_rollback(self, case):
        model, name = case
        instance = model(**{name: ContentFile(b"the only copy", "cv.txt")})
        roll_back(instance.save, instance.refresh_from_db)
        instance.save()
        assert read(instance, name) == b"the only copy"
        assert_has_content_object(instance, name)

    def test_deep_copy_after_the_rollback(self, case):
        model, name = case
        instance = model(**{name: ContentFile(b"the only copy", "cv.txt")})
        roll_back(instance.save)
        duplicate = copy.deepcopy(instance)
        duplicate.save()
        assert read(duplicate, name) == b"the only copy"
        assert_has_content_object(duplicate, name)

    def test_file_assigned_to_a_new_instance(self, case):
        model, name = case
        instance = model(**{name: ContentFile(b"the only copy", "cv.txt")})
        roll_back(instance.save)
        other = model(**{name: getattr(instance, name)})
        other.save()
        assert read(other, name) == b"the only copy"
        if name != "mongo_file":  # The record was not rolled back, so it is not written again.
            assert_has_content_object(other, name)

    def test_file_saved_without_the_instance(self, case):
        model, name = case
        instance = model()
        roll_back(
            lambda: getattr(instance, name).save(
                "cv.txt", ContentFile(b"the only copy"), save=False
            )
        )
        instance.save()
        assert read(instance, name) == b"the only copy"
        assert_has_content_object(instance, name)

    def test_integrity_error(self):
        """The caller has no outer transaction; each save has its own."""
        taken = RelativeDocument.objects.create().code
        instance = RelativeDocument(
            orm_file=ContentFile(b"one", "cv.txt"),
            plain_file=ContentFile(b"two", "cv.txt"),
        )
        free = instance.code
        for code in (taken, free):
            instance.code = code
            try:
                with transaction.atomic():
                    instance.save()
            except IntegrityError:
                assert code == taken
        assert (read(instance, "orm_file"), read(instance, "plain_file")) == (b"one", b"two")
        assert_has_content_object(instance, "orm_file")

    def test_child_whose_save_fails_after_its_parent(self):
        ScannedDocument.objects.create(pk=1)
        instance = ScannedDocument(orm_file=ContentFile(b"the only copy", "cv.txt"), pages="many")
        with pytest.raises(ValueError, match="pages"):
            instance.save()
        instance.pages = 3
        instance.save()
        assert read(instance, "orm_file") == b"the only copy"
        assert_has_content_object(instance, "orm_file")

    def test_bulk_create_keeps_the_file(self):
        instance = Document(orm_file=ContentFile(b"the only copy", "cv.txt"))
        roll_back(lambda: Document.objects.bulk_create([instance]))
        instance.pk = None
        Document.objects.bulk_create([instance])
        instance = Document.objects.get()
        assert read(instance, "orm_file") == b"the only copy"


class TestReplacedFile:
    @pytest.fixture
    def replaced(self, case):
        """Return an instance whose new file was rolled back, its field and its previous path."""
        model, name = case
        instance = model.objects.create(**{name: ContentFile(b"old", "old.txt")})
        old = getattr(instance, name).name
        setattr(instance, name, ContentFile(b"new", "new.txt"))
        roll_back(instance.save)
        return instance, name, old

    def test_second_save_keeps_the_new_file(self, replaced):
        instance, name, old = replaced
        instance.save()
        assert read(instance, name) == b"new"
        assert_has_content_object(instance, name)
        record = getattr(instance, name).storage.get_meta_backend_obj(old)
        assert record.get_content_object() is None

    def test_previous_file_is_unchanged(self, replaced):
        instance, name, _ = replaced
        assert read(instance, name) == b"old"
        assert_has_content_object(instance, name)

    def test_save_with_update_fields(self, replaced):
        instance, name, _ = replaced
        instance.save(update_fields=[name])
        assert read(instance, name) == b"new"
        assert_has_content_object(instance, name)

    def test_field_is_cleared_after_the_rollback(self, replaced):
        instance, name, old = replaced
        setattr(instance, name, "")
        instance.save()
        storage = instance._meta.get_field(name).storage
        assert storage.get_meta_backend_obj(old).get_content_object() is None

    def test_file_is_replaced_after_the_rollback(self, replaced):
        instance, name, old = replaced
        setattr(instance, name, ContentFile(b"newest", "newest.txt"))
        instance.save()
        assert read(instance, name) == b"newest"
        assert_has_content_object(instance, name)
        storage = instance._meta.get_field(name).storage
        assert storage.get_meta_backend_obj(old).get_content_object() is None

    def test_refresh_restores_the_previous_file(self, replaced):
        instance, name, old = replaced
        instance.refresh_from_db()
        instance.save()
        assert getattr(instance, name).name == old
        assert read(instance, name) == b"old"
        assert_has_content_object(instance, name)


class TestTakenPath:
    @pytest.mark.parametrize("name", ["orm_file", "plain_file"])
    def test_repeated_save_gets_another_path(self, name):
        instance = RelativeDocument(pk=1_000_000, **{name: ContentFile(b"first", "cv.txt")})
        roll_back(instance.save)
        other = RelativeDocument.objects.create(**{name: ContentFile(b"second", "cv.txt")})
        instance.save()
        assert getattr(instance, name).name != getattr(other, name).name
        assert (read(instance, name), read(other, name)) == (b"first", b"second")
        assert_has_content_object(instance, name)
        assert_has_content_object(other, name)

    @pytest.mark.parametrize("name", ["orm_file", "plain_file"])
    def test_unread_field(self, name):
        """The attribute is still the text that the storage returned."""
        instance = RelativeDocument(**{name: ContentFile(b"first", "cv.txt")})
        roll_back(instance.save)
        value = instance.__dict__[name]
        # Some versions of Django have read the field at this point.
        instance.__dict__[name] = getattr(value, "name", value)
        instance.save()
        assert read(instance, name) == b"first"


def test_path_taken_after_the_instance_was_refreshed():
    instance = RelativeDocument(plain_file=ContentFile(b"mine", "cv.txt"))
    roll_back(instance.save, instance.refresh_from_db)
    other = RelativeDocument.objects.create(plain_file=ContentFile(b"other", "cv.txt"))
    instance.pk = None
    instance.save(force_insert=True)
    assert read(instance, "plain_file") == b"mine"
    assert read(other, "plain_file") == b"other"


class TestDelete:
    @pytest.fixture(params=["orm_file", "mongo_file"])
    def name(self, request):
        return request.param

    @pytest.fixture
    def instance(self, name):
        return Document.objects.create(**{name: ContentFile(b"first", "cv.txt")})

    def test_save_after_a_rolled_back_delete(self, instance, name):
        """The file still exists, but the row no longer contains its path."""
        path = getattr(instance, name).name
        roll_back(getattr(instance, name).delete)
        instance.save()
        storage = instance._meta.get_field(name).storage
        assert storage.meta_backend.get(path).get("content_type_id") is None

    def test_save_after_a_rolled_back_replacement(self, instance, name):
        file = getattr(instance, name)
        path = file.name
        roll_back(
            lambda: file.delete(save=False),
            lambda: file.save("new.txt", ContentFile(b"new")),
        )
        instance.save()
        assert file.storage.meta_backend.get(path).get("content_type_id") is None
        assert read(instance, name) == b"new"
        assert_has_content_object(instance, name)

    def test_delete_of_a_new_file_before_the_save(self, instance, name):
        file = getattr(instance, name)
        previous = file.name
        with transaction.atomic():
            file.save("new.txt", ContentFile(b"new"), save=False)
            file.delete()
        assert file.storage.meta_backend.get(previous).get("content_type_id") is None

    def test_delete_makes_no_additional_query(self):
        instance = Document.objects.create(orm_file=ContentFile(b"first", "cv.txt"))
        counts = []
        for save in (lambda: instance.orm_file.delete(), instance.save):
            with transaction.atomic(), CaptureQueriesContext(connection) as queries:
                save()
            counts.append(sum("UPDATE" in query["sql"] for query in queries))
        assert counts == [1, 1]

    def test_delete_with_an_unsaved_instance(self, name):
        """An earlier row with the same primary key may have left a file."""
        previous = NamedDocument(code="7-b", **{name: ContentFile(b"previous", "cv.txt")})
        previous.save()
        path = getattr(previous, name).name
        NamedDocument.objects.all()._raw_delete("default")
        instance = NamedDocument(code="7-b")
        with transaction.atomic():
            getattr(instance, name).save("new.txt", ContentFile(b"new"), save=False)
            getattr(instance, name).delete(save=False)
            instance.save()
        storage = instance._meta.get_field(name).storage
        assert storage.meta_backend.get(path).get("content_type_id") is None


class TestCopies:
    def test_second_copy_has_the_same_record(self):
        instance = RelativeDocument(orm_file=ContentFile(b"the only copy", "cv.txt"))
        roll_back(instance.save)
        duplicate = copy.copy(instance)
        instance.save()
        duplicate.save()
        assert duplicate.orm_file.name == instance.orm_file.name
        assert read(instance, "orm_file") == b"the only copy"
        assert_has_content_object(instance, "orm_file")

    def test_two_instances_with_one_name(self):
        instance = RelativeDocument(orm_file=ContentFile(b"the only copy", "cv.txt"))
        roll_back(instance.save)
        other = RelativeDocument(orm_file=instance.orm_file.name)
        instance.save()
        other.save()
        assert other.orm_file.name == instance.orm_file.name
        assert read(instance, "orm_file") == b"the only copy"
        assert_has_content_object(instance, "orm_file")

    def test_unpickled_name_is_plain_text(self):
        instance = RelativeDocument(orm_file=ContentFile(b"the only copy", "cv.txt"))
        with transaction.atomic():
            instance.save()
            duplicate = pickle.loads(pickle.dumps(instance))
        duplicate.save()
        assert type(duplicate.orm_file.name) is str
        assert read(duplicate, "orm_file") == b"the only copy"
        assert_has_content_object(instance, "orm_file")


def test_missing_file_raises_file_not_found():
    instance = RelativeDocument(orm_file=ContentFile(b"the only copy", "cv.txt"))
    roll_back(instance.save)
    original = get_proxy_storage("orm-relative-disk").original_storage
    (name,) = original.listdir("")[1]
    original.delete(name)
    with pytest.raises(ProxyFileNotFoundError, match="its file was deleted"):
        instance.save()


def test_record_of_an_existing_file_is_restored():
    """The file existed before its record was created."""
    storage = get_proxy_storage("orm-relative-disk")
    storage.original_storage.save("old.txt", ContentFile(b"old"))
    instance = RelativeDocument()

    def record():
        instance.plain_file = storage.save("old.txt", None, original_storage_path="old.txt")

    roll_back(record)
    instance.save()
    assert read(instance, "plain_file") == b"old"


class TestQueries:
    def count(self, function):
        with CaptureQueriesContext(connection) as queries:
            function()
        return len(queries)

    @pytest.mark.parametrize("name", ["orm_file", "mongo_file", "plain_file"])
    def test_unchanged_file_makes_no_query_in_the_transaction(self, name):
        with transaction.atomic():
            instance = RelativeDocument(**{name: ContentFile(b"1", "cv.txt")})
            instance.save()
            assert self.count(instance.save) == 1
        assert self.count(instance.save) == 1

    @pytest.mark.parametrize("name", ["orm_file", "mongo_file", "plain_file"])
    def test_unchanged_file_makes_no_query_after_the_repeated_save(self, name):
        instance = RelativeDocument(**{name: ContentFile(b"1", "cv.txt")})
        roll_back(instance.save)
        instance.save()
        assert self.count(instance.save) == 1
        assert self.count(instance.save) == 1

    def test_deleted_file_is_not_restored(self):
        instance = RelativeDocument(orm_file=ContentFile(b"1", "cv.txt"))
        roll_back(instance.save)
        instance.save()
        storage = instance.orm_file.storage
        storage.delete(instance.orm_file.name)
        instance.save()
        assert not storage.exists(instance.orm_file.name)

    def test_instance_keeps_no_state_after_the_commit(self):
        with transaction.atomic():
            instance = RelativeDocument.objects.create(orm_file=ContentFile(b"1", "cv.txt"))
        assert not [key for key in vars(instance) if key.startswith("_proxy")]
        assert "proxy_storage_change_of_orm_file" not in vars(instance._state)
        instance.save()
        assert instance._state.proxy_storage_names == {}
        values = {
            key: value for key, value in vars(instance).items() if key not in ("_state", "id")
        }
        assert RelativeDocument(**values).orm_file == instance.orm_file
