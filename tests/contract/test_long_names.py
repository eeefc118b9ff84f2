"""Names that exceed the length limits of file systems and object storages in bytes."""

import os
import posixpath
import re
import threading

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from proxy_storage.exceptions import InvalidNameError
from proxy_storage.paths import MAX_PART_BYTES, MAX_PATH_LENGTH
from proxy_storage.registry import get_proxy_storage
from tests.contract.reading import read
from tests.contract.temporary_storages import configure_proxy_storage

pytestmark = pytest.mark.usefixtures("empty_storages")

RANDOM = "_[A-Za-z0-9]{7,16}"
STORAGES = [
    *(name for name in settings.CONTRACT if not name.startswith("mongo")),
    "mongo-disk",
    "mongo-relative-disk",
]
NAMES = [
    "報告書" * 28 + ".pdf",
    "é" * 130 + ".tar.gz",
    "\U0001f4f7" * 64 + ".jpg",
    "n" * 300,
    "Dr. Meier. Bericht. " * 16 + ".pdf",
    "作" * 90 + "/" + "名" * 90 + ".txt",
]


def get_name(storage, path):
    return storage.meta_backend.get(path)["original_storage_path"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("storage", STORAGES, indirect=True)
@pytest.mark.slow
def test_stem_is_cut_at_a_character_boundary(storage, name):
    paths = [storage.save(name, ContentFile(content)) for content in (b"1", b"2", b"3")]
    assert [read(storage, path) for path in paths] == [b"1", b"2", b"3"]
    for path in paths:
        for part in get_name(storage, path).split("/"):
            assert len(part.encode()) <= MAX_PART_BYTES
            assert "\ufffd" not in part
        extension = posixpath.splitext(name)[1]
        assert path.endswith(extension)
        assert get_name(storage, path).endswith(extension)


@pytest.mark.parametrize("storage", ["orm-relative-disk", "mongo-relative-disk"], indirect=True)
def test_relative_path_has_the_complete_name(storage):
    for name in NAMES:
        if len(name) < MAX_PATH_LENGTH:
            assert storage.save(name, ContentFile(b"x")) == name


@pytest.mark.parametrize("storage", ["orm-disk", "orm-relative-disk", "mongo-disk"], indirect=True)
@pytest.mark.parametrize("name", ["a." + "x" * 300, "a." + "長" * 200, "." + "h" * 300])
def test_overlong_extension_is_cut(storage, name):
    paths = {storage.save(name, ContentFile(b"x")) for _ in range(2)}
    assert len(paths) == 2
    for path in paths:
        assert read(storage, path) == b"x"
        assert len(posixpath.basename(get_name(storage, path)).encode()) <= MAX_PART_BYTES


@pytest.mark.parametrize("storage", ["orm-s3", "orm-relative-s3"], indirect=True)
def test_s3_key_has_at_most_1024_bytes(storage, monkeypatch):
    name = "/".join("長" * 60 for _ in range(5)) + "/" + "名" * 85 + ".txt"
    monkeypatch.setattr(storage.original_storage, "location", "where/" + "l" * 20)
    path = storage.save(name, ContentFile(b"x"))
    key = f"{storage.original_storage.location}/{get_name(storage, path)}"
    assert len(key.encode()) <= 1024
    assert key.endswith(".txt")
    assert read(storage, path) == b"x"
    with pytest.raises(InvalidNameError):
        storage.save("/".join("長" * 60 for _ in range(6)) + "/a.txt", ContentFile(b"x"))


def test_alternative_name_of_a_simultaneous_save_is_cut(empty_storages):
    """Both saves start writing before either has finished, and Django chooses another name."""
    storage = get_proxy_storage("mongo-disk")
    name = "n" * (MAX_PART_BYTES - 4) + ".txt"
    barrier, paths = threading.Barrier(2, timeout=30), {}

    class SlowContent(ContentFile):
        def chunks(self, chunk_size=None):
            barrier.wait()
            yield self.read()

    def save(content):
        paths[storage.save(name, SlowContent(content))] = content

    threads = [threading.Thread(target=save, args=(content,)) for content in (b"1", b"2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {path: read(storage, path) for path in paths} == paths
    names = sorted((os.path.basename(path) for path in paths), key=lambda each: each != name)
    assert names[0] == name
    assert re.fullmatch(f"n+{RANDOM}.txt", names[1])


def test_alternative_name_for_a_file_without_record_is_cut(meta_backend_name, settings, tmp_path):
    storage = configure_proxy_storage(FileSystemStorage(tmp_path), meta_backend_name, settings)
    name = "n" * (MAX_PART_BYTES - 4) + ".txt"
    (tmp_path / name).write_bytes(b"another's")
    path = storage.save(name, ContentFile(b"mine"))
    assert read(storage, path) == b"mine"
    assert (tmp_path / name).read_bytes() == b"another's"


@pytest.mark.parametrize("storage", ["orm-disk", "mongo-disk", "orm-prefix"], indirect=True)
def test_full_path_fits_the_column(storage):
    room = MAX_PATH_LENGTH - len(storage.get_path(storage.original_storage, "x"))
    folder = "/".join("f" * 90 for _ in range(10))[: room - 30].rstrip("/")
    path = storage.save(f"{folder}/{'n' * 200}.txt", ContentFile(b"x"))
    assert len(path) <= MAX_PATH_LENGTH
    assert read(storage, path) == b"x"
    with pytest.raises(InvalidNameError):
        storage.save("/".join("f" * 90 for _ in range(10)) + "/a.txt", ContentFile(b"x"))
    assert len(list(storage.meta_backend)) == 1
