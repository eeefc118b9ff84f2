"""A relay that counts the bytes and records the requests that pass through it."""

import re
import socket
import threading
from contextlib import contextmanager, suppress

REQUEST = re.compile(rb"(GET|HEAD) (\S+) HTTP/1\.1\r\n(?:.*\r\n)*?Host: (\S+)\r\n", re.IGNORECASE)


class Relay:
    """Accepts connections on a free port of 127.0.0.1 and forwards them.

    Args:
        upstream: the host and port to forward to.
    """

    def __init__(self, upstream):
        self.upstream = upstream
        self.received = 0
        self.requests = []
        self.head = b""
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def reset(self):
        with self._lock:
            self.received = 0
            self.requests.clear()

    def close(self):
        # close() alone does not close a listener while another thread waits for it.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.upstream)
            for ends in ((client, server, self._note), (server, client, self._count)):
                threading.Thread(target=self._hand_on, args=ends, daemon=True).start()

    def _note(self, data):
        self.head = data
        self.requests += [
            tuple(part.decode() for part in request) for request in REQUEST.findall(data)
        ]

    def _count(self, data):
        with self._lock:
            self.received += len(data)

    def _hand_on(self, source, target, see):
        with suppress(OSError):
            while data := source.recv(1 << 16):
                see(data)
                target.sendall(data)
        for end in (source, target):
            # shutdown() wakes the thread that waits for data; close() would not.
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def running_relay(upstream):
    relay = Relay(upstream)
    try:
        yield relay
    finally:
        relay.close()
