"""Settings of permissions and of signed links, in the dict ``PROXY_STORAGE`` of the project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.settings import SETTING, ProxyStorageSettings, import_setting

# The setting with the permission classes for reading files.
READING = "DEFAULT_PERMISSION_CLASSES"

# Each comment has the type and the meaning; the default follows.
DEFAULTS: dict[str, Any] = {
    # List of dotted paths. The permission classes for reading files. An empty list has the effect
    # of the default: only staff may read files.
    READING: ["rest_framework.permissions.IsAdminUser"],
    # str, bytes or None. The key that links are signed with. None: Django's SECRET_KEY; links
    # signed with one of SECRET_KEY_FALLBACKS are accepted as well.
    "LINK_KEY": None,
    # int, in seconds. Default and maximum lifetime of a signed link.
    "LINK_MAX_AGE": 3600,
    # int, in seconds. Times of expiry are rounded down to a multiple of this, so that links made
    # shortly after each other are equal and browsers can use their cache. A link expires earlier
    # by less than this, and by less than a tenth of its lifetime. 0: no rounding.
    "LINK_ROUNDING": 300,
    # str or None. The scheme and host of absolute links that are made without a request, such as
    # "https://example.com".
    "BASE_URL": None,
}

link_settings = ProxyStorageSettings(DEFAULTS)


def get_reading_classes() -> list[Any]:
    """Return the permission classes for reading files. All of them have to allow a request.

    Raises:
        ConfigurationError: a class cannot be imported, or the setting is not a list.
    """
    return import_classes(READING, getattr(link_settings, READING) or DEFAULTS[READING])


def import_classes(key: str, paths: Any) -> list[Any]:
    """Return the classes in a setting.

    Args:
        key: the setting, for error messages.
        paths: its value: dotted paths, or classes.

    Raises:
        ConfigurationError: a class cannot be imported, or the value is not a list.
    """
    where = f"{SETTING}[{key!r}]"
    if isinstance(paths, str):
        raise ConfigurationError(
            f"{where} must be a list of dotted paths, not the text {paths!r}. Write [{paths!r}]."
        )
    if not isinstance(paths, Sequence):
        raise ConfigurationError(f"{where} must be a list of dotted paths, not {paths!r}.")
    return [
        import_setting(f"An entry of {where}", path) if isinstance(path, str) else path
        for path in paths
    ]


def get_link_key() -> str | bytes | None:
    """Return the key that links are signed with; ``None`` for Django's ``SECRET_KEY``.

    Raises:
        ConfigurationError: the setting is not a str or bytes, or it is empty.
    """
    key: Any = link_settings.LINK_KEY
    if key is None or (isinstance(key, str | bytes) and key):
        return key
    # The message does not contain the key, because messages are written to logs.
    raise ConfigurationError(
        f"{SETTING}['LINK_KEY'] must be a str that is hard to guess, or None for Django's "
        f"SECRET_KEY, not {'empty' if isinstance(key, str | bytes) else type(key).__name__}."
    )


def get_link_max_age() -> int:
    """Return the default and maximum lifetime of a link, in seconds.

    Raises:
        ConfigurationError: the setting is not an int, or less than 1.
    """
    return _get_seconds("LINK_MAX_AGE", 1)


def get_link_rounding() -> int:
    """Return the step to which times of expiry are rounded, in seconds.

    Raises:
        ConfigurationError: the setting is not an int, or less than 0.
    """
    return _get_seconds("LINK_ROUNDING", 0)


def get_base_url() -> str | None:
    """Return the beginning of absolute links that are made without a request, without a slash.

    Raises:
        ConfigurationError: the setting is not a URL of a scheme and a host only.
    """
    url: Any = link_settings.BASE_URL
    if url is None:
        return None
    parts = urlsplit(url) if isinstance(url, str) and url.isascii() else urlsplit("")
    is_valid = parts.scheme in ("http", "https") and bool(parts.hostname)
    if not is_valid or f"{parts.scheme}://{parts.netloc}" != str(url).removesuffix("/"):
        raise ConfigurationError(
            f"{SETTING}['BASE_URL'] must be a scheme and a host, such as 'https://example.com', "
            f"not {url!r}."
        )
    return str(url).removesuffix("/")


def _get_seconds(key: str, least: int) -> int:
    seconds: Any = getattr(link_settings, key)
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < least:
        raise ConfigurationError(
            f"{SETTING}[{key!r}] must be a whole number of seconds, at least {least}, not "
            f"{seconds!r}."
        )
    return seconds
