"""Processes that save and delete while faults occur."""

from __future__ import annotations

import random
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile
from django.db import close_old_connections, connection, connections, transaction

from proxy_storage.registry import get_proxy_storage
from tests.torture.journal import Journal, make_content
from tests.torture.work import function, processes

NAMES = ("same.txt", "folder/same.pdf", "x")
# The largest file of a worker whose disk is full, in bytes.
DISK_SPACE = 100_000
MODEL = "testapp_storedfile"


class RolledBack(Exception):
    """Raised to end a transaction without a commit."""


class BrokenUpload(ContentFile):
    """Content that ends in an error."""

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Yield the first half and raise."""
        yield self.read()[: self.size // 2]
        raise OSError("the upload broke off")


@function
def torture(storage: str, journals: str, seed: int, seconds: float, using: list[str]) -> None:
    """Let processes save and delete for a while, and kill one after the other.

    Args:
        storage: the name of the proxy storage.
        journals: the folder for the journals of the processes.
        seed: the seed of all random choices.
        seconds: the duration.
        using: the names of the original storages to choose from, if there are several.
    """
    chance = random.Random(seed)
    deadline = time.time() + seconds
    journal = Journal(Path(journals), "chaos")
    numbers = iter(range(10_000))

    def start(work: Callable[..., None], *args: Any) -> Any:
        child = processes.Process(target=work, args=args)
        child.start()
        return child

    def start_worker() -> Any:
        number = next(numbers)
        handicap = ("none", "blind", "disk full")[number % 3]
        name = f"{Path(journals).name}-w{number}"
        return start(_Worker.work, storage, journals, name, handicap, using, deadline)

    meddler = start(_meddle, storage, journals, deadline)
    workers = [start_worker() for _ in range(3)]
    while time.time() < deadline:
        time.sleep(chance.uniform(0.2, 0.8))
        victim = workers.pop(chance.randrange(len(workers)))
        if victim.exitcode is None:
            journal.note("fault: killed", "")
        victim.kill()
        victim.join()
        workers.append(start_worker())
    for child in (meddler, *workers):
        child.join()
        if child.exitcode != 0:
            raise SystemExit(f"a process ended with {child.exitcode}")


def _meddle(storage_name: str, journals: str, deadline: float) -> None:
    """Rename the table of records now and then, and lock it for longer than the workers wait."""
    journal = Journal(Path(journals), "meddler")
    if get_proxy_storage(storage_name).meta_backend.get_transaction_alias() is None:
        return
    while time.time() < deadline:
        for name, meddle in (("renamed", _rename_table), ("locked", _lock_table)):
            with suppress(Exception):  # Other processes may lock the table for too long.
                meddle()
                journal.note(f"fault: {name}", "")
            time.sleep(0.7)


def _rename_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {MODEL} RENAME TO {MODEL}_away")
        time.sleep(0.05)
        while True:
            with suppress(Exception):
                cursor.execute(f"ALTER TABLE {MODEL}_away RENAME TO {MODEL}")
                return


def _lock_table() -> None:
    connection.ensure_connection()
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"UPDATE {MODEL} SET path = path WHERE id < 0")
        else:
            cursor.execute(f"LOCK TABLE {MODEL} IN ACCESS EXCLUSIVE MODE")
        time.sleep(1.3)


class _Worker:
    """One process with several threads, each with its own files."""

    def __init__(self, storage_name: str, journal: Journal, using: list[str]) -> None:
        self.storage: Any = get_proxy_storage(storage_name)
        self.journal = journal
        self.using = using

    @classmethod
    def work(
        cls,
        storage_name: str,
        journals: str,
        name: str,
        handicap: str,
        using: list[str],
        deadline: float,
    ) -> None:
        """Work until the deadline, or until the process is killed."""
        journal = Journal(Path(journals), name)
        worker = cls(storage_name, journal, using)
        if handicap == "blind":
            worker.see_nothing()
        if handicap == "disk full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (DISK_SPACE, resource.RLIM_INFINITY))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        if handicap != "none":
            journal.note(f"fault: {handicap}", "")
        threads = [threading.Thread(target=worker.run, args=(i, deadline)) for i in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def see_nothing(self) -> None:
        """Lose each race: files and records of others seem to be missing until they collide."""
        for original in self.get_originals():
            type(original).exists = lambda self, name: False
        type(self.storage.meta_backend).exists = lambda self, path: False

    def get_originals(self) -> list[Any]:
        several = getattr(self.storage, "get_original_storages", None)
        return list(several().values()) if several else [self.storage.get_original_storage()]

    def run(self, number: int, deadline: float) -> None:
        """Do random work until the deadline."""
        chance = random.Random(f"{self.journal.process}-{number}")
        mine: dict[str, tuple[str, bytes]] = {}
        count = 0
        while time.time() < deadline:
            count += 1
            token = f"{self.journal.process}-{number}-{count}"
            action = chance.choices(
                [self.save, self.delete, self.delete_twice, self.keep, self.read],
                [60, 10, 5, 10, 15],
            )[0]
            try:
                if action == self.save or not mine:
                    self.save(chance, token, mine)
                else:
                    action(chance.choice(list(mine)), mine)
            except Exception as error:  # noqa: BLE001  (work goes on, whatever failed)
                self.journal.note("trouble", "", error=repr(error)[:300])
                close_old_connections()
        connections.close_all()

    def save(self, chance: random.Random, token: str, mine: dict[str, tuple[str, bytes]]) -> None:
        content = make_content(token, int(10 ** chance.uniform(1, 5.3)))
        using = chance.choice([*self.using, None])
        options = {} if using is None else {"using": using}
        file = BrokenUpload(content) if chance.random() < 0.1 else ContentFile(content)
        name = chance.choice([*NAMES, f"{token}.txt"])
        self.journal.note("begin", token, size=len(content), using=using)
        try:
            if chance.random() < 0.1:
                self._save_and_roll_back(name, file, options)
            path = self.storage.save(name, file, **options)
        except RolledBack:
            self.journal.note("rollback", token)
        except Exception as error:
            notes = getattr(error, "__notes__", [])
            self.journal.note("failed", token, error=repr(error)[:300], notes=notes)
            raise
        else:
            self.journal.note("saved", token, path=path)
            mine[token] = path, content

    def _save_and_roll_back(self, name: str, file: Any, options: dict[str, str]) -> None:
        with transaction.atomic():
            self.storage.save(name, file, **options)
            raise RolledBack

    def delete(self, token: str, mine: dict[str, tuple[str, bytes]]) -> None:
        path, _ = mine.pop(token)
        self.journal.note("delete", token)
        self.storage.delete(path)
        self.journal.note("deleted", token)

    def delete_twice(self, token: str, mine: dict[str, tuple[str, bytes]]) -> None:
        """Delete one file from two threads at the same moment.

        The file needs a unique name. Otherwise the slower thread could delete the next file of that
        path, which would be correct.
        """
        if token not in mine[token][0]:
            self.delete(token, mine)
            return
        path, _ = mine.pop(token)
        both = threading.Barrier(2, timeout=30)
        troubles: list[Exception] = []

        def delete() -> None:
            both.wait()
            try:
                self.storage.delete(path)
            except FileNotFoundError:
                pass  # The other thread was faster.
            except Exception as error:  # noqa: BLE001  (work goes on, whatever failed)
                troubles.append(error)
            connections.close_all()

        self.journal.note("delete", token)
        threads = [threading.Thread(target=delete) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if troubles:
            raise troubles[0]
        self.journal.note("deleted", token)

    def keep(self, token: str, mine: dict[str, tuple[str, bytes]]) -> None:
        """Delete a file in a transaction that is rolled back."""
        self.journal.note("delete", token)
        with suppress(RolledBack), transaction.atomic():
            self.storage.delete(mine[token][0])
            raise RolledBack
        self.journal.note("kept", token)

    def read(self, token: str, mine: dict[str, tuple[str, bytes]]) -> None:
        path, content = mine[token]
        with self.storage.open(path) as file:
            found = file.read()
        if found != content:
            self.journal.note("mixed up", token, found=repr(found[:50]))
