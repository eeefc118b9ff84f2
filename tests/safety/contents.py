"""What has to come of a content that somebody saves."""

import pytest

from proxy_storage.exceptions import ContentError
from tests.contract.proxy_storages import read
from tests.safety.leftovers import get_files, get_names, get_paths


def check_is_saved(storage, content, expected):
    """Save a content, and check that it is what comes back and what the record says of it."""
    path = storage.save("a.txt", content)
    assert read(storage, path) == expected
    assert storage.size(path) == len(expected)
    assert storage.meta_backend.get(path).get("size") in (None, len(expected))


def check_is_refused(storage, content, error=ContentError):
    """Check that a content is not saved, and that nothing of it is left."""
    files_before = get_files()
    with pytest.raises(error):
        storage.save("a.txt", content)
    assert get_paths(storage) == get_names(storage) == []
    assert get_files() == files_before
