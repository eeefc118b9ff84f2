import pytest


@pytest.fixture(autouse=True)
def empty_working_directory(tmp_path, monkeypatch):
    """Tests look there for what a relative name might have been written to."""
    folder = tmp_path / "working_directory"
    folder.mkdir()
    monkeypatch.chdir(folder)
