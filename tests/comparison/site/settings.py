"""Settings of the project. Environment variables choose the contender and the folder of its files.

The middleware is that of ``startproject``, after one that counts queries.
"""

import os
from importlib import import_module
from pathlib import Path

CONTENDER = os.environ["COMPARISON_CONTENDER"]
FOLDER = Path(os.environ["COMPARISON_FOLDER"])
FILES_ROOT = FOLDER / "protected"

SECRET_KEY = "tests"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
ROOT_URLCONF = "tests.comparison.site.urls"
WSGI_APPLICATION = "tests.comparison.site.wsgi.application"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "db.sqlite3"},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "tests.comparison.site",
    f"tests.comparison.contenders.{CONTENDER}",
]
MIDDLEWARE = [
    "tests.comparison.site.middleware.CountQueries",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGIN_URL = "/login/"
MEDIA_ROOT = FILES_ROOT
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "loggers": {
        "django.request": {"handlers": ["stderr"], "level": "ERROR", "propagate": False},
    },
}

_settings = import_module(f"tests.comparison.contenders.{CONTENDER}.conf").get_settings(FILES_ROOT)
INSTALLED_APPS = [*_settings.pop("INSTALLED_APPS", []), *INSTALLED_APPS]
MIDDLEWARE = [*MIDDLEWARE, *_settings.pop("MIDDLEWARE", [])]
globals().update(_settings)
