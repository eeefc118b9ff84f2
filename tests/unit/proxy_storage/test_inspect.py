import os

import pytest
from django.core.files.storage import FileSystemStorage, InMemoryStorage, default_storage

from proxy_storage.original_storages.inspect import (
    get_local_path,
    may_save_exclusively,
    supports_exclusive_create,
)
from proxy_storage.storages.gridfs import GridFSStorage


class OwnSave(FileSystemStorage):
    def _save(self, name, content):
        raise NotImplementedError


class OwnNames(FileSystemStorage):
    """A common way to overwrite files with Django."""

    def get_available_name(self, name, max_length=None):
        self.delete(name)
        return name


class Declared(InMemoryStorage):
    supports_exclusive_create = True


class DeclaredByFormerName(InMemoryStorage):
    saves_exclusively = True


class WithdrawnByFormerName(GridFSStorage):
    saves_exclusively = False


class Careless(FileSystemStorage):
    """Opens files with flags that Django 5.2 lets a subclass choose."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.OS_OPEN_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        (FileSystemStorage("/tmp"), True),
        (default_storage, True),
        (GridFSStorage(database="nowhere"), True),
        (Declared(), True),
        (DeclaredByFormerName(), True),
        (WithdrawnByFormerName(database="nowhere"), False),
        (FileSystemStorage("/tmp", allow_overwrite=True), False),
        (InMemoryStorage(), False),
        (OwnSave("/tmp"), False),
        (OwnNames("/tmp"), False),
        (Careless("/tmp"), False),
    ],
)
def test_supports_exclusive_create(storage, expected):
    assert supports_exclusive_create(storage) is expected


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        (OwnSave("/tmp"), True),
        (Declared(), False),
        (DeclaredByFormerName(), False),
        (FileSystemStorage("/tmp", allow_overwrite=True), False),
        (InMemoryStorage(), False),
    ],
)
def test_may_save_exclusively(storage, expected):
    assert may_save_exclusively(storage) is expected


def test_local_path():
    assert get_local_path(FileSystemStorage("/tmp"), "a.txt") == "/tmp/a.txt"
    assert get_local_path(GridFSStorage(database="nowhere"), "a.txt") is None
