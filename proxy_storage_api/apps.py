"""The Django app of the API; it has no models."""

from django.apps import AppConfig, apps


class ProxyStorageAPIConfig(AppConfig):
    """The app config of ``"proxy_storage_api"`` in ``INSTALLED_APPS``.

    With this app, `url()` of every proxy storage returns a URL of the endpoint.
    """

    name = "proxy_storage_api"
    verbose_name = "Proxy storage API"

    def ready(self) -> None:
        """Register the checks, the settings, and the extensions of drf-spectacular."""
        from proxy_storage_api import checks  # noqa: F401  (register on import)

        if apps.is_installed("drf_spectacular"):
            from proxy_storage_api import schema  # noqa: F401  (register on import)
