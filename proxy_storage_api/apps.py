"""The Django app of the API; it has no models."""

from django.apps import AppConfig, apps


class ProxyStorageAPIConfig(AppConfig):
    """Put ``"proxy_storage_api"`` into ``INSTALLED_APPS``: `url()` of every proxy storage
    then leads to the endpoint.
    """

    name = "proxy_storage_api"
    verbose_name = "Proxy storage API"

    def ready(self) -> None:
        """Register the checks, and what drf-spectacular is to say of the endpoint.

        The settings of the API become known with the checks.
        """
        from proxy_storage_api import checks  # noqa: F401  (register on import)

        if apps.is_installed("drf_spectacular"):
            from proxy_storage_api import schema  # noqa: F401  (registers on import)
