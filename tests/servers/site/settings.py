"""Settings of a site with a storage for each way to deliver files.

Environment variables configure it; see `tests.servers.site.running`.
"""

import os
from pathlib import Path

import dj_database_url

FOLDER = Path(os.environ["SITE_FOLDER"])
FILES_ROOT = FOLDER / "files"
MONGODB_URI = os.environ["SITE_MONGODB_URI"]
MONGODB_NAME = os.environ["SITE_MONGODB_NAME"]
S3_ENDPOINT_URL = os.environ["SITE_S3_ENDPOINT_URL"]

SECRET_KEY = "tests"
DEBUG = os.environ.get("SITE_DEBUG") == "1"
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
ROOT_URLCONF = "tests.servers.site.urls"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / "db.sqlite3",
        "OPTIONS": {"timeout": 30},
    }
}
if "SITE_DATABASE_URL" in os.environ:
    DATABASES["default"] = dj_database_url.parse(os.environ["SITE_DATABASE_URL"])
    if "SITE_DATABASE_POOL" in os.environ:
        DATABASES["default"]["OPTIONS"] = {
            "pool": {
                "min_size": 1,
                "max_size": int(os.environ["SITE_DATABASE_POOL"]),
                "timeout": int(os.environ["SITE_DATABASE_POOL_TIMEOUT"]),
            }
        }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "rest_framework",
    "proxy_storage",
    "proxy_storage_api",
    "tests.servers.site",
]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
}
# Tests save large files.
DATA_UPLOAD_MAX_MEMORY_SIZE = None
# Errors go to standard error, which the programs write to their logs.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "loggers": {
        "django.request": {"handlers": ["stderr"], "level": "ERROR", "propagate": False},
        "proxy_storage": {"handlers": ["stderr"], "level": "WARNING"},
    },
}

# The settings of django-sendfile2, which one storage uses.
SENDFILE_BACKEND = "django_sendfile.backends.nginx"
SENDFILE_ROOT = FILES_ROOT
SENDFILE_URL = "/serve-from-fs"

DISK = {
    "BACKEND": "django.core.files.storage.FileSystemStorage",
    "OPTIONS": {"location": FILES_ROOT},
}
GRIDFS = {
    "BACKEND": "proxy_storage.storages.gridfs.GridFSStorage",
    "OPTIONS": {"database": "tests.servers.site.storages.get_mongo_db"},
}
S3 = {
    "BACKEND": "storages.backends.s3.S3Storage",
    "OPTIONS": {
        "endpoint_url": S3_ENDPOINT_URL,
        "bucket_name": "site",
        "region_name": "us-east-1",
        "access_key": "tests",
        "secret_key": "tests",
        "signature_version": "s3v4",
        "addressing_style": "path",
    },
}
PLAIN = "proxy_storage.storages.ProxyStorage"
FACTS = "tests.servers.site.storages.MetadataStorage"
SERVING = "proxy_storage.serving"
# Name: the class, the original storage, and the server with its options.
PROXY_STORAGES = {
    "python": (FACTS, DISK, "StreamingServer", {}),
    "nginx": (FACTS, DISK, "XAccelRedirectServer", {"location": "/serve-from-fs/"}),
    "apache": (FACTS, DISK, "XSendfileServer", {}),
    "lighttpd": (FACTS, DISK, "XSendfileServer", {"escape": True}),
    "sendfile": (FACTS, DISK, "SendfileServer", {}),
    # Their records do not have metadata, so the original storage is asked.
    "python-plain": (PLAIN, DISK, "StreamingServer", {}),
    "nginx-plain": (PLAIN, DISK, "XAccelRedirectServer", {"location": "/serve-from-fs/"}),
    "apache-plain": (PLAIN, DISK, "XSendfileServer", {}),
    "lighttpd-plain": (PLAIN, DISK, "XSendfileServer", {"escape": True}),
    "gridfs": (PLAIN, GRIDFS, "StreamingServer", {}),
    "s3": (PLAIN, S3, "StreamingServer", {}),
    "s3-redirect": (PLAIN, S3, "RedirectServer", {}),
    "s3-nginx": (PLAIN, S3, "XAccelRedirectServer", {"location": "/serve-from-s3/"}),
}
STORAGES = {
    "default": DISK,
    **{
        name: {
            "BACKEND": cls,
            "OPTIONS": {
                "original_storage": original,
                "meta_backend": {
                    "BACKEND": "proxy_storage.meta_backends.orm.ORMMetaBackend",
                    "OPTIONS": {"model": "site.StoredFile"},
                },
                # They share one folder or one bucket.
                "path_prefix": f"/{name}/",
            },
        }
        for name, (cls, original, _, _) in PROXY_STORAGES.items()
    },
}
PROXY_STORAGE = {
    "SERVERS": {
        name: {"BACKEND": f"{SERVING}.{server}", "OPTIONS": options}
        for name, (_, _, server, options) in PROXY_STORAGES.items()
    },
    "DEFAULT_PERMISSION_CLASSES": ["tests.servers.site.permissions.IsReader"],
}
# Its paths are relative, so that they can be in the path of a URL.
STORAGES["relative"] = {
    "BACKEND": PLAIN,
    "OPTIONS": {**STORAGES["python"]["OPTIONS"], "path_prefix": None},
}
PROXY_STORAGE["SERVERS"]["relative"] = {"BACKEND": f"{SERVING}.StreamingServer"}
if "SITE_UPLOAD_FOLDER" in os.environ:
    location = {"location": os.environ["SITE_UPLOAD_FOLDER"]}
    STORAGES["inbox"] = {
        "BACKEND": FACTS,
        "OPTIONS": {
            **STORAGES["python"]["OPTIONS"],
            "original_storage": {"BACKEND": DISK["BACKEND"], "OPTIONS": location},
            "path_prefix": "/inbox/",
        },
    }
    PROXY_STORAGE |= {
        "UPLOAD_PERMISSION_CLASSES": ["tests.servers.site.permissions.MayUpload"],
        "UPLOAD_STORAGES": ["inbox"],
        "UPLOAD_MAX_SIZE": 2 * 1024 * 1024,
    }
