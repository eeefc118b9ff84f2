"""A database, folders and programs for processes that save at the same time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from demo import services
from tests import programs
from tests.torture.relay import Relay, running_relay

ROOT = Path(__file__).resolve().parents[2]
# The database of the records. With MongoDB, the users are in SQLite.
WORLDS = ("sqlite", "postgresql", "mongo")


class WorkFailed(Exception):
    """A process ended with an error. The message has its output."""


@dataclass
class World:
    """The environment in which processes use the proxy storages of the test settings.

    Args:
        name: one of `WORLDS`.
        folder: the folder for all files of the processes.
        env: the environment variables with the addresses of the programs.
        relay: the relay in front of the database server of the records, if there is a server.
    """

    name: str
    folder: Path
    env: dict[str, str]
    relay: Relay | None = None

    @property
    def meta_backend(self) -> str:
        """The key of ``META_BACKENDS`` in the settings."""
        return "mongo" if self.name == "mongo" else "orm"

    def get_impatient(self, seconds: int) -> dict[str, str]:
        """Return environment variables that limit how long processes wait for a lock."""
        url = self.env["TEST_DATABASE_URL"]
        if self.name == "postgresql":
            return {"TEST_DATABASE_URL": f"{url}?options=-c%20lock_timeout%3D{seconds * 1000}"}
        return {"TEST_DATABASE_URL": url.replace("timeout=20", f"timeout={seconds}")}

    def start(self, function: str, env: dict[str, str] | None = None, **arguments: Any) -> Any:
        """Start a process that calls a function of `tests.torture.work`."""
        command = [sys.executable, "-m", "tests.torture.work", function]
        return subprocess.Popen(
            [*command, json.dumps(arguments)],
            cwd=ROOT,
            env={**os.environ, **self.env, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, function: str, env: dict[str, str] | None = None, **arguments: Any) -> Any:
        """Call a function of `tests.torture.work` in a process; return its result.

        Raises:
            WorkFailed: the process raised an error or was killed.
        """
        process = self.start(function, env, **arguments)
        try:
            output, errors = process.communicate(timeout=300)
        finally:
            process.kill()
        if process.returncode != 0:
            raise WorkFailed(f"{function} ended with {process.returncode}:\n{errors[-4000:]}")
        return json.loads(output)


@contextmanager
def running_world(name: str, s3: bool = False, folder: Path | None = None) -> Iterator[World]:
    """Start the programs of a world, without data; stop them when the block ends.

    Args:
        name: one of `WORLDS`.
        s3: whether an S3 server is started.
        folder: the folder of all files; by default, a temporary one.
    """
    with ExitStack() as stack:
        if folder is None:
            # PostgreSQL, run by another user, could not enter pytest's folder.
            temporary = TemporaryDirectory(prefix="proxy-storage-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(temporary))
            folder.chmod(0o755)
        env = {
            "TEST_FOLDER": str(folder),
            "TEST_RUN": uuid4().hex,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "example_project")]),
            "TEST_DATABASE_URL": f"sqlite:///{folder}/database?timeout=20",
        }
        uri = os.environ.get("MONGODB_URI") or stack.enter_context(
            services.running_mongo(folder / "mongo")
        )
        relay = None
        if name == "mongo":
            address = urlsplit(uri)
            relay = stack.enter_context(running_relay((address.hostname, address.port or 27017)))
            uri = f"mongodb://127.0.0.1:{relay.port}/?directConnection=true"
        if name == "postgresql":
            database = folder / "postgresql"
            database.mkdir()
            stack.enter_context(programs.running_postgresql(database))
            relay = stack.enter_context(running_relay(str(database / ".s.PGSQL.5432")))
            env["TEST_DATABASE_URL"] = f"postgresql://tests@127.0.0.1:{relay.port}/postgres"
        env["MONGODB_URI"] = uri
        if s3:
            s3_folder = folder / "s3"
            s3_folder.mkdir()
            env["TEST_S3_ENDPOINT_URL"] = stack.enter_context(programs.running_s3(s3_folder))
        world = World(name, folder, env, relay)
        world.run("prepare", s3=s3)
        try:
            yield world
        finally:
            if "MONGODB_URI" in os.environ:
                world.run("drop_mongo_database")
