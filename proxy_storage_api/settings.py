"""Settings of the API, in the same dict ``PROXY_STORAGE`` as those of the storages."""

from typing import Any

from proxy_storage.settings import ProxyStorageSettings

DEFAULTS: dict[str, Any] = {
    # where nobody has said who may read a file, only staff may
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
}

api_settings = ProxyStorageSettings(DEFAULTS)
