"""Deletes of records in MongoDB that were locked by a killed process or with a wrong clock."""

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
from tests.contract.reading import read
from tests.testapp.storages import get_mongo_db

pytestmark = pytest.mark.usefixtures("empty_storages")

DAY = 24 * 60 * 60
WAIT = 0.4
# Additional seconds on a machine under load
MARGIN = 5
LOCK_AND_KILL = """
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


class PublicFileViewSet(FileViewSet):
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


def lock_in_a_killed_process(path):
    arguments = [django_settings.MONGODB_URI, django_settings.MONGODB_NAME, path]
    command = [sys.executable, "-c", LOCK_AND_KILL, *arguments]
    finished = subprocess.run(command, check=False, capture_output=True)
    assert finished.returncode == -signal.SIGKILL, finished.stderr


def set_lock_end(path, ends_at):
    get_mongo_db()["records"].update_one(
        {"path": path}, {"$set": {mongo.LOCK_KEY: "another", mongo.LOCKED_UNTIL_KEY: ends_at}}
    )


def run_together(function, count=8):
    """Return the results of a function in several threads, and the seconds until all have ended."""
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
    def test_delete_waits_for_the_limit_and_raises(self, storage, path):
        lock_in_a_killed_process(path)
        errors, seconds = run_together(lambda: storage.delete(path))
        assert WAIT <= seconds < WAIT + MARGIN
        for error in errors:
            assert isinstance(error, MetaBackendUnavailable)
            assert error.nothing_written
            assert error.path == path
            assert repr(path) in str(error)
        assert read(storage, path) == b"world"

    def test_endpoint_returns_503(self, storage, path):
        lock_in_a_killed_process(path)
        view = PublicFileViewSet.as_view({"get": "list"}, meta_backends=[storage.meta_backend])

        def delete():
            return view(APIRequestFactory().delete(f"/?path={path}"))

        responses, seconds = run_together(delete)
        assert seconds < WAIT + MARGIN
        assert {response.status_code for response in responses} == {503}
        assert {response["Retry-After"] for response in responses} == {"5"}

    def test_lock_expires(self, storage, path, monkeypatch):
        lock_in_a_killed_process(path)
        later = time.time() + mongo.LOCK_SECONDS
        monkeypatch.setattr(mongo.time, "time", lambda: later)
        results, _ = run_together(lambda: storage.delete(path))
        assert results == [None] * 8
        assert not storage.exists(path)

    def test_lock_affects_deletes_only(self, storage, path):
        lock_in_a_killed_process(path)
        assert mongo.LOCK_KEY not in storage.get_meta_backend_obj(path)
        storage.meta_backend.update(path, {"size": 5})
        assert storage.meta_backend.select()[0]["size"] == 5
        assert storage.save("a.txt", ContentFile(b"other")) != path


class TestInvalidLockEnd:
    """The clock of another machine is wrong, or another program has written the value."""

    @pytest.mark.parametrize("ahead", [DAY, 1000 * DAY, mongo.LOCK_SECONDS * 2])
    def test_end_in_the_far_future_is_ignored(self, storage, path, ahead):
        set_lock_end(path, time.time() + ahead)
        storage.delete(path)
        assert not storage.exists(path)

    @pytest.mark.parametrize("ends_at", ["tomorrow", [], True, -1, 0])
    def test_end_of_another_type_is_ignored(self, storage, path, ends_at):
        set_lock_end(path, ends_at)
        storage.delete(path)
        assert not storage.exists(path)

    def test_only_one_thread_breaks_the_lock(self, storage, path):
        set_lock_end(path, time.time() + DAY)
        locks, _ = run_together(lambda: storage.meta_backend.lock(storage.meta_backend.get(path)))
        errors = [lock for lock in locks if isinstance(lock, MetaBackendUnavailable)]
        assert len(errors) == 7

    def test_end_slightly_in_the_future_is_accepted(self, storage, path):
        set_lock_end(path, time.time() + mongo.LOCK_SECONDS + mongo.CLOCK_TOLERANCE / 2)
        with pytest.raises(MetaBackendUnavailable):
            storage.delete(path)
        assert storage.exists(path)

    @pytest.mark.django_db(databases=["default", "other"])
    def test_endpoint_ignores_an_invalid_lock(self, path, storage, settings):
        classes = ["rest_framework.permissions.IsAdminUser"]
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "DELETE_PERMISSION_CLASSES": classes}
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "DEFAULT_PERMISSION_CLASSES": classes}
        set_lock_end(path, time.time() + DAY)
        admin = Client()
        admin.force_login(User.objects.create(username="admin", is_staff=True))
        assert admin.delete("/files/", query_params={"path": path}).status_code == 204
        assert not storage.exists(path)
