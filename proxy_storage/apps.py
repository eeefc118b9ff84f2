"""The Django app: it has no models, but registers the system checks."""

from django.apps import AppConfig, apps


class ProxyStorageConfig(AppConfig):
    """Put ``"proxy_storage"`` into ``INSTALLED_APPS`` to have the settings checked."""

    name = "proxy_storage"
    verbose_name = "Proxy storage"

    def ready(self) -> None:
        """Register the system checks, and the receivers of models with files or records.

        By now, models have the fields and relations that were added to their finished classes.
        """
        from proxy_storage import checks  # noqa: F401  (registers on import)
        from proxy_storage.db import operations, signals  # noqa: F401  (registers checks)

        for model in apps.get_models(include_auto_created=True):
            signals.connect(model)
        if apps.is_installed("django.contrib.contenttypes"):
            from proxy_storage.db import cascades

            cascades.connect_all()
