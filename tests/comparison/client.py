"""A client of a running site, and the preparation of cases."""

import json
import os
from contextlib import closing
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

from tests.comparison.outcomes import Refused, ServerFailed

BOUNDARY = "boundary-of-the-comparison"
TIMEOUT = 60  # seconds


@dataclass(frozen=True)
class Answer:
    """A response. Header names are case-insensitive."""

    status: int
    headers: Message
    body: bytes

    def get(self, name):
        """Return a header, or an empty string."""
        return self.headers.get(name, "")


class User:
    """A client with the cookie of a user, or without one."""

    def __init__(self, address, name=None):
        self.address = address
        self.name = name
        self.cookie = None
        if name:
            answer = self.ask(f"/login/?as={name}", method="POST")
            cookies = answer.headers.get_all("Set-Cookie")
            self.cookie = "; ".join(cookie.partition(";")[0] for cookie in cookies)

    def ask(self, target, headers=None, method="GET", body=None):
        """Send a request and return the response.

        Raises:
            ServerFailed: the status is 500 or higher.
        """
        host, port = self.address.split(":")
        with closing(HTTPConnection(host, int(port), timeout=TIMEOUT)) as connection:
            cookie = {"Cookie": self.cookie} if self.cookie else {}
            connection.request(
                method, target, body, {**cookie, **(headers or {}), "Connection": "close"}
            )
            response = connection.getresponse()
            # HTTPResponse does not read a body after HEAD, which would be an error.
            content = response.fp.read() if method == "HEAD" else response.read()
        if response.status >= 500:
            raise ServerFailed(f"{method} is answered with {response.status}")
        return Answer(response.status, response.headers, content)

    def upload(self, name, content, replaced=None):
        """Upload a file by the form, and return its document.

        Args:
            name: the file name.
            content: bytes.
            replaced: the document that gets the file; by default, a new document.

        Raises:
            Refused: the form or Django refuses the upload with a status from 400 to 499.
            ServerFailed: the status is 500 or higher.
        """
        # Django accepts this parameter, which can express every name.
        disposition = f"form-data; name=\"file\"; filename*=utf-8''{quote(name, safe='')}"
        body = (
            f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n"
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode() + content
        body += f"\r\n--{BOUNDARY}--\r\n".encode()
        target = f"/replace/{replaced.pk}/" if replaced else "/upload/"
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        answer = self.ask(target, headers, "POST", body)
        if answer.status >= 400:
            raise Refused(answer.status)
        return Document(content=content, **json.loads(answer.body))


@dataclass(frozen=True)
class Document:
    """An uploaded document.

    Args:
        content: the bytes.
        received: the name that Django's request has.
        stored: the name in the file field.
        disk: the path of the content.
        show: the URL that shows the file.
        save: the URL that saves the file.
    """

    content: bytes
    pk: int
    received: str
    stored: str
    disk: str
    show: str
    save: str


class Site:
    """The running site of a contender.

    Args:
        contender: the entry in the table of contenders.
        conf: its module ``conf``.
        address: the host and port of nginx.
        django_address: the host and port of Django.
        root: the folder of the files.
    """

    def __init__(self, contender, conf, address, django_address, root):
        self.contender = contender
        self.conf = conf
        self.address = address
        self.django_address = django_address
        self.root = root
        self.owner = User(address, "messi")
        self.stranger = User(address, "ronaldo")
        self.anonymous = User(address)
        # Results that several probes share.
        self.kept = {}

    def log_in(self, name):
        """Return a client of a user with a new session."""
        return User(self.address, name)

    def new(self, name=None, content=None, user=None):
        """Return a new document of the owner; by default with a name and content of its own."""
        token = uuid4().hex
        content = f"0123456789 {token}\n".encode() if content is None else content
        return (user or self.owner).upload(name or f"{token}.txt", content)

    def get_shared(self, group, content=None):
        """Return the document that the probes of a group share, and the response to its owner."""
        if group not in self.kept:
            document = self.new(content=content)
            self.kept[group] = document, self.owner.ask(document.show)
        return self.kept[group]

    def get_internal_url(self, document):
        """Return the internal URL of the content of a document."""
        return self.conf.INTERNAL + quote(os.path.relpath(document.disk, self.root))

    def count_queries(self):
        """Return the number of database queries of a download."""
        document = self.new()
        # nginx would drop the header.
        user = User(self.django_address)
        user.cookie = self.owner.cookie
        headers = {"X-Sendfile-Type": "X-Accel-Redirect"}
        # The body is empty, so that the Content-Length of some contenders would be wrong.
        return int(user.ask(document.show, headers, "HEAD").get("X-Queries"))

    def put_secret(self):
        """Write a file beside the folder of the files, and return its content and path."""
        secret = f"secret {uuid4().hex}".encode()
        path = Path(self.root.parent, "secret.txt")
        path.write_bytes(secret)
        return secret, path
