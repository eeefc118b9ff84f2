"""A relay between a program and its database, which can break the connection."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

# The bytes that write a record: an insert into the collection or the table.
WRITES = (b"\x02insert\x00\x08\x00\x00\x00records\x00", b'INSERT INTO "testapp_storedfile"')

#: Maps the number of the write, from 1, to "pass", "before", "after" or "silent".
Plan = Callable[[int], str]


def let_pass(number: int) -> str:
    """Do not break connections."""
    return "pass"


def break_some(seed: int, share: float) -> Plan:
    """Break the connection at a share of the writes, but not at two consecutive ones."""
    chance = random.Random(seed)
    broken = [False]

    def plan(number: int) -> str:
        broken[0] = not broken[0] and chance.random() < share
        return chance.choice(["before", "after"]) if broken[0] else "pass"

    return plan


class Relay:
    """Accepts connections on a free port of 127.0.0.1 and forwards them.

    The plan decides where the write of a record is interrupted: ``before`` it reaches the database,
    ``after`` the write and before the response, or not at all. ``silent`` keeps the connection open
    and does not forward anything any more.

    Args:
        upstream: the host and port, or the socket file, of the database.
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
        """Follow a plan from now on, and count the writes from 1."""
        with self._lock:
            self.plan, self._writes = plan, 0

    def close(self) -> None:
        """Refuse new connections and break the open ones, like a server that dies."""
        # close() alone does not close a listener while another thread waits for it.
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

    def _decide(self, data: bytes) -> str:
        if not any(write in data for write in WRITES):
            return "pass"
        with self._lock:
            self._writes += 1
            decision = self.plan(self._writes)
            self.faults += decision != "pass"
        return decision

    def _forward(self, client: socket.socket, server: socket.socket, state: dict[str, str]) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 20):
                decision = self._decide(data)
                if decision != "pass":
                    state["mode"] = decision
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
        # shutdown() wakes the thread that waits for data; close() would not.
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@contextmanager
def running_relay(upstream: Any) -> Iterator[Relay]:
    """Run a relay until the block ends."""
    relay = Relay(upstream)
    try:
        yield relay
    finally:
        relay.close()
