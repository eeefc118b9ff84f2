"""Other storages, races and failures, on every meta backend and original storage."""

import threading

import pytest
from django.conf import settings
from django.core.files.base import ContentFile

from proxy_storage.exceptions import (
    MetaBackendError,
    MetaBackendUnavailable,
)
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages.saving import SaveOperation
from tests.contract.reading import is_in_original, read

pytestmark = pytest.mark.database


@pytest.fixture(params=settings.ORIGINAL_STORAGES)
def storage(request, meta_backend_name):
    if request.param == "s3":
        request.getfixturevalue("s3_endpoint")
    request.getfixturevalue("empty_storages")
    return get_proxy_storage(f"{meta_backend_name}-{request.param}")


class TestOtherFiles:
    def test_another_storage_cannot_access_the_file(self, storage, meta_backend_name):
        path = storage.save("hello.txt", ContentFile(b"world"))
        for name in settings.PROXY_STORAGES:
            other = get_proxy_storage(f"{meta_backend_name}-{name}")
            if other is storage:
                continue
            assert not other.exists(path)
            with pytest.raises(FileNotFoundError):
                other.open(path)
            other.delete(path)  # This has no effect.
        assert read(storage, path) == b"world"

    def test_taken_path_is_not_used_again(self, storage, monkeypatch):
        wanted = storage.get_path(storage.original_storage, "same.txt")
        other = {"proxy_storage_name": "other", "original_storage_path": "x"}
        storage.meta_backend.create({**other, "path": wanted})

        path = storage.save("same.txt", ContentFile(b"mine"))
        # In a lost race, the path was free during the check.
        monkeypatch.setattr(SaveOperation, "_is_taken", lambda self, name: False)
        late_path = storage.save("same.txt", ContentFile(b"late"))

        assert len({wanted, path, late_path}) == 3
        assert read(storage, path) == b"mine"
        assert read(storage, late_path) == b"late"
        assert storage.meta_backend.get(wanted)["proxy_storage_name"] == "other"

    def test_missing_file_is_not_replaced_by_another_file(self, storage):
        path = storage.save("cv.txt", ContentFile(b"mine"))
        storage.original_storage.delete(storage.meta_backend.get(path)["original_storage_path"])

        other = storage.save("cv.txt", ContentFile(b"other"))

        assert other != path
        with pytest.raises(FileNotFoundError):
            storage.open(path)


class TestFailedRecord:
    def set_record_data(self, monkeypatch, storage, **data):
        def get_data(**kwargs):
            return {**type(storage).get_data_for_meta_backend_save(storage, **kwargs), **data}

        monkeypatch.setattr(storage, "get_data_for_meta_backend_save", get_data)

    def watch_saved_names(self, monkeypatch, storage):
        names = []
        save = storage.original_storage.save
        monkeypatch.setattr(
            storage.original_storage,
            "save",
            lambda *args, **kwargs: names.append(save(*args, **kwargs)) or names[-1],
        )
        return names

    def test_failed_record_leaves_no_file(self, storage, monkeypatch):
        written = self.watch_saved_names(monkeypatch, storage)
        self.set_record_data(monkeypatch, storage, path={"$ne": ""})
        with pytest.raises(MetaBackendError, match="path must be text"):
            storage.save("hello.txt", ContentFile(b"world"))
        assert len(written) == 1
        assert not is_in_original(storage, written[0])

    def test_error_names_a_file_that_cannot_be_removed(self, storage, monkeypatch):
        self.set_record_data(monkeypatch, storage, path=None)

        def fail(name):
            raise OSError("read-only")

        monkeypatch.setattr(storage.original_storage, "delete", fail)
        with pytest.raises(MetaBackendError) as caught:
            storage.save("hello.txt", ContentFile(b"world"))
        assert "could not be deleted: read-only" in caught.value.__notes__[0]

    def test_file_is_kept_if_the_record_was_written(self, storage, monkeypatch):
        create = storage.meta_backend.create

        def create_and_lose_the_response(data):
            create(data)
            raise MetaBackendUnavailable("connection lost")

        monkeypatch.setattr(storage.meta_backend, "create", create_and_lose_the_response)
        written = self.watch_saved_names(monkeypatch, storage)
        with pytest.raises(MetaBackendUnavailable):
            storage.save("hello.txt", ContentFile(b"world"))
        path = storage.get_path(storage.original_storage, written[0])
        assert read(storage, path) == b"world"

    def test_file_is_removed_if_the_meta_backend_is_unavailable(self, storage, monkeypatch):
        def fail(*args):
            raise MetaBackendUnavailable("gone")

        written = self.watch_saved_names(monkeypatch, storage)
        for method in ("create", "get"):
            monkeypatch.setattr(storage.meta_backend, method, fail)
        with pytest.raises(MetaBackendUnavailable) as caught:
            storage.save("hello.txt", ContentFile(b"world"))
        assert "unknown whether" in caught.value.__notes__[0]
        assert not is_in_original(storage, written[0])


@pytest.mark.parametrize("original", settings.ORIGINAL_STORAGES)
def test_threads_that_save_one_name_get_different_paths(original, empty_storages, request):
    if original == "s3":
        request.getfixturevalue("s3_endpoint")
    storage = get_proxy_storage(f"mongo-{original}")
    paths = {}

    def save(number):
        content = str(number).encode() * 1000
        paths[storage.save("same.txt", ContentFile(content))] = content

    threads = [threading.Thread(target=save, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 8
    assert {path: read(storage, path) for path in paths} == paths
