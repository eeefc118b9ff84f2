"""A relay between a program and its database that can break connections."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

# The data of an insert of a record into the collection or the table.
WRITES = (b"\x02insert\x00\x08\x00\x00\x00records\x00", b'INSERT INTO "testapp_storedfile"')

#: Returns "pass", "before", "after" or "silent" for the number of a write, starting at 1.
Plan = Callable[[int], str]


def let_pass(number: int) -> str:
    """Break no connection."""
    return "pass"


def break_some(seed: int, share: float) -> Plan:
    """Return a plan that breaks the given share of the writes, but never two in succession."""
    chance = random.Random(seed)
    broken = [False]

    def plan(number: int) -> str:
        broken[0] = not broken[0] and chance.random() < share
        return chance.choice(["before", "after"]) if broken[0] else "pass"

    return plan


class Relay:
    """Forwards connections from a free port of 127.0.0.1 to a database.

    The plan determines when the write of a record is interrupted: ``before`` it reaches the
    database, or ``after`` it was executed and before the response arrives. ``silent`` keeps the
    connection open but forwards no more data.

    Args:
        upstream: host and port of the database, or the path of its socket.
    """

    def __init__(self, upstream: Any) -> None:
        self.upstream = upstream
        self.plan: Plan = let_pass
        self.faults = 0
        self._writes = 0
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def follow(self, plan: Plan) -> None:
        """Use another plan. The number of writes starts at 1 again."""
        with self._lock:
            self.plan, self._writes = plan, 0

    def close(self) -> None:
        """Refuse new connections and break all open ones, like a server that is killed."""
        # close() alone does not wake a thread that waits in accept().
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for pair in self._pairs:
            _break(*pair)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = self._connect()
            except OSError:
                client.close()
                continue
            self._pairs.append((client, server))
            state = {"mode": "pass"}
            for function in (self._forward, self._back):
                threading.Thread(target=function, args=(client, server, state), daemon=True).start()

    def _connect(self) -> socket.socket:
        if not isinstance(self.upstream, str):
            return socket.create_connection(self.upstream)
        server = socket.socket(socket.AF_UNIX)
        server.connect(self.upstream)
        return server

    def _get_mode(self, data: bytes) -> str:
        if not any(write in data for write in WRITES):
            return "pass"
        with self._lock:
            self._writes += 1
            mode = self.plan(self._writes)
            self.faults += mode != "pass"
        return mode

    def _forward(self, client: socket.socket, server: socket.socket, state: dict[str, str]) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 20):
                mode = self._get_mode(data)
                if mode != "pass":
                    state["mode"] = mode
                if state["mode"] == "before":
                    break
                if state["mode"] != "silent":
                    server.sendall(data)
        _break(client, server)

    def _back(self, client: socket.socket, server: socket.socket, state: dict[str, str]) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 20):
                if state["mode"] == "after":
                    break
                client.sendall(data)
        _break(client, server)


def _break(*pair: socket.socket) -> None:
    for end in pair:
        # This wakes the thread that waits for data. close() does not.
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@contextmanager
def running_relay(upstream: Any) -> Iterator[Relay]:
    """Run a relay until the end of the block."""
    relay = Relay(upstream)
    try:
        yield relay
    finally:
        relay.close()
