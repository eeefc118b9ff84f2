"""What the documentation of 0.1.2 says, section by section, on both meta backends."""

import pathlib

import pytest
from bson import ObjectId
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, Storage
from pymongo import MongoClient

from jobs.models import JobApply
from proxy_storage.meta_backends.base import (
    MetaBackendBase,
    MetaBackendObject,
    MetaBackendObjectDoesNotExist,
)
from proxy_storage.meta_backends.mongo import MongoMetaBackend
from proxy_storage.meta_backends.orm import (
    ContentObjectFieldMixin,
    OriginalStorageNameMixin,
    ORMMetaBackend,
    ProxyStorageModelBase,
)
from proxy_storage.settings import proxy_storage_settings
from proxy_storage.storages.base import ProxyStorageBase
from tests.testapp.models import Document, NamedStoredFile, PlainStoredFile, StoredFile
from tests.testapp.storages import MongoDiskStorage, OrmDiskStorage

pytestmark = pytest.mark.usefixtures("empty_storages")


@pytest.fixture(params=[OrmDiskStorage, MongoDiskStorage])
def storage(request):
    return request.param()


@pytest.fixture
def folder(settings):
    return str(settings.TEST_FILES_ROOT)


class TestQuickStart:
    def test_save_behaves_like_the_original_and_returns_the_full_path(self, storage, folder):
        path = storage.save("hello.txt", ContentFile(b"world"))
        assert path == f"{folder}/hello.txt"
        assert pathlib.Path(path).read_bytes() == b"world"

    def test_save_writes_a_record(self, storage, folder):
        path = storage.save("hello.txt", ContentFile(b"world"))
        record = storage.meta_backend.get(path)
        assert record["path"] == f"{folder}/hello.txt"
        assert record["original_storage_path"] == "hello.txt"
        assert record["proxy_storage_name"] in ("orm_disk", "mongo_disk")

    def test_attributes(self, storage):
        assert isinstance(storage, ProxyStorageBase)
        assert isinstance(storage, Storage)
        assert isinstance(storage.meta_backend, MetaBackendBase)


class TestHowItWorks:
    def test_save_finds_another_path_where_the_first_has_a_record(self, storage, folder):
        taken = {"proxy_storage_name": "x", "original_storage_path": "x"}
        storage.meta_backend.create({**taken, "path": f"{folder}/hello.txt"})
        path = storage.save("hello.txt", ContentFile(b"world"))
        assert path.startswith(f"{folder}/hello_")
        assert path.endswith(".txt")

    def test_save_with_original_storage_path_writes_no_bytes(self, storage, folder):
        storage.get_original_storage().save("there.txt", ContentFile(b"there"))
        path = storage.save("a.txt", ContentFile(b"ignored"), original_storage_path="there.txt")
        assert path == f"{folder}/there.txt"
        assert pathlib.Path(path).read_bytes() == b"there"
        assert not pathlib.Path(folder, "a.txt").exists()

    def test_exists_asks_the_meta_backend(self, storage, folder):
        path = storage.save("hello.txt", ContentFile(b"world"))
        pathlib.Path(path).unlink()
        assert storage.exists(path)
        pathlib.Path(folder, "without_record.txt").write_bytes(b"")
        assert not storage.exists(f"{folder}/without_record.txt")

    def test_open_gives_what_the_original_gives(self, storage):
        path = storage.save("hello.txt", ContentFile(b"world"))
        with storage.open(path) as file:
            assert type(file) is File
            assert file.read() == b"world"

    def test_open_without_record(self, storage):
        with pytest.raises(IOError):
            storage.open("/nothing.txt")

    def test_delete_removes_the_bytes_and_the_record(self, storage):
        path = storage.save("hello.txt", ContentFile(b"world"))
        storage.delete(path)
        assert not pathlib.Path(path).exists()
        with pytest.raises(MetaBackendObjectDoesNotExist):
            storage.meta_backend.get(path)

    def test_delete_without_record(self, storage):
        with pytest.raises(IOError):
            storage.delete("/nothing.txt")

    def test_get_original_storage(self, storage):
        assert isinstance(storage.get_original_storage(), FileSystemStorage)


class TestMetaBackendObject:
    def test_is_a_dict_with_methods(self, storage):
        path = storage.save("hello.txt", ContentFile(b"world"))
        record = storage.meta_backend.get(path)
        assert isinstance(record, dict)
        assert isinstance(record, MetaBackendObject)
        assert record.get_original_storage() is storage.original_storage
        assert type(record.get_proxy_storage()) is type(storage)
        assert record.get_original_storage_full_path() == path


class TestMongoMetaBackend:
    def test_object_has_an_object_id(self, mongodb_uri):
        storage = MongoDiskStorage()
        record = storage.meta_backend.get(storage.save("hello.txt", ContentFile(b"world")))
        assert isinstance(record["_id"], ObjectId)
        assert set(record) == {"_id", "proxy_storage_name", "path", "original_storage_path"}

    def test_database_is_an_instance_or_a_callable(self, mongodb_uri, settings):
        data = {"path": "/a", "proxy_storage_name": "b", "original_storage_path": "c"}
        with MongoClient(mongodb_uri) as client:
            database = client[settings.MONGODB_NAME]
            MongoMetaBackend(database=database, collection="file_records").create(data)
            backend = MongoMetaBackend(database=lambda: database, collection="file_records")
            assert backend.get("/a")["original_storage_path"] == "c"


class TestORMMetaBackend:
    def test_object_has_an_id(self):
        backend = ORMMetaBackend(model=PlainStoredFile)
        data = {"path": "/a", "proxy_storage_name": "b", "original_storage_path": "c"}
        record = backend.create(data)
        assert record == {"id": PlainStoredFile.objects.get().pk, **data}

    def test_mixins(self):
        assert issubclass(StoredFile, ContentObjectFieldMixin)
        assert issubclass(StoredFile, ProxyStorageModelBase)
        assert issubclass(NamedStoredFile, OriginalStorageNameMixin)
        data = {"path": "/a", "proxy_storage_name": "b", "original_storage_path": "c"}
        record = ORMMetaBackend(model=NamedStoredFile).create(
            {**data, "original_storage_name": "disk"}
        )
        assert record["original_storage_name"] == "disk"
        assert str(NamedStoredFile.objects.get()) == "/a"


class TestContentObjectFieldContext:
    @pytest.mark.parametrize("field", ["orm_file", "mongo_file"])
    def test_record_knows_its_owner(self, field):
        document = Document(user=User.objects.create(username="messi"))
        getattr(document, field).save("messi_resume.txt", ContentFile(b"Barcelona"))
        file = getattr(document, field)
        record = file.storage.meta_backend.get(file.name)
        assert record["content_type_id"] == ContentType.objects.get_for_model(Document).pk
        assert record["object_id"] == document.pk
        assert record["field"] == field

    def test_generic_relation_of_the_orm(self):
        document = Document()
        document.orm_file.save("a.txt", ContentFile(b""))
        assert StoredFile.objects.get().content_object == document

    def test_paths_of_the_example(self, settings):
        application = JobApply(user=User.objects.create(username="messi"))
        application.resume.save("messi_resume.txt", ContentFile(b"resume"), save=False)
        application.avatar.save("messi_avatar.jpg", ContentFile(b"avatar"))
        assert application.resume.name == "/messi_resume.txt"
        assert application.avatar.name == f"{settings.FILES_ROOT}/messi_avatar.jpg"


def test_accessing_settings(settings):
    classes = settings.PROXY_STORAGE["PROXY_STORAGE_CLASSES"]
    assert classes == proxy_storage_settings.PROXY_STORAGE_CLASSES
