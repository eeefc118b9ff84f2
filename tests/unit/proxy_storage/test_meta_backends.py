from contextlib import nullcontext

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction
from pymongo import MongoClient

from demo.services import free_port
from proxy_storage.exceptions import (
    ConfigurationError,
    MetaBackendError,
    MetaBackendUnavailable,
)
from proxy_storage.meta_backends.mongo import MongoMetaBackend
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.registry import get_proxy_storage

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
        with pytest.raises(ConfigurationError, match="no subclass of ProxyStorageModelBase"):
            _ = ORMMetaBackend("auth.User").model

    def test_model_without_the_field(self):
        backend = ORMMetaBackend("testapp.PlainStoredFile")
        with pytest.raises(ConfigurationError, match="has no field 'original_storage_name'"):
            backend.create({**RECORD, "original_storage_name": "disk"})


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
