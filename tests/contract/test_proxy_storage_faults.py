"""Strangers, races and failures, on every meta backend and every kind of original."""

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
from tests.contract.proxy_storages import is_in_original, read


@pytest.fixture(params=settings.ORIGINAL_STORAGES)
def storage(request, meta_backend_name):
    if request.param == "s3":
        request.getfixturevalue("s3_endpoint")
    request.getfixturevalue("empty_storages")
    return get_proxy_storage(f"{meta_backend_name}-{request.param}")


class TestBorders:
    def test_another_storage_does_not_see_the_file(self, storage, meta_backend_name):
        path = storage.save("hello.txt", ContentFile(b"world"))
        for name in settings.PROXY_STORAGES:
            other = get_proxy_storage(f"{meta_backend_name}-{name}")
            if other is storage:
                continue
            assert not other.exists(path)
            with pytest.raises(FileNotFoundError):
                other.open(path)
            other.delete(path)  # without any effect
        assert read(storage, path) == b"world"

    def test_path_that_is_taken_is_not_taken_again(self, storage, monkeypatch):
        wanted = storage.get_path(storage.original_storage, "same.txt")
        somebody = {"proxy_storage_name": "somebody", "original_storage_path": "x"}
        storage.meta_backend.create({**somebody, "path": wanted})

        path = storage.save("same.txt", ContentFile(b"mine"))
        # lost race: the path was free when it was looked at
        monkeypatch.setattr(SaveOperation, "_is_taken", lambda self, name: False)
        late_path = storage.save("same.txt", ContentFile(b"late"))

        assert len({wanted, path, late_path}) == 3
        assert read(storage, path) == b"mine"
        assert read(storage, late_path) == b"late"
        assert storage.meta_backend.get(wanted)["proxy_storage_name"] == "somebody"

    def test_bytes_that_vanished_are_not_replaced_by_somebody_elses(self, storage):
        path = storage.save("cv.txt", ContentFile(b"mine"))
        storage.original_storage.delete(storage.meta_backend.get(path)["original_storage_path"])

        other = storage.save("cv.txt", ContentFile(b"somebody else's"))

        assert other != path
        with pytest.raises(FileNotFoundError):
            storage.open(path)


class TestRecordThatCannotBeWritten:
    def refuse(self, monkeypatch, storage, **data):
        def get_data(**kwargs):
            return {**type(storage).get_data_for_meta_backend_save(storage, **kwargs), **data}

        monkeypatch.setattr(storage, "get_data_for_meta_backend_save", get_data)

    def get_originals(self, monkeypatch, storage):
        names = []
        save = storage.original_storage.save
        monkeypatch.setattr(
            storage.original_storage,
            "save",
            lambda *args, **kwargs: names.append(save(*args, **kwargs)) or names[-1],
        )
        return names

    def test_leaves_no_bytes(self, storage, monkeypatch):
        written = self.get_originals(monkeypatch, storage)
        self.refuse(monkeypatch, storage, path={"$ne": ""})
        with pytest.raises(MetaBackendError, match="path must be text"):
            storage.save("hello.txt", ContentFile(b"world"))
        assert len(written) == 1
        assert not is_in_original(storage, written[0])

    def test_says_what_is_left_where_bytes_cannot_be_removed(self, storage, monkeypatch):
        self.refuse(monkeypatch, storage, path=None)

        def fail(name):
            raise OSError("read-only")

        monkeypatch.setattr(storage.original_storage, "delete", fail)
        with pytest.raises(MetaBackendError) as caught:
            storage.save("hello.txt", ContentFile(b"world"))
        assert "could not be deleted: read-only" in caught.value.__notes__[0]

    def test_keeps_the_bytes_of_a_record_that_is_there_after_all(self, storage, monkeypatch):
        create = storage.meta_backend.create

        def create_and_lose_the_answer(data):
            create(data)
            raise MetaBackendUnavailable("connection lost")

        monkeypatch.setattr(storage.meta_backend, "create", create_and_lose_the_answer)
        written = self.get_originals(monkeypatch, storage)
        with pytest.raises(MetaBackendUnavailable):
            storage.save("hello.txt", ContentFile(b"world"))
        path = storage.get_path(storage.original_storage, written[0])
        assert read(storage, path) == b"world"

    def test_removes_the_bytes_where_nobody_can_be_asked(self, storage, monkeypatch):
        def fail(*args):
            raise MetaBackendUnavailable("gone")

        written = self.get_originals(monkeypatch, storage)
        for method in ("create", "get"):
            monkeypatch.setattr(storage.meta_backend, method, fail)
        with pytest.raises(MetaBackendUnavailable) as caught:
            storage.save("hello.txt", ContentFile(b"world"))
        assert "cannot be told: gone" in caught.value.__notes__[0]
        assert not is_in_original(storage, written[0])


@pytest.mark.parametrize("original", settings.ORIGINAL_STORAGES)
def test_many_threads_save_one_name(original, empty_storages, request):
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
