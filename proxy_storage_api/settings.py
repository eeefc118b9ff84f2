"""Settings of the API, in the same dict ``PROXY_STORAGE`` as those of the storages."""

from typing import Any

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.settings import SETTING, ProxyStorageSettings
from proxy_storage_permissions.settings import DEFAULTS as RULE_DEFAULTS
from proxy_storage_permissions.settings import READING, import_classes

DEFAULTS: dict[str, Any] = {
    # who may read files; rules can be checked outside of the API, too
    READING: RULE_DEFAULTS[READING],
    # who may save files by the endpoint, and who may delete them; None: nobody, it is off
    "UPLOAD_PERMISSION_CLASSES": None,
    "DELETE_PERMISSION_CLASSES": None,
    # names of the proxy storages that uploads may go to
    "UPLOAD_STORAGES": [],
    # Bytes of the file of a request.
    "UPLOAD_MAX_SIZE": 10 * 1024 * 1024,
    # Throttles of downloads and of `authorize`; None: those of DRF's settings, as for the rest
    # of the API.
    "DOWNLOAD_THROTTLE_CLASSES": None,
    # whether a file that the requester may not read looks like one that is not there
    "HIDE_FORBIDDEN": False,
    # the header by which a web server tells `authorize` what it is asked for, such as
    # "X-Original-URI"; it must be one that the web server sets, whatever a client sends
    "AUTHORIZE_URI_HEADER": None,
    # whether requests that are not logged in get lists of files
    "ANONYMOUS_LISTS": True,
    # the number of records that one page of a list decides on, where rules have no filter
    "LIST_MAX_DECISIONS": 2000,
}

api_settings = ProxyStorageSettings(DEFAULTS)


def get_permission_classes(key: str) -> list[Any] | None:
    """Return the permission classes that a setting names.

    An empty list says of nobody that they may do it, so it counts as the default.

    Args:
        key: one of the settings that end in ``PERMISSION_CLASSES``.

    Returns:
        ``None`` where it is switched off.

    Raises:
        ConfigurationError: a class cannot be imported, or there is no list.
    """
    paths = getattr(api_settings, key) or DEFAULTS[key]
    return None if paths is None else import_classes(key, paths)


def get_max_decisions() -> int:
    """Return the number of records that one page of a list decides on.

    Raises:
        ConfigurationError: the setting is not a whole number, or less than 1.
    """
    number: Any = api_settings.LIST_MAX_DECISIONS
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ConfigurationError(
            f"{SETTING}['LIST_MAX_DECISIONS'] must be a whole number of records, not {number!r}."
        )
    return number


def get_classes(key: str) -> list[Any] | None:
    """Return the classes that a setting names.

    Args:
        key: the name of the setting.

    Returns:
        ``None`` for the value ``None``.

    Raises:
        ConfigurationError: a class cannot be imported, or the value is not a list.
    """
    paths = getattr(api_settings, key)
    return None if paths is None else import_classes(key, paths)
