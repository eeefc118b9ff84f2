"""A small project in a folder, for mistakes that are found when Django starts."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "proxy_storage",
    "proxy_storage.records",
    "proxy_storage_api",
    "letters",
]
SETTINGS = '''
import sys


def hide(*packages):
    """Let the import of packages fail as if they were not installed."""

    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name in packages:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Finder())


SECRET_KEY = "tests"
USE_TZ = True
ROOT_URLCONF = "urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
STORAGES = {
    "default": {"BACKEND": "proxy_storage.storages.ProxyStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
MEDIA_ROOT = "media"
PROXY_STORAGE = {"DEFAULT_PERMISSION_CLASSES": ["letters.permissions.LetterFiles"]}
'''
URLS = """
from django.urls import include, path

urlpatterns = [path("files/", include("proxy_storage_api.urls"))]
"""
MODELS = """
from django.conf import settings
from django.db import models
from proxy_storage.db.fields import ProxyStorageFileField


class Letter(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    scan = ProxyStorageFileField()
"""
PERMISSIONS = """
from letters.models import Letter
from proxy_storage_permissions import FieldPermissions, IsOwner


class LetterFiles(FieldPermissions):
    model = Letter
    permissions = {"scan": IsOwner("user")}
"""


class Project:
    """A project with one app, which has one model with a file.

    Args:
        folder: an empty folder.
    """

    def __init__(self, folder):
        self.folder = folder
        (folder / "letters" / "migrations").mkdir(parents=True)
        for name, text in {
            "letters/__init__.py": "",
            "letters/models.py": MODELS,
            "letters/permissions.py": PERMISSIONS,
            "urls.py": URLS,
        }.items():
            (folder / name).write_text(text)

    def run(self, *command, settings="", without=()):
        """Run a management command, and return what it has written.

        Args:
            command: the command and its arguments; by default ``check``.
            settings: lines that are added to the settings.
            without: apps that are missing in ``INSTALLED_APPS``.
        """
        apps = [app for app in APPS if app not in without]
        (self.folder / "settings.py").write_text(f"{SETTINGS}\nINSTALLED_APPS = {apps}\n{settings}")
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "django", *(command or ["check"])],
            cwd=self.folder,
            env={
                "PYTHONPATH": ":".join(filter(None, sys.path)),
                "DJANGO_SETTINGS_MODULE": "settings",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout
