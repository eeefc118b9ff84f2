"""A line that shows the progress of a subcommand."""

from __future__ import annotations

import time

from django.core.management.base import OutputWrapper

# The pause between two updates, in seconds: on a terminal, and in a log file.
PAUSE, LOG_PAUSE = 0.2, 30.0


class ProgressLine:
    """The number of items that are done, their rate, and the time that is left.

    On a terminal, the line is overwritten. Elsewhere, such as in a log file, a line is added from
    time to time.

    Args:
        stream: the standard error stream of the command.
        label: the text at the beginning of the line.
    """

    def __init__(self, stream: OutputWrapper, label: str) -> None:
        self._stream, self._label = stream, label
        self._is_terminal = stream.isatty()
        self._started = self._shown = time.monotonic()
        self._width = 0

    def show(self, done: int, total: int) -> None:
        """Write the line, unless it was written a moment ago.

        Args:
            done: the number of items that are done.
            total: the number of all items.
        """
        now = time.monotonic()
        pause = PAUSE if self._is_terminal else LOG_PAUSE
        if now - self._shown < pause and not (self._is_terminal and done >= total):
            return
        self._shown = now
        line = f"{self._label}: {get_text(done, total, now - self._started)}"
        if self._is_terminal:
            self._stream.write(f"\r{line:<{self._width}}", str, ending="")
            self._width = len(line)
        else:
            self._stream.write(line, str)
        self._stream.flush()

    def finish(self) -> None:
        """End the line of a terminal."""
        if self._width:
            self._stream.write()


def get_text(done: int, total: int, seconds: float) -> str:
    """Return a text such as ``300/1000 (30 %), 150/s, 0:04 left``."""
    percent = f" ({100 * done // total} %)" if total else ""
    rate = done / seconds if seconds else 0.0
    if not rate:
        return f"{done}/{total}{percent}"
    minutes, rest = divmod(round(max(0, total - done) / rate), 60)
    return f"{done}/{total}{percent}, {rate:.0f}/s, {minutes}:{rest:02} left"
