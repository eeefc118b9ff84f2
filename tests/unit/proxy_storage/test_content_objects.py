"""The owners of many records at once, and the models that may own files."""

import uuid
from datetime import datetime

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.test.utils import isolate_apps

from jobs.models import JobApply
from proxy_storage.content_objects import (
    belongs_to,
    fetch_content_objects,
    get_content_object_data,
    get_content_object_models,
    normalize_key,
)
from proxy_storage.db.fields import ProxyStorageFileField
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.registry import get_proxy_storage
from proxy_storage.scopes import SCOPE_KEY
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

pytestmark = pytest.mark.database


def make_record(owner, key=None, model=None):
    content_type = ContentType.objects.get_for_model(model or owner)
    return MetaBackendObject(content_type_id=content_type.pk, object_id=key or owner.pk, field="a")


@pytest.mark.django_db
class TestFetch:
    def test_one_query_for_each_model(self, django_assert_num_queries):
        users = [User.objects.create(username=str(number)) for number in range(3)]
        keyed = [KeyedDocument.objects.create() for _ in range(2)]
        children = [ScannedDocument.objects.create() for _ in range(2)]
        named = [NamedDocument.objects.create(code="a")]
        owners = [*users, *keyed, *children, *named, users[0]]
        records = [make_record(owner) for owner in owners]
        with django_assert_num_queries(4):
            fetch_content_objects(records)
            assert [record.get_content_object() for record in records] == owners

    def test_keys_as_text(self):
        user, keyed = User.objects.create(), KeyedDocument.objects.create()
        records = [make_record(user, str(user.pk)), make_record(keyed, keyed.pk.hex)]
        fetch_content_objects(records)
        assert [record.get_content_object() for record in records] == [user, keyed]

    def test_those_that_have_none(self, django_assert_num_queries):
        # what another test has made, and the database has forgotten, may have had this number
        ContentType.objects.clear_cache()
        user = User.objects.create()
        gone = ContentType.objects.create(app_label="gone", model="gone")
        records = [
            MetaBackendObject(path="/a"),
            MetaBackendObject(content_type_id=None, object_id=None),
            MetaBackendObject(content_type_id=gone.pk, object_id=1),
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
        # the type that is not there, looked for once, and three models
        with django_assert_num_queries(5):
            fetch_content_objects(records)
            found = [record.get_content_object() for record in records]
        assert found == [None] * 12 + [user]

    def test_a_key_is_literal(self):
        owner = NamedDocument.objects.create(code="a")
        records = [make_record(owner, key) for key in ("A", "a", "a ")]
        fetch_content_objects(records)
        assert [record.get_content_object() for record in records] == [None, owner, None]
        assert make_record(owner, "A").get_content_object() is None
        assert make_record(owner, "a").get_content_object() == owner

    def test_those_that_are_known_stay(self, django_assert_num_queries):
        user = User.objects.create()
        records = [make_record(user), make_record(user)]
        records[0].get_content_object()
        records[1].set_content_object(None)
        with django_assert_num_queries(0):
            fetch_content_objects(records)
            assert [record.get_content_object() for record in records] == [user, None]

    def test_nothing(self, django_assert_num_queries):
        with django_assert_num_queries(0):
            fetch_content_objects([])


@pytest.mark.usefixtures("empty_storages")
def test_types_that_are_gone_are_looked_for_once(django_assert_num_queries):
    backend = get_proxy_storage("orm-disk").meta_backend
    for number in range(5):
        owner = {"content_type_id": 999_999, "object_id": str(number), "field": "scan"}
        names = {"proxy_storage_name": "orm-disk", "original_storage_path": "a.txt"}
        backend.create({"path": f"/{number}", **names, **owner})
    with django_assert_num_queries(2):
        records = backend.select()
    assert [record["object_id"] for record in records] == ["0", "1", "2", "3", "4"]


class TestOwnerModels:
    def test_declare_a_field(self):
        models = get_content_object_models()
        assert {
            *(JobApply, Document, KeyedDocument, NamedDocument, ElsewhereDocument, DiskDocument),
            Picture,
        } <= set(models)
        # they inherit it, or have one of Django's
        assert not {ScannedDocument, ProxyDocument, PlainDocument, User} & set(models)
        assert len(set(models)) == len(models)

    def test_are_those_that_owners_are_recorded_with(self, empty_storages):
        from tests.contract.content_objects import get_row, save_file

        for model in (Document, ScannedDocument, ProxyDocument, KeyedDocument, DiskDocument):
            instance = model()
            path = save_file(instance, "orm_file")
            type_id, _, _ = get_row(instance, "orm_file", path)
            assert (
                ContentType.objects.get_for_id(type_id).model_class() in get_content_object_models()
            )

    def test_are_remembered_until_the_apps_change(self, settings):
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
def test_value_that_is_not_a_key_of_the_model_stays(model, value):
    assert normalize_key(model, value) == value


def test_times_without_zone_stay(settings):
    settings.USE_TZ = False
    noon = datetime(2026, 1, 2, 12, 30)
    assert normalize_key(DatedDocument, noon) == noon


def test_row_of_another_scope_does_not_own_the_file():
    owner = {"content_type_id": 1, "object_id": 2, "field": "scan", SCOPE_KEY: None}
    assert belongs_to(owner, owner)
    assert not belongs_to(owner, {**owner, SCOPE_KEY: "other"})


@pytest.mark.django_db
@isolate_apps("tests.testapp")
def test_truth_value_as_a_key_is_text():
    """SQLite would give it as 1."""

    class Switch(models.Model):
        is_on = models.BooleanField(primary_key=True)
        file = ProxyStorageFileField(storage=OrmDiskStorage())

        class Meta:
            app_label = "testapp"

    data = get_content_object_data(Switch(is_on=True), Switch._meta.get_field("file"))
    assert data["object_id"] == "True"
