"""A client that sends requests unchanged and shows the whole response."""

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
    """A response. Header names are case-insensitive."""

    status: int
    headers: Message
    body: bytes

    @property
    def facts(self):
        """All parts of the response except the time."""
        headers = sorted((name.lower(), value) for name, value in self.headers.items())
        return self.status, [header for header in headers if header[0] != "date"], self.body


def ask(address, target, headers=None, method="GET", body=None):
    """Send a request as a user who may read files, unless the headers have another cookie."""
    host, port = address.split(":")
    connection = HTTPConnection(host, int(port), timeout=TIMEOUT)
    with closing(connection):
        headers = {**COOKIE, **(headers or {}), "Connection": "close"}
        connection.request(method, target, body, headers)
        return _read(connection.getresponse(), method)


def ask_raw(address, request, method="GET"):
    """Send the bytes of a request that a library would not send."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as connection:
        connection.sendall(request)
        response = HTTPResponse(connection, method=method)
        response.begin()
        return _read(response, method)


def _read(response, method):
    # HTTPResponse does not read a body after HEAD, which would be an error.
    body = response.fp.read() if method == "HEAD" else response.read()
    return Answer(response.status, response.headers, body)


def get_url(path):
    """Return the URL of a file at the endpoint."""
    return f"/files/?{urlencode({'path': path})}"
