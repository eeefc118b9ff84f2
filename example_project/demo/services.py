"""Programs that a running site needs: started on free ports, stopped in the end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from string import Template

PROJECT_DIR = Path(__file__).resolve().parent.parent
NGINX_CONF = PROJECT_DIR / "deploy" / "nginx.conf"
# Debian puts servers into a folder that is on root's PATH only
SERVER_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])

START_TIMEOUT = 30.0  # seconds
STOP_TIMEOUT = 10.0


class ServiceError(Exception):
    """A program did not start; the message has the end of its output."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def accepts_connections(port: int) -> bool:
    """Tell whether somebody listens on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(
    command: Sequence[str | Path],
    is_ready: Callable[[], bool],
    output: Path,
    env: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends.

    Args:
        command: the program and its arguments.
        is_ready: asked again and again until it says yes.
        output: file for what the program prints.
        env: variables in addition to this process's own.

    Raises:
        ServiceError: it ended, or was not ready within `START_TIMEOUT`.
    """
    with output.open("wb") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=PROJECT_DIR,
            # a group of its own: Ctrl-C reaches us alone, and we stop things in order
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                tail = output.read_text(errors="replace")[-2000:]
                raise ServiceError(f"{command[0]} did not start. It printed:\n{tail}")
            time.sleep(0.05)
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def running_mongo(data_dir: Path) -> Iterator[str]:
    """Run a small MongoDB-compatible server with its data in a folder; yield its URI.

    It is the PyPI package nx-27017: a real TCP server that speaks MongoDB's protocol, on
    top of SQLite. Good for a demo; use MongoDB for more.
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
def running_gunicorn(run_dir: Path, env: Mapping[str, str], port: int) -> Iterator[str]:
    """Run the site under gunicorn on a port of 127.0.0.1; yield its address."""
    command: list[str | Path] = [
        *(sys.executable, "-m", "gunicorn", "config.wsgi"),
        *("--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "4"),
        *("--worker-tmp-dir", run_dir, "--no-control-socket"),
    ]
    with running(command, lambda: accepts_connections(port), run_dir / "gunicorn.log", env):
        yield f"127.0.0.1:{port}"


def find_nginx() -> str | None:
    """Return where nginx is, or ``None`` on a machine without it."""
    return shutil.which("nginx", path=SERVER_PATH)


@contextmanager
def running_nginx(run_dir: Path, site_address: str, files_root: Path, port: int) -> Iterator[None]:
    """Run nginx with ``deploy/nginx.conf`` on a port of 127.0.0.1.

    Raises:
        ServiceError: there is no nginx, or it did not start.
    """
    nginx = find_nginx()
    if nginx is None:
        raise ServiceError("There is no nginx here. On Debian: apt-get install nginx-light")
    run_dir.mkdir(parents=True, exist_ok=True)
    conf = run_dir / "nginx.conf"
    values = {
        "SITE_ADDRESS": site_address,
        "FILES_ROOT": files_root,
        "NGINX_PORT": port,
        "RUN_DIR": run_dir,
    }
    conf.write_text(Template(NGINX_CONF.read_text()).safe_substitute(values))
    # started by root, nginx would hand its work to a user who cannot read our folder
    directives = "daemon off;" + (" user root root;" if os.geteuid() == 0 else "")
    command: list[str | Path] = [
        nginx,
        "-c",
        conf,
        "-p",
        run_dir,
        "-e",
        run_dir / "error.log",
        "-g",
        directives,
    ]
    with running(command, lambda: accepts_connections(port), run_dir / "nginx.log"):
        yield
