"""Deletes of a MongoDB record that a process has locked that is killed, or whose clock is wrong."""

import signal
import subprocess
import sys
import threading
import time

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import Client
from rest_framework.permissions import AllowAny
from rest_framework.test import APIRequestFactory

from proxy_storage.exceptions import MetaBackendUnavailable
from proxy_storage.meta_backends import mongo
from proxy_storage.registry import get_proxy_storage
from proxy_storage_api.viewsets import FileViewSet
from tests.contract.proxy_storages import read
from tests.testapp.storages import get_mongo_db

pytestmark = pytest.mark.usefixtures("empty_storages")

DAY = 24 * 60 * 60
WAIT = 0.4
# what a machine under load may add
MARGIN = 5
LOCK_AND_BE_KILLED = """
import os, signal, sys
from django.conf import settings
settings.configure(USE_TZ=True)
from pymongo import MongoClient
from proxy_storage.meta_backends.mongo import MongoMetaBackend

uri, name, path = sys.argv[1:]
backend = MongoMetaBackend(lambda: MongoClient(uri)[name], "records")
backend.lock(backend.get(path))
os.kill(os.getpid(), signal.SIGKILL)
"""


class Everybody(FileViewSet):
    permission_classes = [AllowAny]
    delete_permission_classes = [AllowAny]
    authentication_classes = []


@pytest.fixture
def storage(monkeypatch):
    monkeypatch.setattr(mongo, "LOCK_WAIT_SECONDS", WAIT)
    return get_proxy_storage("mongo-disk")


@pytest.fixture
def path(storage):
    return storage.save("a.txt", ContentFile(b"world"))


def lock_and_be_killed(path):
    arguments = [django_settings.MONGODB_URI, django_settings.MONGODB_NAME, path]
    command = [sys.executable, "-c", LOCK_AND_BE_KILLED, *arguments]
    finished = subprocess.run(command, check=False, capture_output=True)
    assert finished.returncode == -signal.SIGKILL, finished.stderr


def set_end(path, ends_at):
    get_mongo_db()["records"].update_one(
        {"path": path}, {"$set": {mongo.LOCK_KEY: "another", mongo.LOCKED_UNTIL_KEY: ends_at}}
    )


def run_together(function, count=8):
    """Return what a function gives in as many threads, and how long all of them took."""
    together, results = threading.Barrier(count), []

    def run():
        together.wait()
        try:
            results.append(function())
        except MetaBackendUnavailable as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == count
    return results, time.monotonic() - start


class TestLockOfAKilledProcess:
    def test_holds_nobody_for_longer_than_the_limit(self, storage, path):
        lock_and_be_killed(path)
        errors, seconds = run_together(lambda: storage.delete(path))
        assert WAIT <= seconds < WAIT + MARGIN
        for error in errors:
            assert isinstance(error, MetaBackendUnavailable)
            assert error.nothing_written
            assert error.path == path
            assert repr(path) in str(error)
        assert read(storage, path) == b"world"

    def test_is_503_at_the_endpoint(self, storage, path):
        lock_and_be_killed(path)
        view = Everybody.as_view({"get": "list"}, meta_backends=[storage.meta_backend])

        def delete():
            return view(APIRequestFactory().delete(f"/?path={path}"))

        responses, seconds = run_together(delete)
        assert seconds < WAIT + MARGIN
        assert {response.status_code for response in responses} == {503}
        assert {response["Retry-After"] for response in responses} == {"5"}

    def test_ends_by_itself(self, storage, path, monkeypatch):
        lock_and_be_killed(path)
        later = time.time() + mongo.LOCK_SECONDS
        monkeypatch.setattr(mongo.time, "time", lambda: later)
        results, _ = run_together(lambda: storage.delete(path))
        assert results == [None] * 8
        assert not storage.exists(path)

    def test_hinders_nothing_but_deletes(self, storage, path):
        lock_and_be_killed(path)
        assert mongo.LOCK_KEY not in storage.get_meta_backend_obj(path)
        storage.meta_backend.update(path, {"size": 5})
        assert storage.meta_backend.select()[0]["size"] == 5
        assert storage.save("a.txt", ContentFile(b"other")) != path


class TestEndThatNoLockHas:
    """The clock of another machine is wrong, or another program has written the value."""

    @pytest.mark.parametrize("ahead", [DAY, 1000 * DAY, mongo.LOCK_SECONDS * 2])
    def test_too_far_ahead(self, storage, path, ahead):
        set_end(path, time.time() + ahead)
        storage.delete(path)
        assert not storage.exists(path)

    @pytest.mark.parametrize("ends_at", ["tomorrow", [], True, -1, 0])
    def test_of_another_kind(self, storage, path, ends_at):
        set_end(path, ends_at)
        storage.delete(path)
        assert not storage.exists(path)

    def test_is_broken_by_one_of_many(self, storage, path):
        set_end(path, time.time() + DAY)
        locks, _ = run_together(lambda: storage.meta_backend.lock(storage.meta_backend.get(path)))
        errors = [lock for lock in locks if isinstance(lock, MetaBackendUnavailable)]
        assert len(errors) == 7

    def test_of_a_clock_that_is_a_little_ahead_is_believed(self, storage, path):
        set_end(path, time.time() + mongo.LOCK_SECONDS + mongo.CLOCK_TOLERANCE / 2)
        with pytest.raises(MetaBackendUnavailable):
            storage.delete(path)
        assert storage.exists(path)

    @pytest.mark.django_db(databases=["default", "other"])
    def test_does_not_hold_the_clients_of_the_site(self, path, storage, settings):
        classes = ["rest_framework.permissions.IsAdminUser"]
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "DELETE_PERMISSION_CLASSES": classes}
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "DEFAULT_PERMISSION_CLASSES": classes}
        set_end(path, time.time() + DAY)
        admin = Client()
        admin.force_login(User.objects.create(username="admin", is_staff=True))
        assert admin.delete("/files/", query_params={"path": path}).status_code == 204
        assert not storage.exists(path)
