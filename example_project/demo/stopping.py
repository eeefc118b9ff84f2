"""Stop the command on Ctrl-C, SIGTERM and SIGHUP (a closed terminal).

The handler of these signals only remembers them, and the command calls `raise_if_stopped` while it
waits. An exception that a handler raises could interrupt the start of a program, which would then
never be stopped.
"""

from __future__ import annotations

import signal
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_received: list[int] = []


class Stopped(Exception):
    """The command received a signal that stops it.

    Args:
        number: the number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def handle_signals() -> None:
    """Let `raise_if_stopped` raise `Stopped` after a signal."""
    for number in SIGNALS:
        # `nohup` ignores SIGHUP for a command that outlives its terminal.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _remember)


def _remember(number: int, _frame: FrameType | None) -> None:
    _received.append(number)


def raise_if_stopped() -> None:
    """Raise `Stopped` after the first signal. Later signals do not interrupt the cleanup."""
    if _received:
        number = _received[0]
        _received.clear()
        for other in SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        raise Stopped(number)
