"""What a storage opens, it closes."""

import os

import pytest
from django.core.files.base import ContentFile

from proxy_storage.exceptions import ProxyStorageError
from proxy_storage.registry import get_proxy_storage


class Broken(ContentFile):
    def chunks(self, chunk_size=None):
        yield b"x"
        raise OSError("unreadable")


def count_handles():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("name", ["orm-metadata", "mongo-disk", "mongo-gridfs", "orm-fallback"])
def test_no_handle_stays_open(name, empty_storages):
    storage = get_proxy_storage(name)

    def use():
        path = storage.save("a.txt", ContentFile(b"world"))
        with storage.open(path) as file:
            file.read()
        known = storage.meta_backend.get(path)["original_storage_path"]
        for content, options in [(Broken(b""), {}), (None, {"original_storage_path": known})]:
            with pytest.raises((OSError, ProxyStorageError)):
                storage.save("b.txt", content, **options)
        storage.delete(path)

    use()  # connections stay
    before = count_handles()
    for _ in range(20):
        use()
    assert count_handles() == before
