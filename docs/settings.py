"""Settings of the documentation build: enough for Sphinx to import every module."""

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "proxy_storage",
    "proxy_storage.records",
    "proxy_storage_api",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
SECRET_KEY = "documentation"  # noqa: S105  (a build has no secrets)
USE_TZ = True
