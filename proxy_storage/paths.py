"""Names, paths and what makes them acceptable: pure functions."""

import os
import pathlib
import posixpath
import unicodedata
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
    if isinstance(name, os.PathLike):
        with suppress(TypeError):  # a path that is no text; it is refused below
            name = os.fspath(name)
    if not is_literal_path(name):
        raise InvalidNameError(f"A file name must be text without NUL, not {name!r}.", name=name)
    if strip_control_characters(name) != name:
        raise InvalidNameError(f"The file name {name!r} has control characters.", name=name)
    name = name.replace("\\", "/")  # as Django's storages do later on
    try:
        return str(validate_file_name(name, allow_relative_path=True))
    except SuspiciousFileOperation as error:
        raise InvalidNameError(
            f"The file name {name!r} must be relative, not empty and without '..'.", name=name
        ) from error


def validate_original_storage_path(path: Any) -> str:
    """Check the path of an object that lies in an original storage already.

    Unlike a name for `validate_name` it may start with a slash, as object stores allow.

    Raises:
        InvalidNameError: as `validate_name`.
    """
    if isinstance(path, os.PathLike):
        with suppress(TypeError):
            path = os.fspath(path)
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


def unique_name(
    name: str, max_length: int | None = None, token_length: int = UNIQUE_TOKEN_LENGTH
) -> str:
    """Return a name that nobody else comes up with: a random token before the extension.

    Args:
        name: the wanted name.
        max_length: how many characters the result may have; the stem is cut to fit.
        token_length: characters of the token. A short one is for names that are looked for
            before they are used.

    Raises:
        InvalidNameError: no stem is left within ``max_length``.
    """
    directory, file_name = posixpath.split(name)
    extension = "".join(pathlib.PurePosixPath(file_name).suffixes)
    stem = file_name.removesuffix(extension)
    ending = f"_{get_random_string(token_length)}{extension}"
    if max_length is not None:
        room = max_length - len(posixpath.join(directory, ending))
        if room < 1:
            raise InvalidNameError(
                f"The file name {name!r} leaves no room for a unique name within "
                f"{max_length} characters; allow the field a larger max_length.",
                name=name,
            )
        stem = stem[:room]
    return posixpath.join(directory, f"{stem}{ending}")
