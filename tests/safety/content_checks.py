"""Checks of a save, for content that must be saved or rejected."""

import pytest
from django.conf import settings

from proxy_storage.exceptions import ContentError
from tests.contract.reading import read
from tests.safety.stored_files import get_local_files, get_original_names, get_record_paths

# Each original storage, with one meta backend and one kind of paths for most of them: the content
# depends on neither.
RELATIVE = ["orm-relative-disk", "orm-relative-memory", "orm-plain-disk"]
STORAGES = [
    *(
        name
        for name in settings.CONTRACT
        if name.startswith("orm-") and "relative-" not in name and "plain-" not in name
    ),
    *RELATIVE,
    "mongo-disk",
]


def check_is_saved(storage, content, expected):
    """Check that content is saved, and that the file and its recorded size match it."""
    path = storage.save("a.txt", content)
    assert read(storage, path) == expected
    assert storage.size(path) == len(expected)
    assert storage.meta_backend.get(path).get("size") in (None, len(expected))


def check_raises(storage, content, error=ContentError):
    """Check that saving content raises an error and leaves no file and no record."""
    before = get_original_names(storage), get_record_paths(storage), get_local_files()
    with pytest.raises(error):
        storage.save("a.txt", content)
    assert (get_original_names(storage), get_record_paths(storage), get_local_files()) == before
