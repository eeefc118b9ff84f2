"""The Django app of the API; it has no models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import AppConfig, apps

if TYPE_CHECKING:
    from proxy_storage.meta_backends.base import MetaBackendObject


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

    def sign_file_url(self, record: MetaBackendObject) -> str:
        """Return a signed link to a file, for a proxy storage with ``signs_urls``.

        Override it in a subclass for other options of `get_signed_url`.

        Args:
            record: the file's record.
        """
        from proxy_storage_permissions import get_signed_url  # It needs the models of Django.

        return get_signed_url(record).url
