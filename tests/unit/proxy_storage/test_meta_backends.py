from contextlib import nullcontext

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.migrations.writer import MigrationWriter
from pymongo import MongoClient

from demo.services import free_port
from proxy_storage.db.fields import ProxyStorageFileField
from proxy_storage.exceptions import (
    ConfigurationError,
    MetaBackendError,
    MetaBackendUnavailable,
)
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
class TestDatabaseThatRefuses:
    def test_table_is_missing(self):
        backend = ORMMetaBackend("testapp.TablelessStoredFile")
        for ask in (backend.get, backend.exists, backend.delete):
            with pytest.raises(MetaBackendError) as caught, transaction.atomic():
                ask("/a")
            assert isinstance(caught.value.__cause__, DatabaseError)
            assert caught.value.path == "/a"
        with pytest.raises(MetaBackendError), transaction.atomic():
            backend.create(RECORD)
        with pytest.raises(MetaBackendError), transaction.atomic():
            backend.update("/a", {"original_storage_path": "d"})

    def test_database_does_not_answer(self):
        def fail(*args):
            raise OperationalError("server closed the connection")

        backend = ORMMetaBackend("testapp.StoredFile")
        with connection.execute_wrapper(fail), pytest.raises(MetaBackendUnavailable):
            backend.get("/a")

    def test_value_does_not_fit(self):
        with pytest.raises(MetaBackendError, match="refused"):
            ORMMetaBackend("testapp.StoredFile").create({**RECORD, "content_type_id": "no number"})


class TestMongoThatDoesNotAnswer:
    def test_every_method_says_so(self):
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

    def test_model_that_holds_no_records(self):
        with pytest.raises(ConfigurationError, match="must be a subclass of ProxyStorageModelBase"):
            _ = ORMMetaBackend("auth.User").model

    def test_model_without_the_field(self):
        backend = ORMMetaBackend("testapp.PlainStoredFile")
        with pytest.raises(ConfigurationError, match="has no field 'original_storage_name'"):
            backend.create({**RECORD, "original_storage_name": "disk"})


class NamedRecords(ORMMetaBackend):
    """A backend of a project, whose records are always the same ones."""

    def __init__(self, note=""):
        super().__init__(StoredFile)
        self.note = note


class TestMigration:
    """A migration names the class and its arguments, and has nothing of the records."""

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
    def test_makes_an_equal_one(self, backend, expected):
        text, imports = MigrationWriter.serialize(backend)
        assert text == expected
        modules = {}
        exec("\n".join(imports), modules)
        assert eval(text, modules) == backend

    def test_of_a_field_has_no_records(self, empty_storages):
        for backend in (MemoryMetaBackend(), ORMMetaBackend("testapp.StoredFile")):
            backend.create(RECORD)
            storage = ProxyStorage(original_storage=FileSystemStorage("/a"), meta_backend=backend)
            text, _imports = MigrationWriter.serialize(ProxyStorageFileField(storage=storage))
            assert f"meta_backend={MigrationWriter.serialize(backend)[0]}" in text
            assert "proxy_storage_name" not in text

    def test_cannot_name_an_inner_class(self):
        class Inner(MemoryMetaBackend):
            pass

        with pytest.raises(ValueError, match="Could not find object Inner"):
            MigrationWriter.serialize(Inner())

    def test_cannot_name_a_database(self):
        backend = MongoMetaBackend(get_mongo_db(), "files")
        with pytest.raises(TypeError, match="cannot be written to a migration"):
            MigrationWriter.serialize(backend)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_inside", [False, True])
def test_connection_that_has_broken_is_opened_anew_outside_of_a_transaction(
    is_inside, monkeypatch, empty_storages
):
    backend, closed = get_proxy_storage("orm-disk").meta_backend, []
    backend.create(RECORD)
    # a connection to SQLite never breaks
    monkeypatch.setattr(connection, "is_usable", lambda: False)
    monkeypatch.setattr(connection, "close", lambda: closed.append(True))
    with transaction.atomic() if is_inside else nullcontext():
        assert backend.get_after_error("/a", OSError())["original_storage_path"] == "c"
    assert closed == ([] if is_inside else [True])
