"""Migrations of models with file fields and of records, in a separate project."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

SETTINGS = """
from pathlib import Path

BASE_DIR = Path(__file__).parent
SECRET_KEY = "tests"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
INSTALLED_APPS = ["django.contrib.contenttypes", "proxy_storage", "letters"]
RECORDS = {
    "BACKEND": "proxy_storage.meta_backends.orm.ORMMetaBackend",
    "OPTIONS": {"model": "letters.StoredFile"},
}
DISK = {
    "BACKEND": "django.core.files.storage.FileSystemStorage",
    "OPTIONS": {"location": BASE_DIR / "files"},
}
STORAGES = {
    "default": DISK,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "letters": {
        "BACKEND": "proxy_storage.storages.ProxyStorage",
        "OPTIONS": {"original_storage": DISK, "meta_backend": RECORDS, "path_prefix": "/l/"},
    },
    "copies": {
        "BACKEND": "letters.storages.CopyStorage",
        "OPTIONS": {"original_storages": {"a": DISK, "b": "default"}, "meta_backend": RECORDS},
    },
}
PROXY_STORAGE = {"PROXY_STORAGE_CLASSES": {"scans": "letters.storages.ScanStorage"}}
"""

STORAGES = """
from django.conf import settings
from django.core.files.storage import FileSystemStorage, storages

from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.storages import ProxyStorage
from proxy_storage.storages.base import MultipleOriginalStoragesMixin, ProxyStorageBase
from proxy_storage.storages.metadata import FileMetadataProxyStorageMixin


class ScanStorage(ProxyStorageBase):
    original_storage = FileSystemStorage(location=settings.BASE_DIR / "scans")
    meta_backend = ORMMetaBackend(model="letters.StoredFile")


class CopyStorage(FileMetadataProxyStorageMixin, MultipleOriginalStoragesMixin, ProxyStorage):
    pass


def choose_storage():
    return storages["letters"]


def get_folder(instance, name):
    return f"{instance.title}/{name}"
"""

# The parts in braces change between two migrations.
MODELS = """
from django.core.files.storage import storages
from django.db import models

from letters.storages import ScanStorage, choose_storage, get_folder
from proxy_storage.db.fields import ProxyStorageFileField, ProxyStorageImageField
from proxy_storage.meta_backends.orm import (
    ContentObjectFieldMixin,
    FileMetadataMixin,
    OriginalStorageNameMixin,
    ProxyStorageModelBase,
)


class StoredFile(
    ContentObjectFieldMixin, OriginalStorageNameMixin, FileMetadataMixin, ProxyStorageModelBase
):
    {record_field}


class Letter(models.Model):
    title = models.CharField(max_length=20)
    of_class = ProxyStorageFileField(storage=ScanStorage(), {options})
    of_alias = ProxyStorageFileField(storage=storages["letters"], blank=True)
    of_facts = ProxyStorageFileField(storage=storages["copies"], blank=True, null=True)
    of_callable = ProxyStorageFileField(storage=choose_storage, upload_to=get_folder)
    of_callable_class = ProxyStorageFileField(storage=ScanStorage, blank=True)
    image = ProxyStorageImageField(storage=ScanStorage(), width_field="width", blank=True)
    width = models.IntegerField(null=True, editable=False)
    {field}
"""
FIRST = {"record_field": "pass", "options": "", "field": ""}
SECOND = {
    "record_field": 'note = models.TextField(default="")',
    "options": 'max_length=100, upload_to="scans", blank=True',
    "field": 'of_later = ProxyStorageFileField(storage=storages["letters"], default="")',
}
THIRD = {
    "record_field": "pass",
    "options": "upload_to=get_folder",
    "field": "of_later = ProxyStorageImageField(storage=choose_storage, blank=True)",
}

SAVE_AND_READ = """
import django
django.setup()
from django.core.files.base import ContentFile
from letters.models import Letter
letter = Letter(title="new")
names = [field.name for field in Letter._meta.fields if field.name.startswith("of_")]
for name in names:
    getattr(letter, name).save("a.txt", ContentFile(name.encode()), save=False)
letter.save()
letter = Letter.objects.get()
for name in names:
    file = getattr(letter, name)
    record = file.storage.meta_backend.get(file.name)
    assert (record["field"], record.get_content_object()) == (name, letter), record
    print(file.read().decode())
    file.close()
"""

FILL = """
from django.core.files.base import ContentFile
from django.db import migrations


def fill(apps, schema_editor):
    letter = apps.get_model("letters", "Letter")(title="filled")
    for name in ("of_class", "of_alias", "of_facts", "of_callable"):
        getattr(letter, name).save("a.txt", ContentFile(b"filled"), save=False)
    letter.save()


class Migration(migrations.Migration):
    dependencies = [("letters", "0001_first")]
    operations = [migrations.RunPython(fill)]
"""

READ_FILLED = """
import django
django.setup()
from letters.models import Letter, StoredFile
letter = Letter.objects.get()
for record in StoredFile.objects.order_by("pk"):
    file = getattr(letter, record.field)
    assert record.content_object == letter
    assert file.name == record.path
    print(record.field, record.proxy_storage_name, file.size)
"""


class Project:
    def __init__(self, folder):
        self.folder = folder
        (folder / "letters" / "migrations").mkdir(parents=True)
        (folder / "letters" / "migrations" / "__init__.py").touch()
        (folder / "letters" / "__init__.py").touch()
        (folder / "project.py").write_text(SETTINGS)
        (folder / "letters" / "storages.py").write_text(STORAGES)
        self.write_models(FIRST)

    def write_models(self, parts):
        (self.folder / "letters" / "models.py").write_text(MODELS.format(**parts))

    def run(self, *arguments):
        """Run Python in the project, and return its output."""
        env = {**os.environ, "DJANGO_SETTINGS_MODULE": "project", "PYTHONPATH": str(self.folder)}
        # A .pyc file does not notice a second change of a module within a second.
        command = [sys.executable, "-B", "-W", "error", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def manage(self, *arguments):
        return self.run("-m", "django", *arguments)

    def make_migration(self, name):
        """Make a migration of the changes, and check that it contains all of them."""
        self.manage("makemigrations", "letters", "--name", name)
        self.check_is_complete()

    def check_is_complete(self):
        assert "No changes" in self.manage("makemigrations", "--check", "--dry-run")

    def read_migration(self, name):
        return (self.folder / "letters" / "migrations" / f"{name}.py").read_text()

    def migrate(self):
        self.manage("migrate", "--verbosity", "0")

    def drop_database(self):
        (self.folder / "db.sqlite3").unlink()

    def get_columns(self):
        """Return columns, types, NULL and defaults of the app's tables, as SQLite has them."""
        with closing(sqlite3.connect(self.folder / "db.sqlite3")) as database:
            return {
                table: sorted(row[1:] for row in database.execute(f"PRAGMA table_info({table})"))
                for table in ("letters_letter", "letters_storedfile")
            }


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.mark.slow
def test_migrations_are_complete_and_can_be_squashed(project):
    """They are made, changed twice, squashed, and run in a new database."""
    project.make_migration("first")
    project.migrate()
    names = ["of_class", "of_alias", "of_facts", "of_callable", "of_callable_class"]
    assert project.run("-c", SAVE_AND_READ).split() == names
    project.manage("check", "--fail-level", "WARNING")

    project.write_models(SECOND)
    project.make_migration("second")
    # Django would omit it, since it is the default of its own field.
    assert "max_length=100" in project.read_migration("0002_second")
    project.write_models(THIRD)
    project.make_migration("third")
    project.migrate()
    columns = project.get_columns()

    options = ["--no-input", "--squashed-name", "whole_life"]
    project.manage("squashmigrations", "letters", "0003", *options)
    assert "AlterField" not in project.read_migration("0001_whole_life")
    project.check_is_complete()
    project.migrate()

    project.drop_database()
    project.migrate()
    assert project.get_columns() == columns
    assert project.run("-c", SAVE_AND_READ).split() == [*names, "of_later"]


@pytest.mark.slow
def test_migration_that_saves_files(project):
    """Historical models and their storages are built from migrations alone."""
    project.make_migration("first")
    (project.folder / "letters" / "migrations" / "0002_fill.py").write_text(FILL)
    project.migrate()
    assert project.run("-c", READ_FILLED).splitlines() == [
        "of_class scans 6",
        "of_alias letters 6",
        "of_facts copies 6",
        "of_callable letters 6",
    ]
