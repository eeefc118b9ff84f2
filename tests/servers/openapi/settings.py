"""Settings of the example project with all features of the endpoint and a second meta backend.

The environment variables of the example project configure them.
"""

from config.settings import *  # noqa: F403  (settings are extended so)
from config.settings import DATA_DIR, INSTALLED_APPS, PROXY_STORAGE, REST_FRAMEWORK

INSTALLED_APPS = [*INSTALLED_APPS, "tests.servers.site"]
ROOT_URLCONF = "tests.servers.openapi.urls"
# Each request has a password.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
REST_FRAMEWORK = {
    **REST_FRAMEWORK,
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.BasicAuthentication"],
}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "letters": {
        "BACKEND": "tests.servers.site.storages.MetadataStorage",
        "OPTIONS": {
            "original_storage": {
                "BACKEND": "django.core.files.storage.FileSystemStorage",
                "OPTIONS": {"location": DATA_DIR / "letters"},
            },
            "meta_backend": {
                "BACKEND": "proxy_storage.meta_backends.orm.ORMMetaBackend",
                "OPTIONS": {"model": "site.StoredFile"},
            },
            "path_prefix": "/letters/",
        },
    },
}
STAFF = ["rest_framework.permissions.IsAdminUser"]
PROXY_STORAGE = {
    **PROXY_STORAGE,
    "DEFAULT_PERMISSION_CLASSES": ["tests.servers.openapi.permissions.READERS"],
    "UPLOAD_PERMISSION_CLASSES": STAFF,
    "UPLOAD_STORAGES": ["letters", "gridfs_proxy_storage"],
    "UPLOAD_MAX_SIZE": 1000,
    "DELETE_PERMISSION_CLASSES": STAFF,
    "ANONYMOUS_LISTS": True,
}
