"""A minimal browser with cookies, forms and downloads."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener
from uuid import uuid4

TIMEOUT = 120  # seconds


@dataclass(frozen=True)
class Answer:
    """A response: status, headers (names in lower case) and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Upload:
    """A file for a form: its name and its bytes."""

    name: str
    content: bytes


class Client:
    """The browser of one user.

    Args:
        base_url: the URL of the site, without a slash at the end.
    """

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._jar = CookieJar()
        self._opener = build_opener(HTTPCookieProcessor(self._jar), ProxyHandler({}))

    @property
    def cookies(self) -> dict[str, str | None]:
        """The cookies that the site has set, by name."""
        return {cookie.name: cookie.value for cookie in self._jar}

    def request(
        self,
        url: str,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        method: str | None = None,
    ) -> Answer:
        """Send a request; return the response, whatever its status is."""
        request = Request(self.base_url + url, data, dict(headers or {}), method=method)
        try:
            response = self._opener.open(request, timeout=TIMEOUT)
        except HTTPError as error:
            response = error
        with response:
            names = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, names, response.read())

    def log_in(self, user: str) -> None:
        """Log in. The password is the name.

        Raises:
            RuntimeError: the site refused the password.
        """
        fields = {"username": user, "password": user, "csrfmiddlewaretoken": self._token("/login/")}
        answer = self.request("/login/", urlencode(fields).encode())
        if answer.status != 200 or f"<span>{user}</span>".encode() not in answer.body:
            raise RuntimeError(f"{user} could not log in: {answer.status}")

    def submit(self, url: str, fields: Mapping[str, str], files: Mapping[str, Upload]) -> Answer:
        """Fill in and send the form at a URL, with files.

        Source: RFC 7578 (multipart/form-data), RFC 5987 for names beyond ASCII.
        """
        boundary = uuid4().hex
        fields = {**fields, "csrfmiddlewaretoken": self._token(url)}
        parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
        for name, upload in files.items():
            file_name = quote(upload.name, safe="")
            head = f"name=\"{name}\"; filename*=UTF-8''{file_name}\r\n"
            head += "Content-Type: application/octet-stream\r\n\r\n"
            parts.append(head.encode() + upload.content)
        start = f"--{boundary}\r\nContent-Disposition: form-data; ".encode()
        body = b"".join(start + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
        content_type = f"multipart/form-data; boundary={boundary}"
        return self.request(url, body, {"Content-Type": content_type})

    def find_link(self, url: str, user: str, field: str) -> str:
        """Return the URL by which a page links to a file of a user.

        Raises:
            RuntimeError: the page does not have such a link.
        """
        page = self.request(url).body.decode()
        link = re.search(f'data-user="{user}" data-field="{field}" href="([^"]*)"', page)
        if link is None:
            raise RuntimeError(f"The page {url} has no link to the {field} of {user}.")
        return html.unescape(link[1])

    def _token(self, url: str) -> str:
        page = self.request(url).body.decode()
        token = re.search('name="csrfmiddlewaretoken" value="([^"]*)"', page)
        if token is None:
            raise RuntimeError(f"The page {url} has no form.")
        return token[1]
