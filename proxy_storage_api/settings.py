"""Settings of the API, in the same dict ``PROXY_STORAGE`` as those of the storages."""

from collections.abc import Sequence
from typing import Any

from django.utils.module_loading import import_string

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.settings import SETTING, ProxyStorageSettings

DEFAULTS: dict[str, Any] = {
    # where nobody has said who may read a file, only staff may
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    # who may save files by the endpoint, and who may delete them; None: nobody, it is off
    "UPLOAD_PERMISSION_CLASSES": None,
    "DELETE_PERMISSION_CLASSES": None,
    # names of the proxy storages that uploads may go to
    "UPLOAD_STORAGES": [],
    # bytes of one file
    "UPLOAD_MAX_SIZE": 10 * 1024 * 1024,
    # whether a file that the requester may not read looks like one that is not there
    "HIDE_FORBIDDEN": False,
    # the header by which a web server tells `authorize` what it is asked for, such as
    # "X-Original-URI"; it must be one that the web server sets, whatever a client sends
    "AUTHORIZE_URI_HEADER": None,
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
    if paths is None:
        return None
    where = f"{SETTING}[{key!r}]"
    if isinstance(paths, str) or not isinstance(paths, Sequence):
        raise ConfigurationError(f"{where} must be a list of dotted paths, not {paths!r}.")
    try:
        return [import_string(path) if isinstance(path, str) else path for path in paths]
    except ImportError as error:
        raise ConfigurationError(f"{where} cannot be imported: {error}") from error
