"""Django's storage contract on the file system: metadata, reading and deleting."""

import os
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.utils import timezone
from django.utils.module_loading import import_string

from proxy_storage.exceptions import MetaBackendObjectDoesNotExist
from proxy_storage.registry import get_proxy_storage, get_proxy_storage_name
from tests.contract.reading import read
from tests.testapp.storages import MongoDiskStorage, OrmDiskStorage

ODD_NAMES = [
    "~!*()'@#$%^&*abc`+ =.file",
    "100%25 sure?.txt",
    "double//slash.txt",
    "ünïcödé ☃.txt",
    "&path=other&storage=x.txt",
    '<b>"bold"</b>.txt',
]


@pytest.fixture(params=["orm-disk", "mongo-disk", "orm_disk", "mongo_disk"])
def storage(request, empty_storages):
    return get_proxy_storage(request.param)


class TestDeconstruction:
    @pytest.mark.parametrize("cls", [OrmDiskStorage, MongoDiskStorage])
    def test_class_is_deconstructed_without_arguments(self, cls):
        deconstructed = cls().deconstruct()
        assert deconstructed == (f"tests.testapp.storages.{cls.__name__}", (), {})
        assert cls().deconstruct() == deconstructed

    @pytest.mark.parametrize(
        ("alias", "path"),
        [
            ("orm-disk", "proxy_storage.storages.ProxyStorage"),
            ("mongo-disk", "proxy_storage.storages.ProxyStorage"),
            ("orm-metadata", "tests.testapp.storages.MetadataStorage"),
        ],
    )
    def test_alias_is_deconstructed_with_its_options(self, alias, path, settings):
        deconstructed = storages[alias].deconstruct()
        assert deconstructed == (path, (), settings.STORAGES[alias]["OPTIONS"])

    def test_reconstructed_storage_uses_the_same_files(self, storage):
        path = storage.save("hello.txt", ContentFile(b"world"))
        cls, args, kwargs = storage.deconstruct()
        twin = import_string(cls)(*args, **kwargs)
        assert twin is not storage
        assert twin.deconstruct() == storage.deconstruct()
        assert get_proxy_storage_name(twin) == get_proxy_storage_name(storage)
        assert read(twin, path) == b"world"
        twin.delete(path)
        assert not storage.exists(path)

    def test_different_storages_deconstruct_differently(self):
        names = ["orm-disk", "mongo-disk", "orm-overwriting", "orm_disk", "orm_subfolder"]
        deconstructed = [repr(get_proxy_storage(name).deconstruct()) for name in names]
        assert len(set(deconstructed)) == len(names)


class TestMetadata:
    def test_path_and_size_match_the_file_on_disk(self, storage):
        path = storage.save("letters/hello.txt", ContentFile(b"world"))
        assert storage.path(path) == path
        assert Path(path).read_bytes() == b"world"
        assert storage.size(path) == os.path.getsize(path) == 5

    def test_case_of_a_name_is_preserved(self, storage):
        path = storage.save("MiXeD/CaSe.TXT", ContentFile(b"x"))
        assert path.endswith("/MiXeD/CaSe.TXT")
        assert os.listdir(Path(path).parent) == ["CaSe.TXT"]

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_url_contains_the_encoded_path(self, storage, name):
        path = storage.save(name, ContentFile(b"x"))
        parts = urlsplit(storage.url(path))
        assert (parts.scheme, parts.netloc, parts.path) == ("", "", "/files/")
        assert parse_qs(parts.query, strict_parsing=True) == {
            "path": [path],
            "storage": [get_proxy_storage_name(storage)],
        }
        assert parts.fragment == ""

    @pytest.mark.parametrize("path", ["//evil.example/x", "\\\\evil.example", "/a\0b", "", None])
    def test_url_of_an_invalid_path_has_no_other_host(self, storage, path):
        parts = urlsplit(storage.url(path))
        assert (parts.netloc, parts.path) == ("", "/files/")

    @pytest.mark.parametrize("zone", ["Africa/Algiers", "America/Caracas"])
    @pytest.mark.parametrize("use_tz", [True, False])
    def test_times_are_aware_if_use_tz_is_true(self, storage, settings, use_tz, zone):
        # Django sets the time zone of the process; it is not UTC.
        settings.USE_TZ, settings.TIME_ZONE = use_tz, zone
        path = storage.save("hello.txt", ContentFile(b"world"))
        os.utime(path, (1_000_000_000, 1_200_000_000))
        with timezone.override(timezone.get_fixed_timezone(-300)):
            accessed, modified = storage.get_accessed_time(path), storage.get_modified_time(path)
            created = storage.get_created_time(path)
        for time in (accessed, modified, created):
            assert timezone.is_aware(time) is use_tz
        assert (accessed.timestamp(), modified.timestamp()) == (1_000_000_000, 1_200_000_000)
        now = timezone.now() if use_tz else datetime.now()
        assert abs(now - created) < timedelta(minutes=1)


class TestListdir:
    def test_listdir_contains_names_with_records_only(self, storage, settings):
        for name in ("b.txt", "a.txt", "sub/c.txt"):
            storage.save(name, ContentFile(b"x"))
        storage.original_storage.save("without_record.txt", ContentFile(b"x"))
        root = Path(storage.original_storage.location)
        (root / "empty").mkdir()
        assert storage.listdir(str(root)) == (["sub"], ["a.txt", "b.txt"])
        assert storage.listdir(f"{root}/sub/") == ([], ["c.txt"])
        with pytest.raises(FileNotFoundError):
            storage.listdir(f"{root}/empty")

    def test_listdir_omits_folders_with_the_same_beginning(self, storage):
        storage.save("sub/a.txt", ContentFile(b"x"))
        storage.save("subway/b.txt", ContentFile(b"x"))
        assert storage.listdir(f"{storage.original_storage.location}/sub") == ([], ["a.txt"])


class TestOpen:
    def test_open_in_text_mode(self, storage):
        path = storage.save("hello.txt", ContentFile("wörld\n"))
        with storage.open(path, "r") as file:
            assert file.read() == "wörld\n"

    def test_open_for_writing_changes_the_file(self, storage):
        path = storage.save("hello.txt", ContentFile(b"world"))
        with storage.open(path, "wb") as file:
            file.write(b"new world")
        assert read(storage, path) == b"new world"
        assert storage.size(path) == 9

    @pytest.mark.parametrize("mode", ["w", "wb", "ab", "x"])
    def test_open_for_writing_creates_no_file_without_record(self, storage, mode):
        path = f"{storage.original_storage.location}/new.txt"
        with pytest.raises(FileNotFoundError, match="No record"):
            storage.open(path, mode)
        assert not Path(path).exists()

    @pytest.mark.parametrize("path", ["..", "../..", "/etc/passwd", "/", ".", "", "a/../b"])
    def test_path_without_record_raises_file_not_found(self, storage, path):
        assert not storage.exists(path)
        for method in (storage.open, storage.size, storage.path, storage.delete):
            if method == storage.path and path in (".", "", "a/../b"):
                continue  # These are inside the folder. collectstatic calls path("").
            if method == storage.delete and storage.delete_missing_ok:
                continue  # See TestDelete.
            with pytest.raises(FileNotFoundError, match="No record"):
                method(path)

    def test_record_of_a_file_outside_the_storage_raises(self, storage, tmp_path):
        outside = tmp_path / "outside.txt"
        outside.write_bytes(b"secret")
        path = storage.save("hello.txt", ContentFile(b"world"))
        for target in (os.path.relpath(outside, Path(path).parent), str(outside)):
            storage.meta_backend.update(path, {"original_storage_path": target})
            for method in (storage.open, storage.size, storage.path, storage.delete):
                with pytest.raises(SuspiciousFileOperation):
                    method(path)
        assert outside.read_bytes() == b"secret"
        assert storage.exists(path)


def delete_missing(storage, path):
    """Delete a path without a record. Only `ProxyStorage` raises no error."""
    with nullcontext() if storage.delete_missing_ok else pytest.raises(FileNotFoundError):
        storage.delete(path)


class TestDelete:
    @pytest.mark.parametrize("path", ["..", "../..", "/etc/passwd", "/", ".", "a/../b", "sub"])
    def test_deleting_a_missing_path_removes_no_file(self, storage, path):
        saved = [storage.save(name, ContentFile(b"x")) for name in ("b", "sub/b")]
        delete_missing(storage, path)
        assert all(map(storage.exists, saved))
        assert [Path(each).read_bytes() for each in saved] == [b"x", b"x"]

    def test_file_that_another_process_removes_during_the_delete(self, storage, monkeypatch):
        path = storage.save("hello.txt", ContentFile(b"world"))
        remove = os.remove

        def remove_twice(name):
            remove(name)
            remove(name)

        with monkeypatch.context() as patch:
            patch.setattr(os, "remove", remove_twice)
            storage.delete(path)
        assert not storage.exists(path)
        assert not Path(path).exists()

    def test_record_stays_if_the_file_cannot_be_removed(self, storage, monkeypatch):
        path = storage.save("hello.txt", ContentFile(b"world"))

        def raise_permission_error(name):
            raise PermissionError(name)

        with monkeypatch.context() as patch:
            patch.setattr(os, "remove", raise_permission_error)
            with pytest.raises(PermissionError):
                storage.delete(path)
        assert read(storage, path) == b"world"
        storage.delete(path)
        assert not storage.exists(path)

    def test_folders_cannot_be_deleted(self, storage):
        path = storage.save("sub/hello.txt", ContentFile(b"world"))
        for folder in (str(Path(path).parent), "sub", storage.original_storage.location):
            delete_missing(storage, folder)
        assert read(storage, path) == b"world"

    def test_second_delete_finds_no_record(self, storage):
        path = storage.save("hello.txt", ContentFile(b"world"))
        storage.delete(path)
        delete_missing(storage, path)
        with pytest.raises(MetaBackendObjectDoesNotExist):
            storage.meta_backend.get(path)
