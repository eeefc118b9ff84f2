"""The name that a file has for the person who uploaded it, and that its downloads get."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.core.files.uploadedfile import UploadedFile

from proxy_storage.paths import MAX_EXTENSION_BYTES, MAX_NAME_LENGTH, strip_control_characters

# The file that is being saved, and the name that a field's caller has given to it.
_named: ContextVar[tuple[Any, str] | None] = ContextVar("named", default=None)


@contextmanager
def uploaded_as(content: Any, name: str) -> Iterator[None]:
    """Save a file under this name for downloads, whatever name its bytes get.

    Args:
        content: the file. Other files that are saved meanwhile have names of their own.
        name: the name before ``upload_to`` and the storage change it.
    """
    token = _named.set((content, name))
    try:
        yield
    finally:
        _named.reset(token)


def get_uploaded_name(content: Any, name: str) -> str:
    """Return the name that a file has for the person who uploaded it.

    Args:
        content: the file. An uploaded file has the name that the browser has sent.
        name: the name that ``save`` was called with.

    Returns:
        The last part of the name, at most `MAX_NAME_LENGTH` characters, without control
        characters.
    """
    named = _named.get()
    is_named = named is not None and named[0] is content
    name = named[1] if named and is_named else get_own_name(content) or name
    name = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    # No database can hold a lone surrogate.
    name = strip_control_characters(name).encode(errors="ignore").decode()
    if len(name) <= MAX_NAME_LENGTH:
        return name
    stem, dot, extension = name.rpartition(".")
    ending = dot + extension if stem and len(extension) < MAX_EXTENSION_BYTES else ""
    return name[: MAX_NAME_LENGTH - len(ending)] + ending


def get_own_name(content: Any) -> str | None:
    """Return the name of an uploaded file, or ``None`` for other files.

    The name of any other file may be a place on this machine.
    """
    return content.name if isinstance(content, UploadedFile) else None
