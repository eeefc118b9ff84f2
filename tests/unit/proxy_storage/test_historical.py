"""Migrations that save files, in a table that does not have all current columns yet."""

import os

import pytest
from django.apps import apps
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Q

from proxy_storage.db import historical
from proxy_storage.exceptions import MetaBackendSchemaError, MetaBackendUnavailable
from proxy_storage.registry import get_proxy_storage

pytestmark = pytest.mark.database

LETTERS = """
        migrations.CreateModel(
            "Letter",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("title", models.CharField(max_length=20)),
                (
                    "scan",
                    proxy_storage.db.fields.ProxyStorageFileField(
                        storage=ArchiveStorage(), blank=True
                    ),
                ),
                (
                    "plain",
                    models.FileField(storage=ArchiveStorage(), blank=True, max_length=255),
                ),
            ],
        ),
"""
# The column "note", which a later migration removes, does not have a default in the database.
RECORDS = """
        migrations.CreateModel(
            "StoredFile",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("path", proxy_storage.db.collation.LiteralCharField(max_length=500, unique=True)),
                ("proxy_storage_name", models.CharField(max_length=255)),
                ("original_storage_path", models.CharField(max_length=500)),
                (
                    "content_type",
                    models.ForeignKey(
                        "contenttypes.ContentType",
                        models.DO_NOTHING,
                        null=True,
                        db_constraint=False,
                        related_name="+",
                    ),
                ),
                ("object_id", models.CharField(max_length=255, null=True)),
                ("field", models.CharField(max_length=255, null=True)),
                ("note", models.TextField(default="none")),
            ],
        ),
"""
DATA = """
def forward(apps, schema_editor):
    {forward}


def backward(apps, schema_editor):
    {backward}
"""
RUN = "migrations.RunPython(forward, backward),"
SAVE = """
    letter = apps.get_model("archive", "Letter")(title="{title}")
    letter.scan.save("{title}.txt", ContentFile(b"{title}"))
    letter.plain.save("{title}.txt", ContentFile(b"plain"))
"""


SAVE_OLD, SAVE_BACK = (SAVE.format(title=title) for title in ("old", "back"))


def write(archive, forward=SAVE_OLD, backward="pass", last=True):
    archive.write("0001_initial", RECORDS + LETTERS)
    archive.write("0002_data", RUN, DATA.format(forward=forward.strip(), backward=backward.strip()))
    if last:
        text = archive.make("0003_rest")
        assert "name='note'" in text
        assert "name='size'" in text


def get_letter(title):
    return apps.get_model("archive.Letter").objects.get(title=title)


def check_files(letter):
    for name, content in (("scan", letter.title.encode()), ("plain", b"plain")):
        file = getattr(letter, name)
        assert file.read() == content
        file.close()
        record = file.storage.get_meta_backend_obj(file.name)
        assert record["size"] is None
        assert file.size == len(content)
        expected = letter if name == "scan" else None
        assert record.get_content_object() == expected


def get_names_on_disk():
    root = settings.TEST_FILES_ROOT
    return sorted(name for _folder, _folders, names in os.walk(root) for name in names)


def test_new_database(archive):
    write(archive)
    archive.migrate()
    check_files(get_letter("old"))
    assert archive.get_changes() == ""


def test_squashed(archive):
    write(archive)
    options = {"squashed_name": "all", "interactive": False, "verbosity": 0}
    call_command("squashmigrations", "archive", "0003", **options)
    path = archive.folder / "0001_all.py"
    # Django expects the developer to copy the functions.
    path.write_text(path.read_text().replace(f"{archive.package}.0002_data.", "data."))
    (archive.folder.parent / "data.py").write_text(
        "from django.core.files.base import ContentFile\n"
        + DATA.format(forward=SAVE_OLD.strip(), backward="pass")
    )
    text = path.read_text()
    path.write_text(text.replace("from django.db", "import data\nfrom django.db", 1))
    for name in ("0001_initial", "0002_data", "0003_rest"):
        (archive.folder / f"{name}.py").unlink()
    archive.migrate()
    check_files(get_letter("old"))


EVERYTHING = """
    letter = apps.get_model("archive", "Letter")(title="old")
    storage = letter.scan.storage
    letter.scan.save("first.txt", ContentFile(b"first"))
    first = letter.scan.name
    letter.scan.save("old.txt", ContentFile(b"old"))
    with storage.open(first) as file:
        assert file.read() == b"first"
    assert storage.meta_backend.get(first).get("object_id") is None
    letter.refresh_from_db()
    assert letter.scan.read() == b"old"
    letter.scan.close()

    meta_backend = storage.meta_backend
    record = meta_backend.get(letter.scan.name)
    assert record["object_id"] == letter.pk, record
    assert "size" not in record and record["note"] == "none"
    assert meta_backend.exists(first) and not meta_backend.exists("/nothing")
    assert [one["path"] for one in meta_backend.filter({"mime_type": "", "size": None})] == sorted(
        [first, letter.scan.name]
    )
    assert not list(meta_backend.filter({"mime_type": "text/plain"}))
    assert meta_backend.count(models.Q(size=None)) == 2
    assert meta_backend.count(models.Q(size__gt=0)) == 0
    assert len(meta_backend.select(order_by=["-size"])) == 2
    meta_backend.update(first, {"size": 5, "note": "seen"})
    meta_backend.update(first, {"size": 5})
    assert meta_backend.get(first)["note"] == "seen"
    assert storage.size(first) == 5

    unsaved = apps.get_model("archive", "Letter")(title="gone")
    unsaved.scan.save("gone.txt", ContentFile(b"gone"))
    storage.delete(first)
    assert not storage.exists(first)
    assert storage.save("direct.txt", ContentFile(b"direct"))
    unsaved.delete()
    letter.plain.save("old.txt", ContentFile(b"plain"))
"""


@pytest.mark.parametrize("transaction_of", ["migration", "operation", None])
@pytest.mark.parametrize("is_backwards", [True, False])
@pytest.mark.slow
def test_all_operations_on_files_in_a_migration(archive, transaction_of, is_backwards, caplog):
    """Files are deleted after the commit, when no operation is running any more."""
    forward, backward = ("pass", EVERYTHING) if is_backwards else (EVERYTHING, "pass")
    write(archive, forward, backward)
    path = archive.folder / "0002_data.py"
    text = f"{path.read_text()}\n    atomic = {transaction_of == 'migration'}\n"
    if transaction_of == "operation":
        text = text.replace(RUN, RUN.replace(")", ", atomic=True)"))
    path.write_text(text)
    archive.migrate()
    if is_backwards:
        archive.migrate("0001")
        archive.migrate()
    check_files(get_letter("old"))
    titles = apps.get_model("archive.Letter").objects.values_list("title", flat=True)
    assert list(titles) == ["old"]
    kept = [name.partition("_")[0].partition(".")[0] for name in get_names_on_disk()]
    assert sorted(kept) == ["direct", "gone", "old", "old"]
    assert caplog.records == []


def test_backwards(archive):
    """The later columns have been removed when the data migration is reversed."""
    write(archive, backward=SAVE_BACK)
    archive.migrate()
    archive.migrate("0001")
    archive.migrate()
    for title in ("old", "back"):
        letters = apps.get_model("archive.Letter").objects.filter(title=title)
        assert letters
        for letter in letters:
            check_files(letter)


def test_column_that_the_same_migration_adds(archive):
    """A column that an earlier operation has added is filled."""
    archive.write("0001_initial", RECORDS + LETTERS)
    size = 'migrations.AddField("StoredFile", "size", models.BigIntegerField(null=True)),'
    code = DATA.format(forward=SAVE_OLD.strip(), backward="pass")
    archive.write("0002_data", f"{RUN} {size} {RUN}", code)
    archive.make("0003_rest")
    archive.migrate()
    sizes = apps.get_model("archive.StoredFile").objects.order_by("pk").values_list("size")
    assert list(sizes) == [(None,), (None,), (3,), (5,)]


def test_test_of_a_migration(archive):
    """The instances are historical, and no migration is running."""
    write(archive)
    executor = MigrationExecutor(connection)
    old_apps = executor.migrate([("archive", "0002_data")]).apps
    letter = old_apps.get_model("archive", "Letter")(title="test")
    letter.scan.save("test.txt", ContentFile(b"test"))
    letter.plain.save("test.txt", ContentFile(b"plain"))
    again = old_apps.get_model("archive", "Letter").objects.get(title="test")
    assert again.scan.read() == b"test"
    again.scan.close()
    assert again.scan.size == 4
    gone = old_apps.get_model("archive", "Letter")(title="gone")
    gone.scan.save("gone.txt", ContentFile(b"gone"))
    gone.scan.delete()
    gone.scan.save("gone.txt", ContentFile(b"gone"))
    gone_path = gone.scan.name
    old_apps.get_model("archive", "Letter").objects.filter(title="gone").delete()
    executor = MigrationExecutor(connection)
    executor.migrate([("archive", "0003_rest")])
    for title in ("old", "test"):
        check_files(get_letter(title))
    assert get_proxy_storage("archive").get_meta_backend_obj(gone_path)["object_id"] is None


def test_original_storage_that_the_record_cannot_name(archive):
    """The file would be looked for in the first original storage."""
    write(
        archive,
        "ArchiveStorage().save('a.txt', ContentFile(b'a'), using='second')",
        last=False,
    )
    with pytest.raises(MetaBackendSchemaError, match="cannot name the original storage 'second'"):
        archive.migrate()
    assert get_names_on_disk() == []


CREATE = """
    record = {"path": "a.txt", "proxy_storage_name": "archive", "original_storage_path": "a.txt"}
    ArchiveStorage.meta_backend.create({**record, "size": 3})
"""


def test_record_that_names_no_original_storage(archive):
    """A value whose column does not exist yet is left out."""
    write(archive, CREATE)
    archive.migrate()
    assert get_proxy_storage("archive").get_meta_backend_obj("a.txt")["size"] is None


SET_SCOPE = """
    letter = apps.get_model("archive", "Letter")(title="old")
    path = letter.scan.storage.save("a.txt", ContentFile(b"a"))
    meta_backend = letter.scan.storage.meta_backend
    assert meta_backend.can_hold("object_id", "field")
    assert not meta_backend.can_hold("object_id", "content_object_scope")
    data = {"content_type_id": 1, "object_id": "1", "field": "scan"}
    assert not meta_backend.set_content_object({**data, "content_object_scope": "other"}, path)
    assert meta_backend.get(path)["object_id"] is None
"""


def test_scope_that_the_record_cannot_name(archive, caplog):
    """Otherwise the file would belong to the row with this key in the default database."""
    write(archive, SET_SCOPE)
    archive.migrate()
    assert "does not get a content object: records of" in caplog.text
    assert "cannot name the scope 'other'" in caplog.text


def test_table_that_a_later_migration_creates(archive):
    archive.write("0001_initial", LETTERS)
    code = DATA.format(forward=SAVE_OLD.strip(), backward="pass")
    archive.write("0002_data", RUN, code)
    archive.write("0003_records", RECORDS)
    with pytest.raises(MetaBackendSchemaError, match="archive_storedfile") as caught:
        archive.migrate()
    assert "must depend on the migration that creates the table" in str(caught.value)
    assert get_names_on_disk() == []


def get_calls(storage):
    """Return functions that read or write records."""
    meta_backend = storage.meta_backend
    return {
        "save": lambda: storage.save("a.txt", ContentFile(b"a")),
        "open": lambda: storage.open("/a.txt"),
        "create": lambda: meta_backend.create(
            {"path": "/a", "proxy_storage_name": "archive", "original_storage_path": "a"}
        ),
        "update": lambda: meta_backend.update("/a.txt", {"size": 1}),
        "filter": lambda: list(meta_backend.filter()),
        "select": lambda: meta_backend.select(),
        "delete": lambda: meta_backend.delete("/a.txt", where={"size": 1}),
        "count": lambda: meta_backend.count(Q(size=1)),
    }


def test_code_before_its_migration(archive):
    """The error names the missing columns, and says that the migration must be run."""
    write(archive, "pass")
    archive.migrate("0002")
    fields = apps.get_model("archive.StoredFile")._meta.concrete_fields
    later = [field.column for field in fields if f'"{field.name}"' not in RECORDS]
    for name, call in get_calls(get_proxy_storage("archive")).items():
        with pytest.raises(MetaBackendSchemaError) as caught:
            call()
        assert not isinstance(caught.value, MetaBackendUnavailable), name
        assert caught.value.__cause__ is not None
        assert caught.value.nothing_written
        assert "manage.py migrate" in str(caught.value)
        assert any(name in str(caught.value) for name in later)
    assert get_names_on_disk() == []


def test_code_before_its_table(archive):
    for name, call in get_calls(get_proxy_storage("archive")).items():
        with pytest.raises(MetaBackendSchemaError, match="archive_storedfile"):
            call()
        assert get_names_on_disk() == [], name


def test_transaction_stays_usable_after_a_save(archive):
    write(archive, "pass")
    archive.migrate("0002")
    storage = get_proxy_storage("archive")
    with transaction.atomic():
        with pytest.raises(MetaBackendSchemaError):
            storage.meta_backend.create(
                {"path": "/a", "proxy_storage_name": "archive", "original_storage_path": "a"}
            )
        apps.get_model("archive.Letter").objects.create(title="still")
    assert get_letter("still")


def test_process_without_historical_models(archive, monkeypatch):
    """It does not inspect the stack, which would cost time for each file."""
    write(archive)
    state = MigrationExecutor(connection).loader.project_state([("archive", "0001_initial")])
    meta_backend = get_proxy_storage("archive").meta_backend

    def database_forwards(app_label, schema_editor, from_state, to_state):
        return meta_backend.can_hold("note")

    assert database_forwards("archive", None, state, state)
    monkeypatch.setattr(historical, "has_historical_models", False)
    assert not database_forwards("archive", None, state, state)
