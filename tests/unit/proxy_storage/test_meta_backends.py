from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import DatabaseError, OperationalError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.writer import MigrationWriter
from django.db.models.signals import pre_delete
from pymongo import MongoClient

from demo.services import free_port
from proxy_storage.db.fields import ProxyStorageFileField
from proxy_storage.exceptions import (
    ConfigurationError,
    MetaBackendError,
    MetaBackendSchemaError,
    MetaBackendUnavailable,
)
from proxy_storage.meta_backends import conditions, queries
from proxy_storage.meta_backends.mongo import MongoMetaBackend
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages import ProxyStorage
from tests.testapp.memory_backend import MemoryMetaBackend
from tests.testapp.models import StoredFile
from tests.testapp.storages import get_mongo_db

pytestmark = pytest.mark.database

RECORD = {"path": "/a", "proxy_storage_name": "b", "original_storage_path": "c"}


@pytest.mark.django_db
class TestDatabaseErrors:
    def test_missing_table_raises_schema_error(self):
        backend = ORMMetaBackend("testapp.TablelessStoredFile")
        for ask in (
            backend.get,
            backend.exists,
            backend.delete,
            lambda path: backend.update(path, {"original_storage_path": "d"}),
            lambda path: backend.create({**RECORD, "path": path}),
        ):
            with (
                pytest.raises(MetaBackendSchemaError, match=r"manage\.py migrate") as caught,
                transaction.atomic(),
            ):
                ask("/a")
            assert isinstance(caught.value.__cause__, DatabaseError)
            assert caught.value.path == "/a"

    def test_database_does_not_answer(self):
        def fail(*args):
            raise OperationalError("server closed the connection")

        backend = ORMMetaBackend("testapp.StoredFile")
        with connection.execute_wrapper(fail), pytest.raises(MetaBackendUnavailable):
            backend.get("/a")

    def test_value_of_the_wrong_type_is_refused(self):
        with pytest.raises(MetaBackendError, match="refused"):
            ORMMetaBackend("testapp.StoredFile").create({**RECORD, "content_type_id": "no number"})


@pytest.mark.slow
class TestMongoThatDoesNotAnswer:
    def test_all_methods_raise_unavailable(self):
        with MongoClient(port=free_port(), serverSelectionTimeoutMS=50) as client:
            backend = MongoMetaBackend(database=client["nowhere"], collection="records")
            for ask in (backend.get, backend.exists, backend.delete):
                with pytest.raises(MetaBackendUnavailable, match="did not answer"):
                    ask("/a")
            with pytest.raises(MetaBackendUnavailable):
                backend.create(RECORD)
            with pytest.raises(MetaBackendUnavailable):
                backend.update("/a", {"original_storage_path": "d"})


class TestORMMetaBackend:
    @pytest.mark.parametrize("label", ["testapp.Nothing", "nowhere.Model", "no label"])
    def test_unknown_model(self, label):
        with pytest.raises(ConfigurationError, match="ORMMetaBackend"):
            _ = ORMMetaBackend(label).model

    def test_model_that_is_not_a_model_of_records(self):
        with pytest.raises(ConfigurationError, match="must be a subclass of ProxyStorageModelBase"):
            _ = ORMMetaBackend("auth.User").model

    def test_model_without_the_field(self):
        backend = ORMMetaBackend("testapp.PlainStoredFile")
        with pytest.raises(ConfigurationError, match="has no field 'original_storage_name'"):
            backend.create({**RECORD, "original_storage_name": "disk"})


@pytest.mark.django_db(transaction=True)
def test_record_that_changes_while_django_deletes_its_row(empty_storages):
    """With a receiver of the signal, Django reads the row first and deletes it by its key."""
    storage = get_proxy_storage("orm_disk")
    record = storage.meta_backend.get(storage.save("a.txt", ContentFile(b"a")))
    futures = []

    def update():
        try:
            storage.meta_backend.update(record["path"], {"field": "scan"}, where={"field": None})
        finally:
            # The close() of SQLite's wrapper keeps the connections of a database in memory.
            BaseDatabaseWrapper.close(connections["default"])

    def update_meanwhile(**kwargs):
        futures.append(pool.submit(update))
        wait(futures, timeout=0.5)

    with ThreadPoolExecutor(1) as pool:
        pre_delete.connect(update_meanwhile, sender=StoredFile)
        try:
            storage.delete_record(record, where={"field": None})
        finally:
            pre_delete.disconnect(update_meanwhile, sender=StoredFile)
        assert isinstance(futures[0].exception(), MetaBackendError)
    assert not storage.exists(record["path"])


class NamedRecords(ORMMetaBackend):
    """A backend of a project with a fixed model."""

    def __init__(self, note=""):
        super().__init__(StoredFile)
        self.note = note


class TestMigration:
    """A migration contains the class and its arguments, and not the records."""

    ORM = "proxy_storage.meta_backends.orm.ORMMetaBackend"
    MONGO = "proxy_storage.meta_backends.mongo.MongoMetaBackend"
    OWN = f"{__name__}.NamedRecords"
    GET_MONGO_DB = "tests.testapp.storages.get_mongo_db"

    @pytest.mark.parametrize(
        ("backend", "expected"),
        [
            (ORMMetaBackend("testapp.StoredFile"), f"{ORM}('testapp.StoredFile')"),
            (ORMMetaBackend(StoredFile), f"{ORM}('testapp.StoredFile')"),
            (ORMMetaBackend(model=StoredFile), f"{ORM}(model='testapp.StoredFile')"),
            (NamedRecords("a"), f"{OWN}('a')"),
            (MongoMetaBackend(get_mongo_db, "files"), f"{MONGO}({GET_MONGO_DB}, 'files')"),
            (
                MongoMetaBackend(database=GET_MONGO_DB, collection="files"),
                f"{MONGO}(collection='files', database='{GET_MONGO_DB}')",
            ),
        ],
    )
    def test_restores_an_equal_meta_backend(self, backend, expected):
        text, imports = MigrationWriter.serialize(backend)
        assert text == expected
        modules = {}
        exec("\n".join(imports), modules)
        assert eval(text, modules) == backend

    def test_field_without_the_records(self, empty_storages):
        for backend in (MemoryMetaBackend(), ORMMetaBackend("testapp.StoredFile")):
            backend.create(RECORD)
            storage = ProxyStorage(original_storage=FileSystemStorage("/a"), meta_backend=backend)
            text, _imports = MigrationWriter.serialize(ProxyStorageFileField(storage=storage))
            assert f"meta_backend={MigrationWriter.serialize(backend)[0]}" in text
            assert "proxy_storage_name" not in text

    def test_inner_class_is_refused(self):
        class Inner(MemoryMetaBackend):
            pass

        with pytest.raises(ValueError, match="Could not find object Inner"):
            MigrationWriter.serialize(Inner())

    def test_pymongo_database_is_refused(self):
        backend = MongoMetaBackend(get_mongo_db(), "files")
        with pytest.raises(TypeError, match="cannot be written to a migration"):
            MigrationWriter.serialize(backend)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_inside", [False, True])
def test_broken_connection_is_reopened_outside_of_a_transaction(
    is_inside, monkeypatch, empty_storages
):
    backend, closed = get_proxy_storage("orm-disk").meta_backend, []
    backend.create(RECORD)
    # A connection to SQLite does not break.
    monkeypatch.setattr(connection, "is_usable", lambda: False)
    monkeypatch.setattr(connection, "close", lambda: closed.append(True))
    with transaction.atomic() if is_inside else nullcontext():
        assert backend.get_after_error("/a", OSError())["original_storage_path"] == "c"
    assert closed == ([] if is_inside else [True])


class TestFormerNamesOfLock:
    class Renamed(MemoryMetaBackend):
        def claim(self, record):
            return {**super().claim(record), "size": 5}

        def release(self, record):
            self.released = record

    def test_override_of_a_former_name_is_used(self):
        backend = self.Renamed()
        record = backend.create(RECORD)
        assert backend.lock(record) == {"number": 1, "size": 5}
        backend.unlock(record)
        assert backend.released is record

    def test_override_of_a_former_name_in_a_mixin_is_used(self):
        class Mixin:
            def claim(self, record):
                return {"size": 7}

        class Mixed(Mixin, MemoryMetaBackend):
            pass

        assert Mixed().lock({}) == Mixed().claim({}) == {"size": 7}
        assert Mixed.unlock is MemoryMetaBackend.unlock

    def test_override_of_the_current_name_has_the_former_name(self):
        class Locking(self.Renamed):
            def lock(self, record):
                return {}

        assert Locking().claim({}) == {}
        assert MongoMetaBackend.claim is MongoMetaBackend.lock
        assert MongoMetaBackend.release is MongoMetaBackend.unlock


def test_former_place_of_the_functions_for_conditions():
    assert {name: getattr(conditions, name) for name in conditions.__all__} == {
        name: getattr(queries, name) for name in conditions.__all__
    }


def test_can_hold_returns_whether_check_keys_accepts_the_keys():
    class PathsOnly(MemoryMetaBackend):
        def check_keys(self, keys):
            if set(keys) - {*RECORD}:
                raise ConfigurationError("unknown key")

    assert PathsOnly().can_hold("path")
    assert not PathsOnly().can_hold("path", "size")
