"""The paths that this process has released lately.

A save of an unchanged instance makes no query. So a stale copy of a row, which writes a former path
back, is noticed by the paths that the process keeps. Copies in other processes are not noticed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

# The number of paths that are kept, about 1 MiB.
MAX_PATHS = 5000


class ReleasedFiles:
    """Paths of released files with their former content objects, the latest ones only.

    A number grows with each release. By it an instance that was read before a release is
    distinguished from one that was read after it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._former: OrderedDict[str, tuple[int, dict[str, Any]]] = OrderedDict()
        self.number = 0

    def add(self, paths: Iterable[str], data: Mapping[str, Any]) -> None:
        """Remember released files.

        Args:
            paths: the paths of the files.
            data: the values of `proxy_storage.owners.get_owner_data`.
        """
        with self._lock:
            for path in paths:
                self.number += 1
                self._former[path] = self.number, dict(data)
                self._former.move_to_end(path)
            while len(self._former) > MAX_PATHS:
                self._former.popitem(last=False)

    def has(self, path: str, number: int) -> bool:
        """Tell whether a path was released after the release of a number."""
        return path in self._former and self._former[path][0] > number

    def pop(self, path: str, data: Mapping[str, Any]) -> bool:
        """Forget a path; return whether it was released by this content object."""
        with self._lock:
            if path not in self._former or self._former[path][1] != data:
                return False
            del self._former[path]
            return True


released_files = ReleasedFiles()
