"""Settings of the example project.

They can be changed with environment variables:

========================  ==================================================================
``EXAMPLE_SERVER``        the server for avatars: ``stream`` (Django, the default),
                          ``x-accel`` (nginx, configured as in ``deploy/nginx.conf``),
                          ``x-sendfile`` (Apache, configured as in ``deploy/apache2.conf``)
                          or ``lighttpd`` (configured as in ``deploy/lighttpd.conf``)
``DATABASE_URL``          the database; by default SQLite in the data folder
``MONGODB_URI``           the MongoDB server for the records and the resumes
``EXAMPLE_MONGODB_NAME``  the database on this server; by default the one in the URI
``EXAMPLE_DATA_DIR``      the data folder; by default ``var`` in the folder of this project
``EXAMPLE_DEBUG``         ``1`` for Django's debug pages
``EXAMPLE_SECRET_KEY``    the secret key; the default is public
========================  ==================================================================
"""

import os
from pathlib import Path

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("EXAMPLE_DATA_DIR", BASE_DIR / "var")).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)

DEBUG = os.environ.get("EXAMPLE_DEBUG") == "1"
SECRET_KEY = os.environ.get("EXAMPLE_SECRET_KEY", "an example has no secrets")
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "drf_spectacular",
    "rest_framework",
    "proxy_storage",
    "proxy_storage_api",
    "jobs",
]

MIDDLEWARE = [
    "jobs.middleware.delivered_by_python",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": dj_database_url.parse(
        os.environ.get("DATABASE_URL", f"sqlite:///{DATA_DIR / 'db.sqlite3'}")
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MONGODB_URI = os.environ.get("MONGODB_URI", "mongodb://127.0.0.1:27017/proxy_storage_example")
MONGODB_NAME = os.environ.get("EXAMPLE_MONGODB_NAME")

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
USE_TZ = True

# The OpenAPI document of the endpoint is at schema/.
REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
SPECTACULAR_SETTINGS = {"TITLE": "Job applications", "SERVE_INCLUDE_SCHEMA": False}

# Errors are written to standard error.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "loggers": {
        "django.request": {"handlers": ["stderr"], "level": "ERROR", "propagate": False},
        "proxy_storage": {"handlers": ["stderr"], "level": "WARNING"},
    },
}

# -- files ------------------------------------------------------------------------------

# The folder of the avatars. A web server that delivers them must be able to read it.
FILES_ROOT = DATA_DIR / "files"
# The paths of files are relative, as in Django.
FILE_PATHS = "relative"

STREAM = {"BACKEND": "proxy_storage.serving.StreamingServer"}
AVATAR_SERVERS = {
    "stream": STREAM,
    "x-accel": {
        "BACKEND": "proxy_storage.serving.XAccelRedirectServer",
        "OPTIONS": {"location": "/serve-from-fs/"},
    },
    "x-sendfile": {"BACKEND": "proxy_storage.serving.XSendfileServer"},
    # lighttpd decodes the path in the header; mod_xsendfile does not.
    "lighttpd": {
        "BACKEND": "proxy_storage.serving.XSendfileServer",
        "OPTIONS": {"escape": True},
    },
}

EXAMPLE_SERVER = os.environ.get("EXAMPLE_SERVER", "stream")
if EXAMPLE_SERVER not in AVATAR_SERVERS:
    raise ImproperlyConfigured(
        f"EXAMPLE_SERVER must be one of {', '.join(AVATAR_SERVERS)}, not {EXAMPLE_SERVER!r}."
    )

PROXY_STORAGE = {
    "PROXY_STORAGE_CLASSES": {
        "file_system_proxy_storage": "jobs.storages.FileSystemProxyStorage",
        "gridfs_proxy_storage": "jobs.storages.GridFSProxyStorage",
    },
    "SERVERS": {
        "file_system_proxy_storage": AVATAR_SERVERS[EXAMPLE_SERVER],
        "gridfs_proxy_storage": STREAM,
    },
    # Each configuration in deploy/ sets the header X-Sendfile-Type.
    "REQUIRE_SENDFILE_TYPE": True,
    "DEFAULT_PERMISSION_CLASSES": ["jobs.permissions.JobApplyFiles"],
}
