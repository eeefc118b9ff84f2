"""The scenario of the demo: four users request files, and some of them have permission."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from urllib.parse import unquote, urlencode

from demo.client import Client, Upload

SEED_FILES = Path(__file__).resolve().parent.parent / "jobs" / "seed_files"

PEOPLE = ("anonymous", "messi", "ronaldo", "admin")
MESSI_RESUME = (SEED_FILES / "messi_resume.txt").read_bytes()
AVATAR = (SEED_FILES / "messi_avatar.jpg").read_bytes()
# A name that causes errors wherever it is not encoded.
AWKWARD_NAME = "my photo, really? #1 100%25 a+b \"new\" 'x' é 日本.jpg"


@dataclass(frozen=True)
class File:
    """A file that the users request.

    Args:
        title: its title in the table.
        url: its URL.
        content: its bytes; ``None`` for a file that does not exist.
        readers: the users who may read it.
        server: the program that delivers it.
        name: the name under which a browser must save it.
    """

    title: str
    url: str
    content: bytes | None
    readers: Sequence[str]
    server: str
    name: str = ""


@dataclass(frozen=True)
class Outcome:
    """One line of the table."""

    who: str
    file: str
    expected: int
    got: int
    server: str
    content: str
    right: bool


def play(base_url: str, avatar_server: str, files_root: Path) -> Iterator[Outcome]:
    """Upload a file, then request each file as each user.

    Args:
        base_url: the URL of the running site, with the seed in its database.
        avatar_server: the program that must deliver avatars: ``python``, ``nginx``,
            ``apache2`` or ``lighttpd``.
        files_root: the folder of the avatars.
    """
    web_server = avatar_server if avatar_server != "python" else "unknown"
    clients = {who: Client(base_url) for who in PEOPLE}
    for who in PEOPLE[1:]:
        clients[who].log_in(who)
    apply(clients["ronaldo"])
    for file in find_files(clients["anonymous"], avatar_server):
        for who, client in clients.items():
            yield ask(client, who, file, web_server)
    if avatar_server == "nginx":
        yield ask_internal_location(clients["admin"], files_root)


def apply(client: Client) -> None:
    """Upload an application whose avatar has an awkward name."""
    files = {
        "resume": Upload("cv.txt", b"Ronaldo, forward."),
        "avatar": Upload(AWKWARD_NAME, AVATAR),
    }
    answer = client.submit("/apply/", {"what_you_want": "To play"}, files)
    if b"errorlist" in answer.body or answer.status != 200:
        raise RuntimeError(f"The site refused the application with status {answer.status}.")


def find_files(client: Client, avatar_server: str) -> list[File]:
    """Return the files, with their URLs from a page of the site."""
    unknown = f"/files/?{urlencode({'path': '/nothing/here.txt'})}"
    return [
        File(
            "messi's avatar",
            client.find_link("/", "messi", "avatar"),
            AVATAR,
            PEOPLE,
            avatar_server,
            "messi_avatar.jpg",
        ),
        File(
            "messi's resume",
            client.find_link("/", "messi", "resume"),
            MESSI_RESUME,
            ("messi", "admin"),
            "python",
            "messi_resume.txt",
        ),
        File(
            "ronaldo's avatar*",
            client.find_link("/", "ronaldo", "avatar"),
            AVATAR,
            PEOPLE,
            avatar_server,
            AWKWARD_NAME,
        ),
        File("no such file", unknown, None, (), "python"),
    ]


def ask(client: Client, who: str, file: File, web_server: str) -> Outcome:
    """Request a file and compare the response with the expected one.

    The site marks the responses of Python; the web server delivered the others.
    """
    expected = 404 if file.content is None else 200 if who in file.readers else 403
    answer = client.request(file.url)
    server = answer.headers.get("x-delivered-by", web_server)
    right = answer.status == expected
    if expected == 200:
        right_bytes = answer.body == file.content
        right = right and right_bytes and server == file.server
        right = right and saved_as(answer.headers.get("content-disposition", "")) == file.name
        content = "right" if right_bytes else "wrong"
    else:
        content = "none"
        right = right and answer.headers.get("content-type") == "application/json"
    return Outcome(who, file.title, expected, answer.status, server, content, right)


def saved_as(content_disposition: str) -> str:
    """Return the name that a browser saves a file under (RFC 6266 section 4.3)."""
    extended = re.search(r"filename\*=utf-8''([^;]+)", content_disposition)
    if extended is not None:
        return unquote(extended[1])
    message = Message()
    message["Content-Disposition"] = content_disposition
    return str(message.get_filename(""))


def ask_internal_location(client: Client, files_root: Path) -> Outcome:
    """Request a file in nginx's internal location, which staff cannot enter either."""
    (avatar,) = files_root.glob("messi_avatar*.jpg")
    answer = client.request(f"/serve-from-fs/{avatar.name}")
    leaked = answer.body == AVATAR
    right = answer.status == 404 and not leaked
    content = "wrong" if leaked else "none"
    return Outcome("admin", "internal location", 404, answer.status, "nginx", content, right)
