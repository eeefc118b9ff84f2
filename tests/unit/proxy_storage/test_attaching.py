"""Uploads that an instance gets when it is saved, without Django REST framework."""

import copy
import pickle
from contextlib import nullcontext

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import transaction

from proxy_storage.content_objects import get_content_object_data
from proxy_storage.db.attaching import Upload, UploadPath
from proxy_storage.exceptions import MetaBackendError, MetaBackendUnavailable
from tests.contract.content_objects import get_row, row_of, save_file
from tests.contract.temporary_storages import configure_proxy_storage
from tests.testapp.memory_backend import MemoryMetaBackend
from tests.testapp.models import Document

pytestmark = pytest.mark.usefixtures("empty_storages")


class Refused(Exception):
    """The error of the uploads."""


@pytest.fixture(params=["orm_file", "mongo_file"])
def field(request):
    return request.param


@pytest.fixture
def storage(field):
    return Document._meta.get_field(field).storage


@pytest.fixture
def path(storage):
    return make_upload(storage)


def make_upload(storage):
    path = storage.save("cv.txt", ContentFile(b"content"))
    identity = storage.meta_backend.get_identity(storage.meta_backend.get(path))
    return UploadPath(path, Upload(identity, Refused))


class TestUploadPath:
    def test_copies_are_uploads(self, path):
        same = copy.deepcopy(path)
        assert isinstance(same, UploadPath)
        assert same.upload is path.upload

    def test_unpickled_path_is_plain_text(self):
        path = UploadPath("a.txt", Upload({}, Refused))
        assert type(pickle.loads(pickle.dumps(path))) is str


class TestSave:
    def test_new_instance(self, field, path):
        document = Document.objects.create(**{field: path})
        assert type(getattr(document, field).name) is str
        assert get_row(Document, field, path) == row_of(document, field)

    def test_value_that_was_read_before_the_save(self, field, path):
        document = Document(**{field: path})
        with getattr(document, field) as file:
            assert file.read() == b"content"
        document.save()
        assert get_row(Document, field, path) == row_of(document, field)

    def test_field_that_is_not_saved_keeps_the_upload(self, field, path):
        document = Document.objects.create()
        setattr(document, field, path)
        document.save(update_fields=["title"])
        assert get_row(Document, field, path) is None
        document.save(update_fields=[field])
        assert get_row(Document, field, path) == row_of(document, field)

    def test_value_that_is_replaced_before_the_save(self, field, path):
        document = Document(**{field: path})
        other = save_file(document, field)
        assert get_row(Document, field, path) is None
        assert get_row(Document, field, other) == row_of(document, field)

    def test_bulk_create_attaches_nothing(self, field, path):
        Document.objects.bulk_create([Document(**{field: path})])
        assert get_row(Document, field, path) is None

    def test_one_upload_for_two_instances(self, field, path):
        document = Document.objects.create(**{field: path})
        with pytest.raises(Refused):
            Document.objects.create(**{field: path})
        assert list(Document.objects.filter(**{field: path})) == [document]
        assert get_row(Document, field, path) == row_of(document, field)

    def test_row_with_several_unknown_files_is_cleared(self, field, path):
        Document.objects.create(**{field: path})
        document = Document()
        save_file(document, field)
        document = Document.objects.defer(field).get(pk=document.pk)
        setattr(document, field, path)
        with pytest.raises(Refused):
            document.save()
        assert not getattr(Document.objects.get(pk=document.pk), field)

    def test_column_that_allows_null_is_cleared_with_null(self, field, path, monkeypatch):
        Document.objects.create(**{field: path})
        monkeypatch.setattr(Document._meta.get_field(field), "null", True)
        updates = []
        monkeypatch.setattr(
            "django.db.models.QuerySet.update", lambda rows, **values: updates.append(values)
        )
        with pytest.raises(Refused):
            Document.objects.create(**{field: path})
        assert {field: None} in updates

    def test_records_that_cannot_name_the_scope(self, field, storage, path, monkeypatch, caplog):
        monkeypatch.setattr("proxy_storage.content_objects.get_scope", lambda *args: "other")
        can_hold = storage.meta_backend.can_hold
        monkeypatch.setattr(
            type(storage.meta_backend),
            "can_hold",
            lambda self, *keys: "content_object_scope" not in keys and can_hold(*keys),
        )
        with pytest.raises(Refused):
            Document.objects.create(**{field: path})
        assert "cannot name the scope 'other'" in caplog.text
        assert not Document.objects.filter(**{field: path}).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("in_transaction", [False, True])
class TestRefusedSave:
    def test_row_does_not_name_the_upload(self, field, path, in_transaction):
        """Code may catch the error inside the transaction and commit it."""
        document = Document.objects.create(**{field: path})
        with transaction.atomic() if in_transaction else nullcontext(), pytest.raises(Refused):
            Document.objects.create(**{field: path})
        assert list(Document.objects.filter(**{field: path})) == [document]
        assert Document.objects.count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("field", ["mongo_file"])
def test_upload_whose_file_is_being_deleted(field, storage, path, monkeypatch):
    """The save comes after the file was deleted, and before its record is deleted."""
    monkeypatch.setattr("proxy_storage.meta_backends.mongo.LOCK_WAIT_SECONDS", 0.1)
    original = storage.get_original_storage(storage.meta_backend.get(path))
    delete, errors = type(original).delete, []

    def delete_and_save(self, name):
        delete(self, name)
        with pytest.raises(Refused) as caught:
            Document.objects.create(**{field: path})
        errors.append(caught.value)

    monkeypatch.setattr(type(original), "delete", delete_and_save)
    storage.delete(path)
    assert len(errors) == 1
    assert not Document.objects.filter(**{field: path}).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("field", ["mongo_file"])
def test_delete_during_a_save(field, storage, path, monkeypatch):
    """The delete waits for the lock of the save, and keeps the file then."""
    monkeypatch.setattr("proxy_storage.meta_backends.mongo.LOCK_WAIT_SECONDS", 0.1)
    record, update = storage.meta_backend.get(path), type(storage.meta_backend).update

    def delete_and_update(self, *args, **kwargs):
        monkeypatch.setattr(type(storage.meta_backend), "update", update)
        with pytest.raises(MetaBackendUnavailable):
            storage.delete_record(record)
        update(self, *args, **kwargs)

    monkeypatch.setattr(type(storage.meta_backend), "update", delete_and_update)
    document = Document.objects.create(**{field: path})
    assert getattr(document, field).storage.exists(path)
    assert storage.delete_record(record, where={"content_type_id": None}) is False
    assert get_row(Document, field, path) == row_of(document, field)


@pytest.mark.django_db(transaction=True)
class TestTransaction:
    """Records that are not part of the transaction are locked until its end."""

    @pytest.fixture
    def field(self):
        return "mongo_file"

    @pytest.fixture(autouse=True)
    def short_wait(self, monkeypatch):
        monkeypatch.setattr("proxy_storage.meta_backends.mongo.LOCK_WAIT_SECONDS", 0.1)

    def is_locked(self, storage, path):
        record = storage.meta_backend.get(path)
        try:
            storage.meta_backend.lock(record)
        except MetaBackendUnavailable:
            return True
        storage.meta_backend.unlock(record)
        return False

    @pytest.mark.parametrize("is_rolled_back", [False, True])
    def test_lock_ends_with_the_transaction(self, field, storage, path, is_rolled_back):
        with transaction.atomic():
            Document.objects.create(**{field: path})
            assert self.is_locked(storage, path)
            transaction.set_rollback(is_rolled_back)
        assert not self.is_locked(storage, path)
        assert (get_row(Document, field, path) is None) is is_rolled_back

    def test_lock_ends_with_a_savepoint(self, field, storage, path):
        with transaction.atomic():
            with transaction.atomic():
                Document.objects.create(**{field: path})
                transaction.set_rollback(True)
            assert not self.is_locked(storage, path)

    def test_lock_that_cannot_be_removed(self, field, storage, path, monkeypatch, caplog):
        def fail(self, record):
            raise MetaBackendError("down", path=path)

        monkeypatch.setattr(type(storage.meta_backend), "unlock", fail)
        with transaction.atomic():
            document = Document.objects.create(**{field: path})
        assert get_row(Document, field, path) == row_of(document, field)
        assert "was not unlocked" in caplog.text

    def test_locked_upload_is_refused(self, field, storage, path):
        storage.meta_backend.lock(storage.meta_backend.get(path))
        with pytest.raises(Refused), transaction.atomic():
            Document.objects.create(**{field: path})
        assert not Document.objects.exists()

    def test_upload_that_is_deleted_before_the_lock(self, field, storage, path, monkeypatch):
        lock = storage.meta_backend.lock

        def delete_and_lock(self, record):
            self.delete(path)
            return lock(record)

        monkeypatch.setattr(type(storage.meta_backend), "lock", delete_and_lock)
        with pytest.raises(Refused), transaction.atomic():
            Document.objects.create(**{field: path})

    def test_upload_that_is_attached_before_the_lock(self, field, storage, path, monkeypatch):
        other, model_field = Document.objects.create(), Document._meta.get_field(field)
        lock = storage.meta_backend.lock

        def attach_and_lock(self, record):
            self.set_content_object(get_content_object_data(other, model_field), path)
            return lock(record)

        monkeypatch.setattr(type(storage.meta_backend), "lock", attach_and_lock)
        with pytest.raises(Refused), transaction.atomic():
            Document.objects.create(**{field: path})
        assert get_row(Document, field, path) == row_of(other, field)
        monkeypatch.undo()
        assert not self.is_locked(storage, path)


@pytest.mark.django_db(transaction=True)
def test_meta_backend_without_locks_removes_the_path_from_the_second_row(
    settings, tmp_path, monkeypatch, caplog
):
    settings.META_BACKENDS = {"simple": MemoryMetaBackend()}
    storage = configure_proxy_storage(FileSystemStorage(tmp_path), "simple", settings)
    monkeypatch.setattr(Document._meta.get_field("orm_file"), "storage", storage)
    path = make_upload(storage)
    with transaction.atomic():
        first = Document.objects.create(orm_file=path)
        second = Document.objects.create(orm_file=path)
    assert list(Document.objects.filter(orm_file=path)) == [first]
    assert Document.objects.get(pk=second.pk).orm_file.name == ""
    assert storage.meta_backend.get(path)["object_id"] == first.pk
    assert "on_commit" in caplog.text
