"""Proxy storages in front of original storages that one test alone needs."""

from proxy_storage.registry import get_proxy_storage


def configure_proxy_storage(original, meta_backend_name, settings, **more_options):
    """Configure a proxy storage for an original, until the test ends; with full paths."""
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
