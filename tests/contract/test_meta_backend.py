"""What every meta backend does."""

import uuid

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import transaction

from proxy_storage.exceptions import (
    MetaBackendError,
    MetaBackendObjectAlreadyExists,
    MetaBackendObjectDoesNotExist,
)
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.mongo import MongoMetaBackend
from proxy_storage.meta_backends.orm import ORMMetaBackend
from tests.testapp.models import KeyedDocument, NamedDocument
from tests.testapp.storages import MongoStorage, OrmStorage

pytestmark = pytest.mark.usefixtures("empty_storages")

RECORD = {
    "path": "/files/a.txt",
    "proxy_storage_name": "orm_disk",
    "original_storage_path": "a.txt",
}
NO_PATHS = [{"$ne": ""}, {"$gt": ""}, ["/files/a.txt"], b"/files/a.txt", None, 0, "nul\0", "\udc80"]


@pytest.fixture(params=[OrmStorage, MongoStorage])
def backend(request):
    return request.param.meta_backend


def test_create_gives_the_record_back(backend):
    record = backend.create(RECORD)
    assert isinstance(record, MetaBackendObject)
    assert {key: record[key] for key in RECORD} == RECORD
    assert backend.get(RECORD["path"]) == record
    assert set(record) & {"id", "_id"}


def test_create_leaves_the_callers_data_alone(backend):
    data = dict(RECORD)
    backend.create(data)
    assert data == RECORD


def test_create_of_a_taken_path(backend):
    backend.create(RECORD)
    with pytest.raises(MetaBackendObjectAlreadyExists) as caught:
        backend.create({**RECORD, "original_storage_path": "b.txt"})
    assert caught.value.path == RECORD["path"]
    assert backend.get(RECORD["path"])["original_storage_path"] == "a.txt"


def test_create_of_a_taken_path_leaves_the_transaction_usable(backend):
    backend.create(RECORD)
    with transaction.atomic():
        with pytest.raises(MetaBackendObjectAlreadyExists):
            backend.create(RECORD)
        backend.create({**RECORD, "path": "/files/b.txt"})
    assert backend.exists("/files/b.txt")


@pytest.mark.parametrize("path", NO_PATHS)
def test_a_path_is_text_and_nothing_else(backend, path):
    backend.create(RECORD)
    with pytest.raises(MetaBackendObjectDoesNotExist):
        backend.get(path)
    with pytest.raises(MetaBackendObjectDoesNotExist):
        backend.update(path, {"original_storage_path": "changed"})
    with pytest.raises(MetaBackendObjectDoesNotExist):
        backend.delete(path)
    with pytest.raises(MetaBackendError):
        backend.create({**RECORD, "path": path})
    assert not backend.exists(path)
    assert backend.get(RECORD["path"])["original_storage_path"] == "a.txt"


@pytest.mark.parametrize(
    "other",
    ["/files/A.txt", "/files/a.txt ", "/files/%", "/files/.*", "/files/á.txt", "files/a.txt"],
)
def test_a_path_is_literal(backend, other):
    backend.create(RECORD)
    assert not backend.exists(other)
    with pytest.raises(MetaBackendObjectDoesNotExist):
        backend.get(other)


def test_exists(backend):
    assert not backend.exists(RECORD["path"])
    backend.create(RECORD)
    assert backend.exists(RECORD["path"])


def test_update_changes_what_is_named(backend):
    record = backend.create(RECORD)
    backend.update(RECORD["path"], {"original_storage_path": "b.txt"})
    assert backend.get(RECORD["path"]) == {**record, "original_storage_path": "b.txt"}


def test_update_to_a_taken_path(backend):
    backend.create(RECORD)
    backend.create({**RECORD, "path": "/files/b.txt"})
    with pytest.raises(MetaBackendObjectAlreadyExists):
        backend.update("/files/b.txt", {"path": RECORD["path"]})


def test_update_and_delete_without_record(backend):
    with pytest.raises(MetaBackendObjectDoesNotExist, match="No record has the path"):
        backend.update("/nothing", {"original_storage_path": "b.txt"})
    with pytest.raises(MetaBackendObjectDoesNotExist):
        backend.delete("/nothing")


def test_delete(backend):
    backend.create(RECORD)
    backend.create({**RECORD, "path": "/files/b.txt"})
    backend.delete(RECORD["path"])
    assert not backend.exists(RECORD["path"])
    assert backend.exists("/files/b.txt")


def test_data_that_cannot_be_stored(backend):
    value = object() if backend == MongoStorage.meta_backend else None
    with pytest.raises(MetaBackendError, match="refused"):
        backend.create({**RECORD, "original_storage_path": value})
    assert not backend.exists(RECORD["path"])


def test_equal_means_the_same_place(backend):
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


class TestOwner:
    def own(self, backend, instance, key):
        owner = {
            "content_type_id": ContentType.objects.get_for_model(instance).pk,
            "object_id": key,
            "field": "file",
        }
        backend.create({**RECORD, **owner})
        return backend.get(RECORD["path"])

    def test_comes_back_with_its_own_type_of_key(self, backend):
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

    def test_is_none_where_there_is_none(self, backend):
        assert backend.create(RECORD).get_content_object() is None

    def test_is_none_where_it_is_gone(self, backend):
        record = self.own(backend, KeyedDocument(), str(uuid.uuid4()))
        assert record.get_content_object() is None

    def test_is_none_where_its_model_is_gone(self, backend):
        stale = ContentType.objects.create(app_label="gone", model="gone")
        data = {"content_type_id": stale.pk, "object_id": "1", "field": "file"}
        record = backend.create({**RECORD, **data})
        assert record["object_id"] == "1"
        assert record.get_content_object() is None

    def test_is_none_where_its_content_type_is_gone(self, backend):
        data = {"content_type_id": 9999, "object_id": "1", "field": "file"}
        assert backend.create({**RECORD, **data}).get_content_object() is None

    @pytest.mark.parametrize("model", [User, KeyedDocument])
    def test_is_none_where_the_key_is_none_of_its_model(self, backend, model):
        record = self.own(backend, model(), "no such key")
        assert record["object_id"] == "no such key"
        assert record.get_content_object() is None
