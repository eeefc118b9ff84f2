"""Deletes in the transactions of django-mongodb-backend, which Django does not report.

An empty transaction of pymongo does not need a server, so that no test connects to one.
"""

from contextlib import suppress

import pytest
from django.core.files.base import ContentFile
from django.db import connections, transaction
from django.db.utils import ConnectionHandler

from proxy_storage.transactions import after_commit, check_can_wait, get_open_transactions
from tests.testapp.storages import MongoDiskStorage, OrmDiskStorage

ALIAS = "documents"


class RolledBackError(Exception):
    """Ends a transaction with a rollback."""


class Connection:
    """The transactions of a connection of django-mongodb-backend."""

    in_atomic_block = False
    atomic_blocks = ()
    in_atomic_block_mongo = False

    def __init__(self):
        self.alias = ALIAS
        self.hooks = []

    def on_commit(self, function, robust=False):
        if self.in_atomic_block_mongo:
            self.hooks.append(function)
        else:
            function()

    def atomic(self):
        return Atomic(self)


class Atomic:
    def __init__(self, connection):
        self.connection = connection

    def __enter__(self):
        self.connection.in_atomic_block_mongo = True

    def __exit__(self, kind, error, traceback):
        self.connection.in_atomic_block_mongo = False
        hooks, self.connection.hooks = self.connection.hooks, []
        for hook in hooks if error is None else []:
            hook()


def make_connection_of_the_backend():
    base = pytest.importorskip("django_mongodb_backend.base")
    own = pytest.importorskip("django_mongodb_backend.transaction")

    class RealConnection(base.DatabaseWrapper):
        def get_database_version(self):
            return (8, 0, 0)

        def ensure_connection(self):
            # Django's tests block connections to databases that are not in the settings.
            if self.connection is None:
                self.connect()

        def atomic(self):
            return own.atomic(using=self.alias)

    handler = ConnectionHandler(
        {
            "default": {},
            ALIAS: {
                "ENGINE": "django_mongodb_backend",
                "NAME": "tests",
                "HOST": "mongodb://127.0.0.1:1",
                "OPTIONS": {"directConnection": True, "connect": False},
            },
        }
    )
    return RealConnection(handler.settings[ALIAS], ALIAS)


@pytest.fixture(params=[Connection, make_connection_of_the_backend])
def documents(request, monkeypatch, empty_storages):
    """A connection of the backend, in addition to those of the tests."""
    connection = request.param()
    monkeypatch.setitem(connections.settings, ALIAS, {})
    connections[ALIAS] = connection
    yield connection
    del connections[ALIAS]
    close_pool = getattr(connection, "close_pool", None)
    if close_pool is not None:
        close_pool()


@pytest.mark.parametrize("storage", [OrmDiskStorage(), MongoDiskStorage()])
@pytest.mark.django_db(transaction=True)
class TestDelete:
    def save(self, storage):
        name = storage.save("a.txt", ContentFile(b"precious"))
        return name, storage.original_storage

    def test_bytes_are_deleted_after_the_commit(self, documents, storage):
        name, original = self.save(storage)
        with documents.atomic():
            storage.delete(name)
            assert original.exists("a.txt")
            assert storage.exists(name)
        assert not original.exists("a.txt")
        assert not storage.exists(name)

    def test_rollback_keeps_the_file(self, documents, storage):
        name, _ = self.save(storage)
        with suppress(RolledBackError), documents.atomic():
            storage.delete(name)
            raise RolledBackError
        with storage.open(name) as file:
            assert file.read() == b"precious"
        storage.delete(name)
        assert not storage.exists(name)

    def test_delete_waits_for_both_transactions(self, documents, storage):
        name, original = self.save(storage)
        with documents.atomic():
            with transaction.atomic():
                storage.delete(name)
            assert original.exists("a.txt")
        assert not original.exists("a.txt")


@pytest.mark.parametrize("documents", [make_connection_of_the_backend], indirect=True)
@pytest.mark.django_db(transaction=True)
def test_nested_transactions_are_one(documents):
    calls = []
    with documents.atomic():
        with documents.atomic():
            after_commit(lambda: calls.append(1))
        assert calls == []
        check_can_wait()
        assert get_open_transactions() == [ALIAS]
    assert calls == [1]
    assert get_open_transactions() == []


@pytest.mark.parametrize("documents", [make_connection_of_the_backend], indirect=True)
@pytest.mark.django_db(transaction=True)
def test_atomic_of_django_is_not_a_transaction(documents):
    calls = []
    with transaction.atomic(using=ALIAS):
        assert get_open_transactions() == []
        after_commit(lambda: calls.append(1))
        assert calls == [1]
