"""Names of files and paths of records: validation, normalization and length limits."""

import os
import pathlib
import posixpath
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeGuard

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.utils import validate_file_name
from django.utils.crypto import get_random_string

from proxy_storage.exceptions import InvalidNameError

# There are 62 ** 16 tokens, so that two files with the same name never get the same token.
UNIQUE_TOKEN_LENGTH = 16
# The length of the tokens in Django's get_alternative_name.
SHORT_TOKEN_LENGTH = 7

# The length of the column in characters, which may have four bytes each. It is the maximum for a
# unique index of PostgreSQL, MySQL and SQLite. The limit is the same for all meta backends.
MAX_PATH_LENGTH = 500
# The length of the column for the name of an uploaded file, in characters. Django truncates the
# names of uploaded files to the same length.
MAX_NAME_LENGTH = 255
# File systems accept 255 bytes for each part of a path, and object stores 1,024 for a key.
MAX_PART_BYTES = 255
MAX_KEY_BYTES = 1024
# A longer suffix is not regarded as an extension, but as text that contains a dot.
MAX_EXTENSION_BYTES = 64

# Characters that not all databases can store: NUL and lone surrogates.
_NOT_LITERAL = re.compile("[\0\ud800-\udfff]")
# The characters of Unicode's category Cc.
_CONTROL_CHARACTERS = re.compile("[\0-\x1f\x7f-\x9f]")


def get_text(name: Any) -> Any:
    """Convert a name from ``os.PathLike`` to str. Other values are returned unchanged."""
    if isinstance(name, os.PathLike):
        with suppress(TypeError):  # The path is bytes, which validate_name refuses.
            return os.fspath(name)
    return name


def is_literal_path(path: Any) -> TypeGuard[str]:
    """Return whether a value can be the path of a record.

    A path is a str that all databases can store, without NUL and without lone surrogates. Other
    values, such as a dict with query operators, are refused.
    """
    return isinstance(path, str) and _NOT_LITERAL.search(path) is None


def validate_name(name: Any) -> str:
    """Validate the name for a new file.

    Args:
        name: a relative path, as a str or ``os.PathLike``.

    Returns:
        The name as a str, with forward slashes only.

    Raises:
        InvalidNameError: the name is empty, absolute or not a str, or contains ``..`` or control
            characters.

    Source: Django's ``Storage.save`` validates the name that is passed, the available name, and
    the name that is returned. A storage that overrides ``save`` has to do the same
    (CVE-2024-39330).
    """
    name = get_text(name)
    if not is_literal_path(name):
        raise InvalidNameError(
            f"A file name must be a str without NUL and surrogates, not {name!r}.", name=name
        )
    if _CONTROL_CHARACTERS.search(name):
        raise InvalidNameError(
            f"The file name {name!r} has control characters. Remove them.", name=name
        )
    name = name.replace("\\", "/")  # Django's storages do the same later.
    try:
        return str(validate_file_name(name, allow_relative_path=True))
    except SuspiciousFileOperation as error:
        raise InvalidNameError(_get_problem(name), name=name) from error


def _get_problem(name: str) -> str:
    """Return an error message for a name that Django refuses."""
    last = posixpath.basename(name)
    if name.startswith("/") and last not in ("", ".", ".."):
        return (
            f"The file name {name!r} must be relative, unless it was returned by a registered "
            f"proxy storage. Use its last part, {last!r}."
        )
    return f"The file name {name!r} must be relative, not empty and without '..'."


def validate_original_storage_path(path: Any) -> str:
    """Validate the path of a file that already exists in an original storage.

    Other than a name for `validate_name`, it may start with a slash, as in object stores.

    Raises:
        InvalidNameError: as in `validate_name`.
    """
    path = get_text(path)
    validate_name(path.lstrip("/") if isinstance(path, str) else path)
    return str.__str__(path)


def strip_control_characters(text: str) -> str:
    """Return a text without control characters, which are not allowed in headers."""
    return _CONTROL_CHARACTERS.sub("", text)


def escape_control_characters(text: str) -> str:
    """Return a text for a terminal, with escape sequences for characters that are not printable.

    Names of files come from users. A terminal would execute some of the other characters.
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def clean_path(full_path: str) -> str:
    """Return a full path of an original storage in the normal form of records.

    The result is absolute, with forward slashes only, and without empty or dot segments.

    >>> clean_path("letters//2024/./cv.pdf")
    '/letters/2024/cv.pdf'
    """
    return posixpath.normpath("/" + full_path.replace("\\", "/").lstrip("/"))


def normalize_name(name: str) -> str:
    """Return a relative name in the normal form of records with relative paths.

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
    """Return a name with a random token before the extension.

    Args:
        name: the requested name.
        max_length: the maximum number of characters of the result; the stem is truncated.
        token_length: the number of characters of the token. A short token is sufficient if the
            caller checks that the name is not in use.
        max_bytes: the maximum number of bytes of the result in UTF-8.

    Raises:
        InvalidNameError: the limits leave no room for a stem.
    """
    return fit_name(name, max_length, max_bytes, token=get_random_string(token_length))


def fit_name(
    name: str,
    max_length: int | None = None,
    max_bytes: int | None = None,
    token: str = "",
) -> str:
    """Truncate a name so that file systems and object stores accept it, and keep its extension.

    No part of the result has more than `MAX_PART_BYTES` in UTF-8. Folders and the stem of the last
    part are truncated after a whole character.

    Args:
        name: the requested name.
        max_length: the maximum number of characters of the result.
        max_bytes: the maximum number of bytes of the result.
        token: text to insert before the extension, after an underscore.

    Raises:
        InvalidNameError: the limits leave no room for a stem.
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
        f"{_get_limits(max_length, max_bytes)}. Use a shorter name, or a field with a larger "
        "max_length.",
        name=name,
    )


def _get_limits(max_length: int | None, max_bytes: int | None) -> str:
    limits = [f"{MAX_PART_BYTES if max_bytes is None else max_bytes} bytes"]
    if max_length is not None:
        limits.insert(0, f"{max_length} characters")
    return " and ".join(limits)


def _get_extensions(file_name: str) -> Iterator[str]:
    """Yield the extensions to try to keep: all suffixes, the last one, and no extension."""
    suffixes = pathlib.PurePosixPath(file_name).suffixes
    yield "".join(suffixes)
    if len(suffixes) > 1:
        yield suffixes[-1]
    if suffixes and count_bytes(suffixes[-1]) > MAX_EXTENSION_BYTES:
        yield ""


def count_bytes(text: str) -> int:
    """Return the number of bytes of a text in UTF-8."""
    return len(text.encode(errors="surrogatepass"))


def cut_text(text: str, max_bytes: int) -> str:
    """Truncate a text to a number of bytes in UTF-8, after a whole character."""
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
