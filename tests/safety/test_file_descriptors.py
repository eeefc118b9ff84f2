"""Storages close the files that they open."""

import os

import pytest
from django.core.files.base import ContentFile

from proxy_storage.exceptions import ProxyStorageError
from proxy_storage.registry import get_proxy_storage


class FailingContent(ContentFile):
    def chunks(self, chunk_size=None):
        yield b"x"
        raise OSError("unreadable")


def count_file_descriptors():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("name", ["orm-metadata", "mongo-disk", "mongo-gridfs", "orm-fallback"])
def test_no_file_descriptor_stays_open(name, empty_storages):
    storage = get_proxy_storage(name)

    def save_and_open():
        path = storage.save("a.txt", ContentFile(b"world"))
        with storage.open(path) as file:
            file.read()
        known = storage.meta_backend.get(path)["original_storage_path"]
        for content, options in [
            (FailingContent(b""), {}),
            (None, {"original_storage_path": known}),
        ]:
            with pytest.raises((OSError, ProxyStorageError)):
                storage.save("b.txt", content, **options)
        storage.delete(path)

    save_and_open()  # Connections stay open.
    before = count_file_descriptors()
    for _ in range(20):
        save_and_open()
    assert count_file_descriptors() == before
