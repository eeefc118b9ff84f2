"""The key and the scope of a content object, on every meta backend."""

import datetime
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.db.models import Q

from proxy_storage.content_objects import SCOPE_KEY
from proxy_storage.exceptions import ContentObjectError
from proxy_storage.meta_backends.orm import ORMMetaBackend
from tests.contract.content_objects import get_row, row_of, save_file
from tests.testapp.models import (
    DatedDocument,
    Document,
    KeyedDocument,
    NamedDocument,
    NumberedDocument,
    PricedDocument,
    ShardDocument,
)

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(transaction=True),
]

SOME_UUID = uuid.UUID("6fa459ea-ee8a-3ca4-894e-db77e160355e")
NOON = datetime.datetime(2026, 1, 2, 12, 30, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("model", "given", "key"),
    [
        (KeyedDocument, str(SOME_UUID), SOME_UUID),
        (KeyedDocument, SOME_UUID.hex, SOME_UUID),
        (KeyedDocument, str(SOME_UUID).upper(), SOME_UUID),
        (KeyedDocument, f"{{{SOME_UUID}}}", SOME_UUID),
        (NumberedDocument, "007", 7),
        (NumberedDocument, 8.0, 8),
        (NumberedDocument, True, 1),
        (NumberedDocument, Decimal(9), 9),
        (PricedDocument, Decimal("1.1"), Decimal("1.10")),
        (PricedDocument, "2", Decimal("2.00")),
        (PricedDocument, 3, Decimal("3.00")),
        (NamedDocument, 5, "5"),
        (DatedDocument, NOON.astimezone(ZoneInfo("Asia/Tokyo")), NOON),
    ],
)
@pytest.mark.slow
class TestKeyAsItWasGiven:
    @pytest.fixture
    def instance(self, model, given, field):
        instance = model(pk=given)
        save_file(instance, field)
        return instance

    def test_record_has_the_key_of_the_row(self, instance, field, model, key):
        file = getattr(instance, field)
        record = file.storage.meta_backend.get(file.name)
        row = model.objects.get(pk=key)
        assert (record["object_id"], record.get_content_object()) == (row.pk, row)

    def test_queryset_finds_the_record(self, instance, field, model, key):
        backend = getattr(instance, field).storage.meta_backend
        condition = Q(object_id__in=model.objects.filter(pk=key), field=field)
        assert [record["path"] for record in backend.select(condition)] == [
            getattr(instance, field).name
        ]

    def test_row_releases_the_file(self, instance, field, model, key):
        old = getattr(instance, field).name
        row = model.objects.get(pk=key)
        new = save_file(row, field, "new.txt")
        assert get_row(row, field, old) is None
        row.delete()
        assert get_row(row, field, new) is None

    def test_instance_releases_the_file(self, instance, field, model, key):
        old = getattr(instance, field).name
        setattr(instance, field, "")
        instance.save()
        assert get_row(instance, field, old) is None


@pytest.mark.parametrize("model", [Document, KeyedDocument, NamedDocument])
def test_assign_of_an_own_file_changes_nothing(field, model):
    instance = model(pk="a1") if model is NamedDocument else model()
    path = save_file(instance, field)
    getattr(instance, field).assign()
    assert get_row(instance, field, path) == row_of(instance, field, model)


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
class TestTwoDatabases:
    """Rows with the same key in two databases."""

    @pytest.fixture
    def anna(self):
        return User.objects.create_user("anna")

    @pytest.fixture
    def in_default(self, field, anna):
        document = ShardDocument(pk=1, user=anna)
        save_file(document, field, "anna.txt", b"anna's")
        return document

    @pytest.fixture
    def in_other(self, field, in_default):
        document = ShardDocument(pk=1)
        save_file(document, field, "bert.txt", b"bert's", save=False)
        document.save(using="other")
        return document

    def get_record(self, document, field):
        file = getattr(document, field)
        return file.storage.meta_backend.get(file.name)

    def test_scope_is_recorded(self, in_default, in_other, field):
        assert self.get_record(in_default, field).get(SCOPE_KEY) is None
        assert self.get_record(in_other, field)[SCOPE_KEY] == "other"

    def test_row_of_another_database_is_not_looked_up(self, in_default, in_other, field, caplog):
        assert self.get_record(in_default, field).get_content_object() == in_default
        assert self.get_record(in_other, field).get_content_object() is None
        save_file(in_other, field, "second.txt")
        assert "CONTENT_OBJECT_DATABASES" in caplog.text

    def test_row_is_looked_up_in_the_databases_of_the_setting(
        self, in_default, in_other, field, settings, caplog
    ):
        settings.PROXY_STORAGE = {
            **settings.PROXY_STORAGE,
            "CONTENT_OBJECT_DATABASES": ["other"],
        }
        found = self.get_record(in_other, field).get_content_object()
        assert (found, found._state.db) == (in_other, "other")
        assert self.get_record(in_default, field).get_content_object()._state.db == "default"
        caplog.clear()
        save_file(in_other, field, "again.txt")
        assert caplog.text == ""

    def test_row_belongs_to_the_database_that_it_was_read_from(
        self, in_default, in_other, field, settings
    ):
        settings.PROXY_STORAGE = {
            **settings.PROXY_STORAGE,
            "CONTENT_OBJECT_DATABASES": ["other"],
        }
        settings.DATABASE_ROUTERS = ["tests.testapp.routers.MovingRouter"]
        bert = ShardDocument.objects.using("other").get()
        with getattr(bert, field).open() as file:
            assert file.read() == b"bert's"
        setattr(bert, field, getattr(in_default, field).name)
        with pytest.raises(FileNotFoundError):
            getattr(bert, field).open()
        with pytest.raises(ContentObjectError):
            getattr(bert, field).assign()
        assert self.get_record(in_default, field).get_content_object() == in_default

    @pytest.mark.parametrize("how", ["replaced", "given key", "cleared", "deleted", "queryset"])
    def test_change_of_one_row_does_not_release_the_file_of_the_other(
        self, in_default, in_other, field, how
    ):
        bert = getattr(in_other, field).name
        if how == "replaced":
            save_file(in_other, field, "second.txt")
        elif how == "given key":
            created = ShardDocument(pk=in_other.pk)
            save_file(created, field, "third.txt", save=False)
            created.save(using="other")
        elif how == "cleared":
            setattr(in_other, field, "")
            in_other.save()
        elif how == "deleted":
            in_other.delete()
        else:
            ShardDocument.objects.using("other").all().delete()
        assert self.get_record(in_default, field).get_content_object() == in_default
        assert get_row(in_other, field, bert) is None

    def test_record_without_scope_belongs_to_the_default_database(
        self, in_default, in_other, field
    ):
        record = self.get_record(in_other, field)
        backend = getattr(in_other, field).storage.meta_backend
        backend.update(record["path"], {SCOPE_KEY: None})
        assert self.get_record(in_other, field).get_content_object() == in_default

    def test_removed_database_has_no_content_objects(self, in_default, in_other, field):
        record = self.get_record(in_other, field)
        backend = getattr(in_other, field).storage.meta_backend
        backend.update(record["path"], {SCOPE_KEY: "gone"})
        assert self.get_record(in_other, field).get_content_object() is None


class Tenants:
    """The current tenant, as a project keeps it for each request."""

    current = "one"

    @classmethod
    def get_current(cls, model, using):
        return cls.current if model is ShardDocument else None


@pytest.mark.django_db(transaction=True)
class TestTenants:
    """Rows with the same key in the schemas of two tenants, with records that both share.

    The schemas are emulated: the row of the other tenant replaces the first one.
    """

    @pytest.fixture(autouse=True)
    def tenants(self, settings, monkeypatch):
        name = f"{__name__}.Tenants.get_current"
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "GET_TENANT": Tenants.get_current}
        monkeypatch.setattr(Tenants, "current", "one")
        return name

    @pytest.fixture
    def of_two(self, field, tenants, monkeypatch):
        """The path of a file of tenant two; tenant one has a row with the same key."""
        with monkeypatch.context() as patch:
            patch.setattr(Tenants, "current", "two")
            document = ShardDocument(pk=1)
            path = save_file(document, field)
            ShardDocument.objects.all()._raw_delete("default")
        ShardDocument.objects.bulk_create([ShardDocument(pk=1)])
        return path

    def get_content_object(self, field, path):
        backend = ShardDocument._meta.get_field(field).storage.meta_backend
        return backend.get(path).get_content_object()

    def test_row_of_another_tenant_is_not_the_content_object(self, of_two, field, monkeypatch):
        assert self.get_content_object(field, of_two) is None
        monkeypatch.setattr(Tenants, "current", "two")
        assert self.get_content_object(field, of_two) == ShardDocument(pk=1)

    def test_row_of_another_tenant_releases_nothing(self, of_two, field, monkeypatch):
        document = ShardDocument.objects.get(pk=1)
        save_file(document, field, "own.txt")
        document.delete()
        monkeypatch.setattr(Tenants, "current", "two")
        ShardDocument.objects.bulk_create([ShardDocument(pk=1)])
        assert self.get_content_object(field, of_two) == ShardDocument(pk=1)

    def test_record_without_scope_is_not_of_a_tenant(self, of_two, field):
        backend = ShardDocument._meta.get_field(field).storage.meta_backend
        backend.update(of_two, {SCOPE_KEY: None})
        assert self.get_content_object(field, of_two) is None


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_model_without_scope_holds_content_objects_of_the_default_database(monkeypatch):
    """A row with the same key in another database does not release their files."""
    document = ShardDocument()
    path = save_file(document, "orm_file")
    can_hold = ORMMetaBackend.can_hold
    monkeypatch.setattr(
        ORMMetaBackend,
        "can_hold",
        lambda self, *keys: SCOPE_KEY not in keys and can_hold(self, *keys),
    )
    ShardDocument(pk=document.pk, orm_file="text.txt").save(using="other")
    assert get_row(document, "orm_file", path) is not None
