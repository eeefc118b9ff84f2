"""Settings of the API, in the same dict ``PROXY_STORAGE`` as those of the storages."""

from typing import Any

from django.utils.module_loading import import_string

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.settings import SETTING, ProxyStorageSettings

DEFAULTS: dict[str, Any] = {
    # where nobody has said who may read a file, only staff may
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
}

api_settings = ProxyStorageSettings(DEFAULTS)


def get_default_permission_classes() -> list[Any]:
    """Return what ``DEFAULT_PERMISSION_CLASSES`` names.

    An empty list says of nobody that they may read files, so it counts as the default.

    Raises:
        ConfigurationError: a class cannot be imported.
    """
    paths = api_settings.DEFAULT_PERMISSION_CLASSES or DEFAULTS["DEFAULT_PERMISSION_CLASSES"]
    try:
        return [import_string(path) for path in paths]
    except ImportError as error:
        raise ConfigurationError(
            f"{SETTING}['DEFAULT_PERMISSION_CLASSES'] cannot be imported: {error}"
        ) from error
