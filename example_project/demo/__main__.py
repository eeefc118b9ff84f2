"""Command line of the demo; see ``python -m demo --help``."""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from demo import scenario, services
from demo.stopping import Stopped, handle_signals, raise_if_stopped

# EXAMPLE_SERVER: the program in front of the site.
WEB_SERVERS = {
    "stream": None,
    "x-accel": "nginx",
    "x-sendfile": "apache2",
    "lighttpd": "lighttpd",
}
SERVE_PORT = 8000
COLUMNS = ("who", "file", "expected", "got", "delivered by", "bytes", "")


def main() -> int:
    """Run the demo; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="Start the example site, request its files as four users, print the responses. "
        "The exit status is 0 only if each response is right.",
    )
    parser.add_argument(
        "--serve", action="store_true", help="run the site until Ctrl-C and keep its data"
    )
    parser.add_argument(
        "--server",
        choices=tuple(WEB_SERVERS),
        default=os.environ.get("EXAMPLE_SERVER", "stream"),
        help="the program that delivers avatars: Python, nginx, Apache or lighttpd "
        "(default: EXAMPLE_SERVER, else stream)",
    )
    parser.add_argument(
        "--port",
        type=int,
        help=f"port of the site; 0 is a free one (default: {SERVE_PORT} with --serve, else 0)",
    )
    arguments = parser.parse_args()
    port = arguments.port
    if port is None:
        port = SERVE_PORT if arguments.serve else 0
    if not 0 <= port <= 65535:
        parser.error(f"--port must be a number from 0 to 65535, not {port}")
    handle_signals()
    try:
        port = port or services.free_port()
        check_port(port)
        if arguments.serve:
            return serve(arguments.server, port)
        return play(arguments.server, port)
    except services.ServiceError as error:
        print(error, file=sys.stderr)
        return 1
    except Stopped as stopped:
        # The status with which shells report a signal.
        return 128 + stopped.number


def check_port(port: int) -> None:
    """Check that the site can listen on a port.

    Raises:
        ServiceError: it cannot.
    """
    if not services.can_bind(port):
        raise services.ServiceError(
            f"Port {port} is in use or reserved. Choose another one: make serve PORT=8001, "
            "or python -m demo --serve --port 8001"
        )


def play(server: str, port: int) -> int:
    """Run the scenario on a site in a temporary folder; print the table."""
    avatar_server = WEB_SERVERS[server] or "python"
    with tempfile.TemporaryDirectory(prefix="proxy-storage-demo-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # A web server of another user must enter it.
        with running_site(folder, server, port, throw_away=True) as base_url:
            print(f"The site runs at {base_url}, avatars are delivered by {avatar_server}.\n")
            sys.stdout.flush()
            outcomes = []
            try:
                for outcome in scenario.play(base_url, avatar_server, folder / "files"):
                    raise_if_stopped()
                    outcomes.append(outcome)
            except Stopped:
                raise
            except Exception:
                print_log(folder)
                raise
            is_right = all(outcome.right for outcome in outcomes)
            if not is_right:
                print_log(folder)
    print_table(outcomes)
    return 0 if is_right else 1


def print_log(folder: Path) -> None:
    """Print the log of the site, which explains a wrong response."""
    print((folder / "gunicorn.log").read_text(errors="replace"), file=sys.stderr)


def print_table(outcomes: Sequence[scenario.Outcome]) -> None:
    """Print a line for each response, and their number."""
    rows: list[Sequence[str]] = [
        COLUMNS,
        *(
            (
                *(o.who, o.file, str(o.expected), str(o.got), o.server, o.content),
                "" if o.right else "WRONG",
            )
            for o in outcomes
        ),
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    rows.insert(1, tuple("-" * width for width in widths))
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(cells).rstrip())
    wrong = sum(not outcome.right for outcome in outcomes)
    print(f"\n* saved as: {scenario.AWKWARD_NAME}")
    print(f"{len(outcomes)} answers, {wrong} wrong.")


def serve(server: str, port: int) -> int:
    """Run the site until a signal stops it."""
    folder = Path(os.environ.get("EXAMPLE_DATA_DIR", services.PROJECT_DIR / "var"))
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder), running_site(folder, server, port, throw_away=False) as base_url:
        print(f"\nThe site runs at {base_url}/")
        print(f"  its admin at {base_url}/admin/")
        print(f"  a client in JavaScript, with JSON Web Tokens, at {base_url}/client/")
        print(
            "Users: messi, ronaldo, admin; the password is the name. Ctrl-C stops it.", flush=True
        )
        try:
            while True:
                raise_if_stopped()
                services.raise_if_ended()
                time.sleep(services.POLL_INTERVAL)
        except Stopped:
            pass
    print(f"\nStopped. The data stays in {folder}.")
    return 0


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the data folder. Two servers of the records must not write to the same files.

    Raises:
        ServiceError: another process has locked it.
    """
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise services.ServiceError(
                f"Another site uses the data in {folder}. Stop it, or set EXAMPLE_DATA_DIR."
            ) from None
        yield


@contextmanager
def running_site(folder: Path, server: str, port: int, throw_away: bool) -> Iterator[str]:
    """Run the site and the programs that it needs; yield its URL.

    Args:
        folder: the folder of all data, except for the databases that ``DATABASE_URL`` and
            ``MONGODB_URI`` name.
        server: a key of `WEB_SERVERS`.
        port: the port of the site.
        throw_away: require an empty database, and empty it at the end.
    """
    folder = folder.resolve()
    env = {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "EXAMPLE_DATA_DIR": str(folder),
        "EXAMPLE_SERVER": server,
    }
    with ExitStack() as stack:
        if "MONGODB_URI" not in os.environ:
            print("starting a MongoDB-compatible server ...", flush=True)
            env["MONGODB_URI"] = stack.enter_context(services.running_mongo(folder / "mongo"))
        elif throw_away:
            env["EXAMPLE_MONGODB_NAME"] = stack.enter_context(services.new_mongo_database())
        print("preparing the database ...", flush=True)
        seed_options = ["--only-if-empty"] if throw_away else []
        prepare = [sys.executable, "-m", "demo.prepare", *seed_options]
        services.run(prepare, folder / "prepare.log", env)
        if throw_away:
            flush = [sys.executable, "manage.py", "flush", "--no-input", "--verbosity", "0"]
            stack.callback(services.run, flush, folder / "flush.log", env)
        print("starting the site ...", flush=True)
        web_server = WEB_SERVERS[server]
        site_port = port if web_server is None else services.free_port()
        site = stack.enter_context(services.running_gunicorn(folder, env, site_port))
        if web_server is not None:
            files_root = folder / "files"
            stack.enter_context(
                services.running_web_server(web_server, folder / web_server, site, files_root, port)
            )
        yield f"http://127.0.0.1:{port}"


if __name__ == "__main__":
    sys.exit(main())
