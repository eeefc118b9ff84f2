"""Settings of the tests: SQLite in memory, and the example's app beside one of our own."""

import atexit
import shutil
import tempfile
from pathlib import Path
from uuid import uuid4

FOLDER = Path(tempfile.mkdtemp(prefix="proxy-storage-tests-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

SECRET_KEY = "tests"
USE_TZ = True
ROOT_URLCONF = "tests.urls"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
    "other": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
}
DATABASE_ROUTERS = ["tests.testapp.routers.ElsewhereRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "rest_framework",
    "proxy_storage",
    "proxy_storage_api",
    "jobs",
    "tests.testapp",
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

# filled in by the fixture that starts the server
MONGODB_URI = ""
# never the one that somebody uses for something else
MONGODB_NAME = f"proxy_storage_tests_{uuid4().hex}"
# where the example keeps avatars, and the test app its files
FILES_ROOT = FOLDER / "files"
TEST_FILES_ROOT = FOLDER / "test_files"

PROXY_STORAGE = {
    "PROXY_STORAGE_CLASSES": {
        "file_system_proxy_storage": "jobs.storages.FileSystemProxyStorage",
        "gridfs_proxy_storage": "jobs.storages.GridFSProxyStorage",
        "orm_disk": "tests.testapp.storages.OrmDiskStorage",
        "orm_subfolder": "tests.testapp.storages.OrmSubfolderStorage",
        "orm_gridfs": "tests.testapp.storages.OrmGridFSStorage",
        "orm_memory": "tests.testapp.storages.OrmMemoryStorage",
        "orm_overwriting": "tests.testapp.storages.OrmOverwritingStorage",
        "elsewhere": "tests.testapp.storages.ElsewhereStorage",
        "mongo_disk": "tests.testapp.storages.MongoDiskStorage",
        "mongo_gridfs": "tests.testapp.storages.MongoGridFSStorage",
        "mongo_memory": "tests.testapp.storages.MongoMemoryStorage",
        "mongo_overwriting": "tests.testapp.storages.MongoOverwritingStorage",
    },
    "DEFAULT_PERMISSION_CLASSES": ["jobs.permissions.JobApplyFiles"],
}
