"""Settings of a site that web servers ask for permission before they deliver a file themselves.

Environment variables configure it; see `tests.servers.authorize.fronts`.
"""

import os
from pathlib import Path

FOLDER = Path(os.environ["SITE_FOLDER"])
FILES_ROOT = FOLDER / "files"

SECRET_KEY = "tests"
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
ROOT_URLCONF = "tests.servers.site.people"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / "db.sqlite3",
        "OPTIONS": {"timeout": 30},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "rest_framework",
    "proxy_storage",
    "proxy_storage_api",
    "tests.servers.site",
]
MIDDLEWARE = [
    "tests.servers.site.people.write_down_what_is_asked",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.BasicAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "loggers": {
        "django.request": {"handlers": ["stderr"], "level": "ERROR", "propagate": False},
        "proxy_storage": {"handlers": ["stderr"], "level": "WARNING"},
    },
}

STORAGES = {
    "avatars": {
        "BACKEND": "tests.servers.site.storages.MetadataStorage",
        "OPTIONS": {
            "original_storage": {
                "BACKEND": "django.core.files.storage.FileSystemStorage",
                "OPTIONS": {"location": FILES_ROOT},
            },
            "meta_backend": {
                "BACKEND": "proxy_storage.meta_backends.orm.ORMMetaBackend",
                "OPTIONS": {"model": "site.StoredFile"},
            },
            "path_prefix": "/avatars/",
        },
    },
}
PROXY_STORAGE = {
    "AUTHORIZE_URI_HEADER": os.environ["SITE_URI_HEADER"],
    "DEFAULT_PERMISSION_CLASSES": ["tests.servers.site.people.LinkedOrListed"],
}
