"""Saves and deletes inside transactions, with commits and rollbacks."""

import itertools
import threading
from contextlib import nullcontext

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError

from proxy_storage.exceptions import (
    ConfigurationError,
    MetaBackendError,
    MetaBackendObjectAlreadyExists,
)
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages.saving import SaveOperation
from tests.contract.reading import is_in_original, read
from tests.contract.temporary_storages import configure_proxy_storage
from tests.safety.stored_files import ORIGINALS
from tests.testapp.models import Document

pytestmark = [
    pytest.mark.database,
    pytest.mark.django_db(transaction=True, databases=["default", "other"]),
    pytest.mark.usefixtures("empty_storages"),
]


@pytest.fixture(params=map("-".join, itertools.product(settings.META_BACKENDS, ORIGINALS)))
def storage(request):
    return get_proxy_storage(request.param)


@pytest.fixture
def is_in_transaction(storage):
    """Return whether the records are part of the transaction. Those in MongoDB are not."""
    return storage.meta_backend.get_transaction_alias() is not None


@pytest.fixture
def path(storage, empty_storages):
    return storage.save("hello.txt", ContentFile(b"world"))


@pytest.fixture
def known(storage, path):
    """Return the name of the file in the original storage."""
    return storage.meta_backend.get(path)["original_storage_path"]


@pytest.fixture
def manual_transaction(path):
    """Switch autocommit off. Switching it on again runs the callbacks of ``on_commit``."""
    transaction.set_autocommit(False)
    # SQLite starts a transaction with the first change, so a change must precede savepoints.
    Document.objects.create()
    yield
    transaction.rollback()
    transaction.set_autocommit(True)


def get_title_count():
    return Document.objects.exclude(title="").count()


class TestSave:
    def test_duplicate_record_keeps_the_transaction_usable(self, storage, known):
        with transaction.atomic():
            Document.objects.create(title="before")
            with pytest.raises(MetaBackendObjectAlreadyExists):
                storage.save("again.txt", None, original_storage_path=known)
            Document.objects.create(title="after")
        assert get_title_count() == 2
        assert is_in_original(storage, known)

    @pytest.mark.parametrize("name", ["orm-disk", "orm-gridfs", "mongo-disk", "mongo-gridfs"])
    def test_lost_race_for_a_path_keeps_the_transaction_usable(self, name, monkeypatch):
        storage = get_proxy_storage(name)
        wanted = storage.get_path(storage.original_storage, "same.txt")
        other = {"proxy_storage_name": "other", "original_storage_path": "x"}
        storage.meta_backend.create({**other, "path": wanted})
        monkeypatch.setattr(SaveOperation, "_is_taken", lambda self, name: False)
        with transaction.atomic():
            Document.objects.create(title="before")
            path = storage.save("same.txt", ContentFile(b"mine"))
            Document.objects.create(title="after")
        assert get_title_count() == 2
        assert path != wanted
        assert read(storage, path) == b"mine"

    def test_invalid_record_keeps_the_transaction_usable(
        self, storage, monkeypatch, is_in_transaction
    ):
        get_data = type(storage).get_data_for_meta_backend_save
        written = []

        def get_invalid_data(**kwargs):
            written.append(kwargs["original_storage_path"])
            value = None if is_in_transaction else object()
            return {**get_data(storage, **kwargs), "mime_type": value}

        monkeypatch.setattr(storage, "get_data_for_meta_backend_save", get_invalid_data)
        with transaction.atomic():
            Document.objects.create(title="before")
            with pytest.raises(MetaBackendError, match="refused"):
                storage.save("hello.txt", ContentFile(b"world"))
            Document.objects.create(title="after")
        assert get_title_count() == 2
        assert not is_in_original(storage, written[0])

    def test_file_of_a_rolled_back_save_can_be_recorded_again(self, storage, is_in_transaction):
        with transaction.atomic():
            path = storage.save("hello.txt", ContentFile(b"world"))
            known = storage.meta_backend.get(path)["original_storage_path"]
            transaction.set_rollback(True)
        assert is_in_original(storage, known)
        # The record is rolled back only if it is part of the transaction.
        assert storage.exists(path) == (not is_in_transaction)
        later = storage.save("hello.txt", ContentFile(b"later"))
        if is_in_transaction:
            path = storage.save("hello.txt", None, original_storage_path=known)
        assert read(storage, path) == b"world"
        assert read(storage, later) == b"later"


class TestDelete:
    def test_record_is_deleted_immediately_and_the_file_after_commit(
        self, storage, path, known, is_in_transaction
    ):
        with transaction.atomic():
            with transaction.atomic():
                storage.delete(path)
            assert storage.exists(path) == (not is_in_transaction)
            assert is_in_original(storage, known)
        assert not storage.exists(path)
        assert not is_in_original(storage, known)

    @pytest.mark.parametrize("is_savepoint", [False, True])
    def test_rolled_back_delete_keeps_the_file(self, storage, path, is_savepoint):
        with transaction.atomic() if is_savepoint else nullcontext():
            with transaction.atomic():
                storage.delete(path)
                transaction.set_rollback(True)
            assert read(storage, path) == b"world"
        assert read(storage, path) == b"world"
        storage.delete(path)

    @pytest.mark.parametrize("is_rolled_back", [False, True])
    def test_file_is_replaced_in_one_transaction(self, storage, path, known, is_rolled_back):
        with transaction.atomic():
            storage.delete(path)
            new_path = storage.save("hello.txt", ContentFile(b"new"))
            assert read(storage, new_path) == b"new"
            transaction.set_rollback(is_rolled_back)
        if is_rolled_back:
            assert read(storage, path) == b"world"
        else:
            assert read(storage, new_path) == b"new"
            assert not storage.exists(path)
            assert not is_in_original(storage, known)

    def test_missing_file_is_replaced_in_one_transaction(self, storage, path, known):
        """The new file may get the name of the missing file."""
        storage.original_storage.delete(known)
        with transaction.atomic():
            storage.delete(path)
            new_path = storage.save("hello.txt", ContentFile(b"new"))
        assert read(storage, new_path) == b"new"

    def test_second_delete_in_one_transaction(self, storage, path, known, is_in_transaction):
        with transaction.atomic():
            storage.delete(path)
            # A record that is part of the transaction is deleted at this point.
            assert storage.exists(path) is not is_in_transaction
            storage.delete(path)
        assert not storage.exists(path)
        assert not is_in_original(storage, known)

    def test_file_that_cannot_be_deleted_after_the_commit(
        self, storage, path, known, is_in_transaction, monkeypatch, caplog
    ):
        def fail(name):
            raise PermissionError(name)

        with monkeypatch.context() as patch:
            patch.setattr(storage.original_storage, "delete", fail)
            called = []
            with transaction.atomic():
                Document.objects.create(title="kept")
                storage.delete(path)
                transaction.on_commit(lambda: called.append(1))
        assert "PermissionError" in caplog.text
        assert get_title_count() == 1
        assert called == [1]
        assert is_in_original(storage, known)
        # The record in MongoDB is deleted only together with the file.
        assert storage.exists(path) == (not is_in_transaction)


class TestDeleteOutsideTransactions:
    def test_others_see_the_record_until_the_file_is_deleted(
        self, storage, path, known, monkeypatch
    ):
        delete, seen = storage.original_storage.delete, []

        def check_and_delete(name):
            seen.append(self.exists_for_others(storage, path))
            delete(name)

        monkeypatch.setattr(storage.original_storage, "delete", check_and_delete)
        storage.delete(path)
        assert seen == [True]
        assert not storage.exists(path)
        assert not is_in_original(storage, known)

    def exists_for_others(self, storage, path):
        if connection.vendor == "sqlite" and storage.meta_backend.get_transaction_alias():
            # A database in memory has one connection, which all threads share.
            return connection.in_atomic_block
        seen = []

        def call_exists():
            seen.append(storage.exists(path))
            connection.close()

        thread = threading.Thread(target=call_exists)
        thread.start()
        thread.join()
        return seen[0]

    def test_failed_delete_keeps_file_and_record(self, storage, path, monkeypatch):
        def fail(name):
            raise PermissionError(name)

        record = storage.meta_backend.get(path)
        with monkeypatch.context() as patch:
            patch.setattr(storage.original_storage, "delete", fail)
            with pytest.raises(PermissionError):
                storage.delete(path)
        assert storage.meta_backend.get(path) == record
        assert read(storage, path) == b"world"
        storage.delete(path)
        assert not storage.exists(path)


class TestAutocommitOff:
    def test_delete_raises_before_any_change(self, storage, path, manual_transaction):
        with pytest.raises(TransactionManagementError, match="Autocommit is off"):
            storage.delete(path)
        assert read(storage, path) == b"world"
        transaction.commit()
        transaction.set_autocommit(True)
        assert read(storage, path) == b"world"

    @pytest.mark.parametrize("is_rolled_back", [False, True])
    def test_delete_in_atomic_waits_for_the_commit(
        self, storage, path, known, manual_transaction, is_rolled_back
    ):
        with transaction.atomic():
            storage.delete(path)
        assert is_in_original(storage, known)
        (transaction.rollback if is_rolled_back else transaction.commit)()
        transaction.set_autocommit(True)
        if is_rolled_back:
            assert read(storage, path) == b"world"
        else:
            assert not storage.exists(path)
            assert not is_in_original(storage, known)


@pytest.mark.parametrize("is_inside", [False, True])
@pytest.mark.parametrize("meta_backend_name", settings.META_BACKENDS)
def test_record_is_deleted_if_the_file_was_missing(meta_backend_name, is_inside, settings):
    class StrictStorage(FileSystemStorage):
        def delete(self, name):
            super().delete(name)
            raise FileNotFoundError(name)

    original = StrictStorage(settings.TEST_FILES_ROOT / "strict")
    storage = configure_proxy_storage(original, meta_backend_name, settings)
    path = storage.save("hello.txt", ContentFile(b"world"))
    with transaction.atomic() if is_inside else nullcontext():
        storage.delete(path)
    assert not storage.exists(path)


@pytest.mark.parametrize("is_inside", [False, True])
def test_record_of_a_removed_original_storage_is_kept(is_inside):
    storage = get_proxy_storage("orm-multiple")
    path = storage.save("hello.txt", ContentFile(b"world"))
    storage.meta_backend.update(path, {"original_storage_name": "gone"})
    context = transaction.atomic() if is_inside else nullcontext()
    with context, pytest.raises(ConfigurationError, match="not have an original storage 'gone'"):
        storage.delete(path)
    assert storage.exists(path)
