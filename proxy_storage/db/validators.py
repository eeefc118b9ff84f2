"""Validators of file fields: the allowed MIME types and the largest size of a file."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models.fields.files import FieldFile
from django.template.defaultfilters import filesizeformat
from django.utils.deconstruct import deconstructible
from django.utils.translation import gettext_lazy as _

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.mime_types import guess_mime_type


def _is_stored(file: Any) -> bool:
    """Return whether a file was saved before. Its instance can be edited without the file."""
    return isinstance(file, FieldFile) and bool(getattr(file, "_committed", False))


@deconstructible
class FileTypeValidator:
    """Check that the MIME type of a new file is one of the allowed ones.

    The type is that of the extension of the file's name; see `guess_mime_type`. The type that a
    browser sends is ignored, and the content is not read. A file that was saved before is not
    checked again. If the file has an attribute ``mime_type``, as one with a record has, it is used.

    Args:
        allowed_types: MIME types such as ``"application/pdf"``, or ``"image/*"`` for all images.
        message: the error message, which can contain ``%(mime_type)s`` and ``%(allowed_types)s``.

    Raises:
        ConfigurationError: the types are not a list, or one of them is not a MIME type.
    """

    message: Any = _("Files of the type %(mime_type)s are not allowed. Use %(allowed_types)s.")
    code = "invalid_type"

    def __init__(self, allowed_types: Iterable[str], message: Any = None) -> None:
        types = None if isinstance(allowed_types, str) else list(allowed_types)
        if not types or not all(isinstance(one, str) and one.count("/") == 1 for one in types):
            raise ConfigurationError(
                "allowed_types must be a list of MIME types, such as ['application/pdf', "
                f"'image/*'], not {allowed_types!r}."
            )
        self.allowed_types = [one.lower() for one in types]
        if message is not None:
            self.message = message

    def __call__(self, value: Any) -> None:
        """Check a file.

        Raises:
            ValidationError: the type is not allowed.
        """
        if _is_stored(value):
            return
        mime_type = getattr(value, "mime_type", None) or guess_mime_type(str(value.name or ""))
        essence = str(mime_type).partition(";")[0].strip().lower()
        if not any(fnmatchcase(essence, allowed) for allowed in self.allowed_types):
            params = {"mime_type": essence, "allowed_types": ", ".join(self.allowed_types)}
            raise ValidationError(self.message, code=self.code, params=params)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, FileTypeValidator)
            and self.allowed_types == other.allowed_types
            and self.message == other.message
        )

    def __hash__(self) -> int:
        return hash(tuple(self.allowed_types))


@deconstructible
class FileSizeValidator:
    """Check that a new file is not larger than a limit.

    A file that was saved before is not checked again.

    Args:
        max_size: the largest size in bytes.
        message: the error message, which can contain ``%(max_size)s``.

    Raises:
        ConfigurationError: the size is not an integer greater than 0.
    """

    message: Any = _("The file is larger than %(max_size)s.")
    code = "too_large"

    def __init__(self, max_size: int, message: Any = None) -> None:
        if not isinstance(max_size, int) or isinstance(max_size, bool) or max_size < 1:
            raise ConfigurationError(
                f"max_size must be a number of bytes greater than 0, not {max_size!r}."
            )
        self.max_size = max_size
        if message is not None:
            self.message = message

    def __call__(self, value: Any) -> None:
        """Check a file.

        Raises:
            ValidationError: the file is too large.
        """
        if not _is_stored(value) and value.size > self.max_size:
            params = {"max_size": filesizeformat(self.max_size)}
            raise ValidationError(self.message, code=self.code, params=params)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, FileSizeValidator)
            and self.max_size == other.max_size
            and self.message == other.message
        )

    def __hash__(self) -> int:
        return hash(self.max_size)
