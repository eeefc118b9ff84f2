"""Saves that lose a race: names and records change after they were checked."""

import io

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import transaction

from proxy_storage.exceptions import MetaBackendObjectAlreadyExists
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.storages.gridfs import GridFSStorage
from proxy_storage.storages.saving import SaveOperation
from tests.contract.reading import read
from tests.contract.temporary_storages import configure_proxy_storage
from tests.safety.stored_files import get_original_files
from tests.testapp.storages import MemoryStorage

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("empty_storages")]

ALL = [name for name in settings.CONTRACT if not name.endswith("s3")]
# Storages whose original storages keep the given names
EXCLUSIVE = ["orm-disk", "orm-gridfs", "mongo-disk", "mongo-gridfs"]
# More calls than any save makes
MAX_CALLS = 50


def save(storage, content=b"world"):
    return storage.save("same.txt", ContentFile(content))


def remove_original_file(storage, path):
    record = storage.meta_backend.get(path)
    storage.get_original_storage(record).delete(record["original_storage_path"])


def count_calls(function):
    """Return a function that fails if it is called endlessly."""
    calls = []

    def count(*args):
        calls.append(args)
        assert len(calls) < MAX_CALLS, "The calls would never end."
        return function(*args)

    return count


def skip_record_check(monkeypatch):
    """Make saves choose their names without looking for records."""
    monkeypatch.setattr(SaveOperation, "_is_taken", lambda self, name: False)


class TestUncheckedNames:
    @pytest.mark.parametrize("storage", ALL, indirect=True)
    def test_unchecked_saves_of_one_name_get_different_paths(self, storage, monkeypatch):
        never_exists = count_calls(lambda *args: False)
        for original in (FileSystemStorage, GridFSStorage, MemoryStorage):
            monkeypatch.setattr(original, "exists", never_exists)
        monkeypatch.setattr(storage.meta_backend, "exists", never_exists)
        contents = [str(number).encode() * 1000 for number in range(4)]
        files = {save(storage, content): content for content in contents}
        assert len(files) == len(contents)
        assert {path: read(storage, path) for path in files} == files

    @pytest.mark.parametrize("storage", EXCLUSIVE, indirect=True)
    def test_get_path_that_omits_the_random_suffix(self, storage, monkeypatch):
        """A project can override ``get_path``."""
        monkeypatch.setattr(storage, "get_path", lambda original, name: f"/{name[:4]}")
        exists = count_calls(storage.meta_backend.exists)
        monkeypatch.setattr(storage.meta_backend, "exists", exists)
        files = {save(storage, content): content for content in (b"1", b"2")}
        assert len(files) == 2
        assert {path: read(storage, path) for path in files} == files


class TestDeletedRecord:
    """A record makes an insert fail, and is deleted before it is read."""

    OTHER = {"proxy_storage_name": "other", "original_storage_path": "x"}

    @pytest.fixture
    def wanted(self, storage, monkeypatch):
        path = storage.get_path(storage.original_storage, "same.txt")
        storage.meta_backend.create({**self.OTHER, "path": path})
        skip_record_check(monkeypatch)
        return path

    @pytest.mark.parametrize("storage", ["orm-disk", "orm-gridfs"], indirect=True)
    @pytest.mark.parametrize("is_recreated", [False, True])
    def test_record_deleted_before_the_error_is_classified(
        self, storage, wanted, monkeypatch, is_recreated
    ):
        classify = ORMMetaBackend._refused

        def classify_late(backend, path, error):
            monkeypatch.setattr(ORMMetaBackend, "_refused", classify)
            backend.delete(path)
            refusal = classify(backend, path, error)
            if is_recreated:
                backend.create({**self.OTHER, "path": path})
            return refusal

        monkeypatch.setattr(ORMMetaBackend, "_refused", classify_late)
        with transaction.atomic():
            path = save(storage)
        assert (path == wanted) == (not is_recreated)
        assert read(storage, path) == b"world"

    @pytest.mark.parametrize("storage", EXCLUSIVE, indirect=True)
    def test_record_deleted_before_it_is_compared(self, storage, wanted, monkeypatch):
        get = storage.meta_backend.get

        def get_late(path):
            monkeypatch.setattr(storage.meta_backend, "get", get)
            storage.meta_backend.delete(path)
            return get(path)

        monkeypatch.setattr(storage.meta_backend, "get", get_late)
        assert read(storage, save(storage)) == b"world"


class TestMissingFile:
    @pytest.mark.parametrize(
        "storage", [*EXCLUSIVE, "orm-prefix", "orm-fallback", "simple"], indirect=True
    )
    def test_new_file_does_not_get_the_place_of_a_missing_file(self, storage, monkeypatch):
        path = save(storage, b"mine")
        record = storage.meta_backend.get(path)
        remove_original_file(storage, path)
        skip_record_check(monkeypatch)

        new_path = save(storage, b"other")

        assert new_path != path
        assert read(storage, new_path) == b"other"
        with pytest.raises(FileNotFoundError, match="missing"):
            storage.open(path)
        assert not record.get_original_storage().exists(record["original_storage_path"])

    @pytest.mark.parametrize("storage", EXCLUSIVE, indirect=True)
    def test_new_file_does_not_get_the_place_if_paths_have_changed(self, storage, monkeypatch):
        """Existing records keep their paths."""
        path = save(storage, b"mine")
        remove_original_file(storage, path)
        monkeypatch.setattr(storage, "path_prefix", "/private/")
        new_path = save(storage, b"other")
        assert read(storage, new_path) == b"other"
        with pytest.raises(FileNotFoundError, match="missing"):
            read(storage, path)

    @pytest.mark.parametrize("storage", EXCLUSIVE, indirect=True)
    def test_content_that_cannot_be_read_again_leaves_no_file(self, storage, monkeypatch):
        class Stream:
            read = io.BytesIO(b"other").read

        path = save(storage, b"mine")
        remove_original_file(storage, path)
        skip_record_check(monkeypatch)
        with pytest.raises(MetaBackendObjectAlreadyExists) as caught:
            storage.save("same.txt", Stream())
        assert caught.value.path == path
        assert get_original_files(storage.original_storage) == []


@pytest.mark.parametrize("meta_backend_name", settings.META_BACKENDS)
def test_second_record_of_one_object_raises(meta_backend_name, settings):
    """The original storage writes every file to the same object."""

    class SingleObjectStorage(MemoryStorage):
        def _save(self, name, content):
            return super()._save("object", content)

    storage = configure_proxy_storage(SingleObjectStorage(), meta_backend_name, settings)
    path = save(storage, b"first")
    with pytest.raises(MetaBackendObjectAlreadyExists):
        save(storage, b"other")
    assert len(read(storage, path)) == 5
    assert len(list(storage.meta_backend)) == 1
