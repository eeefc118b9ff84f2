"""Processes that are killed at each moment of a save or delete."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile

from proxy_storage.registry import get_proxy_storage
from tests.torture.journal import Journal, make_content
from tests.torture.work import function, in_child, processes


class Countdown:
    """Counts the calls of functions and the returns, and kills the process at one of them."""

    def __init__(self, deadly: int | None = None) -> None:
        self.count = 0
        self._deadly = deadly

    def __call__(self, frame: Any, event: str, argument: Any) -> None:
        self.count += 1
        if self.count == self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)


@function
def kill_at_moments(storage: str, journals: str, action: str, moments: int) -> int:
    """Save or delete in one process after the other, each killed at a later moment.

    Args:
        storage: the name of the proxy storage.
        journals: the folder for the journals of the processes.
        action: ``save`` or ``delete``.
        moments: the number of moments to try, spread over all of them.

    Returns:
        The number of all moments.
    """
    with processes.Manager() as manager:
        counts = manager.list()
        in_child(_act, storage, journals, action, "whole", None, counts)
        (total,) = counts
    for number in range(moments):
        deadly = 1 + number * (total - 1) // moments
        child = processes.Process(
            target=_act, args=(storage, journals, action, f"m{number}", deadly, None)
        )
        child.start()
        child.join()
        if child.exitcode != -signal.SIGKILL:
            raise SystemExit(f"{action} was not killed at {deadly}, it ended with {child.exitcode}")
    return int(total)


def _act(
    storage_name: str, journals: str, action: str, name: str, deadly: int | None, counts: Any
) -> None:
    storage = get_proxy_storage(storage_name)
    journal = Journal(Path(journals), f"{Path(journals).name}-{action}-{name}")

    def save(token: str) -> str:
        content = make_content(token, 300_000)
        journal.note("begin", token, size=len(content))
        path = storage.save("folder/same.txt", ContentFile(content))
        journal.note("saved", token, path=path)
        return path

    # The first call imports all modules, connects and fills the caches.
    path = save(f"{journal.process}-first")
    countdown = Countdown(deadly)
    if action == "delete":
        journal.note("delete", f"{journal.process}-first")
    sys.setprofile(countdown)
    if action == "save":
        save(f"{journal.process}-second")
    else:
        storage.delete(path)
        journal.note("deleted", f"{journal.process}-first")
    sys.setprofile(None)
    if counts is not None:
        counts.append(countdown.count)
