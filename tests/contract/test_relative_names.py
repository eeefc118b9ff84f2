"""Relative paths: the path is the requested name, and the file has a name of its own."""

import hashlib
import re
import threading

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from proxy_storage.exceptions import (
    InvalidNameError,
    MetaBackendObjectAlreadyExists,
    MetaBackendUnavailable,
    ProxyFileNotFoundError,
)
from proxy_storage.paths import MAX_PATH_LENGTH, strip_token
from proxy_storage.registry import get_proxy_storage
from tests.contract.reading import read
from tests.contract.temporary_storages import configure_proxy_storage
from tests.testapp.storages import MemoryStorage

pytestmark = pytest.mark.usefixtures("empty_storages")

TOKEN = "_[A-Za-z0-9]{16}"
SUFFIX = "_[A-Za-z0-9]{7}"
RELATIVE = [name for name in settings.CONTRACT if "relative-" in name]
ON_DISK = ["orm-relative-disk", "mongo-relative-disk"]
PLAIN = ["orm-plain-disk"]


def save(storage, name="letters/a.txt", content=b"mine", **kwargs):
    return storage.save(name, ContentFile(content), **kwargs)


def get_original_name(storage, path):
    return storage.meta_backend.get(path)["original_storage_path"]


def remove_original_file(storage, path):
    record = storage.meta_backend.get(path)
    storage.get_original_storage(record).delete(record["original_storage_path"])


@pytest.fixture
def create_storage(meta_backend_name, settings):
    def create(original):
        return configure_proxy_storage(original, meta_backend_name, settings, paths="relative")

    return create


class TestNames:
    @pytest.mark.parametrize("storage", RELATIVE, indirect=True)
    def test_original_name_has_a_token_and_the_path_has_none(self, storage):
        assert save(storage, "letters/a.tar.gz") == "letters/a.tar.gz"
        name = get_original_name(storage, "letters/a.tar.gz")
        assert re.fullmatch(rf"letters/a{TOKEN}\.tar\.gz", name)
        assert strip_token(name) == "letters/a.tar.gz"

    @pytest.mark.parametrize("storage", [*RELATIVE, *PLAIN], indirect=True)
    def test_taken_path_gets_a_random_suffix(self, storage):
        paths = [save(storage, content=content) for content in (b"1", b"2", b"3")]
        assert paths[0] == "letters/a.txt"
        assert all(re.fullmatch(rf"letters/a{SUFFIX}\.txt", path) for path in paths[1:])
        assert [read(storage, path) for path in paths] == [b"1", b"2", b"3"]

    @pytest.mark.parametrize("storage", ON_DISK, indirect=True)
    def test_path_is_reused_and_original_name_is_not(self, storage):
        names = set()
        for number in range(3):
            assert save(storage, content=str(number).encode()) == "letters/a.txt"
            names.add(get_original_name(storage, "letters/a.txt"))
            storage.delete("letters/a.txt")
        assert len(names) == 3

    @pytest.mark.parametrize("storage", [*ON_DISK, *PLAIN], indirect=True)
    def test_record_of_a_missing_file_never_gets_another_file(self, storage):
        path = save(storage)
        remove_original_file(storage, path)
        other = save(storage, content=b"other")
        assert other != path
        assert read(storage, other) == b"other"
        with pytest.raises(ProxyFileNotFoundError, match="missing"):
            storage.open(path)

    @pytest.mark.parametrize("storage", ON_DISK, indirect=True)
    def test_file_is_written_once_if_the_path_is_taken(self, storage, monkeypatch):
        written = []
        original_save = storage.original_storage.save

        def save_and_note(*args, **kwargs):
            written.append(original_save(*args, **kwargs))
            return written[-1]

        save(storage)
        monkeypatch.setattr(storage.original_storage, "save", save_and_note)
        other = save(storage, content=b"other")
        assert [get_original_name(storage, other)] == written

    @pytest.mark.parametrize("name", ["./letters//a.txt", "letters/./a.txt", "letters\\a.txt"])
    @pytest.mark.parametrize("storage", ON_DISK, indirect=True)
    def test_name_is_normalized(self, storage, name):
        assert save(storage, name) == "letters/a.txt"

    @pytest.mark.parametrize("storage", ["orm-plain-disk"], indirect=True)
    def test_original_name_without_token_if_configured(self, storage):
        assert save(storage) == "letters/a.txt"
        assert get_original_name(storage, "letters/a.txt") == "letters/a.txt"
        other = save(storage, content=b"other")
        assert get_original_name(storage, other) == other

    @pytest.mark.parametrize("storage", ["orm-plain-memory"], indirect=True)
    def test_original_name_has_a_token_if_the_storage_overwrites(self, storage):
        assert save(storage) == "letters/a.txt"
        name = get_original_name(storage, "letters/a.txt")
        assert re.fullmatch(rf"letters/a{TOKEN}\.txt", name)

    @pytest.mark.parametrize("storage", [*ON_DISK, *PLAIN], indirect=True)
    def test_max_length_limits_the_path(self, storage):
        name = "letters/" + "n" * 50 + ".txt"
        path = save(storage, name, max_length=30)
        assert re.fullmatch(rf"letters/n+{SUFFIX}\.txt", path)
        assert len(path) == 30
        assert save(storage, "letters/abcdefghijklmnopqr.txt", max_length=30) == (
            "letters/abcdefghijklmnopqr.txt"
        )
        with pytest.raises(InvalidNameError):
            save(storage, name, max_length=15)
        assert len(storage.listdir("letters")[1]) == 2
        assert len(storage.original_storage.listdir("letters")[1]) == 2

    @pytest.mark.parametrize("storage", [*ON_DISK, *PLAIN], indirect=True)
    def test_alternative_name_fits_max_length(self, storage):
        name = "letters/abcdefghijklmnopqr.txt"
        paths = {save(storage, name, max_length=30) for _ in range(3)}
        assert len(paths) == 3
        assert all(len(path) <= 30 and path.endswith(".txt") for path in paths)

    @pytest.mark.parametrize("storage", [*ON_DISK, "orm-disk"], indirect=True)
    def test_path_fits_the_column(self, storage):
        name = "/".join("f" * 200 for _ in range(4)) + "/a.txt"
        with pytest.raises(InvalidNameError):
            save(storage, name)
        assert storage.listdir("") == ([], [])
        long = "/".join("f" * 90 for _ in range(4)) + "/" + "n" * 200 + ".txt"
        path = save(storage, long)
        assert len(path) <= MAX_PATH_LENGTH
        assert path.endswith(".txt")
        assert read(storage, path) == b"mine"


class TestQueries:
    @pytest.fixture
    def storage(self, transactional_db, empty_storages):
        return get_proxy_storage("orm-relative-disk")

    def test_save_makes_one_query(self, storage):
        with CaptureQueriesContext(connection) as queries:
            save(storage)
        assert len(queries) == 1

    def test_save_in_a_transaction_uses_a_savepoint(self, storage):
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            save(storage)
        assert [query["sql"].split()[0] for query in queries] == ["SAVEPOINT", "INSERT", "RELEASE"]

    def test_other_methods_make_one_query(self, storage):
        path = save(storage)
        for method in (storage.exists, storage.size, storage.path, storage.get_modified_time):
            with CaptureQueriesContext(connection) as queries:
                method(path)
            assert len(queries) == 1


class TestConcurrency:
    @pytest.mark.parametrize("original", ["disk", "memory", "gridfs"])
    def test_simultaneous_saves_get_different_paths(self, original):
        storage = get_proxy_storage(f"mongo-relative-{original}")
        barrier, paths = threading.Barrier(6, timeout=30), {}

        class SlowContent(ContentFile):
            def chunks(self, chunk_size=None):
                barrier.wait()
                yield self.read()

        def run(number):
            content = str(number).encode() * 100
            paths[storage.save("a.txt", SlowContent(content))] = content

        threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(paths) == 6
        assert "a.txt" in paths
        assert {path: read(storage, path) for path in paths} == paths

    @pytest.mark.parametrize("storage", ON_DISK, indirect=True)
    def test_repeated_insert_of_a_driver_creates_one_record(self, storage, monkeypatch):
        """The first response was lost, and the second insert finds the path taken."""
        create = storage.meta_backend.create

        def create_twice(data):
            create(data)
            return create(data)

        monkeypatch.setattr(storage.meta_backend, "create", create_twice)
        assert save(storage) == "letters/a.txt"
        assert read(storage, "letters/a.txt") == b"mine"
        assert len(list(storage.meta_backend)) == 1

    @pytest.mark.parametrize("storage", ON_DISK, indirect=True)
    def test_lost_response_keeps_a_file_with_a_record(self, storage, monkeypatch):
        create = storage.meta_backend.create

        def create_and_lose_the_response(data):
            create(data)
            raise MetaBackendUnavailable("connection lost")

        save(storage, content=b"first")
        monkeypatch.setattr(storage.meta_backend, "create", create_and_lose_the_response)
        with pytest.raises(MetaBackendUnavailable):
            save(storage, "letters/b.txt")
        assert read(storage, "letters/b.txt") == b"mine"

    @pytest.mark.parametrize("storage", ON_DISK, indirect=True)
    def test_file_is_removed_if_a_project_rejects_the_record(self, storage, monkeypatch):
        def raise_already_exists(**data):
            raise MetaBackendObjectAlreadyExists("the same checksum", path="x")

        monkeypatch.setattr(storage, "get_data_for_meta_backend_save", raise_already_exists)
        with pytest.raises(MetaBackendObjectAlreadyExists, match="same checksum"):
            save(storage)
        assert storage.original_storage.listdir("letters")[1] == []


class TestProjectClasses:
    def test_original_storage_with_names_by_content(self, create_storage, tmp_path):
        """Two records of the same file are not allowed, so the second save raises."""

        class HashNameStorage(FileSystemStorage):
            def _save(self, name, content):
                name = hashlib.sha1(content.read()).hexdigest() + ".txt"
                return name if self.exists(name) else super()._save(name, content)

        storage = create_storage(HashNameStorage(tmp_path))
        path = save(storage)
        assert path == hashlib.sha1(b"mine").hexdigest() + ".txt"
        with pytest.raises(MetaBackendObjectAlreadyExists):
            save(storage, "b.txt")
        assert read(storage, path) == b"mine"

    def test_original_storage_that_changes_names(self, create_storage, tmp_path):
        class LowerCaseStorage(FileSystemStorage):
            def get_available_name(self, name, max_length=None):
                return super().get_available_name(name.lower().replace("/", "-"), max_length)

        storage = create_storage(LowerCaseStorage(tmp_path))
        assert save(storage, "Letters/A.txt") == "Letters/A.txt"
        assert re.fullmatch(
            r"letters-a_[a-z0-9]{16}\.txt", get_original_name(storage, "Letters/A.txt")
        )

    def test_get_available_name_that_deletes_the_old_file(self, create_storage, monkeypatch):
        """Many projects overwrite files in this way, also with content read from the old file."""
        storage = create_storage(MemoryStorage())

        def get_available_name(name, max_length=None):
            storage.delete(name)
            return name

        monkeypatch.setattr(storage, "get_available_name", get_available_name)
        assert save(storage, content=b"old") == "letters/a.txt"
        with storage.open("letters/a.txt") as file:
            assert storage.save("letters/a.txt", file) == "letters/a.txt"
        assert read(storage, "letters/a.txt") == b"old"
        assert save(storage, content=b"new") == "letters/a.txt"
        assert read(storage, "letters/a.txt") == b"new"
        assert len(storage.original_storage.listdir("letters")[1]) == 1

    def test_get_available_name_that_returns_taken_names(self, create_storage, monkeypatch):
        storage = create_storage(MemoryStorage())
        monkeypatch.setattr(storage, "get_available_name", lambda name, max_length=None: name)
        paths = [save(storage) for _ in range(3)]
        assert paths[0] == "letters/a.txt"
        assert len(set(paths)) == 3

    def test_get_alternative_name_of_a_project_is_used(self, create_storage, monkeypatch):
        storage = create_storage(MemoryStorage())
        monkeypatch.setattr(storage, "get_alternative_name", lambda root, ext: f"{root}-2{ext}")
        paths = [save(storage) for _ in range(3)]
        assert paths[:2] == ["letters/a.txt", "letters/a-2.txt"]
        assert re.fullmatch(rf"letters/a{SUFFIX}\.txt", paths[2])

    @pytest.mark.parametrize("unsafe_name", ["../up.txt", "/absolute.txt", "", "a/../../up.txt"])
    def test_unsafe_available_name_raises(self, create_storage, monkeypatch, unsafe_name):
        storage = create_storage(MemoryStorage())
        monkeypatch.setattr(
            storage, "get_available_name", lambda name, max_length=None: unsafe_name
        )
        with pytest.raises(InvalidNameError):
            save(storage)
        assert storage.original_storage.listdir("letters")[1] == []
        assert list(storage.meta_backend) == []


@pytest.mark.parametrize("storage", [*ON_DISK, "orm-relative-multiple"], indirect=True)
class TestExistingFile:
    def create_file(self, storage, name="there.txt"):
        return storage.get_original_storage().save(name, ContentFile(b"there"))

    def test_path_is_the_given_name(self, storage):
        known = self.create_file(storage, "deep/there.txt")
        path = storage.save("letters/b.txt", None, original_storage_path=known)
        assert path == "letters/b.txt"
        assert read(storage, path) == b"there"
        assert get_original_name(storage, path) == known

    def test_second_record_of_a_file_raises(self, storage):
        known = self.create_file(storage)
        path = storage.save("a.txt", None, original_storage_path=known)
        for name in ("b.txt", "a.txt", "there.txt"):
            with pytest.raises(MetaBackendObjectAlreadyExists) as caught:
                storage.save(name, None, original_storage_path=known)
            assert caught.value.path == path
        assert [record["path"] for record in storage.meta_backend] == [path]
        assert read(storage, path) == b"there"

    def test_saved_file_cannot_be_recorded_again(self, storage):
        path = save(storage)
        known = get_original_name(storage, path)
        with pytest.raises(MetaBackendObjectAlreadyExists):
            storage.save("b.txt", None, original_storage_path=known)
        assert [record["path"] for record in storage.meta_backend] == [path]

    def test_taken_name_gets_a_suffix(self, storage):
        save(storage)
        known = self.create_file(storage)
        path = storage.save("letters/a.txt", None, original_storage_path=known)
        assert re.fullmatch(rf"letters/a{SUFFIX}\.txt", path)
        assert read(storage, path) == b"there"

    def test_simultaneous_records_of_one_file(self, storage, monkeypatch):
        """The second call has written its record when the first call looks for others."""
        known, create = self.create_file(storage), storage.meta_backend.create

        def create_and_wait(data):
            created = create(data)
            monkeypatch.setattr(storage.meta_backend, "create", create)
            with pytest.raises(MetaBackendObjectAlreadyExists):
                storage.save("second.txt", None, original_storage_path=known)
            return created

        monkeypatch.setattr(storage.meta_backend, "create", create_and_wait)
        assert storage.save("first.txt", None, original_storage_path=known) == "first.txt"
        assert [record["path"] for record in storage.meta_backend] == ["first.txt"]

    def test_record_is_removed_if_others_cannot_be_looked_up(self, storage, monkeypatch):
        known = self.create_file(storage)

        def fail(*args, **kwargs):
            raise MetaBackendUnavailable("gone")

        with monkeypatch.context() as patch:
            patch.setattr(storage.meta_backend, "filter", fail)
            with pytest.raises(MetaBackendUnavailable):
                storage.save("a.txt", None, original_storage_path=known)
        assert list(storage.meta_backend) == []
        assert storage.save("a.txt", None, original_storage_path=known) == "a.txt"
