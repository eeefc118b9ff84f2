"""Settings of a project that runs whole applications on proxy storages.

The aliases "media", "static" and "backups" are the original storages, which `conftest.original`
replaces for each test.
"""

import atexit
import shutil
import tempfile
from pathlib import Path

FOLDER = Path(tempfile.mkdtemp(prefix="proxy-storage-applications-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

# Long enough for tokens that are signed with HMAC and SHA-256.
SECRET_KEY = "tests of applications on proxy storages"
USE_TZ = True
ROOT_URLCONF = "tests.applications.urls"
STATIC_URL = "/static/"
MEDIA_ROOT = FOLDER / "unused"
# The command dbrestore replaces the file of an SQLite database.
DATABASE = FOLDER / "database.sqlite3"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATABASE,
        "OPTIONS": {"init_command": "PRAGMA synchronous=OFF"},
        "TEST": {"NAME": DATABASE},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

INSTALLED_APPS = [
    # Only for the models that ask for it, or it would delete the files of the others as well.
    "django_cleanup.apps.CleanupSelectedConfig",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.users",
    "wagtail.sites",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "taggit",
    "filer",
    "easy_thumbnails",
    "sorl.thumbnail",
    "imagekit",
    "versatileimagefield",
    "import_export",
    "simple_history",
    "dbbackup",
    "drf_chunked_upload",
    "debug_toolbar",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "proxy_storage",
    "proxy_storage.records",
    "proxy_storage_api",
    "tests.applications",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
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

# The alias of a proxy storage -> the alias of its original storage.
ORIGINAL_ALIASES = {"default": "media", "staticfiles": "static", "dbbackup": "backups"}
STORAGES = {
    alias: {
        "BACKEND": "proxy_storage.storages.ProxyStorage",
        # drf-chunked-upload appends to files, so their sizes are not recorded.
        "OPTIONS": {"original_storage": original, "records_metadata": False},
    }
    for alias, original in ORIGINAL_ALIASES.items()
} | {
    original: {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    for original in ORIGINAL_ALIASES.values()
}
PROXY_STORAGE = {"DEFAULT_PERMISSION_CLASSES": ["tests.applications.permissions.ProjectFiles"]}

WAGTAIL_SITE_NAME = "Applications"
# The tables of the search are made by migrations, which are not run.
WAGTAILSEARCH_BACKENDS = {}
WAGTAILADMIN_BASE_URL = "http://testserver"
# The application makes storages from classes. This one is the storage with the alias "default".
FILER_STORAGES = {
    "public": {
        "main": {"ENGINE": "django.core.files.storage.DefaultStorage"},
        "thumbnails": {"ENGINE": "django.core.files.storage.DefaultStorage"},
    },
}
IMPORT_EXPORT_TMP_STORAGE_CLASS = "import_export.tmp_storages.MediaStorage"
# The application would rename the file on disk itself, and leave the record behind.
DRF_CHUNKED_UPLOAD_COMPLETE_EXT = ".part"
DRF_CHUNKED_UPLOAD_ABSTRACT_MODEL = False
