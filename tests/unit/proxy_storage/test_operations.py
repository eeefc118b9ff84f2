"""The operation that upgrades a table of 0.1.2."""

import pytest
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import connection, models
from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.state import ModelState, ProjectState

from proxy_storage.db.operations import UpgradeRecords
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.registry import get_proxy_storage

pytestmark = pytest.mark.database

OLD_RECORDS = """
        migrations.CreateModel(
            "StoredFile",
            [
                ("id", models.AutoField(primary_key=True)),
                ("path", models.CharField(max_length=255, unique=True)),
                ("proxy_storage_name", models.CharField(max_length=50)),
                ("original_storage_path", models.CharField(max_length=255)),
                ("content_type_id", models.PositiveIntegerField(null=True, blank=True)),
                ("object_id", models.PositiveIntegerField(null=True, blank=True)),
                ("field", models.CharField(max_length=255, blank=True)),
                ("original_storage_name", models.CharField(max_length=50, blank=True)),
            ],
            {options},
        ),
"""
LETTERS = """
        migrations.CreateModel(
            "Letter",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("title", models.CharField(max_length=20)),
                ("scan", models.FileField(max_length=255, blank=True)),
                ("plain", models.FileField(max_length=255, blank=True)),
            ],
        ),
"""
UPGRADE = 'UpgradeRecords("StoredFile"),'
# path, content object, field, original storage
ROWS = [
    ("/owned.txt", 5, "scan", "second"),
    ("/free.txt", None, "", "first"),
    ("/from before there were two.txt", 6, "plain", ""),
    ("/no field.txt", 7, "", ""),
]


def write_old_tables(archive, options="{}"):
    archive.write("0001_initial", OLD_RECORDS.format(options=options) + LETTERS)
    archive.migrate()


def fill(content_type):
    """Write rows as 0.1.2 did, and their files."""
    table = connection.ops.quote_name("archive_storedfile")
    storage = get_proxy_storage("archive")
    with connection.cursor() as cursor:
        for path, key, field, original in ROWS:
            name = storage.get_original_storages()[original or "first"].save(
                path[1:], ContentFile(path.encode())
            )
            cursor.execute(
                f"INSERT INTO {table} (path, proxy_storage_name, original_storage_path, "
                "content_type_id, object_id, field, original_storage_name) "
                "VALUES (%s, 'archive', %s, %s, %s, %s, %s)",
                [path, name, None if key is None else content_type.pk, key, field, original],
            )
            if field:
                cursor.execute(
                    "INSERT INTO archive_letter (id, title, scan, plain) VALUES (%s, '', %s, %s)",
                    [key, *(path if field == name else "" for name in ("scan", "plain"))],
                )


def read_rows():
    columns = "path, content_type_id, object_id, field, original_storage_name"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM archive_storedfile ORDER BY id")
        return list(cursor.fetchall())


def get_columns():
    """Return the columns and constraints of the table, as the database describes them."""
    with connection.cursor() as cursor:
        inspect = connection.introspection
        columns = inspect.get_table_description(cursor, "archive_storedfile")
        constraints = inspect.get_constraints(cursor, "archive_storedfile").values()
    return (
        {column.name: (column.type_code, column.null_ok, column.collation) for column in columns},
        sorted(
            (found["columns"], found["unique"], found["index"], found["check"])
            for found in constraints
        ),
    )


@pytest.fixture
def upgraded(archive):
    """A table of 0.1.2 with rows, and the migrations that upgrade it."""
    write_old_tables(archive)
    old_columns = get_columns()
    content_type = ContentType.objects.get_for_model(apps.get_model("archive.Letter"))
    fill(content_type)
    old_rows = read_rows()
    archive.write("0002_upgrade", UPGRADE)
    text = archive.make("0003_rest")
    assert "RemoveField" not in text
    assert "content_type_id" not in text
    archive.migrate()
    archive.old = old_columns, old_rows
    archive.content_type = content_type
    return archive


def test_values_are_kept_and_makemigrations_finds_no_changes(upgraded):
    assert upgraded.get_changes() == ""
    key = upgraded.content_type.pk
    assert read_rows() == [
        ("/owned.txt", key, "5", "scan", "second"),
        ("/free.txt", None, None, None, "first"),
        ("/from before there were two.txt", key, "6", "plain", ""),
        ("/no field.txt", key, "7", "", ""),
    ]


def test_table_equals_the_table_of_a_new_project(upgraded):
    upgraded_columns = get_columns()
    upgraded.migrate("zero")
    with connection.schema_editor() as editor:
        editor.create_model(apps.get_model("archive.StoredFile"))
    assert get_columns() == upgraded_columns


def test_files_are_served_with_their_content_objects(upgraded):
    letter_model = apps.get_model("archive.Letter")
    storage = get_proxy_storage("archive")
    for path, key, field, original in ROWS:
        with storage.open(path) as file:
            assert file.read() == path.encode()
        record = storage.get_meta_backend_obj(path)
        assert record.get_original_storage_name() == (original or "first")
        content_object = record.get_content_object()
        if field:
            assert content_object == letter_model.objects.get(pk=key)
            assert getattr(content_object, field).name == path
        else:
            assert content_object is None


def test_new_file_after_the_upgrade(upgraded):
    letter = apps.get_model("archive.Letter")(title="new")
    letter.scan.save("new.txt", ContentFile(b"new"))
    record = letter.scan.storage.get_meta_backend_obj(letter.scan.name)
    assert record.get_content_object() == letter
    assert read_rows()[-1][1:4] == (upgraded.content_type.pk, str(letter.pk), "scan")


def test_migration_is_reversible(upgraded):
    new_columns, new_rows = get_columns(), read_rows()
    upgraded.migrate("0001")
    assert (get_columns(), read_rows()) == upgraded.old
    upgraded.migrate()
    assert (get_columns(), read_rows()) == (new_columns, new_rows)


@pytest.mark.slow
def test_migration_is_irreversible_with_keys_that_0_1_2_cannot_hold(upgraded):
    upgraded.migrate("0002")
    for key in ("4b1e", "007", "-1", "9" * 30, "٣"):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE archive_storedfile SET object_id = %s", [key])
        rows = read_rows()
        with pytest.raises(IrreversibleError, match=repr(key)):
            upgraded.migrate("0001")
        assert read_rows() == rows


def test_index_over_the_old_field(archive):
    write_old_tables(archive, '{"unique_together": {("content_type_id", "object_id", "path")}}')
    fill(ContentType.objects.get_for_model(apps.get_model("archive.Letter")))
    archive.write("0002_upgrade", UPGRADE)
    archive.migrate()
    assert len(read_rows()) == len(ROWS)
    _, constraints = get_columns()
    assert (["content_type_id", "object_id", "path"], True) in [found[:2] for found in constraints]


def test_sqlmigrate_prints_the_statements(archive, capsys):
    write_old_tables(archive)
    archive.write("0002_upgrade", UPGRADE)
    for backwards in (False, True):
        call_command("sqlmigrate", "archive", "0002", backwards=backwards)
        output = capsys.readouterr().out
        assert "Upgrade the records in StoredFile" in output
        assert "UPDATE" in output


def test_operation_can_be_squashed(archive):
    write_old_tables(archive)
    archive.write("0002_upgrade", UPGRADE)
    archive.make("0003_rest")
    call_command(
        "squashmigrations",
        "archive",
        "0003",
        squashed_name="all",
        interactive=False,
        verbosity=0,
    )
    archive.migrate()
    assert archive.get_changes() == ""
    archive.migrate("zero")
    archive.migrate()
    assert archive.get_changes() == ""


@pytest.mark.parametrize("operation", ['UpgradeRecords("Letter"),', 'UpgradeRecords("Nothing"),'])
def test_other_tables_are_refused(archive, operation):
    archive.write("0001_initial", LETTERS)
    archive.write("0002_upgrade", operation)
    with pytest.raises(ConfigurationError, match="do not define the field 'content_type_id'"):
        archive.migrate()


class Interruption(Exception):
    """The process is killed."""


class Interrupted:
    """Lets a number of statements pass, one more after each start."""

    def __init__(self):
        self.allowed = 0

    def start(self):
        self.allowed += 1
        self.left = self.allowed

    def __call__(self, execute, sql, params, many, context):
        if sql.split()[0] in ("ALTER", "CREATE", "UPDATE", "DROP"):
            if self.left == 0:
                raise Interruption
            self.left -= 1
        return execute(sql, params, many, context)


@pytest.mark.parametrize("target", ["0002", "0001"])
@pytest.mark.slow
def test_interrupted_at_each_statement(archive, target):
    """MariaDB keeps the changes of the statements before the interruption."""
    write_old_tables(archive)
    old_columns = get_columns()
    fill(ContentType.objects.get_for_model(apps.get_model("archive.Letter")))
    old_rows = read_rows()
    archive.write("0002_upgrade", UPGRADE)
    archive.migrate()
    columns, rows = get_columns(), read_rows()
    archive.migrate("0001" if target == "0002" else "0002")
    expected = (columns, rows) if target == "0002" else (old_columns, old_rows)
    interrupted, done = Interrupted(), False
    with connection.execute_wrapper(interrupted):
        while not done:
            interrupted.start()
            try:
                archive.migrate(target)
                done = True
            except Interruption:
                connection.close()
    assert interrupted.allowed >= 4
    assert (get_columns(), read_rows()) == expected


def test_text_keys(archive):
    records = OLD_RECORDS.format(options="{}").replace(
        '"object_id", models.PositiveIntegerField(null',
        '"object_id", models.CharField(max_length=9, null',
    )
    archive.write("0001_initial", records + LETTERS)
    archive.migrate()
    content_type = ContentType.objects.get_for_model(apps.get_model("archive.Letter"))
    fill(content_type)
    old_rows = read_rows()
    assert old_rows[0][2] == "5"
    archive.write("0002_upgrade", UPGRADE)
    archive.migrate()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE archive_storedfile SET object_id = 'x' WHERE object_id = '5'")
    archive.migrate("0001")
    assert [row[2] for row in read_rows()] == ["x", *(row[2] for row in old_rows[1:])]


class ElsewhereRouter:
    def allow_migrate(self, db, app_label, model_name=None, **hints):
        return not (app_label == "archive" and model_name == "storedfile")


def test_database_without_the_records(archive, settings):
    settings.DATABASE_ROUTERS = [ElsewhereRouter()]
    write_old_tables(archive)
    archive.write("0002_upgrade", UPGRADE)
    archive.migrate()
    archive.migrate("0001")
    assert "archive_storedfile" not in connection.introspection.table_names()


def test_migration_that_does_not_depend_on_content_types(archive):
    """In a new database the table of content types could be created after it."""
    state = ProjectState()
    fields = {"content_type_id": models.IntegerField(), "object_id": models.IntegerField()}
    state.add_model(ModelState("archive", "StoredFile", {**fields, "field": models.TextField()}))
    with pytest.raises(ConfigurationError, match="0002_remove_content_type_name"):
        UpgradeRecords("StoredFile").state_forwards("archive", state)


def test_operation_can_be_optimized():
    operation = UpgradeRecords("StoredFile")
    assert operation.references_model("storedfile", "archive")
    assert not operation.references_model("Letter", "archive")
    assert operation.migration_name_fragment == "upgrade_storedfile"


@pytest.mark.slow
def test_database_that_commits_each_statement(archive, monkeypatch):
    """A process is killed before the migration is recorded, on a database such as MariaDB."""
    monkeypatch.setattr(connection.features, "can_rollback_ddl", False)
    write_old_tables(archive)
    old_columns = get_columns()
    archive.write("0002_upgrade", UPGRADE)
    for target, missing in (("0002", "0001"), ("0001", "0002")):
        archive.migrate(target)
        columns = get_columns()
        call_command("migrate", "archive", missing, fake=True, verbosity=0)
        archive.migrate(target)
        assert get_columns() == columns
    assert columns == old_columns
