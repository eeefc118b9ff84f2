"""The Django app: it has no models, but registers the system checks."""

from django.apps import AppConfig


class ProxyStorageConfig(AppConfig):
    """Put ``"proxy_storage"`` into ``INSTALLED_APPS`` to have the settings checked."""

    name = "proxy_storage"
    verbose_name = "Proxy storage"

    def ready(self) -> None:
        """Register the system checks."""
        from proxy_storage import checks  # noqa: F401  (registers on import)
