"""Records that cannot be written: the bytes go with them, and the error says why."""

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
    """Calls somebody when half of it has been read."""

    def __init__(self, content, call):
        super().__init__(content)
        self.call = call

    def chunks(self, chunk_size=None):
        first, *others = super().chunks(len(self) // 2)
        yield first
        self.call()
        yield from others


def save_known(storage):
    """Try to record bytes that are in the original storage already; return where."""
    known = storage.original_storage.save("known.txt", ContentFile(b"known"))
    with pytest.raises(MetaBackendError):
        storage.save("known.txt", None, original_storage_path=known)
    return known


class Refusal:
    """A table that refuses every record, from one moment to another."""

    def __init__(self, begin, end):
        self.statements = [begin, end]

    def begin(self):
        self._go_on(to=1)

    def end(self):
        self._go_on(to=0)

    def _go_on(self, to):
        if len(self.statements) > to:
            with connection.cursor() as cursor:
                cursor.execute(self.statements.pop(0))


TABLE = "testapp_storedfile"
REFUSALS = {
    "table is renamed": (
        f"ALTER TABLE {TABLE} RENAME TO elsewhere",
        f"ALTER TABLE elsewhere RENAME TO {TABLE}",
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


@pytest.mark.skipif(connection.vendor != "sqlite", reason="Its triggers are its own.")
class TestTableThatRefuses:
    @pytest.fixture(params=ORIGINALS)
    def storage(self, request):
        return get_proxy_storage(f"orm-{request.param}")

    @pytest.fixture(params=REFUSALS)
    def refusal(self, request, empty_storages):
        refusal = Refusal(*REFUSALS[request.param])
        yield refusal
        refusal.end()

    def test_bytes_are_removed_and_the_cause_comes_through(self, storage, refusal):
        path = storage.save("hello.txt", ContentFile(b"first"))
        before = get_original_files(storage.original_storage)

        with pytest.raises(MetaBackendError) as caught:
            storage.save("hello.txt", Upload(b"second", refusal.begin))

        assert isinstance(caught.value.__cause__, DatabaseError)
        assert not isinstance(caught.value, MetaBackendObjectAlreadyExists)
        assert get_original_files(storage.original_storage) == before
        refusal.end()
        assert read(storage, path) == b"first"
        assert read(storage, storage.save("hello.txt", ContentFile(b"third"))) == b"third"

    def test_bytes_that_were_there_before_stay(self, storage, refusal):
        storage.save("hello.txt", ContentFile(b"first"))
        refusal.begin()
        assert is_in_original(storage, save_known(storage))


class TestDocumentThatIsRefused:
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

    def test_bytes_are_removed_and_the_cause_comes_through(self, storage):
        with pytest.raises(MetaBackendError, match="refused") as caught:
            storage.save("hello.txt", ContentFile(b"world"))
        assert isinstance(caught.value.__cause__, InvalidDocument)
        assert get_original_files(storage.original_storage) == []

    def test_bytes_that_were_there_before_stay(self, storage):
        assert is_in_original(storage, save_known(storage))


def test_document_that_breaks_an_index_of_the_project(monkeypatch):
    """To try other paths would never come to an end."""
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
class TestSaveThatIsInterrupted:
    """While its record is being written: it is there, or it is not."""

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

    def test_bytes_of_a_record_that_is_there_stay(self, storage, monkeypatch):
        self.interrupt(monkeypatch, storage, lambda create, data: create(data))
        (file,) = self.save(storage)
        assert read(storage, str(file)) == b"world"

    def test_bytes_without_record_are_removed(self, storage, monkeypatch):
        self.interrupt(monkeypatch, storage, lambda create, data: None)
        assert self.save(storage) == []

    def test_record_of_somebody_else_keeps_no_bytes(self, storage, monkeypatch):
        def write_somebody_elses(create, data):
            create({**data, "original_storage_path": "else.txt"})

        self.interrupt(monkeypatch, storage, write_somebody_elses)
        assert self.save(storage) == []
        (record,) = storage.meta_backend
        assert record["original_storage_path"] == "else.txt"

    def test_bytes_that_were_there_before_stay(self, storage, monkeypatch):
        self.interrupt(monkeypatch, storage, lambda create, data: None)
        known = storage.original_storage.save("known.txt", ContentFile(b"known"))
        with pytest.raises(KeyboardInterrupt):
            storage.save("known.txt", None, original_storage_path=known)
        assert is_in_original(storage, known)
