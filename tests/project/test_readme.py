"""The quick starts of the README, pasted into an empty folder."""

import os
import re
import shutil

import pytest

from demo.services import free_port
from tests.project.conftest import ROOT, run

README = (ROOT / "README.md").read_text()


def get_block(heading, language):
    section = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)[1].strip()


def paste(heading, folder, env, port=8000):
    script = get_block(heading, "sh").replace("8000", str(port))
    return run("bash", "-e", "-c", script, cwd=folder, env=env).strip()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("empty")


def test_quick_starts(folder, new_environment, wheel):
    heading = "Quick start: the storage"
    assert paste(heading, folder, new_environment).endswith(get_block(heading, "text"))

    if shutil.which("curl") is None:
        if "CI" in os.environ:
            pytest.fail("curl is missing. On Debian: apt-get install curl")
        pytest.skip("curl is missing. On Debian: apt-get install curl")
    run("pip", "install", "--quiet", f"{wheel}[api]", env=new_environment)
    heading = "Quick start: the download endpoint"
    out = paste(heading, folder, new_environment, free_port())
    assert out.endswith(get_block(heading, "text"))
    run("python", "manage.py", "check", "--fail-level", "WARNING", cwd=folder, env=new_environment)


def test_places_that_it_names_are_there():
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link
