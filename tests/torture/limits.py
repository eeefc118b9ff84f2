"""The memory, time and child processes of one process."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.core.files.base import ContentFile, File
from django.db import connections, transaction

from proxy_storage.registry import get_proxy_storage
from tests.torture.work import function, processes

MIB = 1 << 20


class LargeContent(File):
    """Content that is generated while it is read."""

    def __init__(self, size: int) -> None:
        super().__init__(None, "large.bin")
        self._size = size
        self._position = 0

    @property
    def size(self) -> int:
        return self._size

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        size = self._size - self._position if size is None or size < 0 else size
        size = min(size, self._size - self._position)
        # Each MiB begins with its number.
        number, start = divmod(self._position, MIB)
        self._position += size
        block = number.to_bytes(8, "big") + bytes(MIB - 8)
        return block[start : start + size] if start + size <= MIB else self._join(size)

    def _join(self, size: int) -> bytes:
        end = self._position
        self._position -= size
        parts = []
        while self._position < end:
            parts.append(self.read(min(end - self._position, MIB - self._position % MIB)))
        return b"".join(parts)

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        self.seek(0)
        while chunk := self.read(chunk_size or self.DEFAULT_CHUNK_SIZE):
            yield chunk


def _get_peak() -> int:
    """Return the peak of this process's memory, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _get_checksum(file: Any) -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return digest.hexdigest()


@function
def save_and_open(storage: str, size: int) -> dict[str, Any]:
    """Save and read large content; return the growth of the process, in bytes."""
    proxy_storage = get_proxy_storage(storage)
    path = proxy_storage.save("small.bin", ContentFile(b"small|" * MIB))
    with proxy_storage.open(path) as file:
        _get_checksum(file)
    expected = _get_checksum(LargeContent(size))
    before = _get_peak()
    path = proxy_storage.save("large.bin", LargeContent(size))
    saved = _get_peak()
    with proxy_storage.open(path) as file:
        is_whole = _get_checksum(file) == expected
    opened = _get_peak()
    proxy_storage.delete(path)
    return {"save": saved - before, "open": opened - saved, "is_whole": is_whole}


@function
def wait_for_lock(storage: str) -> dict[str, Any]:
    """Save while another process locks the database; return the outcome."""
    locked, done = processes.Event(), processes.Event()
    holder = processes.Process(target=_hold_lock, args=(locked, done))
    holder.start()
    locked.wait(30)
    try:
        return save_once(storage)
    finally:
        done.set()
        holder.join()


def _hold_lock(locked: Any, done: Any) -> None:
    connection = connections["default"]
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("UPDATE testapp_storedfile SET path = path WHERE id < 0")
        else:
            cursor.execute("LOCK TABLE testapp_storedfile IN ACCESS EXCLUSIVE MODE")
        locked.set()
        done.wait(60)


@function
def save_once(storage: str, warm: bool = False) -> dict[str, Any]:
    """Save a file; return the path, or the error, its notes and the duration."""
    proxy_storage = get_proxy_storage(storage)
    if warm:
        proxy_storage.exists("/connects")
    begin = time.monotonic()
    result: dict[str, Any] = {"path": None, "error": None, "cause": None, "notes": []}
    try:
        result["path"] = proxy_storage.save("once.txt", ContentFile(b"once|"))
    except Exception as error:  # noqa: BLE001  (it is what is asked for)
        result["error"] = type(error).__name__
        result["cause"] = type(error.__cause__).__name__
        result["notes"] = getattr(error, "__notes__", [])
    return {**result, "seconds": time.monotonic() - begin}


@function
def fork_under_load(storage: str, forks: int) -> int:
    """Fork while threads save; each child saves as well. Return the number of children that did.

    A child that has not ended after a minute is stuck and is killed.
    """
    stop = threading.Event()
    proxy_storage = get_proxy_storage(storage)
    # All modules are imported first: a fork during an import stops any Python program.
    proxy_storage.save("parent.txt", ContentFile(b"parent|"))
    connections.close_all()

    def keep_saving() -> None:
        while not stop.is_set():
            proxy_storage.save("parent.txt", ContentFile(b"parent|"))
        connections.close_all()

    threads = [threading.Thread(target=keep_saving) for _ in range(4)]
    for thread in threads:
        thread.start()
    children = []
    try:
        for _ in range(forks):
            child = os.fork()
            if child == 0:
                _save_in_fork(proxy_storage)
            children.append(child)
            if len(children) % 4 == 0:
                os.waitid(os.P_PID, children[-4], os.WEXITED | os.WNOWAIT)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    deadline = time.monotonic() + 60
    return sum(_ends_well(child, deadline) for child in children)


def _save_in_fork(proxy_storage: Any) -> None:
    status = 1
    with suppress(BaseException):
        # A connection of the ORM belongs to the process that opened it. The thread that forked
        # does not have one.
        path = proxy_storage.save("child.txt", ContentFile(b"child|"))
        with proxy_storage.open(path) as file:
            status = 0 if file.read() == b"child|" else 2
    os._exit(status)


def _ends_well(child: int, deadline: float) -> bool:
    while time.monotonic() < deadline:
        process, status = os.waitpid(child, os.WNOHANG)
        if process:
            return status == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False
