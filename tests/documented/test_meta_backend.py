"""The chapter about meta backends: the base class, MongoDB and the ORM."""

import pytest
from bson import ObjectId
from django.contrib.contenttypes.fields import GenericForeignKey
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import models
from django.test.utils import isolate_apps
from pymongo import MongoClient

from proxy_storage import exceptions
from proxy_storage.db.fields import ProxyStorageFileField
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends import base
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
from proxy_storage.storages.base import MultipleOriginalStoragesMixin, ProxyStorageBase
from tests.testapp.models import Document, NamedStoredFile, PlainStoredFile, StoredFile
from tests.testapp.storages import MongoDiskStorage

RECORD = {
    "proxy_storage_name": "file_system_proxy_storage",
    "path": "/tmp/hello.txt",
    "original_storage_path": "hello.txt",
}


class TestMetaBackend:
    def test_out_of_the_box_information_can_be_in_mongodb_or_orm(self, storage, meta_backend):
        path = storage.save("hello.txt", ContentFile(b"world"))
        assert [record["path"] for record in meta_backend] == [path]
        assert storage.meta_backend is meta_backend


class TestMetaBackendBaseClass:
    def test_is_the_base_class_of_all_meta_backends(self, meta_backend):
        assert isinstance(meta_backend, MetaBackendBase)

    def test_exceptions_have_the_documented_import_path(self):
        assert base.MetaBackendObjectDoesNotExist is exceptions.MetaBackendObjectDoesNotExist
        for name in ("MetaBackendObjectAlreadyExists", "MetaBackendUnavailable"):
            assert getattr(base, name) is getattr(exceptions, name)

    def test_get_returns_the_object_by_path(self, meta_backend):
        meta_backend.create(RECORD)
        meta_backend.create({**RECORD, "path": "/tmp/other.txt"})
        record = meta_backend.get("/tmp/hello.txt")
        assert isinstance(record, MetaBackendObject)
        assert record.items() >= RECORD.items()

    def test_get_raises_does_not_exist(self, meta_backend):
        with pytest.raises(MetaBackendObjectDoesNotExist):
            meta_backend.get("/tmp/hello.txt")

    def test_delete_deletes_the_object_of_the_path(self, meta_backend):
        meta_backend.create(RECORD)
        meta_backend.create({**RECORD, "path": "/tmp/other.txt"})
        meta_backend.delete("/tmp/hello.txt")
        assert [record["path"] for record in meta_backend] == ["/tmp/other.txt"]

    def test_update_updates_the_object_of_the_path(self, meta_backend):
        meta_backend.create(RECORD)
        meta_backend.create({**RECORD, "path": "/tmp/other.txt"})
        meta_backend.update("/tmp/hello.txt", {"original_storage_path": "moved.txt"})
        updated, other = (meta_backend.get(f"/tmp/{name}.txt") for name in ("hello", "other"))
        assert updated.items() >= {**RECORD, "original_storage_path": "moved.txt"}.items()
        assert other["original_storage_path"] == "hello.txt"

    def test_update_has_documented_names_of_arguments(self, meta_backend):
        meta_backend.create(RECORD)
        meta_backend.update(path="/tmp/hello.txt", update_data={"original_storage_path": "new"})
        assert meta_backend.get(path="/tmp/hello.txt")["original_storage_path"] == "new"

    @pytest.mark.parametrize("update_data", [None, "path", 5])
    def test_update_data_must_be_a_dict(self, meta_backend, update_data):
        meta_backend.create(RECORD)
        with pytest.raises((TypeError, ValueError)):
            meta_backend.update("/tmp/hello.txt", update_data)
        assert meta_backend.get("/tmp/hello.txt").items() >= RECORD.items()

    def test_exists_returns_whether_there_is_an_object(self, meta_backend):
        assert meta_backend.exists("/tmp/hello.txt") is False
        meta_backend.create(RECORD)
        assert meta_backend.exists("/tmp/hello.txt") is True


class TestMetaBackendObject:
    @pytest.fixture
    def record(self, storage):
        return storage.meta_backend.get(storage.save("hello.txt", ContentFile(b"world")))

    def test_is_a_subclass_of_dict(self, record):
        assert isinstance(record, dict)
        assert isinstance(record, MetaBackendObject)

    def test_get_original_storage(self, record, storage):
        assert record.get_original_storage() is storage.get_original_storage()

    def test_get_proxy_storage(self, record, storage):
        assert type(record.get_proxy_storage()) is type(storage)

    def test_get_original_storage_full_path(self, record, folder):
        assert record.get_original_storage_full_path() == f"{folder}/hello.txt"

    def test_base_meta_backend_keeps_three_values(self, record, folder, key_name):
        assert record.pop(key_name)
        assert record == {**RECORD, "path": f"{folder}/hello.txt"}

    def test_proxy_storage_name_is_the_key_in_settings(self, record, settings):
        names = settings.PROXY_STORAGE["PROXY_STORAGE_CLASSES"]
        assert list(names) == [record["proxy_storage_name"]]

    @pytest.mark.parametrize("prefix", [None, "/private/"])
    def test_full_path_of_every_original_storage(
        self, original_storage, meta_backend, register, prefix
    ):
        """It is a path in the original storage, independent of the path of the record."""
        original, records = original_storage, meta_backend

        class AnyProxyStorage(ProxyStorageBase):
            original_storage = original
            meta_backend = records
            path_prefix = prefix

        register("any", AnyProxyStorage)
        path = AnyProxyStorage().save("sub/hello.txt", ContentFile(b"world"))
        record = meta_backend.get(path)
        name = record["original_storage_path"]
        is_on_disk = isinstance(original, FileSystemStorage)
        full_path = original.path(name) if is_on_disk else f"/{name}"
        assert record.get_original_storage_full_path() == full_path
        assert path.startswith("/private/sub/") is bool(prefix)


class TestMongoMetaBackend:
    @pytest.fixture
    def database(self, mongodb_uri, settings, empty_storages):
        with MongoClient(mongodb_uri) as client:
            yield client[settings.MONGODB_NAME]

    def test_database_is_an_instance(self, database):
        backend = MongoMetaBackend(database=database, collection="records")
        backend.create(RECORD)
        assert database["records"].find_one({"path": "/tmp/hello.txt"})["_id"]

    def test_database_may_be_callable(self, database):
        def get_mongo_db():
            return database

        backend = MongoMetaBackend(database=get_mongo_db, collection="records")
        backend.create(RECORD)
        assert MongoMetaBackend(database, "records").get("/tmp/hello.txt").items() >= RECORD.items()

    def test_collection_is_where_information_is_stored(self, database):
        backend = MongoMetaBackend(database=database, collection="meta_backend_collection")
        try:
            backend.create(RECORD)
            assert database["meta_backend_collection"].count_documents({}) == 1
            assert not MongoMetaBackend(database, "records").exists("/tmp/hello.txt")
        finally:
            database["meta_backend_collection"].drop()


@pytest.mark.usefixtures("empty_storages")
class TestMongoMetaBackendObject:
    def test_adds_the_object_id_of_the_document(self):
        storage = MongoDiskStorage()
        record = storage.meta_backend.get(storage.save("hello.txt", ContentFile(b"world")))
        assert isinstance(record["_id"], ObjectId)
        assert record.keys() == {"_id", *RECORD}


@pytest.mark.django_db
class TestORMMetaBackend:
    def test_model_stores_meta_information(self):
        ORMMetaBackend(model=PlainStoredFile).create(RECORD)
        assert PlainStoredFile.objects.values(*RECORD).get() == RECORD

    def test_model_must_inherit_from_the_base_model(self):
        assert issubclass(PlainStoredFile, ProxyStorageModelBase)
        assert ProxyStorageModelBase._meta.abstract
        with pytest.raises(ConfigurationError, match="must be a subclass of ProxyStorageModelBase"):
            ORMMetaBackend(model=Document).create(RECORD)

    def test_rows_are_shown_by_their_path(self):
        """Without the folders of the server."""
        ORMMetaBackend(model=PlainStoredFile).create(RECORD)
        assert str(PlainStoredFile.objects.get()) == "hello.txt"


@pytest.mark.django_db
class TestORMMetaBackendObject:
    def test_adds_the_primary_key_of_the_model(self):
        backend = ORMMetaBackend(model=PlainStoredFile)
        created = backend.create(RECORD)
        assert created == {"id": PlainStoredFile.objects.get().pk, **RECORD}
        assert backend.get("/tmp/hello.txt") == created


class TestContentObjectField:
    def test_mixin_adds_generic_relation_fields(self):
        assert issubclass(StoredFile, ContentObjectFieldMixin)
        assert issubclass(StoredFile, ProxyStorageModelBase)
        assert isinstance(StoredFile._meta.get_field("content_object"), GenericForeignKey)

    @pytest.mark.usefixtures("empty_storages")
    def test_content_object_is_the_saved_instance(self):
        document = Document()
        document.orm_file.save("a.txt", ContentFile(b""))
        assert StoredFile.objects.get().content_object == document

    @isolate_apps("tests.testapp")
    def test_content_object_field_context_needs_the_mixin(self):
        class PlainStorage(ProxyStorageBase):
            original_storage = FileSystemStorage()
            meta_backend = ORMMetaBackend(model=PlainStoredFile)

        class JobApply(models.Model):
            resume = ProxyStorageFileField(storage=PlainStorage())

            class Meta:
                app_label = "testapp"

        # The other message is about the storage, which is not registered.
        _, error = JobApply._meta.get_field("resume").check()
        assert error.id == "proxy_storage.E102"
        assert "ContentObjectFieldMixin" in error.msg


@pytest.mark.usefixtures("empty_storages")
class TestOriginalStorageName:
    @pytest.fixture(params=[NamedStoredFile, PlainStoredFile])
    def storage(self, request, folder, register):
        class SeveralProxyStorage(MultipleOriginalStoragesMixin, ProxyStorageBase):
            original_storages = [("file_system", FileSystemStorage(location=folder))]
            meta_backend = ORMMetaBackend(model=request.param)

        register("several", SeveralProxyStorage)
        return SeveralProxyStorage()

    @pytest.mark.parametrize("storage", [NamedStoredFile], indirect=True)
    def test_mixin_adds_the_field_for_the_used_original_storage(self, storage):
        assert issubclass(NamedStoredFile, OriginalStorageNameMixin)
        path = storage.save("hello.txt", ContentFile(b"world"))
        assert NamedStoredFile.objects.get().original_storage_name == "file_system"
        assert storage.meta_backend.get(path)["original_storage_name"] == "file_system"

    @pytest.mark.parametrize("storage", [PlainStoredFile], indirect=True)
    def test_multiple_original_storages_need_the_mixin(self, storage, folder):
        with pytest.raises(ConfigurationError, match="OriginalStorageNameMixin"):
            storage.save("hello.txt", ContentFile(b"world"))
        assert list(folder.iterdir()) == []
