import atexit
import shutil
import tempfile

import pytest
from hypothesis.configuration import set_hypothesis_home_dir

pytest.register_assert_rewrite("tests.safety.contents", "tests.safety.leftovers")

# what hypothesis keeps of Unicode goes neither into the tree nor to the files of the tests
HYPOTHESIS = tempfile.mkdtemp(prefix="proxy-storage-tests-hypothesis-")
atexit.register(shutil.rmtree, HYPOTHESIS, ignore_errors=True)
set_hypothesis_home_dir(HYPOTHESIS)


@pytest.fixture(autouse=True)
def empty_working_directory(tmp_path, monkeypatch):
    """Tests look there for what a relative name might have been written to."""
    folder = tmp_path / "working_directory"
    folder.mkdir()
    monkeypatch.chdir(folder)
