"""The projects that pages start with."""

import pytest

from tests.docs.project import Projects

collect_ignore = ["projects"]


@pytest.fixture(scope="session")
def projects(tmp_path_factory):
    return Projects(tmp_path_factory.mktemp("projects"))


@pytest.fixture(scope="session", autouse=True)
def mongodb_uri():
    """Do not start the server of the other tests: a page that needs one gets its own."""
