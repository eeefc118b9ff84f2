"""The app with the ready model of records."""

from django.apps import AppConfig, apps

from proxy_storage.exceptions import ConfigurationError


class RecordsConfig(AppConfig):
    """The app ``"proxy_storage.records"`` for ``INSTALLED_APPS``."""

    name = "proxy_storage.records"
    label = "proxy_storage_records"
    verbose_name = "Stored files"
    default_auto_field = "django.db.models.BigAutoField"

    def import_models(self) -> None:
        """Check that the app of content types is installed, and import the model."""
        if not apps.is_installed("django.contrib.contenttypes"):
            raise ConfigurationError(
                "'proxy_storage.records' needs 'django.contrib.contenttypes', which is not in "
                "INSTALLED_APPS. Add it."
            )
        super().import_models()
