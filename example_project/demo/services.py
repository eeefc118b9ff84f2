"""Programs that a running site needs, started on free ports and stopped at the end."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any
from uuid import uuid4

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from demo.stopping import raise_if_stopped

PROJECT_DIR = Path(__file__).resolve().parent.parent
DEPLOY_DIR = PROJECT_DIR / "deploy"
# Debian installs servers into a folder that is only on root's PATH.
SERVER_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])

_ports = iter(range(random.SystemRandom().randint(10_000, 30_000), 32_768))

START_TIMEOUT = 120.0  # seconds
STOP_TIMEOUT = 30.0
POLL_INTERVAL = 0.05


class ServiceError(Exception):
    """A program did not start, or it ended. The message has the end of its output."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that is not in use.

    Other processes of the tests may look for ports at the same time and use them a moment later.
    So each process begins at a random port, below the range that the system uses for connections.
    """
    for port in _ports:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ServiceError("No port of 127.0.0.1 is free. Stop other programs and try again.")


def accepts_connections(port: int) -> bool:
    """Return whether a program listens on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def can_bind(port: int) -> bool:
    """Return whether a program can listen on a port of 127.0.0.1."""
    with socket.socket() as probe, suppress(OSError):
        # Connections that were closed a moment ago do not occupy the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return True
    return False


@dataclass(frozen=True)
class Program:
    """A program that this process has started.

    Args:
        command: the program and its arguments.
        output: the file for its output.
        process: its process, which leads a process group.
    """

    command: Sequence[str]
    output: Path
    process: subprocess.Popen[bytes]

    @property
    def has_ended(self) -> bool:
        """Whether its process has ended."""
        return self.process.poll() is not None

    def make_error(self, problem: str) -> ServiceError:
        """Return an exception with the end of the output."""
        module = self.command[2] if self.command[1:2] == ["-m"] else None
        tail = self.output.read_text(errors="replace")[-2000:].strip()
        return ServiceError(
            f"{module or Path(self.command[0]).name} {problem}. It printed:\n{tail}"
        )


# The programs that are ready and must not end.
_running: list[Program] = []


def raise_if_ended() -> None:
    """Check the programs that `running` has started.

    Raises:
        ServiceError: one of them has ended.
    """
    for program in _running:
        if program.has_ended:
            raise program.make_error(f"ended with status {program.process.returncode}")


@contextmanager
def running(
    command: Sequence[str | Path],
    is_ready: Callable[[], bool],
    output: Path,
    env: Mapping[str, str] | None = None,
    folder: Path = PROJECT_DIR,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends.

    Args:
        command: the program and its arguments.
        is_ready: a function that is called until it returns true.
        output: the file for the output of the program.
        env: environment variables in addition to those of this process.
        folder: the working directory of the program.

    Raises:
        ServiceError: the program ended, or was not ready within `START_TIMEOUT`.
        Stopped: this process received a signal before the program was ready.
    """
    with _started(command, output, env, folder) as program:
        deadline = time.monotonic() + START_TIMEOUT
        while program.has_ended or not is_ready():
            raise_if_stopped()
            if program.has_ended or time.monotonic() > deadline:
                raise program.make_error("did not start")
            time.sleep(POLL_INTERVAL)
        _running.append(program)
        try:
            yield program.process
        finally:
            _running.remove(program)


def run(command: Sequence[str | Path], output: Path, env: Mapping[str, str] | None = None) -> None:
    """Run a program until it ends.

    Raises:
        ServiceError: the program failed.
        Stopped: this process received a signal.
    """
    with _started(command, output, env, PROJECT_DIR) as program:
        while not program.has_ended:
            raise_if_stopped()
            time.sleep(POLL_INTERVAL)
        if program.process.returncode:
            raise program.make_error(f"failed with status {program.process.returncode}")


@contextmanager
def _started(
    command: Sequence[str | Path], output: Path, env: Mapping[str, str] | None, folder: Path
) -> Iterator[Program]:
    """Start a program; stop it and the processes that it has started."""
    arguments = [str(part) for part in command]
    with output.open("wb") as log:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=folder,
            # With its own process group, Ctrl-C reaches only this process, which stops the others.
            start_new_session=True,
        )
    try:
        yield Program(arguments, output, process)
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_TIMEOUT)
    # A program that was killed has not stopped its workers.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def running_mongo(data_dir: Path) -> Iterator[str]:
    """Run a small MongoDB-compatible server with its data in a folder; yield its URI.

    It is the PyPI package nx-27017, a TCP server with MongoDB's protocol on top of SQLite. It is
    enough for a demo; use MongoDB in production.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command: list[str | Path] = [
        Path(sys.executable).with_name("nx-27017"),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--data-dir", data_dir / "databases"),
        *("--log-file", data_dir / "log", "--pid-file", data_dir / "pid"),
    ]
    with running(command, lambda: accepts_connections(port), data_dir / "output"):
        yield f"mongodb://127.0.0.1:{port}/proxy_storage_example"


@contextmanager
def new_mongo_database() -> Iterator[str]:
    """Yield the name of a new database at ``MONGODB_URI``; drop it at the end.

    Raises:
        ServiceError: the server does not answer, or the URI is not valid.
    """
    name = f"proxy_storage_demo_{uuid4().hex}"
    try:
        client = MongoClient[dict[str, Any]](
            os.environ["MONGODB_URI"], serverSelectionTimeoutMS=5000
        )
        client.admin.command("ping")
    except (PyMongoError, ValueError) as error:
        raise ServiceError(f"MONGODB_URI cannot be used. {error}") from error
    with client:
        try:
            yield name
        finally:
            client.drop_database(name)


@contextmanager
def running_gunicorn(run_dir: Path, env: Mapping[str, str], port: int) -> Iterator[str]:
    """Run the site under gunicorn on a port of 127.0.0.1; yield its address."""
    command: list[str | Path] = [
        *(sys.executable, "-m", "gunicorn", "config.wsgi"),
        *("--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "4"),
        *("--worker-tmp-dir", run_dir, "--no-control-socket"),
    ]
    with running(command, lambda: accepts_connections(port), run_dir / "gunicorn.log", env):
        yield f"127.0.0.1:{port}"


# Web server: the Debian packages that contain it and the modules of its configuration.
DEBIAN_PACKAGES = {
    "nginx": "nginx-light",
    "apache2": "apache2-bin libapache2-mod-xsendfile",
    "lighttpd": "lighttpd",
    "caddy": "caddy",
}


def find_web_server(name: str) -> str | None:
    """Return the path of a web server, or ``None`` if it is not installed."""
    return shutil.which(name, path=SERVER_PATH)


@contextmanager
def running_web_server(
    name: str, run_dir: Path, site_address: str, files_root: Path, port: int
) -> Iterator[None]:
    """Run a web server with its configuration in ``deploy`` on a port of 127.0.0.1.

    Args:
        name: ``nginx``, ``apache2`` or ``lighttpd``.
        run_dir: the folder for its pid, logs and temporary files.
        site_address: the host and port of the site.
        files_root: the folder of the files that it may deliver.
        port: the port of the web server.

    Raises:
        ServiceError: the web server is not installed, or did not start.
    """
    program = find_web_server(name)
    if program is None:
        raise ServiceError(f"{name} is missing. On Debian: apt-get install {DEBIAN_PACKAGES[name]}")
    run_dir.mkdir(parents=True, exist_ok=True)
    files_root.mkdir(parents=True, exist_ok=True)
    site_host, _, site_port = site_address.rpartition(":")
    values = {
        "SITE_ADDRESS": site_address,
        "SITE_HOST": site_host,
        "SITE_PORT": site_port,
        "FILES_ROOT": files_root,
        "PORT": port,
        "RUN_DIR": run_dir,
    }
    conf = run_dir / f"{name}.conf"
    template = Template((DEPLOY_DIR / conf.name).read_text())
    conf.write_text(template.safe_substitute(values))
    command = [program, *_get_arguments(name, conf, run_dir)]
    with running(command, lambda: accepts_connections(port), run_dir / "output"):
        yield


def _get_arguments(name: str, conf: Path, run_dir: Path) -> Sequence[str | Path]:
    is_root = os.geteuid() == 0
    if name == "nginx":
        # By default, the workers of root's nginx run as a user who cannot read our folder.
        directives = "daemon off;" + (" user root root;" if is_root else "")
        return ["-c", conf, "-p", run_dir, "-e", run_dir / "error.log", "-g", directives]
    # These two require such a user, so the demo lets all users enter its folder.
    if name == "lighttpd":
        return ["-D", "-f", conf]
    return ["-f", conf, "-d", run_dir, "-D", "FOREGROUND", *(["-D", "AS_ROOT"] if is_root else [])]
