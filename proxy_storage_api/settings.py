"""Settings of the API, in the same dict ``PROXY_STORAGE`` as those of the storages."""

from typing import Any

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.settings import SETTING, ProxyStorageSettings, cached
from proxy_storage_permissions.settings import DEFAULTS as RULE_DEFAULTS
from proxy_storage_permissions.settings import READING, import_classes

DEFAULTS: dict[str, Any] = {
    # Permission classes for reading files. They are used outside of the API as well.
    READING: RULE_DEFAULTS[READING],
    # Permission classes for uploads and for deletes. None: disabled.
    "UPLOAD_PERMISSION_CLASSES": None,
    "DELETE_PERMISSION_CLASSES": None,
    # Names of the proxy storages that accept uploads.
    "UPLOAD_STORAGES": [],
    # The largest size of an uploaded file, in bytes.
    "UPLOAD_MAX_SIZE": 10 * 1024 * 1024,
    # The time after an upload in which its uploader can attach it to an instance, in seconds.
    "UPLOAD_ATTACH_MAX_AGE": 24 * 60 * 60,
    # Throttle classes of downloads and of `authorize`. None: those of the other requests.
    "DOWNLOAD_THROTTLE_CLASSES": None,
    # Whether the response for a forbidden file is the one for a missing file.
    "HIDE_FORBIDDEN": False,
    # The header with the client's request target in requests to `authorize`, such as
    # "X-Original-URI". The web server must replace this header in each request.
    "AUTHORIZE_URI_HEADER": None,
    # Whether anonymous requests get lists of files.
    "ANONYMOUS_LISTS": True,
    # The number of records for which one page of a list checks permissions without a filter.
    "LIST_MAX_DECISIONS": 2000,
}

api_settings = ProxyStorageSettings(DEFAULTS)


@cached
def get_permission_classes(key: str) -> list[Any] | None:
    """Return the permission classes of a setting. An empty list counts as the default.

    Args:
        key: one of the settings that end in ``PERMISSION_CLASSES``.

    Returns:
        ``None`` if the action is disabled.

    Raises:
        ConfigurationError: a class cannot be imported, or the value is not a list.
    """
    paths = getattr(api_settings, key) or DEFAULTS[key]
    return None if paths is None else import_classes(key, paths)


@cached
def get_throttle_classes() -> list[Any] | None:
    """Return the classes of ``DOWNLOAD_THROTTLE_CLASSES``; ``None`` for the value ``None``.

    Raises:
        ConfigurationError: a class cannot be imported, or the value is not a list.
    """
    paths = api_settings.DOWNLOAD_THROTTLE_CLASSES
    return None if paths is None else import_classes("DOWNLOAD_THROTTLE_CLASSES", paths)


def get_max_decisions() -> int:
    """Return the number of records for which one page of a list checks permissions.

    Raises:
        ConfigurationError: the value is not an integer greater than 0.
    """
    return _get_positive("LIST_MAX_DECISIONS")


def get_attach_max_age() -> int:
    """Return the time in which an upload can be attached, in seconds.

    Raises:
        ConfigurationError: the value is not an integer greater than 0.
    """
    return _get_positive("UPLOAD_ATTACH_MAX_AGE")


def _get_positive(key: str) -> int:
    number: Any = getattr(api_settings, key)
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ConfigurationError(
            f"{SETTING}[{key!r}] must be an integer greater than 0, not {number!r}."
        )
    return number
