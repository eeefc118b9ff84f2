"""Names, paths and what makes them acceptable: pure functions."""

import os
import pathlib
import posixpath
import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeGuard

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.utils import validate_file_name
from django.utils.crypto import get_random_string

from proxy_storage.exceptions import InvalidNameError

# 62 ** 16 values: a collision among files of one name is out of reach
UNIQUE_TOKEN_LENGTH = 16
# as in the names that Django finds
SHORT_TOKEN_LENGTH = 7

# The column of records, in characters of four bytes: the longest that fits into a unique index of
# PostgreSQL, MySQL and SQLite. It is a limit on every meta backend, so that a name is accepted on
# one database as it is on another.
MAX_PATH_LENGTH = 500
# The column of the name of an uploaded file, in characters; Django cuts these names to it.
MAX_NAME_LENGTH = 255
# File systems take 255 bytes for each part of a path, and object stores 1,024 for a whole key.
MAX_PART_BYTES = 255
MAX_KEY_BYTES = 1024
# A longer suffix is not an extension: it is a sentence after a dot.
MAX_EXTENSION_BYTES = 64


def get_text(name: Any) -> Any:
    """Return the text of a name that is given as ``os.PathLike``; any other value unchanged."""
    if isinstance(name, os.PathLike):
        with suppress(TypeError):  # The path is bytes, which is refused as a name.
            return os.fspath(name)
    return name


def is_literal_path(path: Any) -> TypeGuard[str]:
    """Tell whether a value can be the path of a record at all.

    A path is text that every database can hold: no object with query operators, no
    bytes, no NUL, no half of a surrogate pair.
    """
    if not isinstance(path, str) or "\0" in path:
        return False
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def validate_name(name: Any) -> str:
    """Check a name that a file is to be saved under.

    Args:
        name: a relative path, as text or ``os.PathLike``.

    Returns:
        The name as text, with forward slashes only.

    Raises:
        InvalidNameError: the name is empty, absolute, climbs with ``..``, has control
            characters, or is no text.

    Source: Django's ``Storage.save`` validates the name that it is given, the name that
    it finds and the name that it returns; a storage that overrides ``save`` has to
    repeat this (CVE-2024-39330).
    """
    name = get_text(name)
    if not is_literal_path(name):
        raise InvalidNameError(f"A file name must be text without NUL, not {name!r}.", name=name)
    if strip_control_characters(name) != name:
        raise InvalidNameError(f"The file name {name!r} has control characters.", name=name)
    name = name.replace("\\", "/")  # as Django's storages do later on
    try:
        return str(validate_file_name(name, allow_relative_path=True))
    except SuspiciousFileOperation as error:
        raise InvalidNameError(_get_problem(name), name=name) from error


def _get_problem(name: str) -> str:
    """Say what is wrong with a name, and what to use instead."""
    last = posixpath.basename(name)
    if name.startswith("/") and last not in ("", ".", ".."):
        return (
            f"The file name {name!r} must be relative: it is not a name that a registered proxy "
            f"storage has returned. Use its last part, {last!r}."
        )
    return f"The file name {name!r} must be relative, not empty and without '..'."


def validate_original_storage_path(path: Any) -> str:
    """Check the path of an object that lies in an original storage already.

    Unlike a name for `validate_name` it may start with a slash, as object stores allow.

    Raises:
        InvalidNameError: as `validate_name`.
    """
    path = get_text(path)
    validate_name(path.lstrip("/") if isinstance(path, str) else path)
    return str.__str__(path)


def strip_control_characters(text: str) -> str:
    """Return a text without its control characters, which no header may hold."""
    return "".join(character for character in text if unicodedata.category(character) != "Cc")


def clean_path(full_path: str) -> str:
    """Return a full path of an original storage in the form that records use.

    Always absolute, forward slashes only, no empty or dot segments.

    >>> clean_path("letters//2024/./cv.pdf")
    '/letters/2024/cv.pdf'
    """
    return posixpath.normpath("/" + full_path.replace("\\", "/").lstrip("/"))


def normalize_name(name: str) -> str:
    """Return a relative name in the form that records of relative paths use.

    >>> normalize_name("./letters//2024/cv.pdf")
    'letters/2024/cv.pdf'
    """
    return posixpath.normpath(name.replace("\\", "/"))


def unique_name(
    name: str,
    max_length: int | None = None,
    token_length: int = UNIQUE_TOKEN_LENGTH,
    max_bytes: int | None = None,
) -> str:
    """Return a name with a random token before the extension, which no other call returns.

    Args:
        name: the wanted name.
        max_length: how many characters the result may have; the stem is cut to fit.
        token_length: characters of the token. A short one is for names that are looked for
            before they are used.
        max_bytes: how many bytes the result may have in UTF-8.

    Raises:
        InvalidNameError: no stem is left within the limits.
    """
    return fit_name(name, max_length, max_bytes, token=get_random_string(token_length))


def fit_name(
    name: str,
    max_length: int | None = None,
    max_bytes: int | None = None,
    token: str = "",
) -> str:
    """Return a name that file systems and object stores accept, with its extension.

    No part of the result has more than `MAX_PART_BYTES` in UTF-8. The stem of the last part
    is cut at the end of a character; a folder is cut likewise.

    Args:
        name: the wanted name.
        max_length: how many characters the result may have.
        max_bytes: how many bytes the result may have.
        token: text to put before the extension, after an underscore.

    Raises:
        InvalidNameError: no stem is left within the limits.
    """
    folder, file_name = posixpath.split(name)
    folder = "/".join(cut_text(part, MAX_PART_BYTES) for part in folder.split("/"))
    for extension in _get_extensions(file_name):
        ending = f"_{token}{extension}" if token else extension
        whole = posixpath.join(folder, ending)
        room = MAX_PART_BYTES - count_bytes(ending)
        if max_bytes is not None:
            room = min(room, max_bytes - count_bytes(whole))
        characters = sys.maxsize if max_length is None else max_length - len(whole)
        wanted = file_name.removesuffix(extension)
        stem = cut_text(wanted[: max(0, characters)], room)
        if stem or (not wanted and min(room, characters) >= 0):
            return posixpath.join(folder, f"{stem}{ending}")
    raise InvalidNameError(
        f"The file name {name!r} leaves no room for a unique name within "
        f"{_get_limits(max_length, max_bytes)}. Use a shorter name, or allow the field a larger "
        "max_length.",
        name=name,
    )


def _get_limits(max_length: int | None, max_bytes: int | None) -> str:
    limits = [f"{MAX_PART_BYTES if max_bytes is None else max_bytes} bytes"]
    if max_length is not None:
        limits.insert(0, f"{max_length} characters")
    return " and ".join(limits)


def _get_extensions(file_name: str) -> Iterator[str]:
    """Return the extensions to keep: all suffixes, or else the last one, or else none."""
    suffixes = pathlib.PurePosixPath(file_name).suffixes
    yield "".join(suffixes)
    if len(suffixes) > 1:
        yield suffixes[-1]
    if suffixes and count_bytes(suffixes[-1]) > MAX_EXTENSION_BYTES:
        yield ""


def has_long_part(name: str) -> bool:
    """Tell whether a part of a name has more than `MAX_PART_BYTES`."""
    return any(count_bytes(part) > MAX_PART_BYTES for part in name.split("/"))


def count_bytes(text: str) -> int:
    """Return how many bytes a text has in UTF-8."""
    return len(text.encode(errors="surrogatepass"))


def cut_text(text: str, max_bytes: int) -> str:
    """Return the beginning of a text that has so many bytes in UTF-8, in whole characters."""
    encoded = text.encode(errors="surrogatepass")
    if len(encoded) <= max_bytes:
        return text
    return encoded[: max(0, max_bytes)].decode(errors="ignore")


def strip_token(name: str, token_length: int = UNIQUE_TOKEN_LENGTH) -> str:
    """Return a name without the token of `unique_name`, if it has one.

    >>> strip_token("letters/cv_0123456789abcdef.tar.gz")
    'letters/cv.tar.gz'
    """
    folder, file_name = posixpath.split(name)
    token = rf"_[A-Za-z0-9]{{{token_length}}}(?=\.|$)"
    found = list(re.finditer(token, file_name))
    if found:
        file_name = file_name[: found[-1].start()] + file_name[found[-1].end() :]
    return posixpath.join(folder, file_name)
