"""The contract of meta backends, for the backends of this package and one of a project."""

import uuid

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType

from proxy_storage.exceptions import MetaBackendError
from proxy_storage.meta_backends.mongo import MongoMetaBackend
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.testing import MetaBackendContract
from tests.testapp.memory_backend import MemoryMetaBackend
from tests.testapp.models import KeyedDocument, NamedDocument
from tests.testapp.storages import MongoStorage, OrmStorage

pytestmark = pytest.mark.database

RECORD = {
    "path": "/files/a.txt",
    "proxy_storage_name": "orm_disk",
    "original_storage_path": "a.txt",
}


class TestMetaBackend(MetaBackendContract):
    @pytest.fixture
    def backend(self, backend):
        return backend


class TestMetaBackendOfAProject(MetaBackendContract):
    @pytest.fixture
    def backend(self):
        return MemoryMetaBackend()


def test_data_that_cannot_be_stored(backend):
    value = object() if backend == MongoStorage.meta_backend else None
    with pytest.raises(MetaBackendError, match="refused"):
        backend.create({**RECORD, "original_storage_path": value})
    assert not backend.exists(RECORD["path"])


def test_equal_backends_store_in_the_same_place(backend):
    assert backend == backend
    assert backend != object()
    orm, mongo = OrmStorage.meta_backend, MongoStorage.meta_backend
    assert orm != mongo
    assert ORMMetaBackend(orm.model) == orm
    assert hash(ORMMetaBackend(orm.model)) == hash(orm)
    same = MongoMetaBackend(mongo._database.source, mongo.collection_name)
    assert same == mongo
    assert hash(same) == hash(mongo)
    assert MongoMetaBackend(mongo._database.source, "other") != mongo


class TestContentObject:
    def own(self, backend, instance, key):
        owner = {
            "content_type_id": ContentType.objects.get_for_model(instance).pk,
            "object_id": key,
            "field": "file",
        }
        backend.create({**RECORD, **owner})
        return backend.get(RECORD["path"])

    def test_key_has_the_type_of_the_model(self, backend):
        user = User.objects.create(username="messi")
        keyed = KeyedDocument.objects.create()
        named = NamedDocument.objects.create(code="42")
        for instance, stored in ((user, user.pk), (keyed, str(keyed.pk)), (named, "42")):
            record = self.own(backend, instance, stored)
            assert record["object_id"] == instance.pk
            assert type(record["object_id"]) is type(instance.pk)
            assert record.get_content_object() == instance
            backend.delete(RECORD["path"])

    def test_is_fetched_once(self, backend, django_assert_num_queries):
        record = self.own(backend, user := User.objects.create(username="messi"), user.pk)
        with django_assert_num_queries(1):
            assert record.get_content_object() == user
            assert record.get_content_object() is record.get_content_object()

    def test_is_none_without_a_content_object(self, backend):
        assert backend.create(RECORD).get_content_object() is None

    def test_is_none_after_its_row_was_deleted(self, backend):
        record = self.own(backend, KeyedDocument(), str(uuid.uuid4()))
        assert record.get_content_object() is None

    def test_is_none_after_its_model_was_removed(self, backend):
        stale = ContentType.objects.create(app_label="gone", model="gone")
        data = {"content_type_id": stale.pk, "object_id": "1", "field": "file"}
        record = backend.create({**RECORD, **data})
        assert record["object_id"] == "1"
        assert record.get_content_object() is None

    def test_is_none_after_its_content_type_was_deleted(self, backend):
        data = {"content_type_id": 9999, "object_id": "1", "field": "file"}
        assert backend.create({**RECORD, **data}).get_content_object() is None

    @pytest.mark.parametrize("model", [User, KeyedDocument])
    def test_is_none_if_the_key_is_invalid_for_its_model(self, backend, model):
        record = self.own(backend, model(), "no such key")
        assert record["object_id"] == "no such key"
        assert record.get_content_object() is None
