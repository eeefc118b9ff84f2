"""The life of the app's tables: migrations are written, and run."""

import importlib
import itertools
import sys
from io import StringIO

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection

_numbers = itertools.count(1)

MIGRATION = """
from django.core.files.base import ContentFile
from django.db import migrations, models

import proxy_storage.db.collation
import proxy_storage.db.fields
from proxy_storage.db.operations import UpgradeRecords
from tests.archive.storages import ArchiveStorage

{code}


class Migration(migrations.Migration):
    dependencies = {dependencies}
    operations = [
        {operations}
    ]
"""


class Archive:
    """The app with migrations of its own.

    Args:
        folder: a folder on Python's path.
        settings: pytest-django's.
    """

    def __init__(self, folder, settings):
        self.package = f"archive_migrations_{next(_numbers)}"
        self.folder = folder / self.package
        self.folder.mkdir()
        (self.folder / "__init__.py").touch()
        self.last = None
        settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.archive"]
        settings.PROXY_STORAGE = {
            "PROXY_STORAGE_CLASSES": {"archive": "tests.archive.storages.ArchiveStorage"}
        }
        labels = [config.label for config in apps.get_app_configs()]
        settings.MIGRATION_MODULES = {**dict.fromkeys(labels), "archive": self.package}

    def write(self, name, operations, code=""):
        """Write a migration that follows the last one."""
        dependencies = [("contenttypes", "__first__")]
        if self.last is not None:
            dependencies = [("archive", self.last)]
        text = MIGRATION.format(code=code, dependencies=dependencies, operations=operations)
        (self.folder / f"{name}.py").write_text(text)
        self._note(name)

    def make(self, name):
        """Have Django write a migration of all that has changed; return its text."""
        call_command("makemigrations", "archive", name=name[5:], verbosity=0)
        self._note(name)
        return (self.folder / f"{name}.py").read_text()

    def _note(self, name):
        self.last = name
        importlib.invalidate_caches()

    def get_changes(self):
        """Return what Django would write into a migration."""
        output = StringIO()
        try:
            call_command("makemigrations", "archive", check=True, dry_run=True, stdout=output)
        except SystemExit:
            return output.getvalue()
        return ""

    def migrate(self, target=None):
        arguments = ["archive"] if target is None else ["archive", target]
        call_command("migrate", *arguments, verbosity=0)

    def drop(self):
        """Drop the tables, and forget the modules."""
        # indexes and constraints go with their tables
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names(cursor):
                if table.startswith("archive_") or table == "django_migrations":
                    cursor.execute(f"DROP TABLE {connection.ops.quote_name(table)}")
        for module in [name for name in sys.modules if name.startswith(self.package)]:
            del sys.modules[module]
        ContentType.objects.filter(app_label="archive").delete()
        ContentType.objects.clear_cache()
