"""The work of the processes of a world: ``python -m tests.torture.work FUNCTION JSON``."""

from __future__ import annotations

import json
import multiprocessing
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import django
from django.core.files.base import ContentFile

# The process forks before it has connections and threads, so that its children start at once.
processes = multiprocessing.get_context("fork")

FUNCTIONS: dict[str, Callable[..., Any]] = {}


def function(work: Callable[..., Any]) -> Callable[..., Any]:
    """Let a world call a function by its name."""
    FUNCTIONS[work.__name__] = work
    return work


@function
def prepare(s3: bool) -> None:
    """Create the tables and the bucket."""
    from django.apps import apps
    from django.conf import settings
    from django.core.management import call_command

    # The tables of the test app, which does not have migrations, refer to tables of apps that do.
    settings.MIGRATION_MODULES = {config.label: None for config in apps.get_app_configs()}
    in_child(call_command, "migrate", run_syncdb=True, verbosity=0)
    if s3:
        in_child(_make_bucket)


def _make_bucket() -> None:
    from proxy_storage.registry import get_proxy_storage

    get_proxy_storage("orm-s3").get_original_storage().bucket.create()


@function
def drop_mongo_database() -> None:
    """Drop the database, because the server may be shared."""
    from tests.testapp.storages import get_mongo_db

    database = get_mongo_db()
    database.client.drop_database(database.name)


@function
def audit(storage: str, journals: str) -> dict[str, Any]:
    """Compare the records and files with the journals; see `tests.torture.audit`."""
    from tests.torture.audit import audit

    return audit(storage, Path(journals))


@function
def count(storage: str) -> dict[str, int]:
    """Count records and files; see `tests.torture.audit`."""
    from tests.torture.audit import count

    return count(storage)


@function
def import_everything() -> list[str]:
    """Import all modules and build all storages; return the names of the storages."""
    import pkgutil

    import proxy_storage
    import proxy_storage_api
    import proxy_storage_permissions
    from proxy_storage.registry import get_meta_backends, get_proxy_storage_names

    for package in (proxy_storage, proxy_storage_api, proxy_storage_permissions):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    get_meta_backends()
    return list(get_proxy_storage_names())


def in_child(work: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Call a function in a child process with its own connections."""
    child = processes.Process(target=work, args=args, kwargs=kwargs)
    child.start()
    child.join()
    if child.exitcode != 0:
        raise SystemExit(f"{work.__name__} ended with {child.exitcode}")


@function
def save_one_name(
    storage: str, journals: str, workers: int, threads: int, saves: int, using: list[str | None]
) -> None:
    """Save one name from many threads of many processes. Each save must succeed.

    Args:
        storage: the name of the proxy storage.
        journals: the folder for the journals of the processes.
        workers: the number of processes.
        threads: the number of threads of each process.
        saves: the number of saves of each thread.
        using: the names of the original storages, which the threads use in turn.
    """
    children = [
        processes.Process(
            target=_save_in_threads,
            args=(
                storage,
                journals,
                f"{Path(journals).name}-{workers}-{number}",
                threads,
                saves,
                using,
            ),
        )
        for number in range(workers)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
    if any(child.exitcode for child in children):
        raise SystemExit("a process failed")


def _save_in_threads(
    storage_name: str,
    journals: str,
    process: str,
    threads: int,
    saves: int,
    using: list[str | None],
) -> None:
    from django.db import connections

    from proxy_storage.registry import get_proxy_storage
    from tests.torture.journal import Journal, make_content

    storage: Any = get_proxy_storage(storage_name)
    journal = Journal(Path(journals), process)
    ready = threading.Barrier(threads, timeout=60)
    errors: list[BaseException] = []

    def save(number: int) -> None:
        place = using[number % len(using)]
        options = {} if place is None else {"using": place}
        try:
            ready.wait()
            for count in range(saves):
                token = f"{process}-{number}-{count}"
                content = make_content(token, 50 + 7 * count)
                journal.note("begin", token, size=len(content), using=place)
                path = storage.save("same.txt", ContentFile(content), **options)
                journal.note("saved", token, path=path)
        except BaseException as error:
            errors.append(error)
            raise
        finally:
            connections.close_all()

    running = [threading.Thread(target=save, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if errors:
        raise errors[0]


def main() -> None:
    """Call the function that the command line names, and print its result as JSON."""
    django.setup()
    from tests.torture import chaos, limits, moments  # noqa: F401  (they name their functions)

    name, arguments = sys.argv[1:]
    # The world reads this line.
    sys.stdout.write(json.dumps(FUNCTIONS[name](**json.loads(arguments))))


if __name__ == "__main__":
    # Other modules import this module by its name.
    from tests.torture.work import main

    main()
