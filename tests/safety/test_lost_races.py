"""Saves that lose a race for certain: what was free, or there, is not when it is needed."""

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
from tests.contract.proxy_storages import read
from tests.contract.special_storages import put_in_front_of
from tests.safety.originals import get_files
from tests.testapp.storages import MemoryStorage

pytestmark = pytest.mark.usefixtures("empty_storages")

ALL = [name for name in settings.CONTRACT if not name.endswith("s3")]
# those whose originals keep files under the very names that they are saved under
EXCLUSIVE = ["orm-disk", "orm-gridfs", "mongo-disk", "mongo-gridfs"]
# more questions than any save has to ask
MANY = 50


def save(storage, content=b"world"):
    return storage.save("same.txt", ContentFile(content))


def lose_bytes(storage, path):
    record = storage.meta_backend.get(path)
    storage.get_original_storage(record).delete(record["original_storage_path"])


def count_calls(function):
    """Return a function that can be called as often as a save may need it."""
    calls = []

    def count(*args):
        calls.append(args)
        assert len(calls) < MANY, "it would never come to an end"
        return function(*args)

    return count


def make_blind(monkeypatch):
    """Make saves take their names without a look for records."""
    monkeypatch.setattr(SaveOperation, "_is_taken", lambda self, name: False)


class TestSaveThatFindsNoName:
    @pytest.mark.parametrize("storage", ALL, indirect=True)
    def test_blind_saves_of_one_name_get_paths_of_their_own(self, storage, monkeypatch):
        see_nothing = count_calls(lambda *args: False)
        for original in (FileSystemStorage, GridFSStorage, MemoryStorage):
            monkeypatch.setattr(original, "exists", see_nothing)
        monkeypatch.setattr(storage.meta_backend, "exists", see_nothing)
        contents = [str(number).encode() * 1000 for number in range(4)]
        files = {save(storage, content): content for content in contents}
        assert len(files) == len(contents)
        assert {path: read(storage, path) for path in files} == files

    @pytest.mark.parametrize("storage", EXCLUSIVE, indirect=True)
    def test_path_that_leaves_out_what_makes_a_name_unique(self, storage, monkeypatch):
        """A path is what a project makes of it."""
        monkeypatch.setattr(storage, "get_path", lambda original, name: f"/{name[:4]}")
        exists = count_calls(storage.meta_backend.exists)
        monkeypatch.setattr(storage.meta_backend, "exists", exists)
        files = {save(storage, content): content for content in (b"1", b"2")}
        assert len(files) == 2
        assert {path: read(storage, path) for path in files} == files


class TestRecordThatVanishes:
    """It was in the way of an insert, and is gone when it is looked for."""

    SOMEBODY = {"proxy_storage_name": "somebody", "original_storage_path": "x"}

    @pytest.fixture
    def wanted(self, storage, monkeypatch):
        path = storage.get_path(storage.original_storage, "same.txt")
        storage.meta_backend.create({**self.SOMEBODY, "path": path})
        make_blind(monkeypatch)
        return path

    @pytest.mark.parametrize("storage", ["orm-disk", "orm-gridfs"], indirect=True)
    @pytest.mark.parametrize("comes_again", [False, True])
    def test_before_it_is_told_from_other_refusals(self, storage, wanted, monkeypatch, comes_again):
        look = ORMMetaBackend._refused

        def look_too_late(backend, path, error):
            monkeypatch.setattr(ORMMetaBackend, "_refused", look)
            backend.delete(path)
            refusal = look(backend, path, error)
            if comes_again:
                backend.create({**self.SOMEBODY, "path": path})
            return refusal

        monkeypatch.setattr(ORMMetaBackend, "_refused", look_too_late)
        with transaction.atomic():
            path = save(storage)
        assert (path == wanted) == (not comes_again)
        assert read(storage, path) == b"world"

    @pytest.mark.parametrize("storage", EXCLUSIVE, indirect=True)
    def test_before_it_is_known_whose_bytes_it_has(self, storage, wanted, monkeypatch):
        get = storage.meta_backend.get

        def get_too_late(path):
            monkeypatch.setattr(storage.meta_backend, "get", get)
            storage.meta_backend.delete(path)
            return get(path)

        monkeypatch.setattr(storage.meta_backend, "get", get_too_late)
        assert read(storage, save(storage)) == b"world"


class TestPlaceOfVanishedBytes:
    @pytest.mark.parametrize(
        "storage", [*EXCLUSIVE, "orm-prefix", "orm-fallback", "simple"], indirect=True
    )
    def test_is_not_taken_by_new_ones(self, storage, monkeypatch):
        path = save(storage, b"mine")
        record = storage.meta_backend.get(path)
        lose_bytes(storage, path)
        make_blind(monkeypatch)

        new_path = save(storage, b"somebody else's")

        assert new_path != path
        assert read(storage, new_path) == b"somebody else's"
        with pytest.raises(FileNotFoundError, match="missing"):
            storage.open(path)
        assert not record.get_original_storage().exists(record["original_storage_path"])

    @pytest.mark.parametrize("storage", EXCLUSIVE, indirect=True)
    def test_is_not_taken_where_paths_are_of_another_kind_now(self, storage, monkeypatch):
        """Records that are there keep theirs."""
        path = save(storage, b"mine")
        lose_bytes(storage, path)
        monkeypatch.setattr(storage, "path_prefix", "/private/")
        new_path = save(storage, b"somebody else's")
        assert read(storage, new_path) == b"somebody else's"
        with pytest.raises(FileNotFoundError, match="missing"):
            read(storage, path)

    @pytest.mark.parametrize("storage", EXCLUSIVE, indirect=True)
    def test_is_left_again_by_content_that_cannot_be_read_again(self, storage, monkeypatch):
        class Stream:
            read = io.BytesIO(b"somebody else's").read

        path = save(storage, b"mine")
        lose_bytes(storage, path)
        make_blind(monkeypatch)
        with pytest.raises(MetaBackendObjectAlreadyExists) as caught:
            storage.save("same.txt", Stream())
        assert caught.value.path == path
        assert get_files(storage.original_storage) == []


@pytest.mark.parametrize("meta_backend_name", settings.META_BACKENDS)
def test_two_files_in_one_object_are_one_file(meta_backend_name, settings):
    """The second one is refused. What is there then is also the first one's."""

    class OneObject(MemoryStorage):
        def _save(self, name, content):
            return super()._save("object", content)

    storage = put_in_front_of(OneObject(), meta_backend_name, settings)
    path = save(storage, b"first")
    with pytest.raises(MetaBackendObjectAlreadyExists):
        save(storage, b"other")
    assert len(read(storage, path)) == 5
    assert len(list(storage.meta_backend)) == 1
