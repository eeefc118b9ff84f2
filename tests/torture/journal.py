"""The journal of a process, which survives if the process is killed."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def make_content(token: str, size: int) -> bytes:
    """Return content that repeats its token."""
    word = f"{token}|".encode()
    return (word * (size // len(word) + 1))[: max(size, len(word))]


def read_token(content: bytes) -> str:
    """Return the token of a content, or an empty string."""
    return content.partition(b"|")[0].decode(errors="replace") if b"|" in content else ""


class Journal:
    """Files with one event a line. A line that is written is not lost.

    Args:
        folder: the folder of the journals of all processes.
        process: the unique name of the process.
    """

    LINES = 200  # for each file, which stays small enough for a process with a full disk

    def __init__(self, folder: Path, process: str) -> None:
        folder.mkdir(exist_ok=True)
        self.process = process
        self._folder = folder
        self._lock = threading.Lock()
        self._count = 0
        self._fd = -1

    def note(self, event: str, token: str, **facts: Any) -> None:
        """Write an event about the file whose content has this token."""
        line = json.dumps({"event": event, "token": token, **facts}).encode() + b"\n"
        with self._lock:
            if self._count % self.LINES == 0:
                path = self._folder / f"{self.process}.{self._count // self.LINES:04}"
                if self._fd >= 0:
                    os.close(self._fd)
                self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            self._count += 1
            os.write(self._fd, line)


def read_journals(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield all events; those of each process in their order."""
    for path in sorted(folder.iterdir()):
        for line in path.read_text().splitlines():
            yield json.loads(line)
