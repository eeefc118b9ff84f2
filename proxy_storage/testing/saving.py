"""Test cases for ``save`` of proxy storages."""

from __future__ import annotations

import io
import posixpath
import re
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile

from proxy_storage.exceptions import (
    InvalidNameError,
    MetaBackendError,
    MetaBackendObjectAlreadyExists,
    ProxyFileNotFoundError,
)
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.registry import get_proxy_storage_name
from proxy_storage.storages.base import ProxyStorageBase
from proxy_storage.storages.lookup import RELATIVE, get_path_kind

INVALID_NAMES = [
    "",
    ".",
    "..",
    "../up.txt",
    "a/../../up.txt",
    "/absolute.txt",
    "/not/../clean.txt",
    "//absolute.txt",
    "folder/",
    "nul\0.txt",
    "line\nbreak.txt",
    "half\ud800.txt",
    b"bytes.txt",
    {"$ne": ""},
    None,
]
UNUSUAL_NAMES = [
    "with space ? # % + & ; = 'single' \"double\".txt",
    "%41%2Fliteral.txt",
    "-leading-dash",
    ".leading-dot",
    "日本/é.txt",
    "e\u0301 decomposed.txt",
    "\u202ertl.txt",
    "\U0001f4f7.jpg",
    "n" * 200,
]


def read(storage: ProxyStorageBase, path: str) -> bytes:
    """Return the content of a file."""
    with storage.open(path) as file:
        content: bytes = file.read()
    return content


class StorageCases:
    """Helper methods of the test cases."""

    pytestmark = pytest.mark.django_db

    def save(
        self, storage: ProxyStorageBase, name: str = "hello.txt", content: bytes = b"world"
    ) -> str:
        """Save a small file."""
        return storage.save(name, ContentFile(content))

    def has_bytes(self, storage: ProxyStorageBase, record: MetaBackendObject) -> bool:
        """Return whether the original storage has the bytes of a record."""
        return storage.get_original_storage(record).exists(record["original_storage_path"])

    def lose_bytes(self, storage: ProxyStorageBase, path: str) -> None:
        """Delete the bytes of a file in the original storage only."""
        record = storage.meta_backend.get(path)
        storage.get_original_storage(record).delete(record["original_storage_path"])


class SaveCases(StorageCases):
    """``save`` of new bytes."""

    def test_save_returns_the_path_of_a_record_with_the_bytes(
        self, storage: ProxyStorageBase
    ) -> None:
        path = self.save(storage, "letters/hello.txt")
        record = storage.meta_backend.get(path)
        assert path.startswith("/") == (get_path_kind(storage) != RELATIVE)
        assert record["path"] == path
        assert record["proxy_storage_name"] == get_proxy_storage_name(storage)
        assert get_proxy_storage_name(record.get_proxy_storage()) == record["proxy_storage_name"]
        assert self.has_bytes(storage, record)
        assert record.get_original_storage_full_path().startswith("/")
        assert read(storage, path) == b"world"

    def test_relative_path_is_the_wanted_name(self, storage: ProxyStorageBase) -> None:
        if get_path_kind(storage) != RELATIVE:
            pytest.skip("paths are not relative")
        assert self.save(storage, "letters/hello.txt") == "letters/hello.txt"
        assert self.save(storage, "./letters//./hej.txt") == "letters/hej.txt"
        again = self.save(storage, "letters/hello.txt", b"again")
        assert re.fullmatch(r"letters/hello_[A-Za-z0-9]{7}\.txt", again)
        assert read(storage, "letters/hello.txt") == b"world"
        assert read(storage, again) == b"again"

    def test_returned_name_can_be_saved_again(self, storage: ProxyStorageBase) -> None:
        path = self.save(storage, "letters/hello.txt")
        other = storage.save(path, ContentFile(b"other"))
        assert other != path
        assert posixpath.basename(other).startswith("hello")
        assert read(storage, path) == b"world"
        assert read(storage, other) == b"other"

    def test_same_name_twice_is_two_files(self, storage: ProxyStorageBase) -> None:
        first = self.save(storage, content=b"first")
        second = self.save(storage, content=b"second")
        assert first != second
        assert read(storage, first) == b"first"
        assert read(storage, second) == b"second"

    def test_content_may_be_any_readable_object(self, storage: ProxyStorageBase) -> None:
        assert read(storage, storage.save("a.bin", io.BytesIO(b"raw"))) == b"raw"
        assert read(storage, storage.save(None, ContentFile(b"named", name="b.bin"))) == b"named"
        upload = SimpleUploadedFile("c.bin", b"uploaded")
        assert read(storage, storage.save("c.bin", upload)) == b"uploaded"
        assert read(storage, storage.save("empty", ContentFile(b""))) == b""
        assert read(storage, storage.save("d.txt", ContentFile("text é"))) == "text é".encode()

    def test_save_reads_from_the_first_byte_and_keeps_the_content_open(
        self, storage: ProxyStorageBase
    ) -> None:
        content = ContentFile(b"whole")
        content.read(3)
        assert read(storage, storage.save("a.bin", content)) == b"whole"
        assert not content.closed

    def test_temporary_upload_is_copied(self, storage: ProxyStorageBase) -> None:
        with TemporaryUploadedFile("big.bin", "application/x-big", 3, None) as upload:
            upload.write(b"big")
            upload.seek(0)
            path = storage.save("big.bin", upload)
            assert read(storage, path) == b"big"
            upload.seek(0)
            assert upload.read() == b"big"

    def test_large_content_is_unchanged(self, storage: ProxyStorageBase) -> None:
        content = bytes(range(256)) * 4000
        assert read(storage, self.save(storage, "large.bin", content)) == content

    @pytest.mark.parametrize("name", INVALID_NAMES, ids=repr)
    def test_invalid_name_is_refused_before_the_content_is_read(
        self, storage: ProxyStorageBase, name: Any
    ) -> None:
        content = io.BytesIO(b"unread")
        with pytest.raises(InvalidNameError):
            storage.save(name, content)
        assert content.tell() == 0
        where = {"proxy_storage_name": get_proxy_storage_name(storage)}
        assert list(storage.meta_backend.filter(where)) == []

    @pytest.mark.parametrize("name", UNUSUAL_NAMES)
    def test_unusual_name_is_accepted(self, storage: ProxyStorageBase, name: str) -> None:
        path = self.save(storage, name)
        assert storage.exists(path)
        assert read(storage, path) == b"world"

    def test_max_length_limits_the_whole_path(self, storage: ProxyStorageBase) -> None:
        originals = storage.get_originals()
        limit = 40 + max(len(storage.get_path(original.storage, "x")) for original in originals)
        paths = {
            storage.save("n" * 100 + ".txt", ContentFile(b"x"), max_length=limit) for _ in "12"
        }
        assert len(paths) == 2
        assert all(len(path) <= limit and path.endswith(".txt") for path in paths)

    def test_too_small_max_length_is_refused(self, storage: ProxyStorageBase) -> None:
        with pytest.raises(InvalidNameError, match="max_length"):
            storage.save("hello.txt", ContentFile(b"x"), max_length=1)

    def test_calls_do_not_change_the_instance(self, storage: ProxyStorageBase) -> None:
        before = dict(vars(storage))
        path = self.save(storage)
        read(storage, path)
        storage.delete(path)
        assert vars(storage) == before

    def test_bytes_are_deleted_if_the_record_cannot_be_created(
        self, storage: ProxyStorageBase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written = []

        def refuse(**data: Any) -> dict[str, Any]:
            written.append(data["original_storage_path"])
            raise MetaBackendError("refused")

        monkeypatch.setattr(storage, "get_data_for_meta_backend_save", refuse)
        with pytest.raises(MetaBackendError, match="refused"):
            self.save(storage)
        assert len(written) == 1
        assert not storage.get_original_storage().exists(written[0])


class ExistingBytesCases(StorageCases):
    """``save`` with ``original_storage_path``, for bytes that exist already."""

    def put(self, storage: ProxyStorageBase, content: bytes = b"there") -> str:
        """Write bytes to the original storage only."""
        return storage.get_original_storage().save("there.txt", ContentFile(content))

    def test_existing_bytes_get_a_record(self, storage: ProxyStorageBase) -> None:
        known = self.put(storage)
        path = storage.save("there.txt", ContentFile(b"ignored"), original_storage_path=known)
        assert storage.meta_backend.get(path)["original_storage_path"] == known
        assert read(storage, path) == b"there"

    def test_missing_original_storage_path_is_refused(self, storage: ProxyStorageBase) -> None:
        with pytest.raises(ProxyFileNotFoundError, match="has no file at"):
            storage.save("a.txt", ContentFile(b""), original_storage_path="missing.txt")

    @pytest.mark.parametrize("known", ["../up.txt", "a/../../b.txt", "", {"$ne": ""}, b"x"])
    def test_invalid_original_storage_path_is_refused(
        self, storage: ProxyStorageBase, known: Any
    ) -> None:
        with pytest.raises(InvalidNameError):
            storage.save("a.txt", ContentFile(b""), original_storage_path=known)

    def test_existing_bytes_get_only_one_record(self, storage: ProxyStorageBase) -> None:
        known = self.put(storage)
        path = storage.save("a.txt", ContentFile(b""), original_storage_path=known)
        with pytest.raises(MetaBackendObjectAlreadyExists):
            storage.save("a.txt", ContentFile(b""), original_storage_path=known)
        assert read(storage, path) == b"there"
