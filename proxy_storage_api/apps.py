"""The Django app of the API; it has no models."""

from django.apps import AppConfig


class ProxyStorageAPIConfig(AppConfig):
    """Put ``"proxy_storage_api"`` into ``INSTALLED_APPS``: `url()` of every proxy storage
    then leads to the endpoint.
    """

    name = "proxy_storage_api"
    verbose_name = "Proxy storage API"

    def ready(self) -> None:
        """Make the settings of the API known to the check for unknown keys."""
        from proxy_storage_api import settings  # noqa: F401  (declares its keys on import)
