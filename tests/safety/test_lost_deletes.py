"""Deletes that lose a race for certain: somebody else deletes the file, and saves another."""

import threading
import time
from contextlib import nullcontext

import pytest
from bson import ObjectId
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import transaction
from gridfs import GridFSBucket, NoFile

from proxy_storage.exceptions import MetaBackendObjectDoesNotExist
from proxy_storage.meta_backends import mongo
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages.deleting import DeleteOperation
from proxy_storage.storages.gridfs import GridFSStorage
from proxy_storage.storages.saving import SaveOperation
from tests.contract.proxy_storages import read
from tests.testapp.storages import get_mongo_db

pytestmark = pytest.mark.usefixtures("empty_storages")

ALL = [name for name in settings.CONTRACT if not name.endswith("s3")]


def save(storage, content):
    return storage.save("same.txt", ContentFile(content))


class TestTwoDeletes:
    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("storage", [*ALL, "simple"], indirect=True)
    @pytest.mark.parametrize("is_inside", [False, True])
    def test_late_one_leaves_a_new_file_alone(self, storage, is_inside):
        path = save(storage, b"old")
        late = DeleteOperation(storage, storage.get_meta_backend_obj(path))
        storage.delete(path)
        new_path = save(storage, b"new")
        with transaction.atomic() if is_inside else nullcontext():
            late.delete()
        assert read(storage, new_path) == b"new"

    @pytest.mark.parametrize("storage", ["mongo-disk", "mongo-gridfs", "simple"], indirect=True)
    def test_new_file_that_comes_before_the_record_goes(self, storage, monkeypatch):
        path = save(storage, b"old")
        delete, new_paths = storage.original_storage.delete, []

        def delete_and_lose_time(name):
            delete(name)
            monkeypatch.setattr(storage.original_storage, "delete", delete)
            new_paths.append(save(storage, b"new"))

        # saves take their names without a look for records
        monkeypatch.setattr(SaveOperation, "_is_taken", lambda self, name: False)
        monkeypatch.setattr(storage.original_storage, "delete", delete_and_lose_time)
        storage.delete(path)
        assert storage.exists(path) == (new_paths == [path])
        assert read(storage, new_paths[0]) == b"new"

    @pytest.mark.parametrize("storage", ["mongo-disk", "mongo-gridfs"], indirect=True)
    def test_second_one_waits_for_the_first(self, storage, monkeypatch):
        path = save(storage, b"old")
        delete, sleep = storage.original_storage.delete, time.sleep
        waits, new_paths = threading.Event(), []

        def note_and_sleep(seconds):
            waits.set()
            sleep(seconds)

        def lose_time_and_delete(name):
            monkeypatch.setattr(storage.original_storage, "delete", delete)
            second.start()
            assert waits.wait(30)
            new_paths.append(save(storage, b"new"))
            delete(name)

        second = threading.Thread(target=storage.delete, args=[path])
        monkeypatch.setattr(mongo.time, "sleep", note_and_sleep)
        monkeypatch.setattr(storage.original_storage, "delete", lose_time_and_delete)
        storage.delete(path)
        second.join()
        assert not storage.exists(path)
        assert read(storage, new_paths[0]) == b"new"

    @pytest.mark.parametrize("storage", ["mongo-disk"], indirect=True)
    def test_lock_of_a_process_that_was_killed_passes(self, storage, monkeypatch):
        path = save(storage, b"old")
        record = storage.meta_backend.get(path)
        monkeypatch.setattr(mongo, "LOCK_SECONDS", 0.2)
        of_the_dead = storage.meta_backend.lock(record)
        storage.delete(path)
        assert not storage.exists(path)
        for late in (of_the_dead, None):
            with pytest.raises(MetaBackendObjectDoesNotExist):
                storage.meta_backend.delete(path, where=late)
        with pytest.raises(MetaBackendObjectDoesNotExist):
            storage.meta_backend.lock(record)


@pytest.mark.django_db(transaction=True)
def test_new_file_at_the_old_path_keeps_no_old_bytes(monkeypatch):
    """Deleted and saved in one transaction, where a path does not tell two names apart."""
    storage = get_proxy_storage("orm-disk")
    monkeypatch.setattr(storage, "get_path", lambda original, name: f"/{name[:4]}")
    path = save(storage, b"old")
    with transaction.atomic():
        storage.delete(path)
        assert save(storage, b"new") == path
    assert read(storage, path) == b"new"
    assert len(storage.original_storage.listdir("")[1]) == 1


class TestNameInGridFS:
    """Who deletes a file gives its name back, and nobody else's."""

    @pytest.fixture
    def storage(self):
        return GridFSStorage(get_mongo_db)

    @pytest.fixture
    def missing_file_is_no_error(self, monkeypatch):
        """As with MongoDB; the server that tests start calls it an error of its own."""
        delete = GridFSBucket.delete

        def delete_what_is_there(bucket, file_id):
            if not list(bucket.find({"_id": file_id})):
                raise NoFile(file_id)
            delete(bucket, file_id)

        monkeypatch.setattr(GridFSBucket, "delete", delete_what_is_there)

    @pytest.mark.usefixtures("missing_file_is_no_error")
    def test_of_a_new_file_stays_where_the_old_one_is_deleted_twice(self, storage, monkeypatch):
        storage.save("same.txt", ContentFile(b"old"))
        find = storage._find

        def find_and_lose_time(name):
            found = find(name)
            monkeypatch.setattr(storage, "_find", find)
            storage.delete(name)
            assert storage.save(name, ContentFile(b"new")) == name
            return found

        monkeypatch.setattr(storage, "_find", find_and_lose_time)
        storage.delete("same.txt")
        self.check(storage, b"new")

    def test_of_an_upload_under_way_stays(self, storage):
        class Slow(ContentFile):
            def chunks(self, chunk_size=None):
                storage.delete("same.txt")
                yield from super().chunks(chunk_size)

        assert storage.save("same.txt", Slow(b"new")) == "same.txt"
        self.check(storage, b"new")

    def check(self, storage, content):
        (claim,) = get_mongo_db()["fs_names"].find({})
        assert claim == {"_id": "same.txt", "file_id": str(storage._find("same.txt")._id)}
        assert storage._claim("same.txt", ObjectId()) != "same.txt"
        with storage.open("same.txt") as file:
            assert file.read() == content
