"""The test suite for proxy storages, with any original storage and meta backend."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

import pytest
from django.core.files.base import ContentFile, File
from django.db import transaction
from django.utils import timezone

from proxy_storage.exceptions import LocalPathError, ProxyFileNotFoundError
from proxy_storage.storages.base import ProxyStorageBase
from proxy_storage.storages.lookup import FULL, RELATIVE, get_path_kind
from proxy_storage.testing.saving import ExistingBytesCases, SaveCases, StorageCases, read


class ReadCases(StorageCases):
    """Methods that read files and records."""

    def test_exists_if_the_path_has_a_record(self, storage: ProxyStorageBase) -> None:
        path = self.save(storage)
        assert storage.exists(path)
        assert not storage.exists(path + "x")

    def test_other_values_than_paths_do_not_exist(self, storage: ProxyStorageBase) -> None:
        path = self.save(storage)
        nothing: list[Any] = [{"$ne": ""}, [path], None, path.encode(), 1, "nul\0", "\ud800"]
        for value in nothing:
            assert not storage.exists(value)

    def test_open_without_record_raises_file_not_found(self, storage: ProxyStorageBase) -> None:
        with pytest.raises(FileNotFoundError, match="No record") as caught:
            storage.open("/nothing.txt")
        assert isinstance(caught.value, ProxyFileNotFoundError)
        assert caught.value.path == "/nothing.txt"

    def test_open_without_bytes_raises_file_not_found(self, storage: ProxyStorageBase) -> None:
        path = self.save(storage)
        self.lose_bytes(storage, path)
        with pytest.raises(FileNotFoundError, match="missing"):
            read(storage, path)

    def test_open_file_can_seek(self, storage: ProxyStorageBase) -> None:
        path = self.save(storage, content=b"hello world")
        with storage.open(path) as file:
            assert isinstance(file, File)
            assert file.size == 11
            file.seek(6)
            assert file.read() == b"world"

    def test_size_in_bytes(self, storage: ProxyStorageBase) -> None:
        assert storage.size(self.save(storage)) == 5

    def test_modified_time_follows_use_tz(self, storage: ProxyStorageBase) -> None:
        path = self.save(storage)
        modified = storage.get_modified_time(path)
        now = timezone.now()
        assert timezone.is_aware(modified) == timezone.is_aware(now)
        assert abs(now - modified) < timedelta(minutes=1)

    def test_size_and_time_of_a_missing_file(self, storage: ProxyStorageBase) -> None:
        for method in (storage.size, storage.get_modified_time):
            for name in ("/nothing.txt", "nothing.txt"):
                with pytest.raises(FileNotFoundError):
                    method(name)

    def test_local_path_of_a_missing_file(self, storage: ProxyStorageBase) -> None:
        for name in ("/nothing.txt", "nothing.txt"):
            try:
                path = storage.path(name)
            except LocalPathError:  # It is also a NotImplementedError.
                continue
            assert path.endswith("nothing.txt")

    def test_listdir_returns_names_below_a_path(self, storage: ProxyStorageBase) -> None:
        top = PurePosixPath(self.save(storage, "top.txt")).parent
        names = [PurePosixPath(self.save(storage, f"sub/{name}.txt")).name for name in "ab"]
        self.save(storage, "sub/deeper/c.txt")
        folders, files = storage.listdir(str(top))
        assert folders == ["sub"]
        assert len(files) == 1
        assert storage.exists(str(top / files[0]))
        assert storage.listdir(f"{top}/sub") == (["deeper"], sorted(names))
        assert storage.listdir(f"{top}/./sub//") == storage.listdir(f"{top}/sub")

    def test_files_in_listdir_can_be_opened(self, storage: ProxyStorageBase) -> None:
        contents = {"top.txt": b"1", "sub/a.txt": b"2", "sub/deeper/b.txt": b"3"}
        for name, content in contents.items():
            self.save(storage, name, content)
        for top in ("", "/"):
            names = list(self.walk(storage, top))
            if top == "/" and get_path_kind(storage) == RELATIVE:
                assert names == []
                continue
            assert sorted(read(storage, name) for name in names) == [b"1", b"2", b"3"]
            assert all(map(storage.exists, names))

    def walk(self, storage: ProxyStorageBase, folder: str) -> Iterator[str]:
        """Yield the names of all files below a folder."""
        folders, files = storage.listdir(folder)
        yield from (posixpath.join(folder, name) for name in files)
        for name in folders:
            yield from self.walk(storage, posixpath.join(folder, name))

    def get_other_names(self, storage: ProxyStorageBase, path: str) -> list[str]:
        """Return the names of a file other than the path of its record."""
        names = []
        if path.endswith("/letters/hello.txt"):
            names.append("letters/hello.txt")
        if get_path_kind(storage) == RELATIVE:
            names.append(f"./{path}")
        if get_path_kind(storage) != FULL:
            with suppress(NotImplementedError):
                names.append(storage.path(path))
        return names

    def test_other_names_find_the_file(self, storage: ProxyStorageBase) -> None:
        path = self.save(storage, "letters/hello.txt")
        for name in self.get_other_names(storage, path):
            assert storage.exists(name)
            assert storage.get_meta_backend_obj(name)["path"] == path
            assert read(storage, name) == b"world"
            assert storage.size(name) == 5

    def test_delete_accepts_other_names(self, storage: ProxyStorageBase) -> None:
        for number in range(3):
            path = self.save(storage, "letters/hello.txt")
            record = storage.meta_backend.get(path)
            for name in self.get_other_names(storage, path)[number : number + 1]:
                storage.delete(name)
                assert not storage.exists(path)
                assert not self.has_bytes(storage, record)

    def test_listdir_of_a_missing_folder(self, storage: ProxyStorageBase) -> None:
        assert storage.listdir("/") == storage.listdir("") == ([], [])
        path = self.save(storage)
        for nowhere in ("/nowhere", path, path[:-1]):
            with pytest.raises(FileNotFoundError):
                storage.listdir(nowhere)


class DeleteCases(StorageCases):
    """``delete``, also in transactions."""

    def test_delete_removes_bytes_and_record(self, storage: ProxyStorageBase) -> None:
        path = self.save(storage)
        record = storage.meta_backend.get(path)
        storage.delete(path)
        assert not storage.exists(path)
        assert not self.has_bytes(storage, record)

    def test_delete_without_record(self, storage: ProxyStorageBase) -> None:
        for name in ("/nothing.txt", "nothing.txt"):
            if storage.delete_missing_ok:
                storage.delete(name)
            else:
                with pytest.raises(FileNotFoundError):
                    storage.delete(name)

    def test_delete_without_bytes_removes_the_record(self, storage: ProxyStorageBase) -> None:
        path = self.save(storage)
        self.lose_bytes(storage, path)
        storage.delete(path)
        assert not storage.exists(path)

    def test_delete_in_a_transaction_waits_for_the_commit(
        self, storage: ProxyStorageBase, django_capture_on_commit_callbacks: Any
    ) -> None:
        path = self.save(storage)
        record = storage.meta_backend.get(path)
        with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
            storage.delete(path)
            assert self.has_bytes(storage, record)
        assert not self.has_bytes(storage, record)
        assert not storage.exists(path)

    def test_rollback_of_a_delete_keeps_the_file(self, storage: ProxyStorageBase) -> None:
        path = self.save(storage)

        def delete_and_fail() -> None:
            with transaction.atomic():
                storage.delete(path)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            delete_and_fail()
        assert read(storage, path) == b"world"

    def test_path_of_a_deleted_file_can_be_used_again(self, storage: ProxyStorageBase) -> None:
        path = self.save(storage, content=b"old")
        storage.delete(path)
        storage.save("hello.txt", ContentFile(b"other"))
        assert not storage.exists(path) or read(storage, path) == b"other"


class ProxyStorageContract(SaveCases, ExistingBytesCases, ReadCases, DeleteCases):
    """Tests for a proxy storage. Subclasses define the fixture ``storage``.

    The fixture must return a registered proxy storage without files.
    """
