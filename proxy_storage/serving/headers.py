"""The headers of every file answer: safe ones, whoever delivers the bytes."""

from __future__ import annotations

import posixpath
from typing import Any

from django.utils.http import content_disposition_header

from proxy_storage.content_types import guess_content_type
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.paths import strip_control_characters
from proxy_storage.settings import proxy_storage_settings

# an uploaded file that is opened in place runs nothing and loads nothing from the site
CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


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
    # None only for a file without any name that is shown in place
    disposition = content_disposition_header(not inline, filename) or "inline"
    return {
        "Content-Type": content_type,
        "Content-Disposition": disposition,
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cache-Control": "private",
    }


def get_content_type(meta_backend_obj: MetaBackendObject) -> str:
    """Return the type of a file: the recorded one, or the one that its name stands for."""
    recorded: Any = meta_backend_obj.get("mime_type")
    return str(recorded) if recorded else guess_content_type(meta_backend_obj["path"])


def is_inline(content_type: str) -> bool:
    """Tell whether a browser may show this type in place.

    Only types on the list ``INLINE_CONTENT_TYPES`` are: HTML, SVG and XML can carry
    script, and what is not known is not trusted.
    """
    essence = content_type.partition(";")[0].strip().lower()
    return essence in proxy_storage_settings.INLINE_CONTENT_TYPES
