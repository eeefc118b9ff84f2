"""Deletes that lose a race: another call deletes the file and saves a new one."""

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
from tests.contract.reading import read
from tests.testapp.storages import get_mongo_db

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("empty_storages")]

ALL = [name for name in settings.CONTRACT if not name.endswith("s3")]


def save(storage, content):
    return storage.save("same.txt", ContentFile(content))


class TestTwoDeletes:
    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("storage", [*ALL, "simple"], indirect=True)
    @pytest.mark.parametrize("is_inside", [False, True])
    def test_late_delete_keeps_a_new_file(self, storage, is_inside):
        path = save(storage, b"old")
        late = DeleteOperation(storage, storage.get_meta_backend_obj(path))
        storage.delete(path)
        new_path = save(storage, b"new")
        with transaction.atomic() if is_inside else nullcontext():
            late.delete()
        assert read(storage, new_path) == b"new"

    @pytest.mark.parametrize("storage", ["mongo-disk", "mongo-gridfs", "simple"], indirect=True)
    def test_new_file_saved_before_the_record_is_deleted(self, storage, monkeypatch):
        path = save(storage, b"old")
        delete, new_paths = storage.original_storage.delete, []

        def delete_and_save_another(name):
            delete(name)
            monkeypatch.setattr(storage.original_storage, "delete", delete)
            new_paths.append(save(storage, b"new"))

        # Saves choose their names without looking for records.
        monkeypatch.setattr(SaveOperation, "_is_taken", lambda self, name: False)
        monkeypatch.setattr(storage.original_storage, "delete", delete_and_save_another)
        storage.delete(path)
        assert storage.exists(path) == (new_paths == [path])
        assert read(storage, new_paths[0]) == b"new"

    @pytest.mark.parametrize("storage", ["mongo-disk", "mongo-gridfs"], indirect=True)
    def test_second_delete_waits_for_the_first(self, storage, monkeypatch):
        path = save(storage, b"old")
        delete, sleep = storage.original_storage.delete, time.sleep
        waits, new_paths = threading.Event(), []

        def note_and_sleep(seconds):
            waits.set()
            sleep(seconds)

        def wait_and_delete(name):
            monkeypatch.setattr(storage.original_storage, "delete", delete)
            second.start()
            assert waits.wait(30)
            new_paths.append(save(storage, b"new"))
            delete(name)

        second = threading.Thread(target=storage.delete, args=[path])
        monkeypatch.setattr(mongo.time, "sleep", note_and_sleep)
        monkeypatch.setattr(storage.original_storage, "delete", wait_and_delete)
        storage.delete(path)
        second.join()
        assert not storage.exists(path)
        assert read(storage, new_paths[0]) == b"new"

    @pytest.mark.parametrize("storage", ["mongo-disk"], indirect=True)
    def test_lock_of_a_killed_process_expires(self, storage, monkeypatch):
        path = save(storage, b"old")
        record = storage.meta_backend.get(path)
        monkeypatch.setattr(mongo, "LOCK_SECONDS", 0.2)
        expired_lock = storage.meta_backend.lock(record)
        storage.delete(path)
        assert not storage.exists(path)
        for lock in (expired_lock, None):
            with pytest.raises(MetaBackendObjectDoesNotExist):
                storage.meta_backend.delete(path, where=lock)
        with pytest.raises(MetaBackendObjectDoesNotExist):
            storage.meta_backend.lock(record)


@pytest.mark.django_db(transaction=True)
def test_old_file_is_removed_if_a_new_file_has_its_path(monkeypatch):
    """Both happen in one transaction, and a project's ``get_path`` returns equal paths."""
    storage = get_proxy_storage("orm-disk")
    monkeypatch.setattr(storage, "get_path", lambda original, name: f"/{name[:4]}")
    path = save(storage, b"old")
    with transaction.atomic():
        storage.delete(path)
        assert save(storage, b"new") == path
    assert read(storage, path) == b"new"
    assert len(storage.original_storage.listdir("")[1]) == 1


class TestReservedNameInGridFS:
    """Deleting a file releases its own reserved name only."""

    @pytest.fixture
    def storage(self):
        return GridFSStorage(get_mongo_db)

    @pytest.fixture
    def missing_file_raises_no_file(self, monkeypatch):
        """Raise ``NoFile`` like MongoDB. The server of the tests returns another error."""
        delete = GridFSBucket.delete

        def delete_existing(bucket, file_id):
            if not list(bucket.find({"_id": file_id})):
                raise NoFile(file_id)
            delete(bucket, file_id)

        monkeypatch.setattr(GridFSBucket, "delete", delete_existing)

    @pytest.mark.usefixtures("missing_file_raises_no_file")
    def test_second_delete_keeps_the_name_of_a_new_file(self, storage, monkeypatch):
        storage.save("same.txt", ContentFile(b"old"))
        find = storage._find

        def find_and_replace(name):
            found = find(name)
            monkeypatch.setattr(storage, "_find", find)
            storage.delete(name)
            assert storage.save(name, ContentFile(b"new")) == name
            return found

        monkeypatch.setattr(storage, "_find", find_and_replace)
        storage.delete("same.txt")
        self.check(storage, b"new")

    def test_delete_keeps_the_name_of_a_running_upload(self, storage):
        class SlowContent(ContentFile):
            def chunks(self, chunk_size=None):
                storage.delete("same.txt")
                yield from super().chunks(chunk_size)

        assert storage.save("same.txt", SlowContent(b"new")) == "same.txt"
        self.check(storage, b"new")

    def check(self, storage, content):
        (reserved,) = get_mongo_db()["fs_names"].find({})
        assert reserved == {"_id": "same.txt", "file_id": str(storage._find("same.txt")._id)}
        assert storage._reserve("same.txt", ObjectId()) != "same.txt"
        with storage.open("same.txt") as file:
            assert file.read() == content
