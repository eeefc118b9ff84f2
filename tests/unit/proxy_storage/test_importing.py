"""Records for the files of existing rows."""

import errno
import hashlib
import os
import uuid
from datetime import UTC, datetime
from threading import Barrier, Thread

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, storages
from django.db import connection, connections
from storages.backends.s3 import S3Storage

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.operations import ImportStopped, import_field, importing
from proxy_storage.registry import get_proxy_storage
from proxy_storage.storages import ProxyStorage
from tests.testapp.models import (
    Document,
    KeyedDocument,
    MongoLetter,
    OrmLetter,
    Picture,
    PlainDocument,
    PlainLetter,
    RelativeDocument,
    ScannedDocument,
    ShardDocument,
    StoredFile,
)

DISK = "django.core.files.storage.FileSystemStorage"
ROWS = 5


def get_field(model, name="file"):
    return model._meta.get_field(name)


@pytest.fixture
def user(empty_storages):
    return User.objects.create(username="anna")


@pytest.fixture
def rows(user):
    """Rows and files that were saved by Django's field and storage."""
    PlainLetter.objects.bulk_create(
        PlainLetter(user=user, file=ContentFile(b"%d" % number, f"{number}.txt"))
        for number in range(ROWS)
    )
    return list(PlainLetter.objects.order_by("pk"))


@pytest.fixture(params=[OrmLetter, MongoLetter], ids=["orm", "mongo"])
def model(request, rows):
    """The model of the same rows after the change of the field."""
    return request.param


def get_counts(report):
    return report.created, report.assigned, report.present, len(report.bad)


def set_name(row, name):
    PlainLetter.objects.filter(pk=row.pk).update(file=name)


def get_only_bad_row(report):
    (bad,) = report.bad
    return bad


def test_each_row_gets_a_record_and_is_not_changed(model, rows):
    before = list(PlainLetter.objects.order_by("pk").values())
    report = import_field(get_field(model), batch_size=2)
    assert report.label == f"testapp.{model.__name__}.file"
    assert (report.total, report.done) == (ROWS, ROWS)
    assert get_counts(report) == (ROWS, 0, 0, 0)
    assert list(PlainLetter.objects.order_by("pk").values()) == before
    for number, letter in enumerate(model.objects.order_by("pk")):
        record = letter.file.storage.get_meta_backend_obj(letter.file.name)
        assert record["path"] == record["original_storage_path"] == rows[number].file.name
        assert record.get_content_object() == letter
        assert record["field"] == "file"
        with letter.file.open() as file:
            assert file.read() == b"%d" % number


def test_second_run_skips_all_rows_without_a_look_at_their_files(model, rows):
    import_field(get_field(model))
    for row in rows:
        row.file.storage.delete(row.file.name)
    assert get_counts(import_field(get_field(model))) == (0, 0, ROWS, 0)


def test_skipped_rows_need_one_query_for_each_batch(rows, django_assert_num_queries):
    import_field(get_field(OrmLetter))
    with django_assert_num_queries(3 + 3 + 1):  # pages, records, count
        import_field(get_field(OrmLetter), batch_size=2)


def test_stopped_import_is_continued(model, rows):
    def stop_in_the_middle(report):
        if report.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_field(get_field(model), batch_size=1, progress=stop_in_the_middle)
    assert get_counts(import_field(get_field(model))) == (ROWS - 3, 0, 3, 0)


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_create_each_record_once(rows):
    if connection.vendor == "sqlite":
        pytest.skip("threads do not share SQLite's database in memory")
    reports, barrier = [], Barrier(2)

    def run():
        try:
            barrier.wait()
            reports.append(import_field(get_field(OrmLetter)))
        finally:
            connections.close_all()

    threads = [Thread(target=run) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert StoredFile.objects.count() == ROWS
    assert [report.bad for report in reports] == [[], []]
    assert sum(report.created for report in reports) == ROWS


@pytest.mark.parametrize("is_same_row", [True, False], ids=["this row", "another row"])
def test_record_that_another_process_creates_meanwhile(model, rows, monkeypatch, is_same_row):
    """The other process inserts its record after this one has looked for records."""
    field = get_field(model)
    owner = rows[0] if is_same_row else rows[1]
    set_name(owner, rows[0].file.name)
    PlainLetter.objects.exclude(pk=rows[0].pk).exclude(pk=owner.pk).delete()
    original = importing._Importer._measure

    def measure(self, path, original_storage_path):
        monkeypatch.undo()
        data = original(self, path, original_storage_path)
        self.meta_backend.create({**data, **self._get_content_object_data(owner.pk)})
        return data

    monkeypatch.setattr(importing._Importer, "_measure", measure)
    report = import_field(field)
    if is_same_row:
        assert get_counts(report) == (0, 0, 1, 0)
    else:
        assert get_counts(report) == (0, 0, 1, 1)
        assert get_only_bad_row(report).key == rows[0].pk


def test_record_that_another_process_saves_by_the_name(model, rows, monkeypatch):
    PlainLetter.objects.exclude(pk=rows[0].pk).delete()
    original = importing._Importer._measure

    def measure(self, path, original_storage_path):
        self.storage.save(path, None, original_storage_path=path)
        return original(self, path, original_storage_path)

    monkeypatch.setattr(importing._Importer, "_measure", measure)
    assert get_counts(import_field(get_field(model))) == (0, 1, 0, 0)
    record = get_field(model).storage.get_meta_backend_obj(rows[0].file.name)
    assert record["object_id"] == rows[0].pk


def test_records_are_written_in_groups(model, rows, monkeypatch):
    """On SQLite, a group ends after some time."""
    monkeypatch.setattr(importing, "GROUP_SECONDS", 0)
    counts = []
    import_field(get_field(model), progress=lambda report: counts.append(report.created))
    assert counts == [1, 2, 3, 4, 5]


@pytest.fixture(params=[True, False], ids=["locks", "no locks"])
def has_locks(request, monkeypatch, rows):
    """Whether the database has locks of rows. SQLite leaves the clause out of the query."""
    monkeypatch.setattr(connection.features, "has_select_for_update", request.param)
    if connection.vendor == "sqlite":
        monkeypatch.setattr(connection.ops, "for_update_sql", lambda **options: "")


@pytest.mark.usefixtures("has_locks")
def test_row_that_does_not_change(model):
    assert get_counts(import_field(get_field(model))) == (ROWS, 0, 0, 0)


@pytest.mark.usefixtures("has_locks")
@pytest.mark.parametrize("change", ["replaced", "deleted"])
def test_row_that_changes_meanwhile_keeps_no_old_file(model, rows, monkeypatch, change):
    PlainLetter.objects.exclude(pk=rows[0].pk).delete()
    original = importing._Importer._measure

    def measure(self, path, original_storage_path):
        if change == "replaced":
            set_name(rows[0], "letters/2026/new.txt")
        else:
            PlainLetter.objects.all().delete()
        return original(self, path, original_storage_path)

    monkeypatch.setattr(importing._Importer, "_measure", measure)
    report = import_field(get_field(model))
    assert "was changed at this moment" in get_only_bad_row(report).reason
    storage = model._meta.get_field("file").storage
    records = list(storage.meta_backend.filter({"path": rows[0].file.name}))
    assert [record.get("content_type_id") for record in records] in ([], [None])


class TestMetadata:
    @pytest.fixture
    def field(self, rows, settings, monkeypatch):
        """The field of the rows on a storage that records metadata."""
        settings.STORAGES = settings.STORAGES | {
            "ready": {
                "BACKEND": "proxy_storage.storages.ProxyStorage",
                "OPTIONS": {
                    "original_storage": {
                        "BACKEND": DISK,
                        "OPTIONS": {"location": settings.LETTERS_ROOT},
                    },
                },
            }
        }
        field = get_field(OrmLetter)
        monkeypatch.setattr(field, "storage", storages["ready"])
        return field

    def test_is_read_from_the_file(self, field, rows):
        at = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
        os.utime(rows[0].file.path, (at.timestamp(), at.timestamp()))
        import_field(field)
        record = field.storage.get_meta_backend_obj(rows[0].file.name)
        assert record["size"] == 1
        assert record["mime_type"] == "text/plain"
        assert record["checksum"] == hashlib.sha256(b"0").hexdigest()
        assert record["charset"] == "utf-8"
        assert record["created_at"] == at
        assert record["name"] == "0.txt"
        assert record["original_storage_name"] == ""

    def test_without_checksum_no_file_is_opened(self, field, rows, monkeypatch):
        monkeypatch.delattr(FileSystemStorage, "_open")
        import_field(field, checksum=False)
        record = field.storage.get_meta_backend_obj(rows[0].file.name)
        assert (record["size"], record["checksum"], record["charset"]) == (1, "", "")
        assert record["mime_type"] == "text/plain"

    @pytest.mark.parametrize("checksum", [True, False])
    def test_project_reads_the_content_for_its_type(self, field, rows, monkeypatch, checksum):
        def get_mime_type(self, name, content):
            content.seek(0)
            return f"text/x-{content.read().decode()}"

        monkeypatch.setattr(ProxyStorage, "get_mime_type", get_mime_type)
        import_field(field, checksum=checksum)
        found = [field.storage.get_meta_backend_obj(row.file.name)["mime_type"] for row in rows[:2]]
        assert found == ["text/x-0", "text/x-1"]

    def test_storage_without_times(self, field, rows, monkeypatch):
        def get_modified_time(self, name):
            raise NotImplementedError

        monkeypatch.setattr(FileSystemStorage, "get_modified_time", get_modified_time)
        import_field(field)
        assert field.storage.get_meta_backend_obj(rows[0].file.name)["created_at"] is None


def test_dry_run_writes_nothing(model, rows):
    rows[1].file.storage.delete(rows[1].file.name)
    report = import_field(get_field(model), dry_run=True)
    assert get_counts(report) == (ROWS - 1, 0, 0, 1)
    assert list(get_field(model).storage.meta_backend) == []


def test_dry_run_counts_records_to_assign(model, rows):
    storage = get_field(model).storage
    storage.save(rows[0].file.name, None, original_storage_path=rows[0].file.name)
    assert get_counts(import_field(get_field(model), dry_run=True)) == (ROWS - 1, 1, 0, 0)
    assert storage.get_meta_backend_obj(rows[0].file.name).get("object_id") is None


class TestBadRows:
    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("letters/2026/gone.txt", "does not have a file with this name"),
            ("letters/2026", "does not have a file with this name"),
            ("../outside.txt", "without '..'"),
            ("/etc/passwd", "must be relative"),
            ("letters/../a.txt", "without '..'"),
            ("letters/\n.txt", "control characters"),
            ("letters//2026/0.txt", "'letters/2026/0.txt'"),
        ],
        ids=["missing", "folder", "outside", "absolute", "dots", "control", "slashes"],
    )
    def test_name(self, model, rows, name, reason):
        set_name(rows[2], name)
        report = import_field(get_field(model))
        assert get_counts(report) == (ROWS - 1, 0, 0, 1)
        bad = get_only_bad_row(report)
        assert (bad.key, bad.value) == (rows[2].pk, name)
        assert reason in bad.reason

    def test_value_is_longer_than_a_path(self, model, rows, monkeypatch):
        monkeypatch.setattr(importing, "MAX_PATH_LENGTH", len(rows[0].file.name) - 1)
        report = import_field(get_field(model))
        assert get_counts(report) == (0, 0, 0, ROWS)
        assert f"at most {importing.MAX_PATH_LENGTH} characters" in report.bad[0].reason

    def test_symbolic_link_out_of_the_storage(self, model, rows, tmp_path):
        (tmp_path / "secret.txt").write_text("secret")
        path = rows[0].file.path
        os.remove(path)
        os.symlink(tmp_path / "secret.txt", path)
        report = import_field(get_field(model))
        assert "symbolic link" in get_only_bad_row(report).reason

    def test_two_rows_with_one_file(self, model, rows):
        set_name(rows[3], rows[1].file.name)
        report = import_field(get_field(model))
        assert get_counts(report) == (ROWS - 1, 0, 0, 1)
        bad = get_only_bad_row(report)
        assert bad.key == rows[3].pk
        assert f"'file' of testapp.{model.__name__} with the key {rows[1].pk!r}" in bad.reason
        # The second run lists it again.
        assert get_only_bad_row(import_field(get_field(model))) == bad

    def test_file_of_an_unknown_model(self, rows):
        storage = get_field(OrmLetter).storage
        name = rows[0].file.name
        storage.save(name, None, original_storage_path=name)
        unknown = ContentType.objects.create(app_label="gone", model="gone")
        storage.meta_backend.update(name, {"content_type_id": unknown.pk, "object_id": "1"})
        assert "an unknown model" in get_only_bad_row(import_field(get_field(OrmLetter))).reason

    def test_path_of_another_proxy_storage(self, model, rows):
        meta_backend = get_field(model).storage.meta_backend
        meta_backend.create(
            {
                "path": rows[0].file.name,
                "proxy_storage_name": "orm-disk",
                "original_storage_path": rows[0].file.name,
            }
        )
        reason = get_only_bad_row(import_field(get_field(model))).reason
        assert "another proxy storage" in reason

    def test_file_with_a_record_of_another_path(self, model, rows):
        storage = get_field(model).storage
        storage.save("other.txt", None, original_storage_path=rows[0].file.name)
        reason = get_only_bad_row(import_field(get_field(model))).reason
        assert "another path: 'other.txt'" in reason

    def test_file_that_cannot_be_read(self, model, rows, monkeypatch):
        def refuse(self, name, mode="rb"):
            raise PermissionError(errno.EACCES, "Permission denied")

        storage = get_field(model).storage
        monkeypatch.setattr(type(storage), "checksum_algorithm", "sha256")
        monkeypatch.setattr(FileSystemStorage, "_open", refuse)
        report = import_field(get_field(model))
        assert get_counts(report) == (0, 0, 0, ROWS)
        assert report.bad[0].reason == "The file cannot be read: Permission denied."

    def test_file_that_is_deleted_meanwhile(self, model, rows, monkeypatch):
        storage = get_field(model).storage
        monkeypatch.setattr(type(storage), "checksum_algorithm", "sha256")
        monkeypatch.setattr(FileSystemStorage, "exists", lambda self, name: True)
        os.remove(rows[0].file.path)
        assert "was deleted" in get_only_bad_row(import_field(get_field(model))).reason

    def test_original_storage_refuses_the_name(self, model, rows, monkeypatch):
        from django.core.exceptions import SuspiciousFileOperation

        def exists(self, name):
            if name == rows[0].file.name:
                raise SuspiciousFileOperation("refused")
            return True

        monkeypatch.setattr(FileSystemStorage, "exists", exists)
        assert get_only_bad_row(import_field(get_field(model))).reason == "refused"

    def test_record_that_is_deleted_meanwhile(self, model, rows, monkeypatch):
        set_name(rows[1], rows[0].file.name)
        original = importing._Importer._write

        def write(self, row, data, write):
            try:
                original(self, row, data, write)
            finally:
                if row.key == rows[1].pk:
                    self.meta_backend.delete(row.value)

        monkeypatch.setattr(importing._Importer, "_write", write)
        reason = get_only_bad_row(import_field(get_field(model))).reason
        assert reason == "The record was deleted at this moment. Import again."


class TestExistingRecords:
    @pytest.fixture
    def saved(self, model, rows):
        """The record of the first row without a content object."""
        storage, name = get_field(model).storage, rows[0].file.name
        storage.save(name, None, original_storage_path=name)
        return storage.get_meta_backend_obj(name)

    def test_gets_the_row_of_its_bytes(self, model, rows, saved):
        report = import_field(get_field(model))
        assert get_counts(report) == (ROWS - 1, 1, 0, 0)
        record = saved.meta_backend.get(saved["path"])
        assert record.get_content_object() == model.objects.get(pk=rows[0].pk)

    def test_of_a_later_file_with_the_same_name_is_not_assigned(self, model, rows):
        storage, name = get_field(model).storage, rows[0].file.name
        assert storage.save(name, ContentFile(b"later")) == name
        report = import_field(get_field(model))
        assert "a record of other bytes" in get_only_bad_row(report).reason
        assert storage.get_meta_backend_obj(name).get("object_id") is None

    def test_that_was_released_is_not_assigned(self, model, rows):
        import_field(get_field(model))
        storage = get_field(model).storage
        record = storage.get_meta_backend_obj(rows[0].file.name)
        data = {
            key: record.get(key)
            for key in ("content_type_id", "object_id", "field", "content_object_scope")
        }
        storage.meta_backend.set_content_object(data, None, [record["path"]])
        report = import_field(get_field(model))
        assert "was released" in get_only_bad_row(report).reason

    @pytest.mark.parametrize("model", [MongoLetter], indirect=True)
    def test_upload_of_a_user_is_not_assigned(self, model, rows, saved):
        """The name of the upload of another user was written to the row."""
        saved.meta_backend.update(saved["path"], {"uploader_id": "7"})
        report = import_field(get_field(model))
        assert "an upload of a user" in get_only_bad_row(report).reason
        assert saved.meta_backend.get(saved["path"]).get("object_id") is None

    def test_with_missing_bytes_is_not_assigned(self, model, rows, saved):
        rows[0].file.storage.delete(rows[0].file.name)
        report = import_field(get_field(model))
        assert "does not have a file" in get_only_bad_row(report).reason

    @pytest.mark.parametrize("is_same_row", [True, False], ids=["this row", "another row"])
    def test_is_assigned_by_another_process(self, model, rows, saved, monkeypatch, is_same_row):
        original = importing._Importer._check_exists
        owner = rows[0] if is_same_row else rows[1]

        def check(self, original_storage_path):
            original(self, original_storage_path)
            if original_storage_path == rows[0].file.name:
                data = self._get_content_object_data(owner.pk)
                self.meta_backend.set_content_object(data, rows[0].file.name)

        monkeypatch.setattr(importing._Importer, "_check_exists", check)
        report = import_field(get_field(model))
        if is_same_row:
            assert get_counts(report) == (ROWS - 1, 0, 1, 0)
        else:
            assert "was changed at this moment" in get_only_bad_row(report).reason
        record = saved.meta_backend.get(saved["path"])
        assert record["object_id"] == owner.pk


class TestStops:
    @pytest.mark.parametrize("error", [ConnectionError("no answer"), OSError(errno.EIO, "I/O")])
    def test_if_the_original_storage_does_not_answer(self, model, rows, monkeypatch, error):
        original = FileSystemStorage.exists

        def exists(self, name):
            if name == rows[2].file.name:
                raise error
            return original(self, name)

        monkeypatch.setattr(FileSystemStorage, "exists", exists)
        with pytest.raises(ImportStopped, match=type(error).__name__) as caught:
            import_field(get_field(model))
        assert get_counts(caught.value.report) == (2, 0, 0, 0)
        assert str(rows[2].pk) in str(caught.value)
        monkeypatch.undo()
        assert get_counts(import_field(get_field(model))) == (ROWS - 2, 0, 2, 0)

    def test_if_the_folder_does_not_exist(self, model, rows):
        location = rows[0].file.storage.location
        os.rename(location, f"{location}-unmounted")
        with pytest.raises(ImportStopped, match="Mount or create it"):
            import_field(get_field(model))

    def test_if_the_table_of_records_does_not_exist(self, rows, monkeypatch):
        from proxy_storage.meta_backends.orm import ORMMetaBackend
        from tests.testapp.models import TablelessStoredFile

        field = get_field(OrmLetter)
        meta_backend = ORMMetaBackend(TablelessStoredFile)
        monkeypatch.setattr(field.storage, "meta_backend", meta_backend)
        monkeypatch.setattr(ORMMetaBackend, "check_keys", lambda self, keys: None)
        with pytest.raises(ImportStopped, match=r"manage\.py migrate"):
            import_field(field)


class TestFields:
    def test_uuid_keys(self, empty_storages):
        storage = get_proxy_storage("orm_disk")
        keys = [uuid.uuid4() for _number in range(ROWS)]
        paths = {}
        for key in keys:
            name = f"{key}.txt"
            storage.original_storage.save(name, ContentFile(b"x"))
            paths[key] = storage.get_path(storage.original_storage, name)
            KeyedDocument.objects.create(pk=key)
            KeyedDocument.objects.filter(pk=key).update(orm_file=paths[key])
        report = import_field(get_field(KeyedDocument, "orm_file"), batch_size=2)
        assert get_counts(report) == (ROWS, 0, 0, 0)
        for key, path in paths.items():
            record = storage.meta_backend.get(path)
            assert record["original_storage_path"] == f"{key}.txt"
            assert record.get_content_object().pk == key

    def test_rows_without_a_file_are_skipped(self, empty_storages):
        Document.objects.create()
        assert import_field(get_field(Document, "orm_file")).total == 0

    def test_rows_of_children_are_rows_of_the_model(self, empty_storages):
        storage = get_proxy_storage("orm_disk")
        storage.original_storage.save("a.txt", ContentFile(b"x"))
        child = ScannedDocument.objects.create()
        path = storage.get_path(storage.original_storage, "a.txt")
        Document.objects.filter(pk=child.pk).update(orm_file=path)
        assert import_field(get_field(ScannedDocument, "orm_file")).created == 1
        assert storage.meta_backend.get(path).get_content_object() == child.document_ptr

    def test_image(self, empty_storages):
        storage = get_proxy_storage("orm_disk")
        storage.original_storage.save("a.png", ContentFile(b"x"))
        path = storage.get_path(storage.original_storage, "a.png")
        Picture.objects.bulk_create([Picture(orm_image="", mongo_image="")])
        Picture.objects.update(orm_image=path)
        assert import_field(get_field(Picture, "orm_image")).created == 1

    def test_full_path_outside_of_the_storage(self, empty_storages):
        document = Document.objects.create()
        Document.objects.update(orm_file="/etc/passwd")
        report = import_field(get_field(Document, "orm_file"))
        assert get_only_bad_row(report).key == document.pk
        assert get_only_bad_row(report).reason == "The path is not one of this storage."

    def test_relative_name_on_a_storage_with_full_paths(self, empty_storages):
        document = Document.objects.create()
        Document.objects.update(orm_file="a.txt")
        with pytest.raises(ConfigurationError, match="paths = 'relative'") as caught:
            import_field(get_field(Document, "orm_file"))
        assert f"the row {document.pk}" in str(caught.value)

    def test_plain_field_of_the_default_storage(self, rows, settings, monkeypatch):
        from django.core.files.storage import default_storage

        settings.STORAGES = settings.STORAGES | {"default": settings.STORAGES["orm-letters"]}
        del settings.STORAGES["orm-letters"]
        field = get_field(PlainLetter)
        monkeypatch.setattr(field, "storage", default_storage)
        assert import_field(field).created == ROWS
        record = storages["default"].get_meta_backend_obj(rows[0].file.name)
        assert record.get_content_object() == rows[0]

    def test_storage_that_is_not_a_proxy_storage(self, rows):
        with pytest.raises(ConfigurationError, match="which is not a proxy storage") as caught:
            import_field(get_field(PlainLetter))
        assert "STORAGES = STORAGES | {'default': {'BACKEND':" in str(caught.value)

    def test_plain_field_on_a_storage_that_does_not_track_it(self, db):
        with pytest.raises(ConfigurationError, match="tracks_plain_fields = True"):
            import_field(get_field(PlainDocument, "orm_file"))

    def test_plain_field_on_a_storage_that_tracks_it(self, empty_storages):
        field = get_field(RelativeDocument, "plain_file")
        field.storage.original_storage.save("plain/a.txt", ContentFile(b"x"))
        document = RelativeDocument.objects.create()
        RelativeDocument.objects.update(plain_file="plain/a.txt")
        assert import_field(field).created == 1
        assert field.storage.get_meta_backend_obj("plain/a.txt").get_content_object() == document

    def test_composite_primary_key(self, db, monkeypatch):
        from django.db.models import CompositePrimaryKey

        monkeypatch.setattr(OrmLetter._meta, "pk", CompositePrimaryKey("id", "file"))
        with pytest.raises(ConfigurationError, match="composite primary key"):
            import_field(get_field(OrmLetter))


class TestSeveralOriginalStorages:
    @pytest.fixture
    def field(self, rows, settings, monkeypatch, tmp_path):
        settings.STORAGES = settings.STORAGES | {
            "several": {
                "BACKEND": "tests.testapp.storages.MultipleStorage",
                "OPTIONS": {
                    "original_storages": {
                        "new": {"BACKEND": DISK, "OPTIONS": {"location": tmp_path}},
                        "old": {"BACKEND": DISK, "OPTIONS": {"location": settings.LETTERS_ROOT}},
                    },
                    "meta_backend": settings.META_BACKENDS["orm"],
                },
            }
        }
        field = get_field(OrmLetter)
        monkeypatch.setattr(field, "storage", storages["several"])
        return field

    def test_files_of_another_one(self, field, rows):
        report = import_field(field)
        assert get_counts(report) == (0, 0, 0, ROWS)
        assert report.bad[0].reason == "new does not have a file with this name."
        assert get_counts(import_field(field, using="old")) == (ROWS, 0, 0, 0)
        record = field.storage.get_meta_backend_obj(rows[0].file.name)
        assert record["original_storage_name"] == "old"
        with field.storage.open(rows[0].file.name) as file:
            assert file.read() == b"0"

    def test_record_of_another_one_is_not_assigned(self, field, rows, tmp_path):
        name = rows[0].file.name
        os.makedirs(os.path.dirname(tmp_path / name))
        (tmp_path / name).write_bytes(b"other")
        field.storage.save(name, None, original_storage_path=name, using="new")
        report = import_field(field, using="old")
        assert "a record of other bytes" in get_only_bad_row(report).reason

    def test_unknown_name(self, field):
        with pytest.raises(ConfigurationError, match=r"Its original storages are 'new', 'old'\."):
            import_field(field, using="gone")

    def test_name_for_a_storage_with_one(self, rows):
        with pytest.raises(ConfigurationError, match="It has only one: omit using"):
            import_field(get_field(OrmLetter), using="gone")


@pytest.mark.django_db(databases=["default", "other"])
class TestDatabases:
    @pytest.fixture
    def path(self, empty_storages):
        storage = get_proxy_storage("orm_disk")
        storage.original_storage.save("a.txt", ContentFile(b"x"))
        path = storage.get_path(storage.original_storage, "a.txt")
        ShardDocument.objects.using("other").bulk_create([ShardDocument(orm_file=path)])
        return path

    def test_rows_of_another_one(self, path, settings):
        settings.PROXY_STORAGE = settings.PROXY_STORAGE | {"CONTENT_OBJECT_DATABASES": ["other"]}
        field = get_field(ShardDocument, "orm_file")
        assert import_field(field).total == 0
        assert import_field(field, database="other").created == 1
        record = field.storage.get_meta_backend_obj(path)
        assert record["content_object_scope"] == "other"
        assert record.get_content_object() == ShardDocument.objects.using("other").get()

    def test_content_objects_are_not_looked_up_there(self, path):
        with pytest.raises(ConfigurationError, match="CONTENT_OBJECT_DATABASES"):
            import_field(get_field(ShardDocument, "orm_file"), database="other")

    def test_unknown_alias(self, path):
        with pytest.raises(ConfigurationError, match="the alias 'gone'"):
            import_field(get_field(ShardDocument, "orm_file"), database="gone")

    def test_records_that_cannot_name_the_database(self, path, settings, monkeypatch):
        settings.PROXY_STORAGE = settings.PROXY_STORAGE | {"CONTENT_OBJECT_DATABASES": ["other"]}
        field = get_field(ShardDocument, "orm_file")
        meta_backend = type(field.storage.meta_backend)
        original = meta_backend.can_hold

        def can_hold(self, *keys):
            return "content_object_scope" not in keys and original(self, *keys)

        monkeypatch.setattr(meta_backend, "can_hold", can_hold)
        with pytest.raises(ConfigurationError, match="Add content_object_scope"):
            import_field(field, database="other")
        # Rows of the default database do not need it.
        assert import_field(field).total == 0


@pytest.mark.parametrize("storage", ["orm-relative-s3"], indirect=True)
@pytest.mark.parametrize("dry_run", [True, False])
def test_bucket_that_does_not_exist(storage, user, monkeypatch, dry_run):
    """S3 has the same response for a missing object and for an object in a missing bucket."""
    field = get_field(OrmLetter)
    endpoint_url = storage.original_storage.endpoint_url
    original = S3Storage(endpoint_url=endpoint_url, bucket_name="nothing")
    monkeypatch.setattr(storage, "original_storage", original)
    monkeypatch.setattr(field, "storage", storage)
    PlainLetter.objects.bulk_create([PlainLetter(user=user, file="letters/a.txt")])
    with pytest.raises(ImportStopped, match="bucket 'nothing' does not exist") as caught:
        import_field(field, dry_run=dry_run)
    assert get_counts(caught.value.report) == (0, 0, 0, 0)


@pytest.mark.parametrize("storage", ["orm-relative-s3"], indirect=True)
def test_objects_in_s3(storage, user, monkeypatch):
    field = get_field(OrmLetter)
    monkeypatch.setattr(field, "storage", storage)
    storage.original_storage.save("letters/a.txt", ContentFile(b"in S3"))
    PlainLetter.objects.bulk_create([PlainLetter(user=user, file="letters/a.txt")])
    assert import_field(field).created == 1
    with storage.open("letters/a.txt") as file:
        assert file.read() == b"in S3"


@pytest.mark.parametrize("storage", ["orm-relative-memory"], indirect=True)
def test_files_in_memory(storage, user, monkeypatch):
    field = get_field(OrmLetter)
    monkeypatch.setattr(field, "storage", storage)
    storage.original_storage.save("letters/a.txt", ContentFile(b"x"))
    PlainLetter.objects.bulk_create([PlainLetter(user=user, file="letters/a.txt")])
    PlainLetter.objects.bulk_create([PlainLetter(user=user, file="letters/gone.txt")])
    assert get_counts(import_field(field)) == (1, 0, 0, 1)
