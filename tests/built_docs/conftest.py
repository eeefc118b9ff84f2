"""The built documentation, and Chromium in front of it. ``tox run -e docs`` runs these tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.built_docs.pages import read_pages
from tests.local_servers import serving_files
from tests.programs import ROOT
from tests.servers.browser.chromium import Browser


def pytest_collection_modifyitems(items):
    folder = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(folder):
            item.add_marker("slow")


@pytest.fixture(scope="session")
def built_docs(tmp_path_factory):
    """The folder of the built pages: the one that BUILT_DOCS names, or a new one."""
    if "BUILT_DOCS" in os.environ:
        return Path(os.environ["BUILT_DOCS"])
    pytest.importorskip("furo", reason="the packages of the group docs are missing")
    folder = tmp_path_factory.mktemp("html")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs"]
    subprocess.run([*command, folder], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="session")
def pages(built_docs):
    """All built pages, by their path."""
    return read_pages(built_docs)


@pytest.fixture(scope="session")
def docs_url(built_docs):
    """The URL of the built pages on this machine."""
    with serving_files(built_docs) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture
def browser(driver, docs_url, tmp_path):
    return Browser(driver, docs_url, tmp_path / "downloads")
