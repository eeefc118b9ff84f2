"""A save that is repeated after a rollback keeps its file, as with Django's own storages."""

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
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(transaction=True, databases=["default", "other"]),
]

#: each model with the names of its file fields
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
BY_ID = [f"{model.__name__}-{name}" for model, name in FIELDS]


@pytest.fixture(params=FIELDS, ids=BY_ID)
def case(request):
    return request.param


class Failure(Exception):
    """Something later in the block."""


def fail(*actions):
    """Do all of this in a transaction that is rolled back."""
    with suppress(Failure), transaction.atomic():
        for action in actions:
            action()
        raise Failure


def read(instance, name):
    """Return the bytes of a file, as a request of another process sees them."""
    loaded = type(instance).objects.get(pk=instance.pk)
    with getattr(loaded, name).open() as file:
        return file.read()


def get_content_object(instance, name):
    file = getattr(type(instance).objects.get(pk=instance.pk), name)
    return file.storage.get_meta_backend_obj(file.name).get_content_object()


def assert_belongs(instance, name):
    if type(instance) in (PlainDocument, LatePlainDocument) or name == "plain_file":
        return
    found = get_content_object(instance, name)
    assert (found.pk, type(found)) == (
        instance.pk,
        instance._meta.get_field(name).model,
    )


class TestNewRow:
    def test_saved_again(self, case):
        model, name = case
        instance = model(**{name: ContentFile(b"the only copy", "cv.txt")})
        fail(instance.save)
        instance.save()
        assert read(instance, name) == b"the only copy"
        assert_belongs(instance, name)

    def test_saved_again_in_a_transaction(self, case):
        model, name = case
        instance = model(**{name: ContentFile(b"the only copy", "cv.txt")})
        fail(instance.save)
        with transaction.atomic():
            instance.save()
        assert read(instance, name) == b"the only copy"
        assert_belongs(instance, name)

    def test_saved_for_the_third_time(self, case):
        model, name = case
        instance = model(**{name: ContentFile(b"the only copy", "cv.txt")})
        fail(instance.save)
        fail(instance.save)
        instance.save()
        assert read(instance, name) == b"the only copy"
        assert_belongs(instance, name)

    def test_rolled_back_to_a_savepoint(self, case):
        model, name = case
        instance = model(**{name: ContentFile(b"the only copy", "cv.txt")})
        with transaction.atomic():
            fail(instance.save)
            instance.save()
        assert read(instance, name) == b"the only copy"
        assert_belongs(instance, name)

    def test_read_again_before_the_rollback(self, case):
        model, name = case
        instance = model(**{name: ContentFile(b"the only copy", "cv.txt")})
        fail(instance.save, instance.refresh_from_db)
        instance.save()
        assert read(instance, name) == b"the only copy"
        assert_belongs(instance, name)

    def test_copied_after_the_rollback(self, case):
        model, name = case
        instance = model(**{name: ContentFile(b"the only copy", "cv.txt")})
        fail(instance.save)
        duplicate = copy.deepcopy(instance)
        duplicate.save()
        assert read(duplicate, name) == b"the only copy"
        assert_belongs(duplicate, name)

    def test_file_of_a_new_instance(self, case):
        model, name = case
        instance = model(**{name: ContentFile(b"the only copy", "cv.txt")})
        fail(instance.save)
        other = model(**{name: getattr(instance, name)})
        other.save()
        assert read(other, name) == b"the only copy"
        if name != "mongo_file":  # Its record was not rolled back, so it is not written again.
            assert_belongs(other, name)

    def test_saved_by_the_field_alone(self, case):
        model, name = case
        instance = model()
        fail(
            lambda: getattr(instance, name).save(
                "cv.txt", ContentFile(b"the only copy"), save=False
            )
        )
        instance.save()
        assert read(instance, name) == b"the only copy"
        assert_belongs(instance, name)

    def test_refused_by_the_database(self):
        """Without a transaction of the caller's: the child's save has one of its own."""
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
        assert_belongs(instance, "orm_file")

    def test_child_whose_own_save_is_rolled_back(self):
        ScannedDocument.objects.create(pk=1)
        instance = ScannedDocument(orm_file=ContentFile(b"the only copy", "cv.txt"), pages="many")
        with pytest.raises(ValueError, match="pages"):
            instance.save()
        instance.pages = 3
        instance.save()
        assert read(instance, "orm_file") == b"the only copy"
        assert_belongs(instance, "orm_file")

    def test_bulk_create(self):
        instance = Document(orm_file=ContentFile(b"the only copy", "cv.txt"))
        fail(lambda: Document.objects.bulk_create([instance]))
        instance.pk = None
        Document.objects.bulk_create([instance])
        instance = Document.objects.get()
        assert read(instance, "orm_file") == b"the only copy"


class TestReplacedFile:
    @pytest.fixture
    def replaced(self, case):
        """An instance whose new file was rolled back, and the path of the former file."""
        model, name = case
        instance = model.objects.create(**{name: ContentFile(b"old", "old.txt")})
        old = getattr(instance, name).name
        setattr(instance, name, ContentFile(b"new", "new.txt"))
        fail(instance.save)
        return instance, name, old

    def test_saved_again(self, replaced):
        instance, name, old = replaced
        instance.save()
        assert read(instance, name) == b"new"
        assert_belongs(instance, name)
        record = getattr(instance, name).storage.get_meta_backend_obj(old)
        assert record.get_content_object() is None

    def test_former_file_is_as_it_was(self, replaced):
        instance, name, _ = replaced
        assert read(instance, name) == b"old"
        assert_belongs(instance, name)

    def test_saved_by_the_name_of_the_field(self, replaced):
        instance, name, _ = replaced
        instance.save(update_fields=[name])
        assert read(instance, name) == b"new"
        assert_belongs(instance, name)

    def test_cleared_instead(self, replaced):
        instance, name, old = replaced
        setattr(instance, name, "")
        instance.save()
        storage = instance._meta.get_field(name).storage
        assert storage.get_meta_backend_obj(old).get_content_object() is None

    def test_replaced_once_more(self, replaced):
        instance, name, old = replaced
        setattr(instance, name, ContentFile(b"newest", "newest.txt"))
        instance.save()
        assert read(instance, name) == b"newest"
        assert_belongs(instance, name)
        storage = instance._meta.get_field(name).storage
        assert storage.get_meta_backend_obj(old).get_content_object() is None

    def test_read_again(self, replaced):
        instance, name, old = replaced
        instance.refresh_from_db()
        instance.save()
        assert getattr(instance, name).name == old
        assert read(instance, name) == b"old"
        assert_belongs(instance, name)


class TestPathThatIsTakenMeanwhile:
    @pytest.mark.parametrize("name", ["orm_file", "plain_file"])
    def test_another_path_is_found(self, name):
        instance = RelativeDocument(pk=1_000_000, **{name: ContentFile(b"first", "cv.txt")})
        fail(instance.save)
        other = RelativeDocument.objects.create(**{name: ContentFile(b"second", "cv.txt")})
        instance.save()
        assert getattr(instance, name).name != getattr(other, name).name
        assert (read(instance, name), read(other, name)) == (b"first", b"second")
        assert_belongs(instance, name)
        assert_belongs(other, name)

    @pytest.mark.parametrize("name", ["orm_file", "plain_file"])
    def test_field_that_has_not_been_read(self, name):
        """The attribute is still the text that the storage has returned."""
        instance = RelativeDocument(**{name: ContentFile(b"first", "cv.txt")})
        fail(instance.save)
        value = instance.__dict__[name]
        # Versions of Django differ in whether they have read the field by now.
        instance.__dict__[name] = getattr(value, "name", value)
        instance.save()
        assert read(instance, name) == b"first"


def test_path_that_was_taken_after_the_instance_was_read_again():
    instance = RelativeDocument(plain_file=ContentFile(b"mine", "cv.txt"))
    fail(instance.save, instance.refresh_from_db)
    other = RelativeDocument.objects.create(plain_file=ContentFile(b"another's", "cv.txt"))
    instance.pk = None
    instance.save(force_insert=True)
    assert read(instance, "plain_file") == b"mine"
    assert read(other, "plain_file") == b"another's"


class TestDelete:
    @pytest.fixture(params=["orm_file", "mongo_file"])
    def name(self, request):
        return request.param

    @pytest.fixture
    def instance(self, name):
        return Document.objects.create(**{name: ContentFile(b"first", "cv.txt")})

    def test_saved_after_the_rollback(self, instance, name):
        """The row then does not name the file, which is still there."""
        path = getattr(instance, name).name
        fail(getattr(instance, name).delete)
        instance.save()
        storage = instance._meta.get_field(name).storage
        assert storage.meta_backend.get(path).get("content_type_id") is None

    def test_replaced_and_saved_after_the_rollback(self, instance, name):
        file = getattr(instance, name)
        path = file.name
        fail(
            lambda: file.delete(save=False),
            lambda: file.save("new.txt", ContentFile(b"new")),
        )
        instance.save()
        assert file.storage.meta_backend.get(path).get("content_type_id") is None
        assert read(instance, name) == b"new"
        assert_belongs(instance, name)

    def test_of_a_new_file_before_the_save(self, instance, name):
        file = getattr(instance, name)
        former = file.name
        with transaction.atomic():
            file.save("new.txt", ContentFile(b"new"), save=False)
            file.delete()
        assert file.storage.meta_backend.get(former).get("content_type_id") is None

    def test_costs_no_further_query(self):
        instance = Document.objects.create(orm_file=ContentFile(b"first", "cv.txt"))
        counts = []
        for save in (lambda: instance.orm_file.delete(), instance.save):
            with transaction.atomic(), CaptureQueriesContext(connection) as queries:
                save()
            counts.append(sum("UPDATE" in query["sql"] for query in queries))
        assert counts == [1, 1]

    def test_of_an_instance_that_is_not_saved(self, name):
        """A former row of the key may have left a file."""
        former = NamedDocument(code="7-b", **{name: ContentFile(b"former", "cv.txt")})
        former.save()
        path = getattr(former, name).name
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
        fail(instance.save)
        duplicate = copy.copy(instance)
        instance.save()
        duplicate.save()
        assert duplicate.orm_file.name == instance.orm_file.name
        assert read(instance, "orm_file") == b"the only copy"
        assert_belongs(instance, "orm_file")

    def test_two_instances_of_one_name(self):
        instance = RelativeDocument(orm_file=ContentFile(b"the only copy", "cv.txt"))
        fail(instance.save)
        other = RelativeDocument(orm_file=instance.orm_file.name)
        instance.save()
        other.save()
        assert other.orm_file.name == instance.orm_file.name
        assert read(instance, "orm_file") == b"the only copy"
        assert_belongs(instance, "orm_file")

    def test_pickle_is_plain_text(self):
        instance = RelativeDocument(orm_file=ContentFile(b"the only copy", "cv.txt"))
        with transaction.atomic():
            instance.save()
            duplicate = pickle.loads(pickle.dumps(instance))
        duplicate.save()
        assert type(duplicate.orm_file.name) is str
        assert read(duplicate, "orm_file") == b"the only copy"
        assert_belongs(instance, "orm_file")


def test_bytes_that_are_gone_are_an_error():
    instance = RelativeDocument(orm_file=ContentFile(b"the only copy", "cv.txt"))
    fail(instance.save)
    original = get_proxy_storage("orm-relative-disk").original_storage
    (name,) = original.listdir("")[1]
    original.delete(name)
    with pytest.raises(ProxyFileNotFoundError, match="its bytes are gone"):
        instance.save()


def test_file_that_was_recorded_and_not_written():
    """Bytes that were there before are recorded again as well."""
    storage = get_proxy_storage("orm-relative-disk")
    storage.original_storage.save("old.txt", ContentFile(b"old"))
    instance = RelativeDocument()

    def record():
        instance.plain_file = storage.save("old.txt", None, original_storage_path="old.txt")

    fail(record)
    instance.save()
    assert read(instance, "plain_file") == b"old"


class TestQueries:
    def count(self, function):
        with CaptureQueriesContext(connection) as queries:
            function()
        return len(queries)

    @pytest.mark.parametrize("name", ["orm_file", "mongo_file", "plain_file"])
    def test_unchanged_file_costs_nothing_within_the_transaction(self, name):
        with transaction.atomic():
            instance = RelativeDocument(**{name: ContentFile(b"1", "cv.txt")})
            instance.save()
            assert self.count(instance.save) == 1
        assert self.count(instance.save) == 1

    @pytest.mark.parametrize("name", ["orm_file", "mongo_file", "plain_file"])
    def test_unchanged_file_costs_nothing_after_the_repeated_save(self, name):
        instance = RelativeDocument(**{name: ContentFile(b"1", "cv.txt")})
        fail(instance.save)
        instance.save()
        assert self.count(instance.save) == 1
        assert self.count(instance.save) == 1

    def test_file_that_is_deleted_after_the_repeated_save_is_not_restored(self):
        instance = RelativeDocument(orm_file=ContentFile(b"1", "cv.txt"))
        fail(instance.save)
        instance.save()
        storage = instance.orm_file.storage
        storage.delete(instance.orm_file.name)
        instance.save()
        assert not storage.exists(instance.orm_file.name)

    def test_nothing_is_left_after_the_commit(self):
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
