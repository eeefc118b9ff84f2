"""The latest files that content objects have got and lost in a process."""

import pytest

from proxy_storage.db import tracking
from proxy_storage.db.tracking import RecentChanges
from tests.testapp.models import Document


def make_instance(read_at=0):
    instance = Document(pk=1)
    instance._state.proxy_storage_read_at = read_at
    return instance


def test_only_the_latest_released_files_are_kept(monkeypatch):
    monkeypatch.setattr(tracking, "MAX_PATHS", 2)
    changes, instance = RecentChanges(), make_instance()
    changes.add({"object_id": 1}, None, ["/a", "/b"])
    changes.add({"object_id": 1}, None, ["/c"])
    released = [path for path in ("/a", "/b", "/c") if changes.is_released(path, instance)]
    assert released == ["/b", "/c"]


def test_released_file_is_newer_than_an_instance_that_was_read_before():
    changes = RecentChanges()
    changes.add({"object_id": 1}, None, ["/a"])
    assert changes.is_released("/a", make_instance(changes.number - 1))
    assert not changes.is_released("/a", make_instance(changes.number))


@pytest.mark.parametrize(("object_id", "expected"), [(1, True), (2, False)])
def test_only_the_former_content_object_pops_a_released_file(object_id, expected):
    changes = RecentChanges()
    changes.add({"object_id": 1}, None, ["/a"])
    assert changes.pop_released("/a", {"object_id": object_id}) is expected
    assert changes.is_released("/a", make_instance()) is not expected


def test_only_the_latest_assignments_are_kept(monkeypatch):
    monkeypatch.setattr(tracking, "MAX_PATHS", 2)
    changes, content_objects = RecentChanges(), [{"object_id": number} for number in range(3)]
    for data in content_objects:
        changes.add(data, f"/{data['object_id']}", [])
    paths = [changes.get_assigned(data, make_instance()) for data in content_objects]
    assert paths == [None, "/1", "/2"]


def test_assigned_file_is_newer_than_an_instance_that_was_read_before():
    changes, data = RecentChanges(), {"object_id": 1}
    changes.add(data, "/a", [])
    assert changes.get_assigned(data, make_instance(changes.number - 1)) == "/a"
    assert changes.get_assigned(data, make_instance(changes.number)) is None
    assert changes.get_assigned({"object_id": 2}, make_instance()) is None
