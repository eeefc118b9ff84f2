"""Settings of rules and of signed links, in the dict ``PROXY_STORAGE`` of the project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.module_loading import import_string

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.settings import SETTING, ProxyStorageSettings

# The setting with the permission classes for reading files.
READING = "DEFAULT_PERMISSION_CLASSES"

DEFAULTS: dict[str, Any] = {
    # Without this setting only staff may read files.
    READING: ["rest_framework.permissions.IsAdminUser"],
    # what links are signed with; None: Django's SECRET_KEY, and SECRET_KEY_FALLBACKS count
    "LINK_KEY": None,
    # seconds that a link is good for unless it says less; no link is good for longer
    "LINK_MAX_AGE": 3600,
    # Seconds within which links to a file are the same, so that browsers keep pictures. They end
    # earlier by less than this, and by less than a tenth of their lifetime. 0: never the same.
    "LINK_ROUNDING": 300,
}

link_settings = ProxyStorageSettings(DEFAULTS)


def get_reading_classes() -> list[Any]:
    """Return the permission classes that all have to agree before a file is read.

    Raises:
        ConfigurationError: a class cannot be imported, or the setting is not a list.
    """
    return import_classes(READING, getattr(link_settings, READING) or DEFAULTS[READING])


def import_classes(key: str, paths: Any) -> list[Any]:
    """Return the classes that a setting names.

    Args:
        key: the setting, for error messages.
        paths: its value: dotted paths, or classes.

    Raises:
        ConfigurationError: a class cannot be imported, or the value is not a list.
    """
    where = f"{SETTING}[{key!r}]"
    if isinstance(paths, str) or not isinstance(paths, Sequence):
        raise ConfigurationError(f"{where} must be a list of dotted paths, not {paths!r}.")
    try:
        return [import_string(path) if isinstance(path, str) else path for path in paths]
    except ImportError as error:
        raise ConfigurationError(f"{where} cannot be imported: {error}") from error


def get_link_key() -> str | bytes | None:
    """Return what links are signed with, if it is not Django's ``SECRET_KEY``.

    Raises:
        ConfigurationError: it is no text, or an empty one.
    """
    key: Any = link_settings.LINK_KEY
    if key is None or (isinstance(key, str | bytes) and key):
        return key
    # what is wrong with it is said without it: messages end up in logs
    raise ConfigurationError(
        f"{SETTING}['LINK_KEY'] must be a text that is hard to guess, or None for Django's "
        f"SECRET_KEY, and not {'empty' if isinstance(key, str | bytes) else type(key).__name__}."
    )


def get_link_max_age() -> int:
    """Return the seconds that a link is good for unless it says less.

    Raises:
        ConfigurationError: it is no whole number, or less than 1.
    """
    return _get_seconds("LINK_MAX_AGE", 1)


def get_link_rounding() -> int:
    """Return the seconds within which links to a file may be the same.

    Raises:
        ConfigurationError: it is not a whole number, or less than 0.
    """
    return _get_seconds("LINK_ROUNDING", 0)


def _get_seconds(key: str, least: int) -> int:
    seconds: Any = getattr(link_settings, key)
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < least:
        raise ConfigurationError(
            f"{SETTING}[{key!r}] must be a whole number of seconds, not {seconds!r}."
        )
    return seconds
