"""Settings of the example project.

They can be changed with environment variables:

========================  ==================================================================
``EXAMPLE_SERVER``        the server for avatars: ``stream`` (Django, the default),
                          ``x-accel`` (nginx, configured as in ``deploy/nginx.conf``),
                          ``x-sendfile`` (Apache, configured as in ``deploy/apache2.conf``)
                          or ``lighttpd`` (configured as in ``deploy/lighttpd.conf``)
``DATABASE_URL``          the database; by default SQLite in the data folder
``MONGODB_URI``           the MongoDB server for the resumes
``EXAMPLE_MONGODB_NAME``  the database on this server; by default the one in the URI
``EXAMPLE_DATA_DIR``      the data folder; by default ``var`` in the folder of this project
``EXAMPLE_DEBUG``         ``1`` for Django's debug pages
``EXAMPLE_SECRET_KEY``    the secret key; by default a random one, kept in the data folder
========================  ==================================================================
"""

import os
from pathlib import Path

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from config.secret_key import read_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("EXAMPLE_DATA_DIR", BASE_DIR / "var")).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)

DEBUG = os.environ.get("EXAMPLE_DEBUG") == "1"
SECRET_KEY = os.environ.get("EXAMPLE_SECRET_KEY") or read_secret_key(DATA_DIR / "secret_key")
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "proxy_storage",
    "proxy_storage.records",
    "proxy_storage_api",
    "jobs",
    "client",
]

MIDDLEWARE = [
    "jobs.middleware.delivered_by_python",
    "jobs.middleware.page_headers",
    "jobs.middleware.limit_body",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "jobs.failures.FailureMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # The pages of errors.
        "DIRS": [BASE_DIR / "config" / "templates"],
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
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # SQLite refuses at once to turn a transaction that has read into one that writes, if another
    # one has written meanwhile. A transaction that starts as a writer waits for its turn.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        **DATABASES["default"].get("OPTIONS", {}),
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MONGODB_URI = os.environ.get("MONGODB_URI", "mongodb://127.0.0.1:27017/proxy_storage_example")
MONGODB_NAME = os.environ.get("EXAMPLE_MONGODB_NAME")

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
STATIC_URL = "static/"
# PDF.js for the client, if `make serve` has installed its npm package.
PDFJS_DIR = BASE_DIR / "node_modules" / "pdfjs-dist"
STATICFILES_DIRS = (
    [
        ("pdfjs/build", PDFJS_DIR / "legacy" / "build"),
        ("pdfjs/cmaps", PDFJS_DIR / "cmaps"),
        ("pdfjs/standard_fonts", PDFJS_DIR / "standard_fonts"),
        ("pdfjs/wasm", PDFJS_DIR / "wasm"),
    ]
    if PDFJS_DIR.is_dir()
    else []
)
WHITENOISE_USE_FINDERS = True
USE_TZ = True
TIME_ZONE = "UTC"

# -- API --------------------------------------------------------------------------------

REST_FRAMEWORK = {
    # Browsers have a session, other clients a token.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "client.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 100,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
# The OpenAPI document is at schema/. Its page takes scripts from this site, not from another host.
SPECTACULAR_SETTINGS = {
    "TITLE": "Job applications",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# -- log --------------------------------------------------------------------------------

# Errors are written to standard error.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "loggers": {
        "django.request": {"handlers": ["stderr"], "level": "ERROR", "propagate": False},
        "proxy_storage": {"handlers": ["stderr"], "level": "WARNING"},
        "jobs": {"handlers": ["stderr"], "level": "WARNING"},
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
    "DEFAULT_PERMISSION_CLASSES": ["jobs.permissions.SiteFiles"],
    # Clients of the API upload files first, and attach them to an application later.
    "UPLOAD_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "UPLOAD_STORAGES": ["file_system_proxy_storage", "gridfs_proxy_storage"],
    "UPLOAD_MAX_SIZE": 5 * 2**20,
    "UPLOAD_ATTACH_MAX_AGE": 60 * 60,
    "DELETE_PERMISSION_CLASSES": ["jobs.permissions.SiteDeletions"],
    # A list checks the permission of each thumbnail, so it needs a log-in.
    "ANONYMOUS_LISTS": False,
}
# Lists of logged-in users check each thumbnail, since CanReadSource cannot have a filter.
SILENCED_SYSTEM_CHECKS = ["proxy_storage_api.W001"]
