"""The content objects of many records at once, and the models of content objects."""

import uuid
from datetime import datetime

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connections, models
from django.test.utils import isolate_apps

from jobs.models import JobApply
from proxy_storage import content_objects, owners
from proxy_storage.content_objects import (
    SCOPE_KEY,
    belongs_to,
    fetch_content_objects,
    get_content_object_data,
    get_content_object_models,
    locate_content_object,
    normalize_key,
)
from proxy_storage.db.fields import ProxyStorageFileField
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.registry import get_proxy_storage
from tests.testapp.models import (
    DatedDocument,
    DiskDocument,
    Document,
    ElsewhereDocument,
    KeyedDocument,
    NamedDocument,
    NumberedDocument,
    Picture,
    PlainDocument,
    PricedDocument,
    ProxyDocument,
    ScannedDocument,
)
from tests.testapp.storages import OrmDiskStorage


def make_record(instance, key=None):
    type_id = ContentType.objects.get_for_model(instance).pk
    return MetaBackendObject(content_type_id=type_id, object_id=key or instance.pk, field="a")


@pytest.mark.django_db
class TestFetch:
    def test_one_query_for_each_model(self, django_assert_num_queries):
        users = [User.objects.create(username=str(number)) for number in range(3)]
        keyed = [KeyedDocument.objects.create() for _ in range(2)]
        children = [ScannedDocument.objects.create() for _ in range(2)]
        named = [NamedDocument.objects.create(code="a")]
        instances = [*users, *keyed, *children, *named, users[0]]
        records = [make_record(instance) for instance in instances]
        with django_assert_num_queries(4):
            fetch_content_objects(records)
            assert [record.get_content_object() for record in records] == instances

    def test_keys_as_text(self):
        user, keyed = User.objects.create(), KeyedDocument.objects.create()
        records = [make_record(user, str(user.pk)), make_record(keyed, keyed.pk.hex)]
        fetch_content_objects(records)
        assert [record.get_content_object() for record in records] == [user, keyed]

    def test_records_without_content_object(self, django_assert_num_queries):
        # A content type of another test, which was rolled back, can have had this key.
        ContentType.objects.clear_cache()
        user = User.objects.create()
        removed = ContentType.objects.create(app_label="removed", model="removed")
        records = [
            MetaBackendObject(path="/a"),
            MetaBackendObject(content_type_id=None, object_id=None),
            MetaBackendObject(content_type_id=removed.pk, object_id=1),
            MetaBackendObject(content_type_id=999_999, object_id=1),
            MetaBackendObject(content_type_id=999_999, object_id=2),
            make_record(user, "no number"),
            make_record(user, 2**70),
            make_record(user, user.pk + 1),
            make_record(KeyedDocument(), "no key"),
            make_record(KeyedDocument(), uuid.uuid4()),
            make_record(NamedDocument(), "nul\0"),
            make_record(NamedDocument(), "nothing"),
            make_record(user),
        ]
        # The missing content type is looked up once, the removed one once, and three models.
        with django_assert_num_queries(5):
            fetch_content_objects(records)
            found = [record.get_content_object() for record in records]
        assert found == [None] * 12 + [user]

    def test_keys_are_compared_literally(self):
        instance = NamedDocument.objects.create(code="a")
        records = [make_record(instance, key) for key in ("A", "a", "a ")]
        fetch_content_objects(records)
        assert [record.get_content_object() for record in records] == [None, instance, None]
        assert make_record(instance, "A").get_content_object() is None
        assert make_record(instance, "a").get_content_object() == instance

    def test_fetched_content_objects_are_kept(self, django_assert_num_queries):
        user = User.objects.create()
        records = [make_record(user), make_record(user)]
        records[0].get_content_object()
        records[1].set_content_object(None)
        with django_assert_num_queries(0):
            fetch_content_objects(records)
            assert [record.get_content_object() for record in records] == [user, None]

    def test_no_records(self, django_assert_num_queries):
        with django_assert_num_queries(0):
            fetch_content_objects([])


@pytest.mark.django_db
class TestLocation:
    @pytest.fixture
    def record(self):
        return make_record(Document.objects.create())

    def test_is_found_once_for_a_record(self, record, monkeypatch):
        assert locate_content_object(record)[0] is Document
        monkeypatch.setattr(content_objects, "get_database", None)
        assert locate_content_object(record)[0] is Document
        assert record.get_content_object() == Document.objects.get()

    def test_is_found_again_after_a_change_of_the_record(self, record):
        assert locate_content_object(record)[0] is Document
        record["content_type_id"] = ContentType.objects.get_for_model(User).pk
        assert locate_content_object(record)[0] is User
        record[SCOPE_KEY] = "unknown"
        assert locate_content_object(record)[0] is None

    def test_is_found_again_after_a_schema_was_activated(self, record, monkeypatch):
        assert locate_content_object(record)[0] is Document
        monkeypatch.setattr(connections["default"], "schema_name", "acme", raising=False)
        record[SCOPE_KEY] = "default/acme"
        assert locate_content_object(record)[0] is Document
        monkeypatch.setattr(connections["default"], "schema_name", "other")
        assert locate_content_object(record)[0] is None

    def test_is_found_again_for_another_tenant(self, record, settings):
        tenants = ["one", "two"]
        settings.PROXY_STORAGE = {
            **settings.PROXY_STORAGE,
            "GET_TENANT": lambda model, using: tenants[0],
        }
        record[SCOPE_KEY] = "default/one"
        assert locate_content_object(record)[0] is Document
        del tenants[0]
        assert locate_content_object(record)[0] is None
        assert record.get_content_object() is None


def test_former_import_path():
    assert owners.fetch_content_objects is fetch_content_objects


@pytest.mark.usefixtures("empty_storages")
def test_missing_content_types_are_looked_up_once(django_assert_num_queries):
    backend = get_proxy_storage("orm-disk").meta_backend
    for number in range(5):
        data = {"content_type_id": 999_999, "object_id": str(number), "field": "scan"}
        names = {"proxy_storage_name": "orm-disk", "original_storage_path": "a.txt"}
        backend.create({"path": f"/{number}", **names, **data})
    with django_assert_num_queries(2):
        records = backend.select()
    assert [record["object_id"] for record in records] == ["0", "1", "2", "3", "4"]


class TestModels:
    def test_declare_a_field(self):
        models = get_content_object_models()
        assert {
            *(JobApply, Document, KeyedDocument, NamedDocument, ElsewhereDocument, DiskDocument),
            Picture,
        } <= set(models)
        # They inherit the field, or have a Django field.
        assert not {ScannedDocument, ProxyDocument, PlainDocument, User} & set(models)
        assert len(set(models)) == len(models)

    def test_are_those_in_records(self, empty_storages):
        from tests.contract.content_objects import get_row, save_file

        for model in (Document, ScannedDocument, ProxyDocument, KeyedDocument, DiskDocument):
            instance = model()
            path = save_file(instance, "orm_file")
            type_id, _, _ = get_row(instance, "orm_file", path)
            assert (
                ContentType.objects.get_for_id(type_id).model_class() in get_content_object_models()
            )

    def test_are_cached_until_the_apps_change(self, settings):
        first = get_content_object_models()
        assert get_content_object_models() is first
        settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "jobs"]
        assert JobApply not in get_content_object_models()
        assert set(get_content_object_models()) == set(first) - {JobApply}
        assert set(get_content_object_models()) <= set(apps.get_models())


@pytest.mark.parametrize(
    ("model", "value"),
    [(KeyedDocument, "no UUID"), (NumberedDocument, "seven"), (PricedDocument, "free")],
)
def test_value_that_is_not_a_key_of_the_model_is_not_changed(model, value):
    assert normalize_key(model, value) == value


def test_naive_time_is_not_changed(settings):
    settings.USE_TZ = False
    noon = datetime(2026, 1, 2, 12, 30)
    assert normalize_key(DatedDocument, noon) == noon


def test_record_does_not_belong_to_a_row_of_another_scope():
    data = {"content_type_id": 1, "object_id": 2, "field": "scan", SCOPE_KEY: None}
    assert belongs_to(data, data)
    assert not belongs_to(data, {**data, SCOPE_KEY: "other"})


@pytest.mark.django_db
@isolate_apps("tests.testapp")
def test_boolean_key_is_text():
    """SQLite would return it as 1."""

    class Switch(models.Model):
        is_on = models.BooleanField(primary_key=True)
        file = ProxyStorageFileField(storage=OrmDiskStorage())

        class Meta:
            app_label = "testapp"

    data = get_content_object_data(Switch(is_on=True), Switch._meta.get_field("file"))
    assert data["object_id"] == "True"
