"""The app with the ready model of records."""

from django.apps import AppConfig


class RecordsConfig(AppConfig):
    """The app ``"proxy_storage.records"`` for ``INSTALLED_APPS``."""

    name = "proxy_storage.records"
    label = "proxy_storage_records"
    verbose_name = "Stored files"
    default_auto_field = "django.db.models.BigAutoField"
