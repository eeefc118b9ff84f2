"""The chapter about model fields: Django's `FileField` and `ProxyStorageFileField`."""

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile

from jobs.models import JobApply
from proxy_storage.exceptions import InvalidNameError
from tests.testapp.models import Document, PlainDocument, StoredFile

pytestmark = pytest.mark.usefixtures("empty_storages")


@pytest.fixture
def messi():
    return User.objects.create(username="messi")


@pytest.fixture
def record_model():
    return StoredFile


@pytest.mark.parametrize("field", ["orm_file", "mongo_file"])
class TestModelFields:
    @pytest.fixture
    def document(self, field):
        document = PlainDocument()
        getattr(document, field).save("messi_resume.txt", ContentFile(b"Barcelona"))
        return document

    def test_standard_file_field_saves_through_the_proxy_storage(self, document, field, settings):
        name = getattr(PlainDocument.objects.get(pk=document.pk), field).name
        assert name == f"{settings.TEST_FILES_ROOT}/messi_resume.txt"
        record = getattr(document, field).storage.meta_backend.get(name)
        assert record["original_storage_path"] == "messi_resume.txt"

    def test_standard_file_field_reads_through_the_proxy_storage(self, document, field):
        file = getattr(PlainDocument.objects.get(pk=document.pk), field)
        with file.open() as opened:
            assert opened.read() == b"Barcelona"
        assert file.size == 9
        assert file.path == file.name

    def test_standard_file_field_deletes_through_the_proxy_storage(self, document, field):
        file = getattr(document, field)
        storage, path = file.storage, file.name
        file.delete()
        assert not storage.exists(path)
        assert not storage.get_original_storage().exists("messi_resume.txt")
        assert not getattr(PlainDocument.objects.get(pk=document.pk), field)

    def test_standard_file_field_records_no_content_object(self, document, field):
        file = getattr(document, field)
        assert file.storage.meta_backend.get(file.name).get_content_object() is None


class TestContentObjectFieldContext:
    @pytest.fixture
    def messi_apply(self, messi, gridfs_proxy_storage, monkeypatch):
        """Return the documented application, whose resume is in GridFS."""
        storage = gridfs_proxy_storage()
        monkeypatch.setattr(JobApply._meta.get_field("resume"), "storage", storage)
        messi_apply = JobApply(user=messi)
        messi_apply.resume.save("messi_resume.txt", ContentFile("Barcelona"))
        return messi_apply

    def test_meta_backend_object_changed(self, messi_apply, meta_backend, key_name):
        record = meta_backend.get("/messi_resume.txt")
        assert record.pop(key_name)
        expected = {
            "proxy_storage_name": "gridfs_proxy_storage",
            "path": "/messi_resume.txt",
            "original_storage_path": "messi_resume.txt",
            "content_type_id": ContentType.objects.get(app_label="jobs", model="jobapply").pk,
            "object_id": messi_apply.pk,
            "field": "resume",
        }
        # The table also has the columns of other sections.
        assert {key: record[key] for key in expected} == expected
        assert key_name == "id" or record == expected

    def test_object_id_comes_back_as_the_type_of_the_key(self, messi_apply, meta_backend):
        assert type(meta_backend.get("/messi_resume.txt")["object_id"]) is int

    def test_context_leads_to_the_instance(self, messi_apply, meta_backend):
        record = meta_backend.get("/messi_resume.txt")
        content_type = ContentType.objects.get(id=record["content_type_id"])
        assert content_type.model_class() is JobApply
        assert JobApply.objects.get(pk=record["object_id"]) == messi_apply
        assert record.get_content_object() == messi_apply

    def test_name_with_a_leading_slash_raises(self, messi, gridfs_proxy_storage, monkeypatch):
        """The documentation saves "/messi_resume.txt". Django rejects such names today."""
        storage = gridfs_proxy_storage()
        with pytest.raises(InvalidNameError):
            storage.save("/messi_resume.txt", ContentFile(b"Barcelona"))
        monkeypatch.setattr(JobApply._meta.get_field("resume"), "storage", storage)
        with pytest.raises(SuspiciousFileOperation):
            JobApply(user=messi).resume.save("/messi_resume.txt", ContentFile(b"Barcelona"))
        assert list(storage.meta_backend) == []

    @pytest.mark.parametrize("field", ["orm_file", "mongo_file"])
    def test_context_is_stored_on_each_meta_backend(self, messi, field):
        document = Document(user=messi)
        getattr(document, field).save("messi_resume.txt", ContentFile(b"Barcelona"))
        file = getattr(document, field)
        record = file.storage.meta_backend.get(file.name)
        assert record["content_type_id"] == ContentType.objects.get_for_model(Document).pk
        assert record["object_id"] == document.pk
        assert record["field"] == field

    def test_paths_of_the_example(self, messi, settings):
        application = JobApply(user=messi)
        application.resume.save("messi_resume.txt", ContentFile(b"resume"), save=False)
        application.avatar.save("messi_avatar.jpg", ContentFile(b"avatar"))
        assert application.resume.name == "/messi_resume.txt"
        assert application.avatar.name == f"{settings.FILES_ROOT}/messi_avatar.jpg"
