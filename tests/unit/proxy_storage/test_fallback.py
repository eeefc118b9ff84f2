"""From one original storage to the next."""

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
    """A folder on a disk that is full after some bytes."""

    fallback_exceptions = (OSError,)


class Forgetful(OriginalStorageFallbackMixin, MemoryStorage):
    """Keeps what it got before it fails, under the name that it was given."""

    fallback_exceptions = (OSError,)

    def _save(self, name, content):
        super()._save(name, ContentFile(content.read(5)))
        raise OSError("connection lost")


class Strict(MemoryStorage):
    """Has no fallback exceptions."""

    def _save(self, name, content):
        raise OSError("refused")


@pytest.fixture
def storage(settings, tmp_path):
    """First a disk, then memory."""
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


def saved_by(storage, path):
    return storage.meta_backend.get(path)["original_storage_name"]


NO_SPACE = OSError(28, "No space left on device")


def fail_after(count, error=NO_SPACE):
    """Return content that cannot be written to a file beyond some bytes."""

    class Content(ContentFile):
        attempts = 0

        def chunks(self, chunk_size=None):
            self.attempts += 1
            for number, chunk in enumerate(super().chunks(10)):
                if self.attempts == 1 and number == count:
                    raise error
                yield chunk

    return Content(bytes(range(100)))


def test_first_that_works(storage, tmp_path):
    path = storage.save("a.txt", ContentFile(b"x"))
    assert saved_by(storage, path) == "disk"
    assert path == f"{tmp_path}/disk/a.txt"


@pytest.mark.parametrize("count", [0, 1, 5])
def test_next_one_gets_all_and_nothing_is_left(storage, tmp_path, count, caplog):
    path = storage.save("folder/a.txt", fail_after(count))
    assert saved_by(storage, path) == "memory"
    assert read(storage, path) == bytes(range(100))
    assert [files for _, _, files in os.walk(tmp_path) if files] == []
    assert "original storage 'disk' failed to save 'folder/a.txt'" in caplog.text


def test_failed_attempt_does_not_touch_the_file_of_another(storage, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a.txt").write_bytes(b"another's")
    path = storage.save("a.txt", fail_after(3))
    assert read(storage, path) == bytes(range(100))
    assert [file.name for file in (tmp_path / "disk").iterdir()] == ["a.txt"]
    assert (tmp_path / "disk" / "a.txt").read_bytes() == b"another's"


def test_name_that_is_taken_in_the_last_moment(storage, tmp_path, monkeypatch):
    """Django's storage finds another name, and that is the one to clean up."""
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


def test_rest_in_a_storage_that_takes_any_name_is_removed(storage):
    original = Forgetful()
    set_first(storage, original)
    path = storage.save("a.txt", ContentFile(b"whole content"))
    assert read(storage, path) == b"whole content"
    assert original.listdir("") == ([], [])


def test_content_that_cannot_be_read_again_is_never_cut(storage, tmp_path):
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


def test_other_exceptions_are_raised_at_once(storage, tmp_path):
    with pytest.raises(RuntimeError):
        storage.save("a.txt", fail_after(3, RuntimeError()))
    assert list((tmp_path / "disk").iterdir()) == []
    set_first(storage, Strict())
    with pytest.raises(OSError, match="refused"):
        storage.save("a.txt", ContentFile(b"x"))


def test_last_exception_is_raised(storage):
    set_first(storage, Forgetful())
    storage.original_storages[1] = ("memory", Forgetful())
    with pytest.raises(OSError, match="connection lost"):
        storage.save("a.txt", ContentFile(b"whole content"))
    assert storage.original_storages[1][1].listdir("") == ([], [])


def test_using_knows_no_fallback(storage):
    with pytest.raises(OSError, match="No space left"):
        storage.save("a.txt", fail_after(3), using="disk")
    path = storage.save("a.txt", ContentFile(b"x"), using="memory")
    assert saved_by(storage, path) == "memory"


def test_trouble_with_the_records_is_no_reason_for_another_storage(storage, monkeypatch):
    def fail(data):
        raise MetaBackendUnavailable("gone")

    monkeypatch.setattr(FullDisk, "fallback_exceptions", (Exception,))
    monkeypatch.setattr(storage.meta_backend, "create", fail)
    with pytest.raises(MetaBackendUnavailable):
        storage.save("a.txt", ContentFile(b"x"))
    assert storage.original_storages[1][1].listdir("") == ([], [])


def test_hostile_name_gets_nowhere(storage):
    with pytest.raises(InvalidNameError):
        storage.save("../a.txt", ContentFile(b"x"))


def test_failed_save_of_a_single_storage_leaves_nothing(settings):
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
