import pytest


@pytest.fixture(autouse=True)
def empty_working_directory(tmp_path, monkeypatch):
    """Change to an empty folder, in which tests look for files with relative names."""
    folder = tmp_path / "working_directory"
    folder.mkdir()
    monkeypatch.chdir(folder)
