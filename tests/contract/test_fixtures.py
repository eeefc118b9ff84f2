"""``dumpdata`` and ``loaddata``: a fixture sets the rows, but not the content objects of files."""

import json

import pytest
from django.core.management import call_command

from tests.contract.content_objects import get_row, row_of, save_file
from tests.contract.proxy_storages import read
from tests.testapp.models import Document, KeyedDocument, ScannedDocument, StoredFile

pytestmark = pytest.mark.usefixtures("empty_storages")


@pytest.fixture(params=[Document, KeyedDocument])
def model(request):
    return request.param


@pytest.fixture
def storage(field):
    return Document._meta.get_field(field).storage


@pytest.fixture
def document(model, field):
    document = model(title="before")
    save_file(document, field)
    return document


@pytest.fixture
def path(document, field):
    return getattr(document, field).name


@pytest.fixture(params=["json", "jsonl", "xml"])
def fixture(request, tmp_path):
    return tmp_path / f"fixture.{request.param}"


def dump(fixture, *labels):
    call_command("dumpdata", *labels, output=str(fixture), format=fixture.suffix[1:], verbosity=0)


def load(fixture):
    call_command("loaddata", str(fixture), verbosity=0)


def load_rows(tmp_path, *rows):
    """Load rows from a fixture; each row is a tuple of model, key and fields."""
    fixture = tmp_path / "fixture.json"
    keys = ("model", "pk", "fields")
    fixture.write_text(json.dumps([dict(zip(keys, row, strict=True)) for row in rows]))
    load(fixture)


class TestRoundTrip:
    def test_over_existing_rows(self, fixture, model, field, storage, document, path):
        dump(fixture, model._meta.label)
        model.objects.update(title="after")
        load(fixture)
        saved = model.objects.get()
        assert (saved.title, getattr(saved, field).name) == ("before", path)
        assert read(storage, path) == b"world"
        assert get_row(model, field, path) == row_of(document, field, model)

    def test_into_an_empty_table(self, fixture, model, field, storage, document, path, caplog):
        """As after the restore of a backup: the records exist, the rows do not."""
        dump(fixture, model._meta.label)
        model.objects.all()._raw_delete("default")
        load(fixture)
        # A fixture with many rows must not fill the log.
        assert caplog.text == ""
        saved = model.objects.get()
        assert saved == document
        assert getattr(saved, field).name == path
        assert get_row(model, field, path) == row_of(document, field, model)
        assert storage.meta_backend.get(path).get_content_object() == document

    def test_does_not_restore_a_content_object_that_a_delete_has_released(
        self, fixture, model, field, storage, document, path, django_capture_on_commit_callbacks
    ):
        dump(fixture, model._meta.label)
        with django_capture_on_commit_callbacks(execute=True):
            document.delete()
        load(fixture)
        saved = model.objects.get()
        assert getattr(saved, field).name == path
        assert get_row(model, field, path) is None
        # The code that loads it can assign the file.
        getattr(saved, field).assign()
        assert get_row(model, field, path) == row_of(saved, field, model)

    def test_with_the_records(self, fixture, django_capture_on_commit_callbacks):
        document = Document()
        path = save_file(document, "orm_file")
        dump(fixture, "testapp.Document", "testapp.StoredFile")
        with django_capture_on_commit_callbacks(execute=True):
            document.delete()
        StoredFile.objects.all().delete()
        load(fixture)
        loaded = Document.objects.get()
        assert get_row(Document, "orm_file", path) == row_of(loaded, "orm_file")
        with loaded.orm_file.open() as file:
            assert file.read() == b"world"

    def test_of_a_multi_table_child(self, fixture, field, storage):
        scanned = ScannedDocument(pages=3)
        path = save_file(scanned, field)
        dump(fixture, "testapp.Document", "testapp.ScannedDocument")
        ScannedDocument.objects.all()._raw_delete("default")
        Document.objects.all()._raw_delete("default")
        load(fixture)
        assert getattr(ScannedDocument.objects.get(pages=3), field).name == path
        assert get_row(Document, field, path) == row_of(scanned, field)


@pytest.mark.parametrize("model", [Document], indirect=True)
class TestHandWritten:
    @pytest.mark.parametrize("key", [1000, None])
    def test_path_of_another_row_changes_no_content_object(
        self, tmp_path, field, document, path, key
    ):
        load_rows(tmp_path, ("testapp.document", key, {field: path}))
        other = Document.objects.exclude(pk=document.pk).get()
        assert getattr(other, field).name == path
        assert get_row(Document, field, path) == row_of(document, field)
        other.save()
        assert get_row(Document, field, path) == row_of(document, field)

    @pytest.mark.django_db(transaction=True)
    def test_existing_row_gets_the_path_of_another_row(self, tmp_path, field, document, path):
        other = Document()
        other_path = save_file(other, field)
        load_rows(tmp_path, ("testapp.document", other.pk, {field: path}))
        assert get_row(Document, field, path) == row_of(document, field)
        # The row no longer names its previous file, which is released as by any other save.
        assert get_row(Document, field, other_path) is None

    def test_path_in_another_field_changes_no_content_object(self, tmp_path, field, document, path):
        another = "mongo_file" if field == "orm_file" else "orm_file"
        load_rows(tmp_path, ("testapp.document", document.pk, {field: path, another: path}))
        assert get_row(Document, field, path) == row_of(document, field)
        with pytest.raises(FileNotFoundError, match="No record"):
            getattr(Document.objects.get(), another).open()

    @pytest.mark.parametrize("lost", ["/nowhere.txt", "relative.txt", "../up.txt", "", " "])
    def test_path_without_record(self, tmp_path, field, document, path, lost):
        load_rows(tmp_path, ("testapp.document", 1000, {"title": "lost", field: lost}))
        loaded = Document.objects.get(title="lost")
        assert getattr(loaded, field).name == lost
        loaded.save()
        if lost:
            with pytest.raises(FileNotFoundError, match="No record"):
                getattr(loaded, field).open()
        assert get_row(Document, field, path) == row_of(document, field)

    def test_row_without_record_can_be_dumped_and_loaded(self, tmp_path, field, document, path):
        getattr(document, field).storage.delete(path)
        dump(tmp_path / "fixture.json", "testapp.Document")
        load(tmp_path / "fixture.json")
        assert getattr(Document.objects.get(), field).name == path
