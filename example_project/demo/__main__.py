"""Command line of the demo; see ``python -m demo --help``."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from demo import scenario, services

# EXAMPLE_SERVER: the program in front of the site.
WEB_SERVERS = {
    "stream": None,
    "x-accel": "nginx",
    "x-sendfile": "apache2",
    "lighttpd": "lighttpd",
}
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
        "--port", type=int, default=0, help="port of the site (default: a free one)"
    )
    arguments = parser.parse_args()
    # The programs are stopped as well if a supervisor stops this one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    port = arguments.port or services.free_port()
    if services.accepts_connections(port):
        parser.error(f"port {port} is in use; choose another one with --port")
    try:
        if arguments.serve:
            return serve(arguments.server, port)
        return play(arguments.server, port)
    except services.ServiceError as error:
        print(error, file=sys.stderr)
        return 1


def play(server: str, port: int) -> int:
    """Run the scenario on a site in a temporary folder; print the table."""
    with tempfile.TemporaryDirectory(prefix="proxy-storage-demo-") as folder:
        Path(folder).chmod(0o711)  # A web server of another user must enter it.
        with running_site(Path(folder), server, port, throw_away=True) as base_url:
            avatar_server = WEB_SERVERS[server] or "python"
            print(f"The site runs at {base_url}, avatars are delivered by {avatar_server}.\n")
            wrong = -1
            try:
                outcomes = list(scenario.play(base_url, avatar_server, Path(folder) / "files"))
                wrong = sum(not outcome.right for outcome in outcomes)
            finally:
                if wrong:  # The log explains it, also after an error.
                    log = Path(folder) / "gunicorn.log"
                    print(log.read_text(errors="replace"), file=sys.stderr)
    rows = [
        (
            o.who,
            o.file,
            str(o.expected),
            str(o.got),
            o.server,
            o.content,
            "" if o.right else "WRONG",
        )
        for o in outcomes
    ]
    widths = [max(len(row[i]) for row in [COLUMNS, *rows]) for i in range(len(COLUMNS))]
    for row in [COLUMNS, tuple("-" * width for width in widths), *rows]:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    print(f"\n* saved as: {scenario.AWKWARD_NAME}")
    print(f"{len(outcomes)} answers, {wrong} wrong.")
    return 1 if wrong else 0


def serve(server: str, port: int) -> int:
    """Run the site until Ctrl-C."""
    folder = services.PROJECT_DIR / "var"
    folder.mkdir(exist_ok=True)
    with running_site(folder, server, port, throw_away=False) as base_url:
        print(f"\nThe site runs at {base_url}/ and its admin at {base_url}/admin/")
        print(
            "Users: messi, ronaldo, admin; the password is the name. Ctrl-C stops it.", flush=True
        )
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("\nStopped. The data stays in example_project/var.")
    return 0


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
        manage(["migrate", "--verbosity", "0"], env)
        manage(["seed", *(["--only-if-empty"] if throw_away else [])], env)
        if throw_away:
            stack.callback(manage, ["flush", "--no-input", "--verbosity", "0"], env)
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


def manage(command: list[str], env: Mapping[str, str]) -> None:
    """Run a command of ``manage.py``.

    Raises:
        ServiceError: the command failed; the message has its output.
    """
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=services.PROJECT_DIR,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise services.ServiceError(f"manage.py {command[0]} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
