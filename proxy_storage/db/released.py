"""The paths that this process has assigned and released lately.

A save of an unchanged instance makes no query. So a stale copy of a row, which writes a former path
back, is noticed by the paths that the process keeps. Copies in other processes are not noticed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from operator import itemgetter
from typing import Any

# The number of paths of each kind that are kept, about 5 MiB in all.
MAX_PATHS = 5000


class ReleasedFiles:
    """Paths of released files with their former content objects, the latest ones only.

    The latest paths that content objects have got are kept as well. A number grows with each
    release and each assignment. By it an instance that was read before one of them is
    distinguished from one that was read after it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._former: OrderedDict[str, tuple[int, dict[str, Any]]] = OrderedDict()
        self._assigned: OrderedDict[Hashable, tuple[int, str]] = OrderedDict()
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

    def assign(self, path: str, data: Mapping[str, Any]) -> None:
        """Remember the file that a content object has got.

        Args:
            path: the path of the file.
            data: the values of `proxy_storage.owners.get_owner_data`.
        """
        with self._lock:
            self.number += 1
            self._assigned[_get_key(data)] = self.number, path
            self._assigned.move_to_end(_get_key(data))
            while len(self._assigned) > MAX_PATHS:
                self._assigned.popitem(last=False)

    def get_assigned(self, data: Mapping[str, Any], number: int) -> str | None:
        """Return the path that a content object has got after the release of a number."""
        assigned_number, path = self._assigned.get(_get_key(data), (0, None))
        return path if assigned_number > number else None

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


def _get_key(data: Mapping[str, Any]) -> Hashable:
    return tuple(sorted(data.items(), key=itemgetter(0)))


released_files = ReleasedFiles()
