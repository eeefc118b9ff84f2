"""Names that are not paths of records: relative names, local paths and returned names."""

import os
import pathlib
import re

import pytest
from django.contrib.staticfiles.utils import get_files
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.permissions import IsAdminUser

from proxy_storage.exceptions import InvalidNameError, LocalPathError, ProxyFileNotFoundError
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages.gridfs import GridFSStorage
from proxy_storage_api.viewsets import FileViewSet
from tests.contract.reading import read
from tests.contract.temporary_storages import configure_proxy_storage
from tests.testapp.models import Document
from tests.testapp.storages import MemoryStorage, get_mongo_db

pytestmark = pytest.mark.usefixtures("empty_storages")

FULL = ["orm-disk", "mongo-disk", "orm-gridfs", "orm-prefix", "orm-multiple"]
RELATIVE = ["orm-relative-disk", "mongo-relative-disk", "orm-relative-multiple"]
LOCAL = ["orm-relative-disk", "mongo-relative-disk", "orm-prefix", "orm-plain-disk"]
NOT_NAMES = [
    "../a.txt",
    "letters/../../a.txt",
    "..",
    "",
    ".",
    "line\nbreak",
    "/",
    "//",
    "/..",
    "a/",
]

PLACES = ["", "test", "a/b.txt", "thumbs/", ".", "./x", "a//b", "a/../b", "line\nbreak"]


def save(storage, name="letters/a.txt", content=b"mine", **kwargs):
    return storage.save(name, ContentFile(content), **kwargs)


def get_save_error(storage, name):
    with pytest.raises(InvalidNameError) as caught:
        storage.save(name, ContentFile(b"x"))
    return str(caught.value)


class TestRelativeName:
    @pytest.mark.parametrize("storage", FULL, indirect=True)
    def test_relative_name_refers_to_the_path_of_its_file(self, storage):
        path = save(storage)
        assert path.startswith("/")
        assert storage.get_meta_backend_obj("letters/a.txt")["path"] == path
        assert storage.size("letters/a.txt") == 4
        assert storage.get_modified_time("./letters//a.txt")
        storage.delete("letters/a.txt")
        assert not storage.exists(path)

    @pytest.mark.parametrize("storage", ["orm-multiple"], indirect=True)
    def test_relative_name_is_looked_up_in_each_original_storage(self, storage):
        for using in ("disk", "gridfs"):
            save(storage, f"{using}.txt", using.encode(), using=using)
        assert [read(storage, f"{name}.txt") for name in ("disk", "gridfs")] == [b"disk", b"gridfs"]
        assert storage.listdir("") == ([], ["disk.txt", "gridfs.txt"])
        save(storage, "same.txt", b"1", using="disk")
        save(storage, "same.txt", b"2", using="gridfs")
        assert read(storage, "same.txt") == b"2"  # The first original storage takes precedence.

    @pytest.mark.parametrize("storage", ["orm-disk", "orm-prefix"], indirect=True)
    def test_literal_path_takes_precedence(self, storage):
        """Such records were written before the kind of paths was changed."""
        storage.original_storage.save("old.txt", ContentFile(b"old"))
        names = {
            "proxy_storage_name": storage.get_meta_backend_obj(save(storage))["proxy_storage_name"]
        }
        literal = {"path": "letters/a.txt", "original_storage_path": "old.txt", **names}
        storage.meta_backend.create(literal)
        assert read(storage, "letters/a.txt") == b"old"

    @pytest.mark.parametrize(
        "storage", ["orm-disk", "orm-prefix", "orm-relative-disk"], indirect=True
    )
    @pytest.mark.parametrize("name", NOT_NAMES)
    def test_hostile_name_finds_no_file(self, storage, name):
        save(storage, "a.txt")
        save(storage, "letters/a.txt")
        assert not storage.exists(name)
        with pytest.raises(FileNotFoundError):
            storage.open(name)

    @pytest.mark.parametrize("storage", ["orm-prefix"], indirect=True)
    def test_relative_name_stays_below_the_prefix(self, storage):
        other = get_proxy_storage("orm-metadata")
        outside = {"proxy_storage_name": "orm-prefix", "original_storage_path": "x", "path": "/x"}
        storage.meta_backend.create(outside)
        assert storage.exists("/x")
        assert not storage.exists("../x")
        assert not other.exists("../x")

    @pytest.mark.parametrize("storage", FULL, indirect=True)
    def test_path_of_a_record_is_looked_up_once(self, storage, monkeypatch):
        path, queried = save(storage), []
        get = storage.meta_backend.get
        monkeypatch.setattr(
            storage.meta_backend, "get", lambda path: queried.append(path) or get(path)
        )
        assert storage.exists(path)
        assert queried == [path]

    def test_record_of_another_storage_is_not_found(self, meta_backend_name):
        storage = get_proxy_storage(f"{meta_backend_name}-relative-disk")
        other = get_proxy_storage(f"{meta_backend_name}-relative-memory")
        save(storage)
        assert not other.exists("letters/a.txt")
        other_path = save(other)
        assert re.fullmatch(r"letters/a_[A-Za-z0-9]{7}\.txt", other_path)
        assert other.listdir("letters") == ([], [os.path.basename(other_path)])


class TestPathlib:
    """Names can be ``pathlib`` paths, as with Django's storages."""

    @pytest.mark.parametrize(
        "storage", [*FULL, *RELATIVE, "orm-plain-disk", "orm-metadata"], indirect=True
    )
    def test_pathlib_path_is_equal_to_its_text(self, storage):
        path = save(storage)
        name = pathlib.PurePosixPath(path)
        assert storage.exists(name)
        assert read(storage, name) == b"mine"
        assert storage.size(name) == 4
        assert storage.get_modified_time(name)
        assert storage.url(name) == storage.url(path)
        assert storage.get_meta_backend_obj(name)["path"] == path
        assert storage.listdir(name.parent) == ([], [name.name])
        assert storage.listdir(pathlib.PurePosixPath()) == storage.listdir("")
        storage.delete(name)
        assert not storage.exists(path)

    @pytest.mark.parametrize("storage", ["orm-disk", "orm-relative-disk"], indirect=True)
    def test_pathlib_path_without_text_finds_no_file(self, storage):
        class BytesPath(pathlib.PurePosixPath):
            def __fspath__(self):
                return b"a.txt"

        class NonePath(BytesPath):
            def __fspath__(self):
                return None

        save(storage, "a.txt")
        for name in (BytesPath("a.txt"), NonePath("a.txt")):
            assert not storage.exists(name)
            assert isinstance(storage.url(name), str)
            with pytest.raises(ProxyFileNotFoundError):
                storage.listdir(name)
            with pytest.raises(LocalPathError):
                storage.path(name)
            with pytest.raises(InvalidNameError):
                save(storage, name)


class TestChangedPathKind:
    """The setting ``paths`` of a storage was changed, and older records exist."""

    @pytest.fixture(params=["disk", "memory"])
    def switch(self, request, meta_backend_name, settings, tmp_path):
        original = FileSystemStorage(tmp_path) if request.param == "disk" else MemoryStorage()

        def switch(paths):
            return configure_proxy_storage(original, meta_backend_name, settings, paths=paths)

        return switch

    def test_full_paths_still_work_with_relative_paths(self, switch):
        old_path = save(switch("full"), "letters/old.txt", b"old")
        storage = switch("relative")
        save(storage, "letters/new.txt", b"new")
        assert read(storage, old_path) == b"old"
        assert storage.exists(old_path)
        old = os.path.basename(old_path)
        assert storage.listdir("") == (["letters"], [])
        assert storage.listdir("letters") == ([], sorted(["new.txt", old]))
        assert read(storage, f"letters/{old}") == b"old"
        storage.delete(old_path)
        assert not storage.exists(f"letters/{old}")

    def test_relative_paths_still_work_with_full_paths(self, switch):
        save(switch("relative"), "letters/old.txt", b"old")
        storage = switch("full")
        save(storage, "letters/new.txt", b"new")
        assert read(storage, "letters/old.txt") == b"old"
        assert storage.listdir("")[0] == ["letters"]
        assert "old.txt" in storage.listdir("letters")[1]
        assert len(storage.listdir("letters")[1]) == 2
        names = list(get_files(storage))
        assert sorted(read(storage, name) for name in names) == [b"new", b"old"]


class TestListing:
    @pytest.mark.parametrize("storage", [*FULL, *RELATIVE], indirect=True)
    def test_all_names_of_a_storage_can_be_opened(self, storage):
        contents = {
            f"{folder}{name}.txt": name.encode() for folder in ("", "s/", "s/t/") for name in "ab"
        }
        for name, content in contents.items():
            save(storage, name, content)
        assert {name: read(storage, name) for name in get_files(storage)} == contents

    @pytest.mark.parametrize("storage", [*FULL, *RELATIVE], indirect=True)
    @pytest.mark.parametrize(
        "folder", ["..", "../letters", "letters/../..", "nowhere", "../", b"", None]
    )
    def test_missing_folder_raises_file_not_found(self, storage, folder):
        save(storage)
        with pytest.raises(ProxyFileNotFoundError):
            storage.listdir(folder)

    @pytest.mark.parametrize("storage", ["orm-prefix"], indirect=True)
    def test_listdir_is_relative_to_the_prefix(self, storage):
        save(storage)
        assert storage.listdir("") == (["letters"], [])
        assert storage.listdir("/") == (["private"], [])
        assert storage.listdir("/private") == (["letters"], [])
        outside = {"proxy_storage_name": "orm-prefix", "original_storage_path": "x", "path": "/x"}
        storage.meta_backend.create(outside)
        assert storage.listdir("") == (["letters"], [])

    def test_listdir_with_an_overridden_get_path(
        self, meta_backend_name, settings, tmp_path, monkeypatch
    ):
        storage = configure_proxy_storage(FileSystemStorage(tmp_path), meta_backend_name, settings)
        monkeypatch.setattr(storage, "get_path", lambda original, name: f"/p/{name}.d")
        assert save(storage, "a.txt") == "/p/a.txt.d"
        assert storage.listdir("") == ([], [])
        assert storage.listdir("/p") == ([], ["a.txt.d"])
        assert read(storage, "a.txt") == b"mine"


class TestLocalPath:
    @pytest.mark.parametrize("storage", LOCAL, indirect=True)
    def test_local_path_finds_the_record_of_its_file(self, storage):
        paths = [save(storage, content=content) for content in (b"1", b"2")]
        for path, content in zip(paths, (b"1", b"2"), strict=True):
            local = storage.path(path)
            assert os.path.isabs(local)
            assert storage.get_meta_backend_obj(local)["path"] == path
            assert read(storage, local) == content
        storage.delete(storage.path(paths[1]))
        assert storage.exists(paths[0])
        assert not storage.exists(paths[1])

    @pytest.mark.parametrize("storage", LOCAL, indirect=True)
    def test_local_path_of_a_file_with_an_unrelated_name(self, storage):
        known = storage.original_storage.save("deep/scan-0815.bin", ContentFile(b"scan"))
        path = storage.save("letters/a.txt", None, original_storage_path=known)
        assert storage.get_meta_backend_obj(storage.original_storage.path(known))["path"] == path

    @pytest.mark.parametrize("storage", LOCAL, indirect=True)
    def test_local_path_of_a_shortened_path(self, storage):
        folder = "letters/"
        path = save(storage, f"{folder}{'n' * 60}.txt", max_length=45)
        assert storage.get_meta_backend_obj(storage.path(path))["path"] == path

    @pytest.mark.parametrize("storage", LOCAL, indirect=True)
    def test_local_path_of_a_missing_file(self, storage):
        path = save(storage)
        local = storage.path(path)
        os.remove(local)
        assert storage.exists(local)
        storage.delete(local)
        assert not storage.exists(path)

    @pytest.mark.parametrize("storage", LOCAL, indirect=True)
    def test_local_path_without_record_finds_no_file(self, storage, tmp_path):
        save(storage)
        location = storage.original_storage.location
        for path in (location, f"{location}/", f"{location}/letters", f"{location}x/a.txt"):
            assert not storage.exists(path)
        assert not storage.exists(f"{location}/../{os.path.basename(location)}/b.txt")
        assert not storage.exists(str(tmp_path / "letters/a.txt"))
        other = storage.original_storage.save("letters/other.txt", ContentFile(b"other"))
        assert not storage.exists(storage.original_storage.path(other))
        storage.delete(storage.original_storage.path(other))
        assert storage.original_storage.exists(other)

    def test_local_path_of_another_storage_finds_no_file(
        self, meta_backend_name, settings, tmp_path
    ):
        first = get_proxy_storage(f"{meta_backend_name}-relative-disk")
        second = get_proxy_storage(f"{meta_backend_name}-prefix")
        local = first.path(save(first))
        assert first.exists(local)
        assert not second.exists(local)

    @pytest.mark.parametrize("storage", ["orm-relative-multiple"], indirect=True)
    def test_local_path_with_several_original_storages(self, storage):
        path = save(storage, using="disk")
        save(storage, using="gridfs")
        assert storage.get_meta_backend_obj(storage.path(path))["path"] == path

    @pytest.mark.parametrize("storage", ["orm-relative-multiple"], indirect=True)
    def test_local_path_of_a_record_without_original_storage_name(self, storage, monkeypatch):
        originals = dict(sorted(storage.get_original_storages().items()))
        assert next(iter(originals)) == "disk"
        monkeypatch.setattr(storage, "get_original_storages", lambda: originals)
        path = save(storage, using="disk")
        storage.meta_backend.update(path, {"original_storage_name": ""})
        assert storage.get_meta_backend_obj(storage.path(path))["path"] == path

    @pytest.mark.parametrize("storage", ["orm-relative-disk"], indirect=True)
    def test_endpoint_does_not_accept_local_paths(self, storage, admin_client, monkeypatch):
        monkeypatch.setattr(FileViewSet, "permission_classes", [IsAdminUser])
        path = save(storage)
        query = {"path": path, "storage": "orm-relative-disk"}
        response = admin_client.get("/files/", query)
        response.close()
        assert response.status_code == 200
        query["path"] = storage.path(path)
        assert admin_client.get("/files/", query).status_code == 404


class TestPathWithoutRecord:
    @pytest.mark.parametrize(
        "storage",
        ["orm-disk", "orm-prefix", "orm-relative-disk", "orm-metadata"],
        indirect=True,
    )
    def test_path_is_the_place_of_a_future_file(self, storage):
        location = storage.original_storage.location
        for name in PLACES:
            for variant in (name, f"{location}/{name}", pathlib.PurePosixPath(name)):
                assert storage.path(variant) == FileSystemStorage(location).path(variant)
        outside = f"{location}/../x"
        for name in ("../x", "a/../../x", "/etc/passwd", outside, f"{location}x", None, b"x", "\0"):
            with pytest.raises(LocalPathError) as caught:
                storage.path(name)
            assert isinstance(caught.value, FileNotFoundError)
            assert isinstance(caught.value, NotImplementedError)

    @pytest.mark.parametrize("storage", ["orm-prefix"], indirect=True)
    def test_path_with_a_prefix(self, storage):
        location = storage.original_storage.location
        assert storage.path("/private/a/b.txt") == f"{location}/a/b.txt"

    def test_path_with_the_prefix_slash(self, meta_backend_name, settings, tmp_path):
        original, options = FileSystemStorage(tmp_path), {"paths": None, "path_prefix": "/"}
        storage = configure_proxy_storage(original, meta_backend_name, settings, **options)
        for name in (storage.path(""), storage.location, f"{tmp_path}/", ""):
            assert storage.path(name) == str(tmp_path)
        for name in ("a/b.txt", "/a/b.txt", f"{tmp_path}/a/b.txt"):
            assert storage.path(name) == f"{tmp_path}/a/b.txt"

    @pytest.mark.parametrize("storage", ["orm-gridfs", "mongo-relative-gridfs"], indirect=True)
    def test_storage_without_local_paths_raises(self, storage):
        for name in ("test", "/test", ""):
            with pytest.raises(LocalPathError, match="no local path"):
                storage.path(name)
        path = save(storage)
        with pytest.raises(NotImplementedError) as caught:
            storage.path(path)
        assert not isinstance(caught.value, FileNotFoundError)


class TestReturnedName:
    """The name of a saved file is passed to ``save`` again, of this or another storage."""

    NAMES = ["orm-disk", "orm-prefix", "orm-relative-disk", "mongo-gridfs", "mongo-prefix"]

    @pytest.mark.parametrize("storage", NAMES, indirect=True)
    @pytest.mark.parametrize("other", NAMES)
    def test_last_part_of_a_returned_name_is_used(self, storage, other):
        path, other = save(storage), get_proxy_storage(other)
        with storage.open(path) as file:
            copied = other.save(path, file)
        assert read(other, copied) == b"mine"
        expected = "letters/a" if not path.startswith("/") else "a"
        assert expected in copied
        copied = other.save(pathlib.PurePosixPath(path), ContentFile(b"again"))
        assert read(other, copied) == b"again"

    @pytest.mark.parametrize(
        "storage", ["orm-disk", "orm-prefix", "orm-relative-disk"], indirect=True
    )
    def test_local_path_and_available_name_can_be_saved(self, storage):
        path = save(storage)
        for name in (storage.path(path), storage.get_available_name(path)):
            assert read(storage, storage.save(name, ContentFile(b"again"))) == b"again"

    @pytest.mark.parametrize(
        "storage", ["orm-disk", "orm-relative-disk", "mongo-gridfs"], indirect=True
    )
    @pytest.mark.parametrize(
        "name",
        [
            "/etc/passwd",
            "/a.txt",
            "//a.txt",
            "/x/../a.txt",
            "/./a.txt",
            "/a/",
            "/",
            "\\a.txt",
            "/nul\0",
        ],
    )
    def test_other_absolute_names_raise(self, storage, name):
        message = get_save_error(storage, name)
        if name == "/etc/passwd":
            assert "Use its last part, 'passwd'" in message

    @pytest.mark.parametrize("storage", ["orm-disk", "orm-prefix"], indirect=True)
    def test_returned_name_must_be_normalized(self, storage):
        path = save(storage)
        folder, name = os.path.split(path)
        for variant in (f"{folder}//{name}", f"{folder}/../x/{name}", f"/{path}", f"{path}/"):
            get_save_error(storage, variant)

    @pytest.mark.parametrize("storage", ["mongo-gridfs"], indirect=True)
    def test_name_in_the_root_folder_requires_a_record(self, storage):
        path = save(storage, "a.txt")
        assert path == "/a.txt"
        assert read(storage, storage.save(path, ContentFile(b"again"))) == b"again"
        storage.delete(path)
        get_save_error(storage, path)

    @pytest.mark.parametrize("storage", ["mongo-gridfs", "orm-gridfs", "orm-memory"], indirect=True)
    def test_available_name_in_the_root_folder_can_be_saved(self, storage):
        path = save(storage)
        available = storage.get_available_name(path)
        assert available != path
        again = save(storage, available, b"again")
        assert again.startswith("/letters/")
        assert read(storage, again) == b"again"
        get_save_error(storage, "/letters/b_abcdefg.txt")

    def test_storage_with_invalid_settings_is_ignored(self, settings):
        storage = get_proxy_storage("orm-disk")
        broken = {"BACKEND": "proxy_storage.storages.ProxyStorage", "OPTIONS": {"paths": "full"}}
        settings.STORAGES = {**settings.STORAGES, "broken": broken}
        assert "must be relative" in get_save_error(storage, "/etc/passwd")

    @pytest.mark.parametrize("field", ["orm_file", "mongo_file"])
    def test_returned_name_can_be_saved_through_a_field(self, field):
        old = Document.objects.create(**{field: ContentFile(b"mine", "hello.txt")})
        path = getattr(old, field).name
        assert path.startswith("/")

        new = Document()
        with getattr(old, field) as file:
            getattr(new, field).save(path, file)
        with getattr(old, field).open() as file:
            by_file = Document.objects.create(**{field: File(file, name=path)})
        by_content = Document.objects.create(**{field: ContentFile(b"mine", name=path)})
        paths = {path}
        for document in (new, by_file, by_content):
            with getattr(Document.objects.get(pk=document.pk), field) as file:
                assert file.read() == b"mine"
            assert os.path.basename(file.name).startswith("hello")
            paths.add(file.name)
        assert len(paths) == 4
        with pytest.raises(SuspiciousFileOperation):
            getattr(new, field).save("/etc/passwd", ContentFile(b"x"))


class TestDeleteMissing:
    @pytest.mark.parametrize(
        "storage", ["orm-disk", "orm-relative-disk", "mongo-disk"], indirect=True
    )
    def test_delete_without_record_raises_no_error(self, storage):
        for name in ("nothing.txt", "/nothing.txt", "../up.txt"):
            storage.delete(name)
        for name in ("", None):
            with pytest.raises(ValueError, match="must not be empty"):
                storage.delete(name)

    @pytest.mark.parametrize("storage", ["orm_disk", "mongo_disk"], indirect=True)
    def test_delete_without_record_raises_in_proxy_storage_base(self, storage):
        for name in ("nothing.txt", "/nothing.txt", "", None):
            with pytest.raises(ProxyFileNotFoundError):
                storage.delete(name)

    def test_delete_missing_ok_disables_the_error(self, settings, monkeypatch):
        storage = get_proxy_storage("orm_disk")
        monkeypatch.setattr(storage, "delete_missing_ok", True)
        storage.delete("nothing.txt")


def test_available_name_of_relative_paths_depends_on_records_only():
    storage = get_proxy_storage("orm-relative-disk")
    storage.original_storage.save("a.txt", ContentFile(b"other"))
    with CaptureQueriesContext(connection) as queries:
        assert storage.is_name_available("a.txt")
        assert storage.get_available_name("a.txt") == "a.txt"
    assert len(queries) == 2
    assert save(storage, "a.txt") == "a.txt"
    assert not storage.is_name_available("a.txt")
    assert not storage.is_name_available("b.txt", max_length=4)
    assert re.fullmatch(r"a_[A-Za-z0-9]{7}\.txt", storage.get_available_name("a.txt"))


def test_original_storage_that_rejects_its_root_folder(meta_backend_name, settings, tmp_path):
    """A storage class of a project may raise for an empty name."""

    class StorageWithoutRoot(FileSystemStorage):
        def path(self, name):
            if not name:
                raise SuspiciousFileOperation("There is no name.")
            return super().path(name)

    options = {"paths": "relative"}
    storage = configure_proxy_storage(
        StorageWithoutRoot(tmp_path), meta_backend_name, settings, **options
    )
    path = save(storage)
    assert not storage.exists(f"{tmp_path}/letters/a.txt")
    assert read(storage, path) == b"mine"
    with pytest.raises(LocalPathError):
        storage.path("")


def test_gridfs_with_relative_paths_has_no_local_root(meta_backend_name, settings):
    original = GridFSStorage(database=get_mongo_db)
    storage = configure_proxy_storage(original, meta_backend_name, settings, paths="relative")
    save(storage)
    assert not storage.exists("/letters/b.txt")
