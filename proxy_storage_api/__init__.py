"""The endpoint of files: a DRF viewset that checks permissions and delivers files."""

from proxy_storage.exceptions import ConfigurationError

try:
    import rest_framework  # noqa: F401  (The modules of this package import it.)
except ImportError as error:  # pragma: no cover  (tests/project has an environment without it)
    raise ConfigurationError(
        "proxy_storage_api needs Django REST framework. Install it with: "
        'pip install "django-proxy-storage[api]"'
    ) from error
