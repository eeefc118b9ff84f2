"""Settings of the tests, with the app of the example project and tests.testapp.

The two databases are SQLite in memory, or on the server that ``TEST_DATABASE_URL`` names.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from uuid import uuid4

import dj_database_url

# Names on shared servers contain an identifier of the run. Processes that a test starts have the
# identifier and the folder of the test.
RUN = os.environ.get("TEST_RUN") or uuid4().hex
if "TEST_FOLDER" in os.environ:
    FOLDER = Path(os.environ["TEST_FOLDER"])
else:
    FOLDER = Path(tempfile.mkdtemp(prefix="proxy-storage-tests-"))
    atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

SECRET_KEY = "tests"
USE_TZ = True
ROOT_URLCONF = "tests.urls"
DATABASES = {
    alias: dj_database_url.parse(
        os.environ.get("TEST_DATABASE_URL", "sqlite://:memory:"),
        test_options={"NAME": f"proxy_storage_tests_{alias}_{RUN}"},
    )
    for alias in ("default", "other")
}
if DATABASES["default"]["ENGINE"].endswith("mysql"):
    import pymysql

    pymysql.install_as_MySQLdb()
DATABASE_ROUTERS = ["tests.testapp.routers.ElsewhereRouter"]
# django-guardian does not create a user for anonymous requests.
ANONYMOUS_USER_NAME = None
# Some tests use guardian's backend. The check of names concerns the storages below. The files of
# some models have no content object.
SILENCED_SYSTEM_CHECKS = ["guardian.W001", "proxy_storage.W006", "proxy_storage.W103"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "guardian",
    "rest_framework",
    "rest_framework.authtoken",
    "proxy_storage",
    "proxy_storage.records",
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

# The fixtures that start the servers set these URLs.
MONGODB_URI = os.environ.get("MONGODB_URI", "")
MONGODB_NAME = f"proxy_storage_tests_{RUN}"
S3_ENDPOINT_URL = os.environ.get("TEST_S3_ENDPOINT_URL", "")
AWS_S3_ENDPOINT_URL = S3_ENDPOINT_URL or None
AWS_STORAGE_BUCKET_NAME = "files"
AWS_S3_REGION_NAME = "us-east-1"
AWS_ACCESS_KEY_ID = AWS_SECRET_ACCESS_KEY = "tests"
# The folders of the example project's avatars and of the test app's files.
FILES_ROOT = FOLDER / "files"
# Paths as in the documentation of 0.1.2.
FILE_PATHS = "full"
TEST_FILES_ROOT = FOLDER / "test_files"
LETTERS_ROOT = TEST_FILES_ROOT / "letters"

# The contract runs on each pair of a meta backend and an original storage. Another meta backend or
# original storage is one more entry.
META_BACKENDS = {
    "orm": {
        "BACKEND": "proxy_storage.meta_backends.orm.ORMMetaBackend",
        "OPTIONS": {"model": "testapp.StoredFile"},
    },
    "mongo": {
        "BACKEND": "proxy_storage.meta_backends.mongo.MongoMetaBackend",
        "OPTIONS": {"database": "tests.testapp.storages.get_mongo_db", "collection": "records"},
    },
}
DISK = "django.core.files.storage.FileSystemStorage"
ORIGINAL_STORAGES = {
    "disk": {"BACKEND": DISK, "OPTIONS": {"location": TEST_FILES_ROOT / "disk"}},
    "overwriting": {
        "BACKEND": DISK,
        "OPTIONS": {"location": TEST_FILES_ROOT / "over", "allow_overwrite": True},
    },
    "memory": {"BACKEND": "tests.testapp.storages.MemoryStorage"},
    "gridfs": {
        "BACKEND": "proxy_storage.storages.gridfs.GridFSStorage",
        "OPTIONS": {"database": "tests.testapp.storages.get_mongo_db"},
    },
    "s3": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": {"signature_version": "s3v4"}},
}
SEVERAL = {key: ORIGINAL_STORAGES[key] for key in ("gridfs", "disk")}
FALLBACK = {
    "broken": {"BACKEND": "tests.testapp.storages.BrokenStorage"},
    "disk": ORIGINAL_STORAGES["disk"],
}
PROXY = "proxy_storage.storages.ProxyStorage"
# Other kinds of proxy storages, with one meta backend: the class and the options.
KINDS = {
    "prefix": (
        PROXY,
        {"original_storage": ORIGINAL_STORAGES["disk"], "path_prefix": "/private/"},
    ),
    "metadata": (
        "tests.testapp.storages.MetadataStorage",
        {"original_storage": ORIGINAL_STORAGES["disk"], "paths": "full"},
    ),
    "multiple": (
        "tests.testapp.storages.MultipleStorage",
        {"original_storages": SEVERAL, "paths": "full"},
    ),
    "fallback": (
        "tests.testapp.storages.FallbackStorage",
        {"original_storages": FALLBACK, "paths": "full"},
    ),
    "relative-metadata": (
        "tests.testapp.storages.MetadataStorage",
        {"original_storage": ORIGINAL_STORAGES["disk"]},
    ),
    "relative-multiple": ("tests.testapp.storages.MultipleStorage", {"original_storages": SEVERAL}),
    "relative-fallback": (
        "tests.testapp.storages.FallbackStorage",
        {"original_storages": FALLBACK},
    ),
    # The original file has the requested name if the original storage creates files exclusively.
    **{
        f"plain-{name}": (
            PROXY,
            {"original_storage": ORIGINAL_STORAGES[name], "unique_original_names": False},
        )
        for name in ("disk", "memory")
    },
}
RELATIVE = {
    f"relative-{name}": (PROXY, {"original_storage": original})
    for name, original in ORIGINAL_STORAGES.items()
}
FULL = {
    name: (PROXY, {"original_storage": original, "paths": "full"})
    for name, original in ORIGINAL_STORAGES.items()
}
PROXY_STORAGES = KINDS | FULL | RELATIVE
STORAGES = {
    "default": ORIGINAL_STORAGES["disk"],
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    **{
        f"{meta_backend}-{name}": {
            "BACKEND": cls,
            "OPTIONS": {**options, "meta_backend": META_BACKENDS[meta_backend]},
        }
        for meta_backend in META_BACKENDS
        for name, (cls, options) in PROXY_STORAGES.items()
    },
    # Proxy storages in front of a folder that already contains files.
    **{
        f"{meta_backend}-letters": {
            "BACKEND": "proxy_storage.storages.ProxyStorage",
            "OPTIONS": {
                "original_storage": {"BACKEND": DISK, "OPTIONS": {"location": LETTERS_ROOT}},
                "meta_backend": options,
            },
        }
        for meta_backend, options in META_BACKENDS.items()
    },
}
# The names of the storages that must pass the contract.
CONTRACT = [
    *(f"{meta_backend}-{name}" for meta_backend in META_BACKENDS for name in FULL | RELATIVE),
    *(f"orm-{name}" for name in KINDS),
    # A class with attributes, as in PROXY_STORAGE_CLASSES.
    "orm_disk",
]
# CONTRACT has each original storage four times, and some kinds of storages twice. Only
# `make test-all` runs half of them.
LONG_CONTRACT = [
    *(f"orm-{name}" for name in KINDS if name.startswith("relative-")),
    *(f"mongo-{name}" for name in FULL if name != "disk"),
    *(f"orm-{name}" for name in RELATIVE if name != "relative-disk"),
]

PROXY_STORAGE = {
    "PROXY_STORAGE_CLASSES": {
        "file_system_proxy_storage": "jobs.storages.FileSystemProxyStorage",
        "gridfs_proxy_storage": "jobs.storages.GridFSProxyStorage",
        "orm_disk": "tests.testapp.storages.OrmDiskStorage",
        "orm_subfolder": "tests.testapp.storages.OrmSubfolderStorage",
        "elsewhere": "tests.testapp.storages.ElsewhereStorage",
        "mongo_disk": "tests.testapp.storages.MongoDiskStorage",
        "mongo_gridfs": "tests.testapp.storages.MongoGridFSStorage",
    },
    "DEFAULT_PERMISSION_CLASSES": ["jobs.permissions.JobApplyFiles"],
}
