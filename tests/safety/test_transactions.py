"""Files inside transactions: what waits for the commit, and what a rollback brings back."""

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
from tests.contract.proxy_storages import is_in_original, read
from tests.contract.special_storages import put_in_front_of
from tests.safety.originals import ORIGINALS
from tests.testapp.models import Document

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "other"]),
    pytest.mark.usefixtures("empty_storages"),
]


@pytest.fixture(params=map("-".join, itertools.product(settings.META_BACKENDS, ORIGINALS)))
def storage(request):
    return get_proxy_storage(request.param)


@pytest.fixture
def is_in_transaction(storage):
    """Whether the records take part in the transaction: those of MongoDB do not."""
    return storage.meta_backend.get_transaction_alias() is not None


@pytest.fixture
def path(storage, empty_storages):
    return storage.save("hello.txt", ContentFile(b"world"))


@pytest.fixture
def known(storage, path):
    """Where the original storage has the bytes."""
    return storage.meta_backend.get(path)["original_storage_path"]


@pytest.fixture
def manual_transaction(path):
    """No autocommit. What waits for a commit is called when it is switched on again."""
    transaction.set_autocommit(False)
    # SQLite begins with the first change, and would take a savepoint before it for all there is
    Document.objects.create()
    yield
    transaction.rollback()
    transaction.set_autocommit(True)


def get_title_count():
    return Document.objects.exclude(title="").count()


class TestSave:
    def test_bytes_that_have_a_record_leave_the_transaction_usable(self, storage, known):
        with transaction.atomic():
            Document.objects.create(title="before")
            with pytest.raises(MetaBackendObjectAlreadyExists):
                storage.save("again.txt", None, original_storage_path=known)
            Document.objects.create(title="after")
        assert get_title_count() == 2
        assert is_in_original(storage, known)

    @pytest.mark.parametrize("name", ["orm-disk", "orm-gridfs", "mongo-disk", "mongo-gridfs"])
    def test_path_taken_in_the_last_moment_leaves_it_usable(self, name, monkeypatch):
        storage = get_proxy_storage(name)
        wanted = storage.get_path(storage.original_storage, "same.txt")
        somebody = {"proxy_storage_name": "somebody", "original_storage_path": "x"}
        storage.meta_backend.create({**somebody, "path": wanted})
        monkeypatch.setattr(SaveOperation, "_is_taken", lambda self, name: False)
        with transaction.atomic():
            Document.objects.create(title="before")
            path = storage.save("same.txt", ContentFile(b"mine"))
            Document.objects.create(title="after")
        assert get_title_count() == 2
        assert path != wanted
        assert read(storage, path) == b"mine"

    def test_refused_record_leaves_it_usable(self, storage, monkeypatch, is_in_transaction):
        get_data = type(storage).get_data_for_meta_backend_save
        written = []

        def spoil(**kwargs):
            written.append(kwargs["original_storage_path"])
            value = None if is_in_transaction else object()
            return {**get_data(storage, **kwargs), "mime_type": value}

        monkeypatch.setattr(storage, "get_data_for_meta_backend_save", spoil)
        with transaction.atomic():
            Document.objects.create(title="before")
            with pytest.raises(MetaBackendError, match="refused"):
                storage.save("hello.txt", ContentFile(b"world"))
            Document.objects.create(title="after")
        assert get_title_count() == 2
        assert not is_in_original(storage, written[0])

    def test_rolled_back_leaves_bytes_that_can_be_found(self, storage, is_in_transaction):
        with transaction.atomic():
            path = storage.save("hello.txt", ContentFile(b"world"))
            known = storage.meta_backend.get(path)["original_storage_path"]
            transaction.set_rollback(True)
        assert is_in_original(storage, known)
        # bytes without a record, or both
        assert storage.exists(path) == (not is_in_transaction)
        later = storage.save("hello.txt", ContentFile(b"later"))
        if is_in_transaction:
            path = storage.save("hello.txt", None, original_storage_path=known)
        assert read(storage, path) == b"world"
        assert read(storage, later) == b"later"


class TestDelete:
    def test_record_goes_at_once_and_the_bytes_after_the_commit(
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
    def test_rolled_back_loses_nothing(self, storage, path, is_savepoint):
        with transaction.atomic() if is_savepoint else nullcontext():
            with transaction.atomic():
                storage.delete(path)
                transaction.set_rollback(True)
            assert read(storage, path) == b"world"
        assert read(storage, path) == b"world"
        storage.delete(path)

    @pytest.mark.parametrize("is_rolled_back", [False, True])
    def test_replaced_under_its_name(self, storage, path, known, is_rolled_back):
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

    def test_file_without_bytes_replaced_under_its_name(self, storage, path, known):
        """The new bytes may have the place of those that were gone before."""
        storage.original_storage.delete(known)
        with transaction.atomic():
            storage.delete(path)
            new_path = storage.save("hello.txt", ContentFile(b"new"))
        assert read(storage, new_path) == b"new"

    def test_twice_in_one_transaction(self, storage, path, known, is_in_transaction):
        with transaction.atomic():
            storage.delete(path)
            # a record that takes part in the transaction is gone already
            assert storage.exists(path) is not is_in_transaction
            storage.delete(path)
        assert not storage.exists(path)
        assert not is_in_original(storage, known)

    def test_bytes_that_cannot_be_deleted_after_the_commit(
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
        # MongoDB's record goes together with the bytes, or not at all
        assert storage.exists(path) == (not is_in_transaction)


class TestDeleteOutsideOfTransactions:
    def test_bytes_go_while_others_still_see_the_record(self, storage, path, known, monkeypatch):
        delete, seen = storage.original_storage.delete, []

        def look_and_delete(name):
            seen.append(self.ask_others(storage, path))
            delete(name)

        monkeypatch.setattr(storage.original_storage, "delete", look_and_delete)
        storage.delete(path)
        assert seen == [True]
        assert not storage.exists(path)
        assert not is_in_original(storage, known)

    def ask_others(self, storage, path):
        if connection.vendor == "sqlite" and storage.meta_backend.get_transaction_alias():
            # in memory, which has one connection: nobody else sees what is not committed
            return connection.in_atomic_block
        seen = []

        def look():
            seen.append(storage.exists(path))
            connection.close()

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        return seen[0]

    def test_file_stays_whole_where_the_bytes_cannot_be_deleted(self, storage, path, monkeypatch):
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


class TestTransactionByHand:
    def test_refused_before_anything_is_done(self, storage, path, manual_transaction):
        with pytest.raises(TransactionManagementError, match="Autocommit is off"):
            storage.delete(path)
        assert read(storage, path) == b"world"
        transaction.commit()
        transaction.set_autocommit(True)
        assert read(storage, path) == b"world"

    @pytest.mark.parametrize("is_rolled_back", [False, True])
    def test_atomic_within_waits_as_usual(
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
def test_original_that_knows_of_no_such_file_keeps_no_record(
    meta_backend_name, is_inside, settings
):
    class Strict(FileSystemStorage):
        def delete(self, name):
            super().delete(name)
            raise FileNotFoundError(name)

    original = Strict(settings.TEST_FILES_ROOT / "strict")
    storage = put_in_front_of(original, meta_backend_name, settings)
    path = storage.save("hello.txt", ContentFile(b"world"))
    with transaction.atomic() if is_inside else nullcontext():
        storage.delete(path)
    assert not storage.exists(path)


@pytest.mark.parametrize("is_inside", [False, True])
def test_original_that_is_not_configured_any_more_keeps_its_record(is_inside):
    storage = get_proxy_storage("orm-multiple")
    path = storage.save("hello.txt", ContentFile(b"world"))
    storage.meta_backend.update(path, {"original_storage_name": "gone"})
    outside = transaction.atomic() if is_inside else nullcontext()
    with outside, pytest.raises(ConfigurationError, match="an original storage 'gone'"):
        storage.delete(path)
    assert storage.exists(path)
