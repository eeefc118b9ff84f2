"""The Django app of the API; it has no models."""

from django.apps import AppConfig, apps

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.suggestions import get_install_hint


class ProxyStorageAPIConfig(AppConfig):
    """The app config of ``"proxy_storage_api"`` in ``INSTALLED_APPS``.

    With this app, `url()` of every proxy storage returns a URL of the endpoint.
    """

    name = "proxy_storage_api"
    verbose_name = "Proxy storage API"

    def ready(self) -> None:
        """Register the checks, the settings, and the extensions of drf-spectacular."""
        try:
            from proxy_storage_api import checks  # noqa: F401  (register on import)
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"proxy_storage_api cannot be imported. {error}{get_install_hint(error)}"
            ) from error

        if apps.is_installed("drf_spectacular"):
            from proxy_storage_api import schema  # noqa: F401  (register on import)
