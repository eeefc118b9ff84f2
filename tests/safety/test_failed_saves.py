"""If a record cannot be written, its file is removed and the error has the cause."""

import pytest
from bson.errors import InvalidDocument
from django.core.files.base import ContentFile
from django.db import DatabaseError, connection
from pymongo.errors import DuplicateKeyError

from proxy_storage.exceptions import (
    MetaBackendError,
    MetaBackendObjectAlreadyExists,
)
from proxy_storage.registry import get_proxy_storage
from tests.contract.reading import is_in_original, read
from tests.safety.stored_files import ORIGINALS, get_original_files
from tests.testapp.storages import get_mongo_db

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("empty_storages"),
]


class Upload(ContentFile):
    """Calls a function when half of the content has been read."""

    def __init__(self, content, call):
        super().__init__(content)
        self.call = call

    def chunks(self, chunk_size=None):
        first, *others = super().chunks(len(self) // 2)
        yield first
        self.call()
        yield from others


def save_existing(storage):
    """Try to record an existing file of the original storage, and return its name."""
    known = storage.original_storage.save("known.txt", ContentFile(b"known"))
    with pytest.raises(MetaBackendError):
        storage.save("known.txt", None, original_storage_path=known)
    return known


class TableFault:
    """A change of the table that makes every insert fail until it is reverted."""

    def __init__(self, begin, end):
        self.statements = [begin, end]

    def begin(self):
        self._execute_up_to(to=1)

    def end(self):
        self._execute_up_to(to=0)

    def _execute_up_to(self, to):
        if len(self.statements) > to:
            with connection.cursor() as cursor:
                cursor.execute(self.statements.pop(0))


TABLE = "testapp_storedfile"
TABLE_FAULTS = {
    "table is renamed": (
        f"ALTER TABLE {TABLE} RENAME TO renamed",
        f"ALTER TABLE renamed RENAME TO {TABLE}",
    ),
    "trigger": (
        f"CREATE TRIGGER refuse BEFORE INSERT ON {TABLE} "
        "BEGIN SELECT RAISE(ABORT, 'no more files'); END",
        "DROP TRIGGER refuse",
    ),
    "other unique column": (
        f"CREATE UNIQUE INDEX one_of_a_kind ON {TABLE} (mime_type)",
        "DROP INDEX one_of_a_kind",
    ),
}


@pytest.mark.skipif(
    connection.vendor != "sqlite", reason="The SQL of the triggers is that of SQLite."
)
class TestTableWithFault:
    @pytest.fixture(params=ORIGINALS)
    def storage(self, request):
        return get_proxy_storage(f"orm-{request.param}")

    @pytest.fixture(params=TABLE_FAULTS)
    def fault(self, request, empty_storages):
        fault = TableFault(*TABLE_FAULTS[request.param])
        yield fault
        fault.end()

    def test_file_is_removed_and_the_error_has_a_cause(self, storage, fault):
        path = storage.save("hello.txt", ContentFile(b"first"))
        before = get_original_files(storage.original_storage)

        with pytest.raises(MetaBackendError) as caught:
            storage.save("hello.txt", Upload(b"second", fault.begin))

        assert isinstance(caught.value.__cause__, DatabaseError)
        assert not isinstance(caught.value, MetaBackendObjectAlreadyExists)
        assert get_original_files(storage.original_storage) == before
        fault.end()
        assert read(storage, path) == b"first"
        assert read(storage, storage.save("hello.txt", ContentFile(b"third"))) == b"third"

    def test_existing_file_is_kept(self, storage, fault):
        storage.save("hello.txt", ContentFile(b"first"))
        fault.begin()
        assert is_in_original(storage, save_existing(storage))


class TestInvalidDocument:
    @pytest.fixture(params=ORIGINALS)
    def storage(self, request, monkeypatch):
        storage = get_proxy_storage(f"mongo-{request.param}")
        get_data = storage.get_data_for_meta_backend_save
        monkeypatch.setattr(
            storage,
            "get_data_for_meta_backend_save",
            lambda **kwargs: {**get_data(**kwargs), "title": object()},
        )
        return storage

    def test_file_is_removed_and_the_error_has_a_cause(self, storage):
        with pytest.raises(MetaBackendError, match="refused") as caught:
            storage.save("hello.txt", ContentFile(b"world"))
        assert isinstance(caught.value.__cause__, InvalidDocument)
        assert get_original_files(storage.original_storage) == []

    def test_existing_file_is_kept(self, storage):
        assert is_in_original(storage, save_existing(storage))


def test_other_unique_index_causes_no_endless_retries(monkeypatch):
    """Another path cannot satisfy a unique index of the project."""
    storage, tries = get_proxy_storage("mongo-metadata"), []
    create = storage.meta_backend.create

    def create_a_few_times(data):
        tries.append(data["path"])
        assert len(tries) < 10
        return create(data)

    monkeypatch.setattr(storage.meta_backend, "create", create_a_few_times)
    index = get_mongo_db()["records"].create_index("checksum", unique=True)
    try:
        path = storage.save("hello.txt", ContentFile(b"same"))
        with pytest.raises(MetaBackendError) as caught:
            storage.save("other.txt", ContentFile(b"same"))
    finally:
        get_mongo_db()["records"].drop_index(index)
    assert not isinstance(caught.value, MetaBackendObjectAlreadyExists)
    assert isinstance(caught.value.__cause__, DuplicateKeyError)
    assert [str(file) for file in get_original_files(storage.original_storage)] == [path]


@pytest.mark.parametrize("storage", ["orm-disk", "mongo-disk", "simple"], indirect=True)
class TestInterruptedSave:
    """The process is interrupted before or after its record is written."""

    def interrupt(self, monkeypatch, storage, write):
        create = storage.meta_backend.create

        def create_and_stop(data):
            write(create, data)
            raise KeyboardInterrupt

        monkeypatch.setattr(storage.meta_backend, "create", create_and_stop)

    def save(self, storage):
        with pytest.raises(KeyboardInterrupt):
            storage.save("hello.txt", ContentFile(b"world"))
        return get_original_files(storage.original_storage)

    def test_file_with_a_record_is_kept(self, storage, monkeypatch):
        self.interrupt(monkeypatch, storage, lambda create, data: create(data))
        (file,) = self.save(storage)
        assert read(storage, str(file)) == b"world"

    def test_file_without_record_is_removed(self, storage, monkeypatch):
        self.interrupt(monkeypatch, storage, lambda create, data: None)
        assert self.save(storage) == []

    def test_file_is_removed_if_another_record_has_the_path(self, storage, monkeypatch):
        def write_another_record(create, data):
            create({**data, "original_storage_path": "other.txt"})

        self.interrupt(monkeypatch, storage, write_another_record)
        assert self.save(storage) == []
        (record,) = storage.meta_backend
        assert record["original_storage_path"] == "other.txt"

    def test_existing_file_is_kept(self, storage, monkeypatch):
        self.interrupt(monkeypatch, storage, lambda create, data: None)
        known = storage.original_storage.save("known.txt", ContentFile(b"known"))
        with pytest.raises(KeyboardInterrupt):
            storage.save("known.txt", None, original_storage_path=known)
        assert is_in_original(storage, known)
