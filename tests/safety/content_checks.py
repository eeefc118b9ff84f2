"""What has to come of a content that somebody saves."""

import pytest
from django.conf import settings

from proxy_storage.exceptions import ContentError
from tests.contract.reading import read
from tests.safety.stored_files import get_local_files, get_original_names, get_record_paths

# each kind of original storage; for the bytes it does not matter where the records are, nor
# for each original of which kind the paths are
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
    """Save a content, and check that it is what comes back and what the record says of it."""
    path = storage.save("a.txt", content)
    assert read(storage, path) == expected
    assert storage.size(path) == len(expected)
    assert storage.meta_backend.get(path).get("size") in (None, len(expected))


def check_is_refused(storage, content, error=ContentError):
    """Check that a content is not saved, and that nothing of it is left."""
    before = get_original_names(storage), get_record_paths(storage), get_local_files()
    with pytest.raises(error):
        storage.save("a.txt", content)
    assert (get_original_names(storage), get_record_paths(storage), get_local_files()) == before
