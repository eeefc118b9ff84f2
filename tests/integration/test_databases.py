"""The contract and the library's unit tests once more, on every database server."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests import programs

ROOT = Path(__file__).resolve().parents[2]
# the rest asks Django's fields and forms, not the database
TESTS = [
    *("content_object_field", "content_object_keys", "content_object_saves", "existing_rows"),
    *("cascades", "fixtures", "meta_backend", "released_files"),
    *("owner_changes", "owner_text"),
    *("proxy_storage", "proxy_storage_faults", "querysets", "selecting"),
]
LIBRARY = [
    *("data_migrations", "deploys", "meta_backends", "owners", "record_checks", "storages"),
    "upgrade",
]
PERMISSIONS = ["content_object_in", "filters", "object_permissions", "ownership", "scopes"]
FILES = [
    *(f"tests/contract/test_{name}.py" for name in TESTS),
    *(f"tests/unit/proxy_storage/test_{name}.py" for name in LIBRARY),
    *(f"tests/unit/permissions/test_{name}.py" for name in PERMISSIONS),
    *(f"tests/safety/test_{name}.py" for name in ("lost_races", "lost_deletes")),
    *(f"tests/safety/test_{name}.py" for name in ("transactions", "transactions_of_fields")),
    "tests/safety/test_repeated_saves.py",
]
# those that the database has a part in; the others ask MongoDB, S3 or an SQLite of their own
CHOICE = "mongo_file or not (mongo or s3 or test_migrations)"
# Django's name of the database -> the program and what runs it
SERVERS = {
    "postgresql": ("postgres", programs.running_postgresql),
    "mysql": ("mariadbd", programs.running_mariadb),
}


@pytest.mark.parametrize("vendor", SERVERS)
def test_all_pass_on(vendor, need_database, mongodb_uri, request):
    program, running = SERVERS[vendor]
    need_database(program)
    seed = request.config.getoption("randomly_seed")
    command = [sys.executable, "-m", "pytest", "--no-cov", "-p", "no:cacheprovider"]
    # not pytest's own folder, which a server of another user may not enter
    with TemporaryDirectory(prefix="proxy-storage-db-") as folder, running(Path(folder)) as url:
        done = subprocess.run(
            # the order is that of this run, which the head of its report names
            [*command, f"--randomly-seed={seed}", "-k", CHOICE, *FILES],
            cwd=ROOT,
            env={**os.environ, "TEST_DATABASE_URL": url, "MONGODB_URI": mongodb_uri},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-5000:]
    assert f"\ndatabase: {vendor}\n" in done.stdout
