"""The tests with the marker `database`, once more on each database server."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests import programs

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
# The tests that depend on the database. The others use MongoDB, S3 or a database of their own.
CHOICE = ["-m", "database", "-k", "mongo_file or not (mongo or s3 or test_migrations)"]
FOLDERS = ["tests/unit", "tests/contract", "tests/safety"]
# Django's name of the database: the program and the function that runs it.
SERVERS = {
    "postgresql": ("postgres", programs.running_postgresql),
    "mysql": ("mariadbd", programs.running_mariadb),
}


@pytest.mark.parametrize("vendor", SERVERS)
def test_all_pass_on(vendor, need_program, mongodb_uri, request):
    program, running = SERVERS[vendor]
    need_program(program)
    seed = request.config.getoption("randomly_seed")
    command = [sys.executable, "-m", "pytest", "--no-cov", "-p", "no:cacheprovider"]
    # A server of another user could not enter pytest's folder.
    with TemporaryDirectory(prefix="proxy-storage-db-") as folder, running(Path(folder)) as url:
        done = subprocess.run(
            # The seed in the report of this run gives the same order.
            [*command, f"--randomly-seed={seed}", *CHOICE, *FOLDERS],
            cwd=ROOT,
            env={**os.environ, "TEST_DATABASE_URL": url, "MONGODB_URI": mongodb_uri},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-5000:]
    assert f"\ndatabase: {vendor}\n" in done.stdout
