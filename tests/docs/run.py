"""Run the steps of a page."""

import re
import subprocess
from itertools import takewhile
from pathlib import Path

from demo.services import free_port
from tests.docs.background import Server, kill
from tests.docs.console import matches, split_commands
from tests.docs.project import DEFAULT, TIMEOUT, ProjectError
from tests.docs.services import PROGRAMS

# In a page that starts a server in the background, each of these ports is replaced by a free one.
PORTS = ("8000", "8080")
# This folder stands for the folder of the project.
FOLDER = "/path/to/mysite"
BACKGROUND = r"(?m)^\$ .*[^&]&$"
# Steps that do not change the namespace of Python blocks.
WITHIN_SHELL = ("shell", "output", "tested by", "not run")
NOTHING_TO_DO = ("project", "tested by", "not run")
# After each command, the shell prints its exit status between two of these characters.
EXIT, EXIT_FORMAT = "\0", r"\0%s\0"


class PageError(Exception):
    """A block of a page does not work as the page shows it."""


def run_page(page, projects, folder, services=(), need_program=None):
    """Run all steps of a page; its projects are made in an empty folder.

    Args:
        services: the running services that the page needs.
        need_program: a function that raises an error if a program is missing.
    """
    runner = _Runner(page, projects, folder, services, need_program)
    try:
        runner.run()
    finally:
        runner.stop()


class _Runner:
    def __init__(self, page, projects, folder, services, need_program):
        self.need_program = need_program
        self.page, self.projects, self.folder = page, projects, folder
        self.number = 0  # of projects that were made for this page
        self.project = None
        self.changed = []  # steps that wrote a file since the last check
        self.printed = None  # by the last block
        self.servers = []
        self.ports = {}
        if page.mentions("run", BACKGROUND):
            self.ports = {port: str(free_port()) for port in PORTS}
        self.texts, self.variables = {}, {}
        for service in services:
            self.texts.update(service.texts)
            self.variables.update(service.variables)

    def run(self):
        steps = list(self.page.steps)
        names = [step.argument for step in steps if step.kind == "project"]
        self.name = names[0] if names else DEFAULT
        while steps:
            step = steps[0]
            if step.kind == "shell":
                group = list(takewhile(lambda step: step.kind in WITHIN_SHELL, steps))
                self._run_shell(group)
                steps = steps[len(group) :]
                continue
            if step.kind not in NOTHING_TO_DO:
                getattr(self, "_run_" + step.kind.replace(" ", "_"))(step)
            steps = steps[1:]
        self._check()

    def stop(self):
        while self.servers:
            self.servers.pop().stop()

    def _run_needs(self, step):
        """Skip the rest of the page if a program is missing. Services run already."""
        if step.argument in PROGRAMS:
            self.need_program(step.argument)

    # -- the project ----------------------------------------------------------------------

    def _get_project(self):
        if self.project is None:
            self._make_project(self.name)
        return self.project

    def _make_project(self, name):
        self.number += 1
        self.project = self.folder / f"project{self.number}"
        self.projects.create(name, self.project)

    def _run_new_project(self, step):
        self._check()
        self.stop()
        self._make_project(step.argument or self.name)

    def _run_file(self, step, mode="w"):
        file = self._get_project() / step.argument
        if not step.argument or not file.resolve().is_relative_to(self.project.resolve()):
            raise self._error(step, f"{step.argument!r} is not a file of the project")
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open(mode) as opened:
            opened.write(("\n" if mode == "a" else "") + self._fill_in(step.text))
        self.changed.append(step)

    def _run_append(self, step):
        self._run_file(step, "a")

    def _fill_in(self, text):
        """Replace the ports, the services and the folder in the text of a page."""
        for port, used in self.ports.items():
            text = re.sub(rf"\b{port}\b", used, text)
        for documented, used in self.texts.items():
            text = text.replace(documented, used)
        return text.replace(FOLDER, str(self._get_project()))

    # -- Python ---------------------------------------------------------------------------

    def _check(self, migrate=True):
        """Migrate and check the project if files were written."""
        if any(step.argument.endswith(".py") for step in self.changed):
            self._run_inside([], migrate)
        self._finish_changes()

    def _run_shell(self, steps):
        self._get_project()
        if self.servers:
            self._check()  # They are restarted now, and not after the blocks.
        blocks = [step for step in steps if step.kind == "shell"]
        printed = iter(self._run_inside(blocks))
        for step in steps:
            if step.kind == "shell":
                self.printed = next(printed)
            elif step.kind == "output":
                self._run_output(step)

    def _run_inside(self, steps, migrate=True):
        """Run Python blocks in one process, and return what each has printed."""
        project = self._get_project()
        if not (project / "manage.py").exists():
            if steps:
                raise self._error(steps[0], "there is not a project yet")
            return []
        job = {
            "migrate": migrate and any(_needs_migrations(step) for step in self.changed),
            "check": bool(self.changed),
            "blocks": [
                {"code": self._fill_in(step.text), "file": str(self.page.source), "line": step.line}
                for step in steps
            ],
        }
        last = (self.changed + steps)[-1]
        try:
            result = self.projects.run_inside(project, job, self.variables)
        except ProjectError as error:
            raise self._error(last, str(error)) from error
        if result["error"]:
            failed = result["failed"]
            step = self.changed[-1] if failed is None and self.changed else steps[failed or 0]
            raise self._error(step, result["error"])
        self._finish_changes()
        return result["printed"]

    def _finish_changes(self):
        if self.changed:
            self.changed = []
            for server in self.servers:
                server.restart()

    # -- commands -------------------------------------------------------------------------

    def _run_run(self, step):
        self._get_project()
        # A page that shows the migrations makes them itself.
        self._check(migrate=not re.search(r"manage\.py (makemigrations|migrate)\b", step.text))
        commands = split_commands(self._fill_in(step.text), step.line)
        if not commands:
            raise self._error(step, "no line begins with '$ '")
        self.printed = ""
        together = []
        for command in commands:
            if re.search(r"[^&]&$", command.text):
                self._run_commands(step, together)
                together = []
                self._start_server(step, command)
            else:
                together.append(command)
        self._run_commands(step, together)

    def _run_commands(self, step, commands):
        """Run commands in one shell, so that they share its variables and its folder."""
        if not commands:
            return
        script = "".join(f"{command.text}\nprintf '{EXIT_FORMAT}' $?\n" for command in commands)
        output, is_complete = self._run_script(script)
        parts = output.split(EXIT)
        for command, printed, status in zip(commands, parts[::2], parts[1::2], strict=False):
            self.printed += printed
            self._compare(command, printed, int(status), fails=step.argument == "fails")
        done = len(parts) // 2
        if done < len(commands):
            reason = "ended the shell" if is_complete else f"did not end within {TIMEOUT:.0f} s"
            message = f"the command {reason}: {commands[done].text}\n{parts[-1]}"
            raise self._error(commands[done], message)

    def _run_script(self, script):
        """Run a script with bash; return its output, and whether it ended in time."""
        process = subprocess.Popen(
            ["bash", "-o", "pipefail", "-c", script],
            cwd=self.project,
            env=self.projects.environment | self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            return process.communicate(timeout=TIMEOUT)[0], True
        except subprocess.TimeoutExpired:
            kill(process)
            return process.communicate()[0], False
        finally:
            kill(process)

    def _compare(self, command, printed, status, fails):
        shown = f"$ {command.text}\n{printed}"
        if command.expected.strip() and not matches(command.expected, printed):
            message = f"the output is not as expected:\n{command.expected}\nIt is:\n{shown}"
            raise self._error(command, message)
        if (status != 0) != fails:
            raise self._error(command, f"the exit status is {status}\n{shown}")

    def _run_output(self, step):
        if self.printed is None:
            raise self._error(step, "no block before this one prints anything")
        if not matches(self._fill_in(step.text), self.printed):
            raise self._error(step, f"the output is not as expected. It is:\n{self.printed}")

    def _start_server(self, step, command):
        text, port = command.text, self.ports[PORTS[0]]
        if "runserver" in text:
            # The server is restarted after changes of files, and not a moment later.
            options = "--noreload" if "--noreload" not in text else ""
            options += f" {port}" if port not in text else ""
            text = text.replace("runserver", f"runserver {options}")
        ports = [int(used) for used in self.ports.values() if re.search(rf"\b{used}\b", text)]
        log = self.folder / f"server{len(self.servers)}.log"
        environment = self.projects.environment | self.variables
        server = Server(text, self.project, environment, log, ports)
        self.servers.append(server)
        try:
            server.start()
        except ProjectError as error:
            raise self._error(command, str(error)) from error

    def _error(self, step, message):
        return PageError(f"{self.page.source}:{step.line}: {message}")


def _needs_migrations(step):
    path = Path(step.argument)
    return path.stem in ("models", "settings") or "models" in path.parts
