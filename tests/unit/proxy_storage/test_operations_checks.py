"""System checks of tables of 0.1.2, and of the migrations that change them."""

import pytest
from django.apps import apps
from django.core import checks
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import override_settings

from proxy_storage.db.operations import check_migrations, check_tables
from proxy_storage.registry import get_proxy_storage

FIELD = '("content_type_id", models.PositiveIntegerField(null=True)),'
TABLE = """
        migrations.CreateModel(
            "StoredFile",
            [
                ("id", models.AutoField(primary_key=True)),
                ("object_id", models.PositiveIntegerField(null=True)),
                ("field", models.CharField(max_length=255, blank=True)),
                {field}
            ],
        ),
"""
OLD_TABLE = TABLE.format(field=FIELD)
ADDED = f'{TABLE.format(field="")} migrations.AddField("storedfile", {FIELD[1:-2]}),'
STATE_ONLY = f"migrations.SeparateDatabaseAndState([], [{OLD_TABLE}]),"
REMOVED = """
        migrations.RemoveField("StoredFile", "content_type_id"),
        migrations.AddField("StoredFile", "content_type", models.IntegerField(null=True)),
"""


def ids(messages):
    assert all(message.hint for message in messages)
    return [message.id for message in messages]


@pytest.mark.parametrize("operations", [OLD_TABLE, ADDED, STATE_ONLY])
def test_table_of_0_1_2(archive, operations):
    archive.write("0001_initial", operations)
    (warning,) = check_migrations(None)
    assert warning.id == "proxy_storage.W201"
    assert "archive.StoredFile" in warning.msg
    assert "UpgradeRecords('StoredFile')" in warning.hint
    # makemigrations runs the registered checks first.
    assert check_migrations in checks.registry.registry.get_checks()


@pytest.mark.parametrize("operation", ['UpgradeRecords("StoredFile"),', REMOVED])
def test_table_with_a_migration_that_changes_it(archive, operation):
    archive.write("0001_initial", OLD_TABLE)
    archive.write("0002_change", operation)
    assert check_migrations(None) == []


def test_current_table(archive):
    archive.make("0001_initial")
    (archive.folder / "_notes.py").touch()
    assert check_migrations(None) == []
    archive.migrate()
    assert check_tables(None, databases=["default"]) == []


@pytest.mark.parametrize("modules", [{"archive": None}, {"archive": "no.migrations"}])
def test_app_without_migrations(archive, settings, modules):
    settings.MIGRATION_MODULES = {**settings.MIGRATION_MODULES, **modules}
    assert check_migrations(None) == []


class TestRemoval:
    @pytest.fixture
    def removal(self, archive):
        """A migration that Django has written, in a database in which it has not been run."""
        archive.write("0001_initial", OLD_TABLE)
        archive.migrate()
        archive.write("0002_wrong", REMOVED)
        return archive

    def add_row(self):
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO archive_storedfile (content_type_id, object_id, field) "
                "VALUES (1, 1, 'scan')"
            )

    def test_table_with_content_objects(self, removal):
        self.add_row()
        (error,) = check_tables(None, databases=["default"])
        assert error.id == "proxy_storage.E201"
        assert "0002_wrong" in error.msg
        assert "UpgradeRecords('StoredFile')" in error.hint
        assert check_tables(None, databases=["other"]) == []
        assert check_tables(None, databases=None) == []
        with pytest.raises(CommandError, match="E201"):
            call_command("migrate", "archive", verbosity=0, skip_checks=False)

    def test_table_without_content_objects(self, removal):
        assert check_tables(None, databases=["default"]) == []

    def test_new_database(self, archive):
        archive.write("0001_initial", OLD_TABLE)
        archive.write("0002_wrong", REMOVED)
        assert check_tables(None, databases=["default"]) == []

    def test_dropped_table(self, removal):
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE archive_storedfile")
        assert check_tables(None, databases=["default"]) == []

    def test_migration_that_has_been_run(self, removal):
        self.add_row()
        removal.migrate()
        assert check_tables(None, databases=["default"]) == []

    def test_migration_after_the_operation(self, archive):
        archive.write("0001_initial", OLD_TABLE)
        archive.migrate()
        self.add_row()
        archive.write("0002_right", 'UpgradeRecords("StoredFile"),')
        archive.write("0003_later", 'migrations.RemoveField("StoredFile", "field"),')
        assert check_tables(None, databases=["default"]) == []


@pytest.mark.django_db
@pytest.mark.usefixtures("empty_storages")
class TestOriginalStorageNames:
    @pytest.fixture(params=["orm-multiple", "mongo-multiple"])
    def storage(self, request):
        return get_proxy_storage(request.param)

    def test_record_without_name(self, storage):
        path = storage.save("a.txt", ContentFile(b""))
        assert check_tables(None, databases=["default"]) == []
        storage.meta_backend.update(path, {"original_storage_name": ""})
        (warning,) = check_tables(None, databases=["default"])
        assert warning.id == "proxy_storage.W202"
        assert "'gridfs'" in warning.msg
        assert ids(check_tables(None, databases=["default", "other"])) == ["proxy_storage.W202"]
        assert check_tables(None, databases=[]) == []

    def test_document_without_key(self):
        storage = get_proxy_storage("mongo-multiple")
        storage.save("a.txt", ContentFile(b""))
        storage.meta_backend._collection.update_many({}, {"$unset": {"original_storage_name": ""}})
        assert ids(check_tables(None, databases=["default"])) == ["proxy_storage.W202"]

    def test_record_in_a_database_that_is_not_checked(self):
        storage = get_proxy_storage("orm-multiple")
        path = storage.save("a.txt", ContentFile(b""))
        storage.meta_backend.update(path, {"original_storage_name": ""})
        assert check_tables(None, databases=["other"]) == []

    def test_record_of_a_storage_with_one_original_storage(self):
        storage = get_proxy_storage("orm-disk")
        path = storage.save("a.txt", ContentFile(b""))
        assert storage.meta_backend.get(path)["original_storage_name"] == ""
        assert check_tables(None, databases=["default"]) == []

    @pytest.mark.parametrize(
        "wrong",
        [
            {"PROXY_STORAGE_CLASSES": {"x": "no.Where"}},
            {"PROXY_STORAGE_CLASSES": {"x": "tests.unit.proxy_storage.test_checks.Bare"}},
            {"PROXY_STORAGE_CLASSES": {"x": "tests.unit.proxy_storage.test_checks.WithoutName"}},
        ],
    )
    def test_wrong_settings(self, wrong):
        with override_settings(PROXY_STORAGE=wrong):
            assert check_tables(None, databases=["default"]) == []


def test_missing_table(archive):
    archive.make("0001_initial")
    assert apps.get_model("archive.StoredFile")
    assert check_tables(None, databases=["default"]) == []
