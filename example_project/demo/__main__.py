"""Command line of the demo; ``python -m demo --help`` says more."""

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

COLUMNS = ("who", "file", "expected", "got", "delivered by", "bytes", "")


def main() -> int:
    """Run the demo; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="Start the example site, ask for files as four people, print what each got. "
        "Exit status 0 only if every answer was the right one.",
    )
    parser.add_argument(
        "--serve", action="store_true", help="leave the site running until Ctrl-C, keep its data"
    )
    parser.add_argument(
        "--server",
        choices=("stream", "x-accel"),
        default=os.environ.get("EXAMPLE_SERVER", "stream"),
        help="who delivers avatars: Python, or nginx (default: EXAMPLE_SERVER, else stream)",
    )
    parser.add_argument(
        "--port", type=int, default=0, help="port of the site (default: a free one)"
    )
    arguments = parser.parse_args()
    # so that the programs are stopped as well when a supervisor stops this one
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    port = arguments.port or services.free_port()
    try:
        if arguments.serve:
            return serve(arguments.server, port)
        return play(arguments.server, port)
    except services.ServiceError as error:
        print(error, file=sys.stderr)
        return 1


def play(server: str, port: int) -> int:
    """Play the story on a site of its own in a temporary folder; print the table."""
    with tempfile.TemporaryDirectory(prefix="proxy-storage-demo-") as folder:
        with running_site(Path(folder), server, port) as base_url:
            avatar_server = "nginx" if server == "x-accel" else "python"
            print(f"The site runs at {base_url}, avatars are delivered by {avatar_server}.\n")
            outcomes = list(scenario.play(base_url, avatar_server))
        wrong = sum(not outcome.right for outcome in outcomes)
        if wrong:
            print((Path(folder) / "gunicorn.log").read_text(errors="replace"), file=sys.stderr)
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
    """Leave the site running until somebody stops it."""
    folder = services.PROJECT_DIR / "var"
    folder.mkdir(exist_ok=True)
    with running_site(folder, server, port) as base_url:
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
def running_site(folder: Path, server: str, port: int) -> Iterator[str]:
    """Run the site and what it needs, with all data in a folder; yield its URL."""
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
        print("preparing the database ...", flush=True)
        for command in (["migrate", "--verbosity", "0"], ["seed"]):
            manage(command, env)
        print("starting the site ...", flush=True)
        if server == "x-accel":
            inner_port = services.free_port()
            site = stack.enter_context(services.running_gunicorn(folder, env, inner_port))
            files_root = folder / "files"
            stack.enter_context(services.running_nginx(folder / "nginx", site, files_root, port))
        else:
            stack.enter_context(services.running_gunicorn(folder, env, port))
        yield f"http://127.0.0.1:{port}"


def manage(command: list[str], env: Mapping[str, str]) -> None:
    """Run a command of ``manage.py``.

    Raises:
        ServiceError: it failed; the message has what it printed.
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
