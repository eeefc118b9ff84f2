"""Relative paths: the path is the name that was asked for, and the bytes have one of their own."""

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
from tests.contract.proxy_storages import read
from tests.contract.special_storages import put_in_front_of
from tests.testapp.storages import MemoryStorage

pytestmark = pytest.mark.usefixtures("empty_storages")

TOKEN = "_[A-Za-z0-9]{16}"
SUFFIX = "_[A-Za-z0-9]{7}"
EVERY = [name for name in settings.CONTRACT if "relative-" in name]
ON_DISK = ["orm-relative-disk", "mongo-relative-disk"]
PLAIN = ["orm-plain-disk"]


def save(storage, name="letters/a.txt", content=b"mine", **kwargs):
    return storage.save(name, ContentFile(content), **kwargs)


def get_name_of_bytes(storage, path):
    return storage.meta_backend.get(path)["original_storage_path"]


def lose_bytes(storage, path):
    record = storage.meta_backend.get(path)
    storage.get_original_storage(record).delete(record["original_storage_path"])


@pytest.fixture
def in_front_of(meta_backend_name, settings):
    def put(original):
        return put_in_front_of(original, meta_backend_name, settings, paths="relative")

    return put


class TestNames:
    @pytest.mark.parametrize("storage", EVERY, indirect=True)
    def test_bytes_have_a_name_that_the_path_does_not_show(self, storage):
        assert save(storage, "letters/a.tar.gz") == "letters/a.tar.gz"
        name = get_name_of_bytes(storage, "letters/a.tar.gz")
        assert re.fullmatch(rf"letters/a{TOKEN}\.tar\.gz", name)
        assert strip_token(name) == "letters/a.tar.gz"

    @pytest.mark.parametrize("storage", [*EVERY, *PLAIN], indirect=True)
    def test_taken_path_gets_the_suffix_of_django(self, storage):
        paths = [save(storage, content=content) for content in (b"1", b"2", b"3")]
        assert paths[0] == "letters/a.txt"
        assert all(re.fullmatch(rf"letters/a{SUFFIX}\.txt", path) for path in paths[1:])
        assert [read(storage, path) for path in paths] == [b"1", b"2", b"3"]

    @pytest.mark.parametrize("storage", ON_DISK, indirect=True)
    def test_path_can_be_used_again_and_the_name_of_the_bytes_cannot(self, storage):
        names = set()
        for number in range(3):
            assert save(storage, content=str(number).encode()) == "letters/a.txt"
            names.add(get_name_of_bytes(storage, "letters/a.txt"))
            storage.delete("letters/a.txt")
        assert len(names) == 3

    @pytest.mark.parametrize("storage", [*ON_DISK, *PLAIN], indirect=True)
    def test_old_record_never_gets_the_bytes_of_another_file(self, storage):
        path = save(storage)
        lose_bytes(storage, path)
        other = save(storage, content=b"another's")
        assert other != path
        assert read(storage, other) == b"another's"
        with pytest.raises(ProxyFileNotFoundError, match="missing"):
            storage.open(path)

    @pytest.mark.parametrize("storage", ON_DISK, indirect=True)
    def test_bytes_stay_where_only_the_path_is_taken(self, storage, monkeypatch):
        written = []
        original_save = storage.original_storage.save

        def note(*args, **kwargs):
            written.append(original_save(*args, **kwargs))
            return written[-1]

        save(storage)
        monkeypatch.setattr(storage.original_storage, "save", note)
        other = save(storage, content=b"other")
        assert [get_name_of_bytes(storage, other)] == written

    @pytest.mark.parametrize("name", ["./letters//a.txt", "letters/./a.txt", "letters\\a.txt"])
    @pytest.mark.parametrize("storage", ON_DISK, indirect=True)
    def test_name_is_normalised(self, storage, name):
        assert save(storage, name) == "letters/a.txt"

    @pytest.mark.parametrize("storage", ["orm-plain-disk"], indirect=True)
    def test_bytes_keep_the_wanted_name_if_told_so(self, storage):
        assert save(storage) == "letters/a.txt"
        assert get_name_of_bytes(storage, "letters/a.txt") == "letters/a.txt"
        other = save(storage, content=b"other")
        assert get_name_of_bytes(storage, other) == other

    @pytest.mark.parametrize("storage", ["orm-plain-memory"], indirect=True)
    def test_bytes_have_a_token_where_an_original_may_overwrite(self, storage):
        assert save(storage) == "letters/a.txt"
        name = get_name_of_bytes(storage, "letters/a.txt")
        assert re.fullmatch(rf"letters/a{TOKEN}\.txt", name)

    @pytest.mark.parametrize("storage", [*ON_DISK, *PLAIN], indirect=True)
    def test_length_is_that_of_the_path(self, storage):
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
    def test_alternative_name_fits(self, storage):
        name = "letters/abcdefghijklmnopqr.txt"
        paths = {save(storage, name, max_length=30) for _ in range(3)}
        assert len(paths) == 3
        assert all(len(path) <= 30 and path.endswith(".txt") for path in paths)

    @pytest.mark.parametrize("storage", [*ON_DISK, "orm-disk"], indirect=True)
    def test_path_is_no_longer_than_its_column(self, storage):
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

    def test_save_is_one_query(self, storage):
        with CaptureQueriesContext(connection) as queries:
            save(storage)
        assert len(queries) == 1

    def test_save_in_a_transaction_needs_a_savepoint(self, storage):
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            save(storage)
        assert [query["sql"].split()[0] for query in queries] == ["SAVEPOINT", "INSERT", "RELEASE"]

    def test_everything_else_is_one_query(self, storage):
        path = save(storage)
        for use in (storage.exists, storage.size, storage.path, storage.get_modified_time):
            with CaptureQueriesContext(connection) as queries:
                use(path)
            assert len(queries) == 1


class TestAtTheSameTime:
    @pytest.mark.parametrize("original", ["disk", "memory", "gridfs"])
    def test_one_insert_decides_who_gets_the_path(self, original):
        storage = get_proxy_storage(f"mongo-relative-{original}")
        barrier, paths = threading.Barrier(6, timeout=30), {}

        class Slow(ContentFile):
            def chunks(self, chunk_size=None):
                barrier.wait()
                yield self.read()

        def run(number):
            content = str(number).encode() * 100
            paths[storage.save("a.txt", Slow(content))] = content

        threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(paths) == 6
        assert "a.txt" in paths
        assert {path: read(storage, path) for path in paths} == paths

    @pytest.mark.parametrize("storage", ON_DISK, indirect=True)
    def test_insert_that_a_driver_repeats_is_one_record(self, storage, monkeypatch):
        """The first answer was lost, and the second is that the path is taken."""
        create = storage.meta_backend.create

        def create_twice(data):
            create(data)
            return create(data)

        monkeypatch.setattr(storage.meta_backend, "create", create_twice)
        assert save(storage) == "letters/a.txt"
        assert read(storage, "letters/a.txt") == b"mine"
        assert len(list(storage.meta_backend)) == 1

    @pytest.mark.parametrize("storage", ON_DISK, indirect=True)
    def test_lost_answer_keeps_bytes_that_have_a_record(self, storage, monkeypatch):
        create = storage.meta_backend.create

        def create_and_lose_the_answer(data):
            create(data)
            raise MetaBackendUnavailable("connection lost")

        save(storage, content=b"first")
        monkeypatch.setattr(storage.meta_backend, "create", create_and_lose_the_answer)
        with pytest.raises(MetaBackendUnavailable):
            save(storage, "letters/b.txt")
        assert read(storage, "letters/b.txt") == b"mine"

    @pytest.mark.parametrize("storage", ON_DISK, indirect=True)
    def test_bytes_go_if_a_project_refuses_the_record(self, storage, monkeypatch):
        def refuse(**data):
            raise MetaBackendObjectAlreadyExists("the same checksum", path="x")

        monkeypatch.setattr(storage, "get_data_for_meta_backend_save", refuse)
        with pytest.raises(MetaBackendObjectAlreadyExists, match="same checksum"):
            save(storage)
        assert storage.original_storage.listdir("letters")[1] == []


class TestClassesOfAProject:
    def test_original_that_chooses_names_by_content(self, in_front_of, tmp_path):
        """Two files in one object would be one file: the second is refused."""

        class ByContent(FileSystemStorage):
            def _save(self, name, content):
                name = hashlib.sha1(content.read()).hexdigest() + ".txt"
                return name if self.exists(name) else super()._save(name, content)

        storage = in_front_of(ByContent(tmp_path))
        path = save(storage)
        assert path == hashlib.sha1(b"mine").hexdigest() + ".txt"
        with pytest.raises(MetaBackendObjectAlreadyExists):
            save(storage, "b.txt")
        assert read(storage, path) == b"mine"

    def test_original_that_spells_names_in_its_own_way(self, in_front_of, tmp_path):
        class Lower(FileSystemStorage):
            def get_available_name(self, name, max_length=None):
                return super().get_available_name(name.lower().replace("/", "-"), max_length)

        storage = in_front_of(Lower(tmp_path))
        assert save(storage, "Letters/A.txt") == "Letters/A.txt"
        assert re.fullmatch(
            r"letters-a_[a-z0-9]{16}\.txt", get_name_of_bytes(storage, "Letters/A.txt")
        )

    def test_storage_that_replaces_files(self, in_front_of, monkeypatch):
        """The way to overwrite that many projects have; also with what is read from the file."""
        storage = in_front_of(MemoryStorage())

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

    def test_available_name_that_is_always_the_same(self, in_front_of, monkeypatch):
        storage = in_front_of(MemoryStorage())
        monkeypatch.setattr(storage, "get_available_name", lambda name, max_length=None: name)
        paths = [save(storage) for _ in range(3)]
        assert paths[0] == "letters/a.txt"
        assert len(set(paths)) == 3

    def test_alternative_name_of_a_project(self, in_front_of, monkeypatch):
        storage = in_front_of(MemoryStorage())
        monkeypatch.setattr(storage, "get_alternative_name", lambda root, ext: f"{root}-2{ext}")
        paths = [save(storage) for _ in range(3)]
        assert paths[:2] == ["letters/a.txt", "letters/a-2.txt"]
        assert re.fullmatch(rf"letters/a{SUFFIX}\.txt", paths[2])

    @pytest.mark.parametrize("astray", ["../up.txt", "/absolute.txt", "", "a/../../up.txt"])
    def test_available_name_that_leads_astray(self, in_front_of, monkeypatch, astray):
        storage = in_front_of(MemoryStorage())
        monkeypatch.setattr(storage, "get_available_name", lambda name, max_length=None: astray)
        with pytest.raises(InvalidNameError):
            save(storage)
        assert storage.original_storage.listdir("letters")[1] == []
        assert list(storage.meta_backend) == []


@pytest.mark.parametrize("storage", [*ON_DISK, "orm-relative-multiple"], indirect=True)
class TestKnownBytes:
    def put(self, storage, name="there.txt"):
        return storage.get_original_storage().save(name, ContentFile(b"there"))

    def test_path_is_the_name(self, storage):
        known = self.put(storage, "deep/there.txt")
        path = storage.save("letters/b.txt", None, original_storage_path=known)
        assert path == "letters/b.txt"
        assert read(storage, path) == b"there"
        assert get_name_of_bytes(storage, path) == known

    def test_bytes_get_one_record_whatever_its_path(self, storage):
        known = self.put(storage)
        path = storage.save("a.txt", None, original_storage_path=known)
        for name in ("b.txt", "a.txt", "there.txt"):
            with pytest.raises(MetaBackendObjectAlreadyExists) as caught:
                storage.save(name, None, original_storage_path=known)
            assert caught.value.path == path
        assert [record["path"] for record in storage.meta_backend] == [path]
        assert read(storage, path) == b"there"

    def test_bytes_of_a_saved_file_have_a_record(self, storage):
        path = save(storage)
        known = get_name_of_bytes(storage, path)
        with pytest.raises(MetaBackendObjectAlreadyExists):
            storage.save("b.txt", None, original_storage_path=known)
        assert [record["path"] for record in storage.meta_backend] == [path]

    def test_taken_name_gets_a_suffix(self, storage):
        save(storage)
        known = self.put(storage)
        path = storage.save("letters/a.txt", None, original_storage_path=known)
        assert re.fullmatch(rf"letters/a{SUFFIX}\.txt", path)
        assert read(storage, path) == b"there"

    def test_two_at_once_do_not_both_get_a_record(self, storage, monkeypatch):
        """The second one has written its record when the first one looks for others."""
        known, create = self.put(storage), storage.meta_backend.create

        def create_and_be_slow(data):
            created = create(data)
            monkeypatch.setattr(storage.meta_backend, "create", create)
            with pytest.raises(MetaBackendObjectAlreadyExists):
                storage.save("second.txt", None, original_storage_path=known)
            return created

        monkeypatch.setattr(storage.meta_backend, "create", create_and_be_slow)
        assert storage.save("first.txt", None, original_storage_path=known) == "first.txt"
        assert [record["path"] for record in storage.meta_backend] == ["first.txt"]

    def test_record_is_taken_back_if_others_cannot_be_looked_for(self, storage, monkeypatch):
        known = self.put(storage)

        def fail(*args, **kwargs):
            raise MetaBackendUnavailable("gone")

        with monkeypatch.context() as patch:
            patch.setattr(storage.meta_backend, "filter", fail)
            with pytest.raises(MetaBackendUnavailable):
                storage.save("a.txt", None, original_storage_path=known)
        assert list(storage.meta_backend) == []
        assert storage.save("a.txt", None, original_storage_path=known) == "a.txt"
