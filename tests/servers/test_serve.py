"""`make serve`: a signal stops all programs that it has started, at each moment."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from demo import services
from demo.__main__ import WEB_SERVERS
from demo.client import Client
from tests.programs import ROOT, wait_for

pytestmark = pytest.mark.slow

READY = "Ctrl-C stops it"
# The lines that the command prints while it starts.
MOMENTS = ["starting a MongoDB-compatible server", "preparing the database", "starting the site"]


@contextmanager
def default_signals():
    """Undo the effect of ``nohup`` and ``&`` on the command, if the tests are run by them.

    A new program ignores the signals that this process ignores, and not those with a handler.
    """
    numbers = (signal.SIGINT, signal.SIGHUP)
    previous = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class Command:
    """A command that serves the example site, with its data in a folder."""

    def __init__(
        self,
        arguments,
        folder,
        server="stream",
        cwd=services.PROJECT_DIR,
        port=None,
        data=None,
    ):
        self.folder = folder
        self.data = data or folder / "data"
        self.port = port or services.free_port()
        self.output = folder / "output"
        # The data of the demo is in the temporary folder.
        env = {**os.environ, "EXAMPLE_SERVER": server, "TMPDIR": str(folder)}
        # This variable marks all processes that descend from the command.
        env["TEST_SERVE"] = str(folder)
        env["EXAMPLE_DATA_DIR"] = str(self.data)
        for name in ("MONGODB_URI", "DATABASE_URL", "MAKEFLAGS"):
            env.pop(name, None)
        with self.output.open("w") as output, default_signals():
            self.process = subprocess.Popen(
                [part.replace("PORT_NUMBER", str(self.port)) for part in arguments],
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def has_printed(self, text):
        return text in self.output.read_text()

    def wait_until_printed(self, text):
        def get():
            return self.has_printed(text) or self.process.poll() is not None

        wait_for(get, bool)
        assert self.has_printed(text), self.output.read_text()

    def find_programs(self):
        """Return the processes of the command by id, with their command lines.

        A process of the command has its environment. nginx overwrites the environment of its
        processes, but their output is a file in the folder of the data.
        """
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self._is_mine(folder):
                    words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[int(folder.name)] = words.strip()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                pass
        return found

    def _is_mine(self, folder):
        if (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return False
        if f"TEST_SERVE={self.folder}".encode() in (folder / "environ").read_bytes():
            return True
        return any(f"{self.data}/" in os.readlink(link) for link in (folder / "fd").iterdir())

    def signal(self, number, whole_group=False):
        """Send a signal to the command, or to its process group as a terminal does."""
        (os.killpg if whole_group else os.kill)(self.process.pid, number)

    def check_stopped(self):
        """Check that the command ends and leaves nothing; return its exit status."""
        status = self.process.wait(timeout=120)
        # The kernel needs a moment to remove a process.
        assert wait_for(self.find_programs, lambda found: not found) == {}
        assert services.can_bind(self.port)
        assert "Traceback" not in self.output.read_text()
        return status


DEMO = [sys.executable, "-m", "demo", "--serve", "--port", "PORT_NUMBER"]
# The targets that install packages are skipped, and `python` is the one of this process.
PYTHON_DIR = os.path.relpath(Path(sys.executable).parent, ROOT)
MAKE = ["make", "serve", "PORT=PORT_NUMBER", f"BIN={PYTHON_DIR}"]
MAKE += [f"--old-file={target}" for target in (".venv/example", ".venv/node", "nginx")]


@pytest.fixture
def folder():
    # A web server of another user could not enter pytest's folder.
    with TemporaryDirectory(prefix="proxy-storage-site-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture
def start(folder, need_program):
    """Return a function that starts a command, which is killed after the test."""
    commands = []

    def start(arguments=DEMO, server="stream", folder=folder, **kwargs):
        need_program(WEB_SERVERS[server])
        commands.append(Command(arguments, folder, server, **kwargs))
        return commands[-1]

    yield start
    for command in commands:
        for process in command.find_programs():
            os.kill(process, signal.SIGKILL)
        command.process.kill()
        command.process.wait()


def check_running(command, server="stream"):
    command.wait_until_printed(READY)
    programs = " ".join(command.find_programs().values())
    assert "nx-27017" in programs
    assert "gunicorn" in programs
    assert ("nginx: worker" in programs) == (server == "x-accel")
    client = Client(f"http://127.0.0.1:{command.port}")
    answer = client.request("/files/?path=messi_avatar.jpg")
    assert answer.status == 200
    assert ("x-delivered-by" in answer.headers) == (server == "stream")


def get_name(value):
    return value.name if isinstance(value, signal.Signals) else None


def test_running_site(start, tmp_path):
    """Its data and its port are in use, and the data stays for the next start."""
    first = start()
    check_running(first)
    second = start(folder=tmp_path, data=first.data)
    assert second.process.wait(timeout=120) == 1
    assert second.has_printed("Another site uses the data in")
    third = start(folder=tmp_path, port=first.port)
    assert third.process.wait(timeout=120) == 1
    assert third.has_printed(
        f"Port {first.port} is in use or reserved. Choose another one: make serve PORT="
    )
    assert third.has_printed("--port")
    check_running(first)
    first.signal(signal.SIGTERM)
    assert first.check_stopped() == 0

    again = start()
    check_running(again)
    assert "messi has applied already" in (again.data / "prepare.log").read_text()
    # The later signals do not interrupt the cleanup.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        again.signal(number, whole_group=True)
    assert again.check_stopped() == 0
    assert (again.data / "db.sqlite3").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=get_name)
def test_terminal_sends_the_signal_to_the_process_group(start, number):
    command = start()
    command.wait_until_printed(READY)
    command.signal(number, whole_group=True)
    assert command.check_stopped() == 0


@pytest.mark.parametrize(
    ("moment", "number"),
    [(MOMENTS[0], signal.SIGTERM), (MOMENTS[1], signal.SIGHUP), (MOMENTS[2], signal.SIGINT)],
    ids=get_name,
)
def test_start_up(start, moment, number):
    command = start(server="x-accel")
    command.wait_until_printed(moment)
    command.signal(number, whole_group=True)
    assert command.check_stopped() == 128 + number


def test_demo(start, folder):
    command = start([sys.executable, "-m", "demo", "--port", "PORT_NUMBER"], server="x-accel")
    command.wait_until_printed("The site runs at")
    command.signal(signal.SIGINT)
    assert command.check_stopped() == 128 + signal.SIGINT
    assert [path.name for path in folder.iterdir()] == ["output"]


def test_make_forwards_sigterm(start):
    if shutil.which("make") is None:
        pytest.skip("make is missing")
    command = start(MAKE, server="x-accel", cwd=ROOT)
    check_running(command, "x-accel")
    command.signal(signal.SIGTERM)
    command.check_stopped()
    assert command.has_printed("Stopped. The data stays in")


def test_nohup(start):
    """A command that ignores SIGHUP outlives its terminal."""
    command = start(["nohup", *DEMO])
    # SIGHUP would end the start-up.
    command.wait_until_printed(MOMENTS[0])
    command.signal(signal.SIGHUP, whole_group=True)
    check_running(command)
    command.signal(signal.SIGTERM)
    assert command.check_stopped() == 0


def test_program_that_dies(start):
    """The workers of the program are stopped, too."""
    command = start(server="x-accel")
    check_running(command, "x-accel")
    found = command.find_programs()
    # The parent has the lowest id.
    os.kill(min(pid for pid, line in found.items() if "nginx: master" in line), signal.SIGKILL)
    assert command.check_stopped() == 1
    assert command.has_printed("nginx ended with status -9. It printed:")


def test_port_that_does_not_exist(start):
    command = start([*DEMO[:-1], "70000"])
    assert command.process.wait(timeout=120) == 2
    assert command.has_printed("--port must be a number from 0 to 65535, not 70000")


def test_default_port():
    """The default is in the Makefile and in the command."""
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--help"],
        cwd=services.PROJECT_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "default: 8000 with --serve" in " ".join(done.stdout.split())
    assert "PORT ?= 8000" in (ROOT / "Makefile").read_text()
