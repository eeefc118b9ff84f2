"""Make the projects that pages start with.

A project is the result of ``startproject mysite`` and a folder of `PROJECTS` that is laid over it:

- a file ``NAME.append`` is appended to the file NAME,
- ``prepare.py`` is run in the project, after the migrations, and is not part of it,
- all other files are copied.

Each project is made once and then copied, because the commands take seconds.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from demo.services import SERVER_PATH

PROJECTS = Path(__file__).parent / "projects"
INSIDE = Path(__file__).parent / "inside.py"
DEFAULT = "letters"
# "none" is an empty folder, "empty" the result of startproject.
BUILT_IN = ("none", "empty")
TIMEOUT = 120.0  # seconds; enough for a command on a slow and busy machine


class ProjectError(Exception):
    """A process in the project failed. The message has its output."""


def exists(name):
    return name in BUILT_IN or (PROJECTS / name).is_dir()


class Projects:
    """The templates of the projects, and the environment in which commands run.

    Args:
        folder: an empty folder for the templates.
    """

    def __init__(self, folder):
        self.folder = folder
        self.programs = folder / "bin"
        self.programs.mkdir()
        for name, arguments in {
            "python": "",
            "python3": "",
            "django-admin": "-m django",
        }.items():
            file = self.programs / name
            file.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
            file.chmod(0o755)

    @property
    def environment(self):
        """The variables of this process, with `programs` on the path and without network.

        curl, pip and the libraries for HTTP send requests to other hosts to a proxy that does not
        exist.
        """
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DJANGO_SETTINGS_MODULE", "COVERAGE_PROCESS_START", "VIRTUAL_ENV")
            and not name.startswith("PYTEST_")
        }
        no_network = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
        path = [str(self.programs), str(Path(sys.executable).parent), SERVER_PATH]
        return {
            **kept,
            **no_network,
            **{name.upper(): value for name, value in no_network.items()},
            "no_proxy": "127.0.0.1,localhost",
            "NO_PROXY": "127.0.0.1,localhost",
            "PATH": os.pathsep.join(path),
            "PIP_NO_INDEX": "1",
            # A file that is changed twice in one second would be run in its old form.
            "PYTHONDONTWRITEBYTECODE": "1",
            # So output and errors come in the order of a terminal.
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "120",
        }

    def create(self, name, folder):
        """Create a project in a folder that does not exist."""
        if name == "none":
            folder.mkdir()
            return
        template = self.folder / name
        if not template.exists():
            self._make(name, template)
        shutil.copytree(template, folder)

    def _make(self, name, template):
        template.mkdir()
        command = [sys.executable, "-m", "django", "startproject", "mysite", "."]
        subprocess.run(command, cwd=template, env=self.environment, check=True)
        if name == "empty":
            return
        prepare = _lay_over(PROJECTS / name, template)
        blocks = []
        if prepare is not None:
            blocks.append({"code": prepare.read_text(), "file": str(prepare), "line": 1})
        result = self.run_inside(template, {"migrate": True, "check": True, "blocks": blocks})
        if result["error"]:
            raise ProjectError(f"The project {name!r} cannot be made.\n{result['error']}")

    def run_inside(self, folder, job, variables=None):
        """Run a job of ``inside.py`` in a project, and return its result."""
        try:
            done = subprocess.run(
                [sys.executable, str(INSIDE)],
                cwd=folder,
                env=self.environment | (variables or {}),
                input=json.dumps(job),
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ProjectError(f"The Python code did not end within {TIMEOUT:.0f} s.") from error
        result = done.stdout.rpartition("\n\0")[2]
        if done.returncode != 0 or not result:
            raise ProjectError(f"Python ended with status {done.returncode}.\n{done.stderr}")
        return json.loads(result)


def _lay_over(source, target):
    """Copy the files of a project; return the file that prepares its rows, if there is one."""
    prepare = None
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        name = file.relative_to(source)
        if "__pycache__" in name.parts:
            continue
        if str(name) == "prepare.py":
            prepare = file
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if name.suffix == ".append":
            with (target / name.with_suffix("")).open("a") as opened:
                opened.write(f"\n{file.read_text()}")
        else:
            shutil.copyfile(file, target / name)
    return prepare
