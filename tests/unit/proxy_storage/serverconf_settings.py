"""Settings with proxy storages, for the tests of serverconf."""

from urllib.parse import quote

from django.core.files.storage import Storage


class SigningStorage(Storage):
    """Creates presigned URLs that begin with `base`."""

    def __init__(self, base="https://files.example/"):
        self.base = base

    def get_presigned_url(self, name, *, method, expires_in, headers):
        return f"{self.base}{quote(name)}"


def use_storages(settings, **storages):
    """Set these proxy storages and no others.

    Args:
        storages: pairs of an original storage and its server, which may be None.
    """
    settings.STORAGES = {
        name: {
            "BACKEND": "proxy_storage.storages.ProxyStorage",
            "OPTIONS": {
                "original_storage": original,
                "path_prefix": f"/{name}/",  # makes their paths different
                "meta_backend": settings.META_BACKENDS["orm"],
            },
        }
        for name, (original, _) in storages.items()
    }
    settings.PROXY_STORAGE = {
        "SERVERS": {name: server for name, (_, server) in storages.items() if server is not None}
    }
