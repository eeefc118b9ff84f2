"""A client that sends what it is told, and hides nothing of what comes back."""

import socket
from contextlib import closing
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlencode

from tests.programs import TIMEOUT
from tests.servers.site.permissions import COOKIE


@dataclass(frozen=True)
class Answer:
    """What came back; headers can be asked for in any case."""

    status: int
    headers: Message
    body: bytes

    @property
    def facts(self):
        """All that a client can learn, but for the time."""
        headers = sorted((name.lower(), value) for name, value in self.headers.items())
        return self.status, [header for header in headers if header[0] != "date"], self.body


def ask(address, target, headers=None, method="GET", body=None):
    """Send a request as somebody who may read files, or with a cookie that is given."""
    host, port = address.split(":")
    connection = HTTPConnection(host, int(port), timeout=TIMEOUT)
    with closing(connection):
        headers = {**COOKIE, **(headers or {}), "Connection": "close"}
        connection.request(method, target, body, headers)
        return _read(connection.getresponse(), method)


def ask_raw(address, request, method="GET"):
    """Send bytes that no library would send."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as connection:
        connection.sendall(request)
        response = HTTPResponse(connection, method=method)
        response.begin()
        return _read(response, method)


def _read(response, method):
    # a body that comes after the answer to HEAD would be left unread
    body = response.fp.read() if method == "HEAD" else response.read()
    return Answer(response.status, response.headers, body)


def get_url(path):
    """Return where the endpoint has a file."""
    return f"/files/?{urlencode({'path': path})}"
