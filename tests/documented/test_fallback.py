"""The section about fallback: the next original storage is used if one fails."""

import resource
import shutil
import socket
from contextlib import contextmanager

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from proxy_storage.storages.base import ProxyStorageBase
from proxy_storage.storages.fallback import (
    FallbackProxyStorageMixin,
    OriginalStorageFallbackMixin,
)
from proxy_storage.storages.gridfs import GridFSStorage
from tests.contract.reading import read
from tests.testapp.models import NamedStoredFile
from tests.testapp.storages import get_mongo_db

LARGEST_FILE = 4 * 1024 * 1024


class FileSystemFallbackStorage(OriginalStorageFallbackMixin, FileSystemStorage):
    fallback_exceptions = (IOError, OSError)


class GridFSFallbackStorage(OriginalStorageFallbackMixin, GridFSStorage):
    """The documentation incorrectly uses `FileSystemStorage` here."""

    fallback_exceptions = (AutoReconnect,)


class UnregisteredGridFSStorage(OriginalStorageFallbackMixin, GridFSStorage):
    fallback_exceptions = (KeyError,)


class StrictFileSystemStorage(OriginalStorageFallbackMixin, FileSystemStorage):
    fallback_exceptions = (AutoReconnect,)


@contextmanager
def full_disk():
    """Limit the size of files that this process can write, like a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def replace_by_text_file(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("hello world\n")


@pytest.fixture
def record_model():
    return NamedStoredFile


class TestFallback:
    @pytest.fixture
    def file_system(self, folder):
        return FileSystemFallbackStorage(location=folder)

    @pytest.fixture
    def gridfs(self):
        return GridFSFallbackStorage(database=get_mongo_db)

    @pytest.fixture
    def storage_class(self, file_system, gridfs, meta_backend, register):
        records = meta_backend

        class ProxyStorageWithFallback(FallbackProxyStorageMixin, ProxyStorageBase):
            original_storages = [("file_system", file_system), ("gridfs", gridfs)]
            meta_backend = records

        register("proxy_storage_with_fallback", ProxyStorageWithFallback)
        return ProxyStorageWithFallback

    @pytest.fixture
    def storage(self, storage_class):
        return storage_class()

    @pytest.fixture
    def unreachable(self):
        """Return a database of a server that is not running."""
        # The port is bound, so that no other server can use it, but it does not listen.
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            uri = f"mongodb://127.0.0.1:{taken.getsockname()[1]}"
            with MongoClient(uri, serverSelectionTimeoutMS=20) as client:
                yield client["files"]

    def test_first_original_storage_is_used_without_errors(self, storage, folder):
        path = storage.save("hello.txt", ContentFile(b"world"))
        assert path == f"{folder}/hello.txt"
        assert storage.meta_backend.get(path)["original_storage_name"] == "file_system"
        assert read(storage, path) == b"world"

    def test_file_system_storage_raises_io_error_for_a_folder_that_is_a_file(self, folder):
        replace_by_text_file(folder)
        with pytest.raises(IOError, match="exists and is not a directory"):
            FileSystemStorage(location=folder).save("hello.txt", ContentFile(b"world"))

    def test_fallback_exception_selects_the_next_original_storage(self, storage, folder):
        storage.save("hello.txt", ContentFile(b"world"))
        replace_by_text_file(folder)
        path = storage.save("hello.txt", ContentFile(b"world"))
        assert path == "/hello.txt"
        assert storage.meta_backend.get(path)["original_storage_name"] == "gridfs"
        assert read(storage, path) == b"world"
        assert folder.read_text() == "hello world\n"

    def test_first_one_is_used_again_when_it_works_again(self, storage, folder):
        replace_by_text_file(folder)
        storage.save("hello.txt", ContentFile(b"1"))
        folder.unlink()
        path = storage.save("hello.txt", ContentFile(b"2"))
        assert storage.meta_backend.get(path)["original_storage_name"] == "file_system"

    @pytest.mark.parametrize("cls", [GridFSFallbackStorage, UnregisteredGridFSStorage])
    def test_exception_of_the_last_one_is_raised_whether_registered_or_not(
        self, storage, storage_class, file_system, unreachable, monkeypatch, cls
    ):
        originals = [("file_system", file_system), ("gridfs", cls(unreachable))]
        monkeypatch.setattr(storage_class, "original_storages", originals)
        replace_by_text_file(file_system.base_location)
        with pytest.raises(AutoReconnect):
            storage.save("hello.txt", ContentFile(b"world"))
        assert list(storage.meta_backend) == []

    @pytest.mark.parametrize("cls", [StrictFileSystemStorage, FileSystemStorage])
    def test_exception_that_is_not_registered_is_raised_at_once(
        self, storage, storage_class, gridfs, folder, monkeypatch, cls
    ):
        """So it is for an original storage without `OriginalStorageFallbackMixin`."""
        originals = [("file_system", cls(location=folder)), ("gridfs", gridfs)]
        monkeypatch.setattr(storage_class, "original_storages", originals)
        replace_by_text_file(folder)
        with pytest.raises(FileExistsError):
            storage.save("hello.txt", ContentFile(b"world"))
        assert not gridfs.exists("hello.txt")
        assert list(storage.meta_backend) == []

    def test_exceptions_are_caught_when_save_is_called_and_not_elsewhere(self, storage, folder):
        path = storage.save("hello.txt", ContentFile(b"world"))
        replace_by_text_file(folder)
        with pytest.raises(NotADirectoryError):
            storage.open(path)

    def test_content_is_complete_after_a_partial_write(self, storage, gridfs, folder):
        content = bytes(range(256)) * (2 * LARGEST_FILE // 256)
        with full_disk():
            path = storage.save("hello.bin", ContentFile(content))
        assert storage.meta_backend.get(path)["original_storage_name"] == "gridfs"
        assert read(storage, path) == content
        assert list(folder.iterdir()) == []

    def test_no_file_is_left_if_all_original_storages_fail(
        self, storage, storage_class, file_system, monkeypatch, folder
    ):
        other = FileSystemFallbackStorage(location=folder / "other")
        originals = [("file_system", file_system), ("other", other)]
        monkeypatch.setattr(storage_class, "original_storages", originals)
        with full_disk(), pytest.raises(OSError, match="File too large"):
            storage.save("hello.bin", ContentFile(b"\0" * (LARGEST_FILE + 1)))
        assert [file for file in folder.rglob("*") if file.is_file()] == []
        assert list(storage.meta_backend) == []

    def test_using_disables_the_fallback(self, storage, folder):
        replace_by_text_file(folder)
        with pytest.raises(FileExistsError):
            storage.save("hello.txt", ContentFile(b"world"), using="file_system")
