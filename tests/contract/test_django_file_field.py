"""Django's ideas of the file of a model, for files in front of a file system."""

import copy
import pickle
from pathlib import Path

import pytest
from django.core.exceptions import FieldError
from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.db import transaction
from django.db.models.fields.files import FileDescriptor

from proxy_storage.db.fields import ProxyStorageFieldFile
from tests.contract.content_objects import get_row, row_of
from tests.testapp.models import DiskDocument

pytestmark = pytest.mark.usefixtures("empty_storages")


@pytest.fixture
def document(field):
    document = DiskDocument()
    getattr(document, field).save("hello.txt", ContentFile(b"hello world"))
    return document


@pytest.fixture
def file(document, field):
    return getattr(DiskDocument.objects.get(pk=document.pk), field)


class TestEmptyField:
    def test_has_no_name_and_is_false(self, field):
        for document in (DiskDocument(), DiskDocument.objects.create()):
            file = getattr(document, field)
            assert isinstance(file, ProxyStorageFieldFile)
            assert not file
            assert not file.name
            assert str(file) == ""
            assert file == ""
            assert file.closed

    @pytest.mark.parametrize("attribute", ["file", "path", "url", "size", "open", "read", "chunks"])
    def test_has_nothing_else(self, field, attribute):
        file = getattr(DiskDocument(), field)

        def use():
            value = getattr(file, attribute)
            return list(value()) if callable(value) else value

        with pytest.raises(ValueError, match="has no file associated"):
            use()

    def test_delete_does_nothing(self, field, django_assert_num_queries):
        document = DiskDocument.objects.create()
        with django_assert_num_queries(0):
            getattr(document, field).delete()

    def test_class_attribute_is_a_descriptor(self, field):
        assert isinstance(getattr(DiskDocument, field), FileDescriptor)


class TestReading:
    def test_facts(self, file, field):
        assert file
        assert file.name == file.path == str(file)
        assert Path(file.path).read_bytes() == b"hello world"
        assert file.size == len(file) == 11
        assert file.url == file.storage.url(file.name)
        assert file.field.name == field

    def test_piece_by_piece(self, file):
        file.open()
        assert file.read(5) == b"hello"
        assert file.tell() == 5
        assert file.read() == b" world"
        assert file.read() == b""
        file.seek(6)
        assert file.read() == b"world"
        assert list(file.chunks(chunk_size=4)) == [b"hell", b"o wo", b"rld"]
        assert file.multiple_chunks(4)
        assert not file.multiple_chunks(100)
        file.close()

    def test_line_by_line(self, field):
        document = DiskDocument()
        getattr(document, field).save("lines.txt", ContentFile(b"one\ntwo\r\nthree"))
        with getattr(document, field).open() as file:
            assert list(file) == [b"one\n", b"two\r\n", b"three"]
            file.seek(0)
            assert file.readline() == b"one\n"

    def test_without_being_opened(self, file):
        assert file.read() == b"hello world"
        assert not file.closed
        file.close()
        assert file.closed

    def test_again_after_close(self, file):
        for mode, content in (("rb", b"hello world"), ("r", "hello world"), ("rb", b"hello world")):
            with file.open(mode) as opened:
                assert opened is file
                assert file.read() == content
            assert file.closed

    def test_bytes_that_are_gone(self, file):
        Path(file.path).unlink()
        assert file
        with pytest.raises(FileNotFoundError, match="gone"):
            file.open()
        with pytest.raises(FileNotFoundError):
            assert file.size

    def test_writing(self, file, field):
        with file.open("wb"):
            file.write(b"rewritten")
        file.instance.refresh_from_db()
        with getattr(file.instance, field).open() as reread:
            assert reread.read() == b"rewritten"
        assert get_row(DiskDocument, field, file.name) == row_of(file.instance, field, DiskDocument)


class TestEquality:
    def test_is_that_of_names(self, file, document, field):
        assert file == getattr(document, field)
        assert file == file.name
        assert file != "/another.txt"
        assert hash(file) == hash(file.name)
        assert {file: 1}[file.name] == 1

    @pytest.mark.parametrize("clone", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy])
    def test_copies_of_a_file_and_of_its_model(self, file, field, clone):
        for copied in (clone(file), getattr(clone(file.instance), field)):
            assert copied == file
            assert copied.storage is file.storage
            assert copied.instance == file.instance
            assert copied.field == file.field
            assert copied.size == 11
            with copied.open() as opened:
                assert opened.read() == b"hello world"

    @pytest.mark.parametrize("clone", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy])
    def test_copy_of_a_model_remembers_what_to_save(self, document, field, clone):
        old = getattr(document, field).name
        getattr(document, field).save("new.txt", ContentFile(b"new"), save=False)
        clone(document).save()
        assert get_row(DiskDocument, field, getattr(document, field).name) == row_of(
            document, field, DiskDocument
        )
        assert get_row(DiskDocument, field, old) is None

    def test_unsaved_model(self, field):
        document = pickle.loads(pickle.dumps(DiskDocument()))
        getattr(document, field).save("hello.txt", ContentFile(b"x"))
        assert get_row(DiskDocument, field, getattr(document, field).name) == row_of(
            document, field, DiskDocument
        )


class TestAssigning:
    def test_waits_for_the_save_of_the_model(self, field, settings):
        document = DiskDocument(**{field: SimpleUploadedFile("assigned.txt", b"assigned")})
        file = getattr(document, field)
        assert (file.name, file.size, file.read()) == ("assigned.txt", 8, b"assigned")
        assert not (settings.TEST_FILES_ROOT / "assigned.txt").exists()
        document.save()
        assert getattr(document, field).name == f"{settings.TEST_FILES_ROOT}/assigned.txt"
        assert (settings.TEST_FILES_ROOT / "assigned.txt").read_bytes() == b"assigned"

    def test_temporary_upload(self, field):
        with TemporaryUploadedFile("big.bin", "application/x-big", 3, None) as upload:
            upload.write(b"big")
            upload.seek(0)
            document = DiskDocument.objects.create(**{field: upload})
        with getattr(document, field).open() as file:
            assert file.read() == b"big"

    def test_open_file_of_another_instance_is_copied(self, document, field):
        with open(getattr(document, field).path, "rb") as source:
            other = DiskDocument.objects.create(**{field: File(source, name="copy.txt")})
        assert getattr(other, field).name != getattr(document, field).name
        assert get_row(DiskDocument, field, getattr(other, field).name) == row_of(
            other, field, DiskDocument
        )
        assert get_row(DiskDocument, field, getattr(document, field).name) == row_of(
            document, field, DiskDocument
        )

    def test_file_without_name_is_an_error(self, field):
        document = DiskDocument(**{field: ContentFile(b"nameless")})
        with transaction.atomic(), pytest.raises(FieldError, match="name"):
            document.save()
        assert list(DiskDocument._meta.get_field(field).storage.meta_backend) == []

    def test_save_leaves_the_content_open(self, field):
        upload = SimpleUploadedFile("hello.txt", b"world")
        document = DiskDocument()
        getattr(document, field).save("hello.txt", upload)
        assert not upload.closed

    def test_bulk_create_saves_the_bytes_and_no_owner(self, field):
        upload = SimpleUploadedFile("bulk.txt", b"bulk")
        DiskDocument.objects.bulk_create([DiskDocument(**{field: upload})])
        file = getattr(DiskDocument.objects.get(), field)
        assert Path(file.path).read_bytes() == b"bulk"
        assert get_row(DiskDocument, field, file.name) is None


class TestDeleting:
    def test_file(self, file, field):
        path, document = file.name, file.instance
        file.delete()
        assert not file
        assert not getattr(document, field)
        assert not Path(path).exists()
        assert not getattr(DiskDocument.objects.get(), field)

    def test_file_without_the_row_comes_back_by_name_only(self, file, field):
        path, document = file.name, file.instance
        file.delete(save=False)
        assert not getattr(document, field)
        document.refresh_from_db()
        assert getattr(document, field).name == path
        with pytest.raises(FileNotFoundError, match="No record"):
            getattr(document, field).open()

    def test_open_file_is_closed(self, file):
        opened = file.open().file
        file.delete()
        assert opened.closed

    def test_model_leaves_the_bytes(self, document, field, django_capture_on_commit_callbacks):
        path, storage = getattr(document, field).name, getattr(document, field).storage
        with django_capture_on_commit_callbacks(execute=True):
            document.delete()
        assert storage.exists(path)
        assert Path(path).read_bytes() == b"hello world"
        assert get_row(DiskDocument, field, path) is None

    def test_model_saved_again_after_its_deletion(
        self, document, field, django_capture_on_commit_callbacks
    ):
        first = getattr(document, field).name
        with django_capture_on_commit_callbacks(execute=True):
            document.delete()
        getattr(document, field).save("hello.txt", ContentFile(b"again"))
        second = getattr(document, field).name
        assert first != second
        assert get_row(DiskDocument, field, first) is None
        assert get_row(DiskDocument, field, second) == row_of(document, field, DiskDocument)
