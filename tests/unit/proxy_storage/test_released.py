"""The paths that a process has released lately."""

import pytest

from proxy_storage.db import released
from proxy_storage.db.released import ReleasedFiles


def test_only_the_latest_are_kept(monkeypatch):
    monkeypatch.setattr(released, "MAX_PATHS", 2)
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
