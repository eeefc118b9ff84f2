"""The MongoDB database of a process."""

import os
import threading
import uuid
from contextlib import nullcontext

import pytest

from proxy_storage import mongodb
from proxy_storage.exceptions import MetaBackendError
from tests.testapp.storages import MongoStorage, get_mongo_db


def test_threads_share_one_database():
    calls, results = [], []
    together = threading.Barrier(8)

    def get_database():
        calls.append(threading.get_ident())
        return get_mongo_db()

    database = mongodb.LazyDatabase(get_database)

    def get():
        together.wait()
        results.append(database.get())

    threads = [threading.Thread(target=get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert results == [get_mongo_db()] * 8


def test_waiting_thread_uses_the_database_of_another_thread(monkeypatch):
    database = mongodb.LazyDatabase(lambda: 1 / 0)

    class Waiting(nullcontext):
        def __enter__(self):
            """Return after another thread has created the database."""
            database._resolved = (os.getpid(), get_mongo_db())

    monkeypatch.setattr(mongodb, "_resolving", Waiting())
    assert database.get() == get_mongo_db()


def test_forked_process_creates_its_own_database(monkeypatch):
    calls = []
    database = mongodb.LazyDatabase(lambda: calls.append(1) or get_mongo_db())
    database.get()
    database.get()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    database.get()
    assert len(calls) == 2


def test_value_that_bson_cannot_hold_is_refused(empty_storages):
    meta_backend = MongoStorage.meta_backend
    with pytest.raises(MetaBackendError, match="refused"):
        meta_backend.create(
            {
                "path": "/a",
                "proxy_storage_name": "mongo_disk",
                "original_storage_path": "a",
                # pymongo does not write a UUID without an option.
                "key": uuid.uuid4(),
            }
        )
    assert not meta_backend.exists("/a")
