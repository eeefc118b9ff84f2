"""Fallback from one original storage to the next."""

import io
import os

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, storages

from proxy_storage.exceptions import InvalidNameError, MetaBackendUnavailable
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages.fallback import OriginalStorageFallbackMixin
from tests.testapp.storages import MemoryStorage

pytestmark = pytest.mark.usefixtures("empty_storages")


class FullDisk(OriginalStorageFallbackMixin, FileSystemStorage):
    """A storage whose errors cause a fallback."""

    fallback_exceptions = (OSError,)


class Interrupted(OriginalStorageFallbackMixin, MemoryStorage):
    """Keeps a partial file and fails."""

    fallback_exceptions = (OSError,)

    def _save(self, name, content):
        super()._save(name, ContentFile(content.read(5)))
        raise OSError("connection lost")


class Strict(MemoryStorage):
    """Fails, and does not have fallback exceptions."""

    def _save(self, name, content):
        raise OSError("refused")


@pytest.fixture
def storage(settings, tmp_path):
    """A storage on a disk, with a fallback to one in memory."""
    settings.STORAGES = {
        "fallback": {
            "BACKEND": "tests.testapp.storages.FallbackStorage",
            "OPTIONS": {
                "original_storages": {
                    "disk": FullDisk(tmp_path / "disk"),
                    "memory": MemoryStorage(),
                },
                "meta_backend": settings.META_BACKENDS["orm"],
                "paths": "full",
            },
        }
    }
    return get_proxy_storage("fallback")


def set_first(storage, original):
    storage.original_storages[0] = ("disk", original)


def read(storage, path):
    with storage.open(path) as file:
        return file.read()


def get_original_name(storage, path):
    return storage.meta_backend.get(path)["original_storage_name"]


NO_SPACE = OSError(28, "No space left on device")


def fail_after(count, error=NO_SPACE):
    """Return content whose first attempt fails after some chunks."""

    class Content(ContentFile):
        attempts = 0

        def chunks(self, chunk_size=None):
            self.attempts += 1
            for number, chunk in enumerate(super().chunks(10)):
                if self.attempts == 1 and number == count:
                    raise error
                yield chunk

    return Content(bytes(range(100)))


def test_first_storage_gets_the_file(storage, tmp_path):
    path = storage.save("a.txt", ContentFile(b"x"))
    assert get_original_name(storage, path) == "disk"
    assert path == f"{tmp_path}/disk/a.txt"


@pytest.mark.parametrize("count", [0, 1, 5])
def test_next_storage_gets_the_whole_content_after_an_error(storage, tmp_path, count, caplog):
    path = storage.save("folder/a.txt", fail_after(count))
    assert get_original_name(storage, path) == "memory"
    assert read(storage, path) == bytes(range(100))
    assert [files for _, _, files in os.walk(tmp_path) if files] == []
    assert "original storage 'disk' failed to save 'folder/a.txt'" in caplog.text


def test_failed_attempt_keeps_an_existing_file(storage, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a.txt").write_bytes(b"another's")
    path = storage.save("a.txt", fail_after(3))
    assert read(storage, path) == bytes(range(100))
    assert [file.name for file in (tmp_path / "disk").iterdir()] == ["a.txt"]
    assert (tmp_path / "disk" / "a.txt").read_bytes() == b"another's"


def test_partial_file_under_a_changed_name_is_deleted(storage, tmp_path, monkeypatch):
    """Another file takes the name, so that Django's storage chooses a new one."""
    asked = []

    def is_free_at_first(self, name, max_length=None):
        asked.append(name)
        return len(asked) == 1 or not self.exists(name)

    monkeypatch.setattr(FullDisk, "is_name_available", is_free_at_first)
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a.txt").write_bytes(b"another's")
    storage.save("a.txt", fail_after(3))
    assert asked[0] == "a.txt"
    assert asked[-1].startswith("a_")
    assert [file.name for file in (tmp_path / "disk").iterdir()] == ["a.txt"]


def test_partial_file_in_a_storage_without_exclusive_create_is_deleted(storage):
    original = Interrupted()
    set_first(storage, original)
    path = storage.save("a.txt", ContentFile(b"whole content"))
    assert read(storage, path) == b"whole content"
    assert original.listdir("") == ([], [])


def test_content_that_cannot_be_read_twice_is_not_tried_again(storage, tmp_path):
    class Once:
        def __init__(self):
            self.file = io.BytesIO(b"0123456789")

        def read(self, size=-1):
            if self.file.tell() >= 5:
                raise OSError("broken pipe")
            return self.file.read(5)

    with pytest.raises(OSError, match="broken pipe") as caught:
        storage.save("a.txt", Once())
    assert "cannot be read a second time" in caught.value.__notes__[0]
    assert storage.listdir("/") == ([], [])
    assert list((tmp_path / "disk").iterdir()) == []


def test_other_exceptions_are_raised_without_a_fallback(storage, tmp_path):
    with pytest.raises(RuntimeError):
        storage.save("a.txt", fail_after(3, RuntimeError()))
    assert list((tmp_path / "disk").iterdir()) == []
    set_first(storage, Strict())
    with pytest.raises(OSError, match="refused"):
        storage.save("a.txt", ContentFile(b"x"))


def test_error_of_the_last_storage_is_raised(storage):
    set_first(storage, Interrupted())
    storage.original_storages[1] = ("memory", Interrupted())
    with pytest.raises(OSError, match="connection lost"):
        storage.save("a.txt", ContentFile(b"whole content"))
    assert storage.original_storages[1][1].listdir("") == ([], [])


def test_using_disables_the_fallback(storage):
    with pytest.raises(OSError, match="No space left"):
        storage.save("a.txt", fail_after(3), using="disk")
    path = storage.save("a.txt", ContentFile(b"x"), using="memory")
    assert get_original_name(storage, path) == "memory"


def test_error_of_the_meta_backend_causes_no_fallback(storage, monkeypatch):
    def fail(data):
        raise MetaBackendUnavailable("gone")

    monkeypatch.setattr(FullDisk, "fallback_exceptions", (Exception,))
    monkeypatch.setattr(storage.meta_backend, "create", fail)
    with pytest.raises(MetaBackendUnavailable):
        storage.save("a.txt", ContentFile(b"x"))
    assert storage.original_storages[1][1].listdir("") == ([], [])


def test_name_outside_the_storage_is_refused(storage):
    with pytest.raises(InvalidNameError):
        storage.save("../a.txt", ContentFile(b"x"))


def test_failed_save_of_a_single_storage_deletes_the_partial_file(settings):
    settings.STORAGES = {
        "disk": {
            "BACKEND": "proxy_storage.storages.ProxyStorage",
            "OPTIONS": {
                "original_storage": settings.ORIGINAL_STORAGES["disk"],
                "meta_backend": settings.META_BACKENDS["orm"],
            },
        }
    }
    with pytest.raises(OSError, match="No space left"):
        storages["disk"].save("a.txt", fail_after(3))
    assert storages["disk"].get_original_storage().listdir("") == ([], [])
