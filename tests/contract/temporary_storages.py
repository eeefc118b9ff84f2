"""Proxy storages that exist for the duration of one test."""

from proxy_storage.registry import get_proxy_storage


def configure_proxy_storage(original, meta_backend_name, settings, **more_options):
    """Configure a proxy storage for an original storage. By default its paths are full."""
    options = {
        "paths": "full",
        **more_options,
        "original_storage": original,
        "meta_backend": settings.META_BACKENDS[meta_backend_name],
    }
    settings.STORAGES = {
        **settings.STORAGES,
        "special": {"BACKEND": "proxy_storage.storages.ProxyStorage", "OPTIONS": options},
    }
    return get_proxy_storage("special")
