"""System checks of the API's settings."""

from typing import Any

from django.core import checks

from proxy_storage.exceptions import ConfigurationError
from proxy_storage_api.settings import get_default_permission_classes


@checks.register()
def check_permission_classes(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Find permission classes that cannot be imported."""
    try:
        get_default_permission_classes()
    except ConfigurationError as error:
        return [checks.Error(str(error), id="proxy_storage_api.E001")]
    return []
