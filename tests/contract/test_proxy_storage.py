"""What every proxy storage does, on every meta backend and every kind of original."""

import io

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.db import transaction

from proxy_storage.exceptions import (
    InvalidNameError,
    MetaBackendObjectAlreadyExists,
    ProxyFileNotFoundError,
)
from tests.contract.proxy_storages import is_in_original, read

pytestmark = pytest.mark.usefixtures("empty_storages")


class TestSave:
    def test_gives_the_path_of_a_record_with_the_bytes(self, storage):
        path = storage.save("letters/hello.txt", ContentFile(b"world"))

        record = storage.meta_backend.get(path)
        assert path.startswith("/")
        assert record["path"] == path
        assert record.get_proxy_storage() is storage
        assert record.get_original_storage() is storage.original_storage
        assert record.get_original_storage_full_path() == path
        assert read(storage, path) == b"world"

    def test_same_name_twice_gives_two_files(self, storage):
        first = storage.save("hello.txt", ContentFile(b"first"))
        second = storage.save("hello.txt", ContentFile(b"second"))

        assert first != second
        assert read(storage, first) == b"first"
        assert read(storage, second) == b"second"

    def test_takes_anything_that_can_be_read(self, storage):
        assert read(storage, storage.save("a.bin", io.BytesIO(b"raw"))) == b"raw"
        assert read(storage, storage.save(None, ContentFile(b"named", name="b.bin"))) == b"named"
        upload = SimpleUploadedFile("c.bin", b"uploaded")
        assert read(storage, storage.save("c.bin", upload)) == b"uploaded"
        assert read(storage, storage.save("empty", ContentFile(b""))) == b""

    def test_copies_a_temporary_upload(self, storage):
        with TemporaryUploadedFile("big.bin", "application/x-big", 3, None) as upload:
            upload.write(b"big")
            upload.seek(0)
            path = storage.save("big.bin", upload)
            assert read(storage, path) == b"big"
            upload.seek(0)
            assert upload.read() == b"big"

    def test_large_content_comes_back_whole(self, storage):
        content = bytes(range(256)) * 4000
        assert read(storage, storage.save("large.bin", ContentFile(content))) == content

    @pytest.mark.parametrize(
        "name",
        [
            "",
            ".",
            "..",
            "../up.txt",
            "a/../../up.txt",
            "/absolute.txt",
            "folder/",
            "nul\0.txt",
            "line\nbreak.txt",
            "half\ud800.txt",
            b"bytes.txt",
            {"$ne": ""},
            None,
        ],
    )
    def test_refuses_a_hostile_name_and_writes_nothing(self, storage, name, monkeypatch):
        monkeypatch.setattr(storage.original_storage, "_save", None)
        monkeypatch.setattr(storage.meta_backend, "create", None)
        with pytest.raises(InvalidNameError):
            storage.save(name, ContentFile(b"x"))

    @pytest.mark.parametrize(
        "name",
        [
            "with space ? # % + & ; = 'single' \"double\".txt",
            "%41%2Fliteral.txt",
            "-leading-dash",
            ".leading-dot",
            "日本/é.txt",
            "e\u0301 decomposed.txt",
            "\u202ertl.txt",
            "\U0001f4f7.jpg",
            "n" * 200,
        ],
    )
    def test_keeps_an_unusual_name(self, storage, name):
        path = storage.save(name, ContentFile(b"x"))
        assert storage.exists(path)
        assert read(storage, path) == b"x"

    def test_max_length_counts_the_whole_path(self, storage):
        overhead = len(storage.get_path(storage.original_storage, "x")) - 1
        limit = overhead + 40
        paths = {
            storage.save("n" * 100 + ".txt", ContentFile(b"x"), max_length=limit) for _ in "12"
        }
        assert len(paths) == 2
        assert all(len(path) <= limit and path.endswith(".txt") for path in paths)

    def test_says_when_max_length_leaves_no_room(self, storage):
        with pytest.raises(InvalidNameError, match="larger max_length"):
            storage.save("hello.txt", ContentFile(b"x"), max_length=1)


class TestSaveOfBytesThatAreThere:
    def put(self, storage, name="there.txt"):
        return storage.original_storage.save(name, ContentFile(b"there"))

    def test_writes_a_record_only(self, storage):
        known = self.put(storage)
        path = storage.save("there.txt", ContentFile(b"ignored"), original_storage_path=known)
        assert storage.meta_backend.get(path)["original_storage_path"] == known
        assert read(storage, path) == b"there"

    def test_is_refused_where_nothing_is(self, storage):
        with pytest.raises(ProxyFileNotFoundError, match="nothing at"):
            storage.save("a.txt", ContentFile(b""), original_storage_path="missing.txt")

    @pytest.mark.parametrize("known", ["../up.txt", "a/../../b.txt", "", {"$ne": ""}, b"x"])
    def test_is_refused_for_a_hostile_path(self, storage, known):
        with pytest.raises(InvalidNameError):
            storage.save("a.txt", ContentFile(b""), original_storage_path=known)

    def test_is_refused_a_second_time_and_removes_nothing(self, storage):
        known = self.put(storage)
        path = storage.save("a.txt", ContentFile(b""), original_storage_path=known)
        with pytest.raises(MetaBackendObjectAlreadyExists):
            storage.save("a.txt", ContentFile(b""), original_storage_path=known)
        assert read(storage, path) == b"there"


class TestExists:
    def test_follows_the_record(self, storage):
        path = storage.save("hello.txt", ContentFile(b"world"))
        assert storage.exists(path)
        assert not storage.exists(path + "x")

    def test_knows_nothing_but_paths(self, storage):
        storage.save("hello.txt", ContentFile(b"world"))
        for value in ({"$ne": ""}, ["/hello.txt"], None, b"/hello.txt", 1, "nul\0", "\ud800"):
            assert not storage.exists(value)


class TestOpen:
    def test_without_record(self, storage):
        with pytest.raises(FileNotFoundError, match="No record") as caught:
            storage.open("/nothing.txt")
        assert isinstance(caught.value, ProxyFileNotFoundError)
        assert caught.value.path == "/nothing.txt"

    def test_without_bytes(self, storage):
        path = storage.save("hello.txt", ContentFile(b"world"))
        storage.original_storage.delete(storage.meta_backend.get(path)["original_storage_path"])
        with pytest.raises(FileNotFoundError, match="gone"):
            storage.open(path)

    def test_gives_a_file_with_position(self, storage):
        path = storage.save("hello.txt", ContentFile(b"hello world"))
        with storage.open(path) as file:
            assert isinstance(file, File)
            assert file.size == 11
            file.seek(6)
            assert file.read() == b"world"


class TestDelete:
    def test_removes_bytes_and_record(self, storage):
        path = storage.save("hello.txt", ContentFile(b"world"))
        known = storage.meta_backend.get(path)["original_storage_path"]

        storage.delete(path)

        assert not storage.exists(path)
        assert not is_in_original(storage, known)

    def test_without_record(self, storage):
        with pytest.raises(FileNotFoundError):
            storage.delete("/nothing.txt")

    def test_without_bytes_removes_the_record(self, storage):
        path = storage.save("hello.txt", ContentFile(b"world"))
        storage.original_storage.delete(storage.meta_backend.get(path)["original_storage_path"])
        storage.delete(path)
        assert not storage.exists(path)

    def test_inside_a_transaction_waits_for_the_commit(
        self, storage, django_capture_on_commit_callbacks
    ):
        path = storage.save("hello.txt", ContentFile(b"world"))
        known = storage.meta_backend.get(path)["original_storage_path"]
        with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
            storage.delete(path)
            assert is_in_original(storage, known)
        assert not is_in_original(storage, known)
        assert not storage.exists(path)

    def test_rolled_back_loses_nothing(self, storage):
        path = storage.save("hello.txt", ContentFile(b"world"))

        def delete_and_fail():
            with transaction.atomic():
                storage.delete(path)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            delete_and_fail()
        assert read(storage, path) == b"world"


class TestFacts:
    def test_size(self, storage):
        assert storage.size(storage.save("hello.txt", ContentFile(b"world"))) == 5

    def test_times(self, storage):
        path = storage.save("hello.txt", ContentFile(b"world"))
        assert storage.get_created_time(path).tzinfo is not None
        assert storage.get_modified_time(path) >= storage.get_created_time(path)

    def test_of_a_file_that_is_not_there(self, storage):
        for fact in (storage.size, storage.path, storage.get_created_time):
            with pytest.raises(FileNotFoundError):
                fact("/nothing.txt")

    def test_url_leads_to_the_endpoint(self, storage):
        path = storage.save("a b&c.txt", ContentFile(b""))
        assert storage.url(path).startswith("/files/?path=%2F")
        assert "+b%26c" in storage.url(path)
