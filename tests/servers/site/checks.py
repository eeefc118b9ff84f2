"""Checks of responses with the file that most tests request, by RFC 9110."""

import re
from email import message_from_bytes
from urllib.parse import unquote

CONTENT = b"".join(b"%04d," % number for number in range(200))
SIZE = len(CONTENT)


def check_whole(answer):
    assert answer.status == 200
    assert answer.body == CONTENT
    assert answer.headers["Content-Length"] == str(SIZE)
    assert "Content-Range" not in answer.headers


def check_part(answer, start, stop):
    assert answer.status == 206
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert answer.headers["Content-Length"] == str(stop - start)
    assert answer.body == CONTENT[start:stop]


def check_not_modified(answer, etag):
    assert answer.status == 304
    assert answer.body == b""
    assert answer.headers["ETag"] == etag
    assert "Content-Range" not in answer.headers


def check_any(answer):
    """Check that the body is the part that the headers describe (RFC 9110 section 15.3.7)."""
    if answer.status == 200:
        check_whole(answer)
        return
    assert answer.status == 206
    if "Content-Range" in answer.headers:
        start, last = re.match(r"bytes (\d+)-(\d+)/1000$", answer.headers["Content-Range"]).groups()
        check_part(answer, int(start), int(last) + 1)
        return
    assert answer.headers.get_content_type() == "multipart/byteranges"
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
    parts = message_from_bytes(head + answer.body).get_payload()
    assert len(parts) > 1
    for part in parts:
        start, last = re.match(r"bytes (\d+)-(\d+)/1000$", part["Content-Range"]).groups()
        assert part.get_payload(decode=True) == CONTENT[int(start) : int(last) + 1]
        assert part.get_content_type() == "text/plain"


_PARAMETER = r';\s*(?P<name>[\w*]+)=(?:"(?P<text>(?:[^"\\\x00-\x1f]|\\.)*)"|(?P<token>[^\s";]+))'


def get_saved_name(disposition):
    """Return the name that a browser saves a file under (RFC 6266).

    Browsers decode ``%2E`` and ``=?utf-8?Q?...?=`` in the plain form as well, where they are
    plain text; appendix D advises against it. So the plain form must not contain them.
    """
    kind, _, parameters = disposition.partition(";")
    assert kind in ("inline", "attachment")
    assert re.fullmatch(f"(?:{re.sub('[?]P<[a-z]+>', '', _PARAMETER)})+", f";{parameters}")
    names = {match["name"]: match for match in re.finditer(_PARAMETER, f";{parameters}")}
    if "filename*" in names:
        # Appendix D: the plain form, which each client understands, comes first.
        assert list(names) == ["filename", "filename*"]
        assert re.fullmatch(r"[^\x00-\x1f\x7f-\U0010ffff%\\/?]+", names["filename"]["text"])
        return re.sub("^utf-8''", "", unquote(names["filename*"]["token"], errors="strict"))
    name = re.sub(r"\\(.)", r"\1", names["filename"]["text"])
    assert not re.search(r"%[0-9A-Fa-f]{2}|=\?.*\?=", name)
    return name
