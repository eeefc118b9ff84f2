"""The Makefile installs npm packages by npm on the PATH, or by npm from PyPI."""

import json
import shutil
import subprocess
import sys

import pytest

from tests.project.conftest import ROOT

PACKAGE_JSON = ROOT / "example_project" / "package.json"
# Programs that write their names and arguments to a file.
NPM = '#!/bin/sh\necho "npm $*" >>"$LOG"\nexit $NPM_STATUS\n'
PIP = f"""#!/bin/sh
echo "pip $*" >>"$LOG"
cat >"$(dirname "$0")/npm" <<'END'
{NPM}END
chmod +x "$(dirname "$0")/npm"
"""


def write_program(path, text):
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def make(tmp_path):
    """Return a function that makes the target in a copy of the project; it returns the log."""
    program = shutil.which("make")
    if program is None:
        pytest.skip("make is missing")
    for folder in ("path", ".venv/bin", "example_project"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("sh", "cat", "chmod", "dirname", "touch"):
        (tmp_path / "path" / name).symlink_to(shutil.which(name))
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(PACKAGE_JSON, tmp_path / "example_project")
    (tmp_path / ".venv" / "pip").touch()
    write_program(tmp_path / ".venv" / "bin" / "pip", PIP)

    def make(npm_status=0):
        log = tmp_path / "log"
        env = {"PATH": str(tmp_path / "path"), "LOG": str(log), "NPM_STATUS": str(npm_status)}
        done = subprocess.run(
            [program, ".venv/node", f"PYTHON={sys.executable}"],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return log.read_text().splitlines(), done.stderr

    return make


def is_complete(tmp_path):
    return (tmp_path / ".venv" / "node").exists()


def test_npm_on_the_path(make, tmp_path):
    write_program(tmp_path / "path" / "npm", NPM)
    log, _ = make()
    assert len(log) == 1
    assert log[0].startswith("npm install --no-package-lock --ignore-scripts")
    assert is_complete(tmp_path)


def test_npm_from_pypi(make, tmp_path):
    log, _ = make()
    assert len(log) == 2
    assert log[0].startswith("pip install")
    assert log[0].endswith("--group node")
    assert log[1].startswith("npm install")
    assert is_complete(tmp_path)


def test_failure_is_not_an_error(make, tmp_path):
    """`make serve` works without a network. The next run tries again."""
    write_program(tmp_path / "path" / "npm", NPM)
    _, errors = make(npm_status=1)
    assert "The JavaScript packages are not installed." in errors
    assert not is_complete(tmp_path)
    make()
    assert is_complete(tmp_path)


def test_package_json():
    package = json.loads(PACKAGE_JSON.read_text())
    assert package["private"] is True
    ranges = [*package["dependencies"].values(), *package["devDependencies"].values()]
    assert all(version.startswith("^") and version.endswith(".0") for version in ranges)
    assert not (PACKAGE_JSON.parent / "package-lock.json").exists()
    assert "://" not in PACKAGE_JSON.read_text()


@pytest.mark.parametrize("target", ["demo", "serve", "test", "test-all"])
def test_targets_with_npm_packages(target):
    (line,) = [
        line
        for line in (ROOT / "Makefile").read_text().splitlines()
        if line.startswith(f"{target}:")
    ]
    assert (".venv/node" in line) == (target != "demo")
