"""The paths that a process has released lately."""

import pytest

from proxy_storage.db import tracking
from proxy_storage.db.tracking import ReleasedFiles


def test_only_the_latest_are_kept(monkeypatch):
    monkeypatch.setattr(tracking, "MAX_PATHS", 2)
    files, data = ReleasedFiles(), {"object_id": 1}
    files.add(["/a", "/b"], data)
    files.add(["/c"], data)
    assert [path for path in ("/a", "/b", "/c") if files.has(path, 0)] == ["/b", "/c"]


@pytest.mark.parametrize(("object_id", "expected"), [(1, True), (2, False)])
def test_only_the_former_content_object_takes_a_path_back(object_id, expected):
    files = ReleasedFiles()
    files.add(["/a"], {"object_id": 1})
    assert files.pop("/a", {"object_id": object_id}) is expected
    assert files.has("/a", 0) is not expected


def test_only_the_latest_assignments_are_kept(monkeypatch):
    monkeypatch.setattr(tracking, "MAX_PATHS", 2)
    files, owners = ReleasedFiles(), [{"object_id": number} for number in range(3)]
    for owner in owners:
        files.assign(f"/{owner['object_id']}", owner)
    assert [files.get_assigned(owner, 0) for owner in owners] == [None, "/1", "/2"]


def test_assignment_is_known_to_those_who_have_read_the_row_before():
    files, owner = ReleasedFiles(), {"object_id": 1}
    files.assign("/a", owner)
    assert files.get_assigned(owner, files.number - 1) == "/a"
    assert files.get_assigned(owner, files.number) is None
    assert files.get_assigned({"object_id": 2}, 0) is None
