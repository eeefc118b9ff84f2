"""Fields and several databases: what a rollback brings back, and what a commit takes away."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.forms import modelform_factory

from proxy_storage.registry import get_proxy_storage
from tests.contract.content_objects import get_row, row_of, save_file
from tests.contract.proxy_storages import is_in_original, read
from tests.testapp.models import DiskDocument, Document

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "other"]),
    pytest.mark.usefixtures("empty_storages"),
]


@pytest.fixture(params=["orm_file", "mongo_file"])
def field(request):
    return request.param


# MongoDB's records with GridFS, and on disk as those of the ORM
@pytest.fixture(params=[Document, DiskDocument])
def model(request):
    return request.param


@pytest.fixture
def document(model, field, empty_storages):
    """A document with a file, as it is read from the database."""
    document = model()
    save_file(document, field)
    return model.objects.get(pk=document.pk)


@pytest.fixture
def storage(model, field):
    return model._meta.get_field(field).storage


def delete_and_save(document, field):
    getattr(document, field).delete(save=False)
    save_file(document, field, content=b"new")


def assign(document, field):
    setattr(document, field, SimpleUploadedFile("new.txt", b"new"))
    document.save()


def delete(document, field):
    getattr(document, field).delete()


def clear(document, field):
    setattr(document, field, "")
    document.save()


def clear_in_a_form(document, field):
    form_class = modelform_factory(type(document), fields=[field])
    form_class({f"{field}-clear": "on"}, {}, instance=document).save()


def delete_with_the_row(document, field):
    getattr(document, field).delete(save=False)
    document.delete()


CHANGES = [delete_and_save, assign, delete, clear, clear_in_a_form, delete_with_the_row]


@pytest.mark.parametrize("change", CHANGES)
def test_rolled_back_change_loses_neither_file_nor_owner(model, field, document, storage, change):
    path, pk = getattr(document, field).name, document.pk
    with transaction.atomic():
        change(document, field)
        new_path = getattr(document, field).name
        transaction.set_rollback(True)

    again = model.objects.get(pk=pk)
    assert getattr(again, field).name == path
    assert read(storage, path) == b"world"
    assert get_row(again, field, path) == row_of(again, field, model)
    if new_path not in ("", None, path) and storage.exists(new_path):
        assert get_row(again, field, new_path) is None


@pytest.mark.parametrize("change", [delete_and_save, delete, delete_with_the_row])
def test_committed_change_takes_the_old_file_away(model, field, document, storage, change):
    path = getattr(document, field).name
    known = storage.meta_backend.get(path)["original_storage_path"]
    with transaction.atomic():
        change(document, field)
        assert is_in_original(storage, known)
    assert not storage.exists(path)
    assert not is_in_original(storage, known)
    if change is delete_and_save:
        new_path = getattr(model.objects.get(pk=document.pk), field).name
        assert read(storage, new_path) == b"new"
        assert get_row(document, field, new_path) == row_of(document, field, model)


DATABASES = [("default",), ("other",), ("default", "other"), ("other", "default")]


# records in the default database, in the other one, in MongoDB
@pytest.mark.parametrize("name", ["orm_disk", "elsewhere", "mongo_disk"])
class TestSeveralDatabases:
    def save_and_delete(self, name, databases, rolled_back=None):
        """Delete a file inside of a transaction on each of the databases."""
        storage = get_proxy_storage(name)
        path = storage.save("hello.txt", ContentFile(b"world"))
        self.delete(storage, path, databases, rolled_back)
        return storage, path

    def delete(self, storage, path, databases, rolled_back):
        if not databases:
            storage.delete(path)
            return
        outermost, *others = databases
        with transaction.atomic(outermost):
            self.delete(storage, path, others, rolled_back)
            assert is_in_original(storage, "hello.txt")
            transaction.set_rollback(outermost == rolled_back, outermost)

    @pytest.mark.parametrize("databases", DATABASES)
    def test_bytes_wait_for_all_of_them(self, name, databases):
        storage, path = self.save_and_delete(name, databases)
        assert not storage.exists(path)
        assert not is_in_original(storage, "hello.txt")

    @pytest.mark.parametrize(
        ("databases", "rolled_back"),
        [(databases, database) for databases in DATABASES for database in databases],
    )
    def test_rollback_of_any_of_them_loses_nothing(self, name, databases, rolled_back):
        storage, path = self.save_and_delete(name, databases, rolled_back)
        assert read(storage, path) == b"world"
