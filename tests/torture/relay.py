"""A relay between a program and its database, which can break the connection."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

# what is on its way when a record is written: an insert into the collection, or the table
WRITES = (b"\x02insert\x00\x08\x00\x00\x00records\x00", b'INSERT INTO "testapp_storedfile"')

#: given the number of the write, counted from 1: "pass", "before", "after" or "silent"
Plan = Callable[[int], str]


def let_pass(number: int) -> str:
    """Break nothing."""
    return "pass"


def break_some(seed: int, share: float) -> Plan:
    """Break the connection at a share of the writes, but never at two that follow each other."""
    chance = random.Random(seed)
    broken = [False]

    def plan(number: int) -> str:
        broken[0] = not broken[0] and chance.random() < share
        return chance.choice(["before", "after"]) if broken[0] else "pass"

    return plan


class Relay:
    """Takes connections on a free port of 127.0.0.1 and hands them on.

    A write of a record is broken off as the plan says: ``before`` it reaches the database,
    ``after`` it was done and before the answer comes back, or not at all. ``silent`` keeps the
    connection open and passes nothing on any more.

    Args:
        upstream: host and port, or the file of a socket, where the database listens.
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
        """Do as a plan says from now on; writes are counted anew."""
        with self._lock:
            self.plan, self._writes = plan, 0

    def close(self) -> None:
        """Refuse new connections and break all that are open, as a server that dies does."""
        # a listener that another thread waits at is not closed by close() alone
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
        # wakes the thread that waits for data, which close() would not
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
