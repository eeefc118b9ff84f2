"""The Django app. It has no models; it registers system checks and signal receivers."""

from django.apps import AppConfig, apps


class ProxyStorageConfig(AppConfig):
    """The app ``"proxy_storage"`` for ``INSTALLED_APPS``."""

    name = "proxy_storage"
    verbose_name = "Proxy storage"

    def ready(self) -> None:
        """Register the system checks, and the receivers for models with file fields.

        This is done here because all fields and relations have been added to the models.
        """
        from proxy_storage import checks  # noqa: F401  (registers on import)
        from proxy_storage.db import operations, plain_changes, signals  # noqa: F401  (as above)

        plain_changes.install(signals.connect)
        signals.connect_all()
        if apps.is_installed("django.contrib.contenttypes"):
            from proxy_storage.db import cascades

            cascades.connect_all()
