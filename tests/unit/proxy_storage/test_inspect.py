import os

import pytest
from django.core.files.storage import FileSystemStorage, InMemoryStorage, default_storage

from proxy_storage.original_storages.inspect import get_local_path, supports_exclusive_create
from proxy_storage.storages.gridfs import GridFSStorage


class OwnSave(FileSystemStorage):
    def _save(self, name, content):
        raise NotImplementedError


class OwnNames(FileSystemStorage):
    """The well known way to overwrite files with Django."""

    def get_available_name(self, name, max_length=None):
        self.delete(name)
        return name


class Promising(InMemoryStorage):
    supports_exclusive_create = True


class Careless(FileSystemStorage):
    """Opens files the way that Django 5.2 lets a subclass choose."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.OS_OPEN_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        (FileSystemStorage("/tmp"), True),
        (default_storage, True),
        (GridFSStorage(database="nowhere"), True),
        (Promising(), True),
        (FileSystemStorage("/tmp", allow_overwrite=True), False),
        (InMemoryStorage(), False),
        (OwnSave("/tmp"), False),
        (OwnNames("/tmp"), False),
        (Careless("/tmp"), False),
    ],
)
def test_saves_exclusively(storage, expected):
    assert supports_exclusive_create(storage) is expected


def test_local_path():
    assert get_local_path(FileSystemStorage("/tmp"), "a.txt") == "/tmp/a.txt"
    assert get_local_path(GridFSStorage(database="nowhere"), "a.txt") is None
