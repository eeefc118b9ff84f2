"""The headers of every file answer: safe ones, whoever delivers the bytes."""

from __future__ import annotations

import posixpath
import re
from typing import Any
from urllib.parse import quote

from django.utils.http import content_disposition_header

from proxy_storage.content_types import UNKNOWN_CONTENT_TYPE, guess_content_type
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.paths import strip_control_characters
from proxy_storage.settings import proxy_storage_settings

# an uploaded file that is opened in place runs nothing and loads nothing from the site
CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

# what browsers decode in the plain form of a name, or cut off
_LOOKS_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}|=\?|^\s|\s$")

# One type, and parameters without a comma: of several types, browsers take the last.
_CONTENT_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+ *(;[ -+\--~]*)?", re.ASCII)

# A page of the site could load these as a part of itself, whatever disposition says.
# https://mimesniff.spec.whatwg.org/#javascript-mime-type
_PART_OF_A_PAGE = re.compile(r"text/css|.*/.*(java|ecma|j|live)script.*", re.IGNORECASE)


def get_file_headers(
    meta_backend_obj: MetaBackendObject,
    *,
    as_attachment: bool = False,
    filename: str | None = None,
) -> dict[str, str]:
    """Return the headers that an answer with this file has to carry.

    Args:
        meta_backend_obj: the file's record; its ``mime_type`` is used where it has one.
        as_attachment: never show it in place.
        filename: the name to save it as; by default the last part of the path.

    Source: RFC 6266 (Content-Disposition), RFC 9111 section 5.2 (Cache-Control).
    """
    filename = strip_control_characters(filename or posixpath.basename(meta_backend_obj["path"]))
    content_type = get_content_type(meta_backend_obj)
    inline = not as_attachment and is_inline(content_type)
    return {
        "Content-Type": content_type,
        "Content-Disposition": get_disposition(inline, filename),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cache-Control": "private",
    }


def get_disposition(inline: bool, filename: str) -> str:
    """Return a Content-Disposition that gives the name as it is.

    Browsers decode ``%2E`` and ``=?utf-8?Q?...?=`` in the plain form of a name. A name that
    has something of the kind is given in the extended form only.

    Args:
        inline: show the file in place.
        filename: the name, without control characters; it may be empty.

    Source: RFC 6266 section 4 and appendix D.
    """
    if _LOOKS_ENCODED.search(filename):
        kind = "inline" if inline else "attachment"
        return f"{kind}; filename*=utf-8''{quote(filename, safe='')}"
    # None only for a file without any name that is shown in place
    return content_disposition_header(not inline, filename) or "inline"


def get_content_type(meta_backend_obj: MetaBackendObject) -> str:
    """Return the type to deliver a file as.

    It is the recorded one, or the one that its name stands for. What is no valid type, and
    script and style sheets, which a page of the site could be made to load, are just bytes:
    with ``nosniff`` no browser runs those.
    """
    recorded: Any = meta_backend_obj.get("mime_type")
    content_type = str(recorded) if recorded else guess_content_type(meta_backend_obj["path"])
    if not _CONTENT_TYPE.fullmatch(content_type) or _PART_OF_A_PAGE.match(content_type):
        return UNKNOWN_CONTENT_TYPE
    return content_type


def is_inline(content_type: str) -> bool:
    """Tell whether a browser may show this type in place.

    Only types on the list ``INLINE_CONTENT_TYPES`` are: HTML, SVG and XML can carry
    script, and what is not known is not trusted.
    """
    essence = content_type.partition(";")[0].strip().lower()
    return essence in proxy_storage_settings.INLINE_CONTENT_TYPES
