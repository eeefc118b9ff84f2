"""Settings of signed links, in the same dict ``PROXY_STORAGE`` as those of the storages."""

from __future__ import annotations

from typing import Any

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.settings import SETTING, ProxyStorageSettings

DEFAULTS: dict[str, Any] = {
    # what links are signed with; None: Django's SECRET_KEY, and SECRET_KEY_FALLBACKS count
    "LINK_KEY": None,
    # seconds that a link is good for unless it says less; no link is good for longer
    "LINK_MAX_AGE": 3600,
}

link_settings = ProxyStorageSettings(DEFAULTS)


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
    max_age: Any = link_settings.LINK_MAX_AGE
    if not isinstance(max_age, int) or isinstance(max_age, bool) or max_age < 1:
        raise ConfigurationError(
            f"{SETTING}['LINK_MAX_AGE'] must be a whole number of seconds, not {max_age!r}."
        )
    return max_age
