"""Records that are the target of a generic relation: Django deletes them with the row."""

import logging
from contextlib import suppress

import pytest
from django.apps import apps
from django.contrib.contenttypes.fields import GenericRelation
from django.core.files.base import ContentFile
from django.db import connection, models, transaction
from django.db.models.signals import post_delete
from django.test.utils import CaptureQueriesContext, isolate_apps

from proxy_storage.db import cascades
from proxy_storage.registry import get_proxy_storage
from tests.contract.proxy_storages import read
from tests.testapp.models import Case, CaseFile, Document, StoredFile, Suspect, UrgentCase
from tests.testapp.storages import CaseStorage

CASE_STORAGE = "tests.testapp.storages.CaseStorage"
pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "other"]),
    pytest.mark.usefixtures("empty_storages"),
]


class RolledBackError(Exception):
    """Ends a transaction with a rollback."""


@pytest.fixture(autouse=True)
def registered(settings):
    classes = {**settings.PROXY_STORAGE["PROXY_STORAGE_CLASSES"], "cases": CASE_STORAGE}
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "PROXY_STORAGE_CLASSES": classes}


@pytest.fixture
def case():
    return make(Case)


def make(model, **kwargs):
    contents = {name: ContentFile(name.encode(), f"{name}.txt") for name in ("scan", "copy")}
    return model.objects.create(**contents, **kwargs)


def get_bytes():
    original = CaseStorage.original_storage
    return sorted(original.listdir("")[1]) if original.exists("") else []


def get_names(*cases):
    paths = [path for case in cases for path in (case.scan.name, case.copy.name)]
    return sorted(path.rpartition("/")[2] for path in paths)


def check_is_deleted(*kept):
    """Check that records and files have been deleted, except those of some cases."""
    assert get_bytes() == get_names(*kept)
    assert CaseFile.objects.count() == 2 * len(kept)


class TestFileIsDeletedWithItsRecord:
    def test_of_an_instance(self, case):
        other = make(Case)
        case.delete()
        check_is_deleted(other)
        assert read(CaseStorage(), other.scan.name) == b"scan"

    def test_of_a_queryset(self):
        cases = [make(Case) for _ in range(3)]
        Case.objects.exclude(pk=cases[0].pk).delete()
        check_is_deleted(cases[0])

    def test_of_a_cascade_over_several_models(self):
        suspect = Suspect.objects.create()
        other = make(Case)
        make(Case, suspect=suspect)
        make(UrgentCase, suspect=suspect)
        suspect.delete()
        # The generic relation of a child refers to records of the child, which do not exist.
        names = sorted({*get_bytes()} - {*get_names(other)})
        assert len(names) == CaseFile.objects.count() - 2
        assert set(get_names(other)) <= set(get_bytes())

    def test_of_a_parent(self):
        urgent, other = make(UrgentCase), make(Case)
        Case.objects.get(pk=urgent.pk).delete()
        check_is_deleted(other)
        assert not UrgentCase.objects.exists()

    def test_of_a_child_is_kept_with_its_record(self):
        urgent = make(UrgentCase)
        urgent.delete()
        assert len(get_bytes()) == CaseFile.objects.filter(content_type=None).count() == 2

    def test_through_a_proxy_model(self, case):
        class Alias(Case):
            class Meta:
                proxy = True
                app_label = "testapp"

        try:
            Alias.objects.get(pk=case.pk).delete()
        finally:
            del Case._meta.apps.all_models["testapp"]["alias"]
            Case._meta.apps.clear_cache()
        check_is_deleted()

    def test_of_an_instance_with_a_previous_file(self, case):
        """The record of a previous file has no content object, so the relation does not find it."""
        former = case.scan.name
        case.scan.save("new.txt", ContentFile(b"new"))
        case.delete()
        assert get_bytes() == ["scan.txt"]
        assert read(CaseStorage(), former) == b"scan"


def test_stale_copy_needs_columns_for_the_former_content_object(case):
    """Only a record with these columns can be assigned again."""
    former, stale = case.scan.name, Case.objects.get(pk=case.pk)
    case.scan.save("new.txt", ContentFile(b"new"))
    stale.save()
    assert CaseFile.objects.get(path=former).content_type_id is None


def test_receiver_of_a_deleted_model_class(case):
    """A class can get the address of an earlier class, by which Django finds receivers."""
    post_delete.connect(cascades.delete_file, sender=Case, dispatch_uid=cascades.UID)
    try:
        case.delete()
    finally:
        post_delete.disconnect(sender=Case, dispatch_uid=cascades.UID)
    check_is_deleted()


class TestTransactions:
    def test_file_is_deleted_after_the_commit(self, case):
        with transaction.atomic():
            with transaction.atomic():
                case.delete()
            assert CaseFile.objects.count() == 0
            assert len(get_bytes()) == 2
        check_is_deleted()

    def test_rollback_keeps_both(self, case):
        pk = case.pk
        with suppress(RolledBackError), transaction.atomic():
            case.delete()
            raise RolledBackError
        case.pk = pk
        check_is_deleted(case)
        assert read(CaseStorage(), Case.objects.get().scan.name) == b"scan"

    def test_rollback_of_a_savepoint_keeps_its_files(self, case):
        other, pk = make(Case), case.pk
        with transaction.atomic():
            other.delete()
            with suppress(RolledBackError), transaction.atomic():
                case.delete()
                raise RolledBackError
        case.pk = pk
        check_is_deleted(case)

    def test_without_autocommit_on_another_database(self, case, caplog):
        transaction.set_autocommit(False, using="other")
        try:
            case.delete()
        finally:
            transaction.rollback(using="other")
            transaction.set_autocommit(True, using="other")
        assert not Case.objects.exists()
        assert len(get_bytes()) == 2
        assert "autocommit is off" in caplog.text

    def test_file_with_a_new_record_in_the_same_transaction(self, case):
        """The new record has another primary key, and the same path and file."""
        path = case.scan.name
        values = CaseFile.objects.filter(path=path).values().get()
        with transaction.atomic():
            case.delete()
            CaseFile.objects.create(**{**values, "id": None, "content_type_id": None})
        assert read(CaseStorage(), path) == b"scan"
        assert get_bytes() == ["scan.txt"]


class TestKeptFile:
    def test_that_another_record_names(self, case, caplog):
        caplog.set_level(logging.INFO)
        for record in CaseFile.objects.values():
            CaseFile.objects.create(
                path=f"{record['path']}-again",
                proxy_storage_name=record["proxy_storage_name"],
                original_storage_path=record["original_storage_path"],
            )
        case.delete()
        assert len(get_bytes()) == 2
        assert caplog.text.count("another record names it") == 2

    def test_that_a_record_of_another_storage_names(self, case, settings, monkeypatch):
        """Two storages use the same folder, and two records have the same original path."""
        from tests.testapp import storages

        again = type("CaseAgain", (CaseStorage,), {})
        again.original_storage = type(CaseStorage.original_storage)(
            location=CaseStorage.original_storage.location
        )
        elsewhere = type("CaseElsewhere", (CaseStorage,), {})
        elsewhere.original_storage = get_proxy_storage("orm-memory").original_storage
        for cls in (again, elsewhere):
            monkeypatch.setattr(storages, cls.__name__, cls, raising=False)
        classes = {
            **settings.PROXY_STORAGE["PROXY_STORAGE_CLASSES"],
            "again": "tests.testapp.storages.CaseAgain",
            "elsewhere": "tests.testapp.storages.CaseElsewhere",
        }
        settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "PROXY_STORAGE_CLASSES": classes}
        for name, path in (("again", "scan.txt"), ("elsewhere", "copy.txt")):
            CaseFile.objects.create(path=name, proxy_storage_name=name, original_storage_path=path)
        case.delete()
        assert get_bytes() == ["scan.txt"]

    @pytest.mark.parametrize("scope", ["shard", "default/one"])
    def test_of_another_scope(self, case, caplog, scope):
        """Another database or tenant has a row with the same key."""
        CaseFile.objects.filter(field="copy").update(content_object_scope=scope)
        records = list(CaseFile.objects.filter(field="copy").values())
        case.delete()
        assert list(CaseFile.objects.values()) == records
        assert get_bytes() == ["copy.txt"]
        assert "belongs to another database or tenant" in caplog.text
        assert read(CaseStorage(), records[0]["path"]) == b"copy"

    def test_of_another_scope_after_a_rollback(self, case):
        CaseFile.objects.filter(field="copy").update(content_object_scope="shard")
        records = list(CaseFile.objects.order_by("pk").values())
        with suppress(RolledBackError), transaction.atomic():
            case.delete()
            raise RolledBackError
        assert list(CaseFile.objects.order_by("pk").values()) == records
        assert len(get_bytes()) == 2

    @pytest.mark.parametrize(
        ("name", "message"), [("gone", "was not deleted"), ("orm_disk", "has another model")]
    )
    def test_of_another_storage(self, case, caplog, name, message):
        CaseFile.objects.update(proxy_storage_name=name)
        case.delete()
        assert not Case.objects.exists()
        assert len(get_bytes()) == 2
        assert caplog.text.count(message) == 2

    def test_of_a_storage_with_records_in_mongodb(self, case, caplog):
        CaseFile.objects.update(proxy_storage_name="mongo_disk")
        case.delete()
        assert len(get_bytes()) == 2
        assert "has another model" in caplog.text

    def test_that_cannot_be_deleted(self, case, caplog, monkeypatch):
        def fail(name):
            raise OSError(f"{name}: read-only file system")

        monkeypatch.setattr(CaseStorage.original_storage, "delete", fail)
        case.delete()
        assert not Case.objects.exists()
        assert len(caplog.records) == 2
        assert all("was not deleted" in one.getMessage() for one in caplog.records)

    def test_that_does_not_exist_is_not_an_error(self, case, caplog, monkeypatch):
        caplog.set_level(logging.INFO)

        def fail(name):
            raise FileNotFoundError(name)

        monkeypatch.setattr(CaseStorage.original_storage, "delete", fail)
        case.delete()
        assert caplog.text.count("was deleted before") == 2

    @pytest.mark.parametrize(
        "delete",
        [
            lambda case: CaseFile.objects.all().delete(),
            lambda case: [record.delete() for record in CaseFile.objects.all()],
            lambda case: case.files.all().delete(),
            lambda case: case.files.clear(),
            lambda case: case.files.remove(*case.files.all()),
            lambda case: [CaseStorage().meta_backend.delete(one["path"]) for one in records()],
        ],
        ids=["queryset", "instance", "relation", "clear", "remove", "meta backend"],
    )
    def test_whose_record_is_deleted_directly(self, case, delete):
        delete(case)
        assert CaseFile.objects.count() == 0
        assert len(get_bytes()) == 2


def records():
    return list(CaseStorage().meta_backend)


@pytest.fixture
def deleted(monkeypatch):
    """The names of the deleted files in the original storage."""
    names, delete = [], CaseStorage.original_storage.delete

    def delete_and_note(name):
        names.append(name)
        delete(name)

    monkeypatch.setattr(CaseStorage.original_storage, "delete", delete_and_note)
    return names


def test_field_that_deletes_its_files_with_the_row(case, deleted, monkeypatch):
    """The field and the cascade delete the file once."""
    monkeypatch.setattr(Case._meta.get_field("copy"), "delete_with_content_object", True)
    case.delete()
    assert sorted(deleted) == ["copy.txt", "scan.txt"]
    check_is_deleted()


def test_delete_by_the_storage_is_one_delete(case, deleted):
    CaseStorage().delete(case.scan.name)
    case.copy.delete()
    assert deleted == ["scan.txt", "copy.txt"]


class TestReceivers:
    def is_connected(self, model):
        return cascades.delete_file in post_delete._live_receivers(model)[0]

    def test_are_connected_only_to_targets_of_a_relation(self):
        assert self.is_connected(CaseFile)
        for model in (StoredFile, Document, Case, UrgentCase):
            assert not self.is_connected(model)

    def test_record_without_receiver_is_deleted_by_one_statement(self):
        storage = get_proxy_storage("orm_disk")
        path = storage.save("a.txt", ContentFile(b"world"))
        with CaptureQueriesContext(connection) as queries:
            storage.meta_backend.delete(path)
        commands = [query["sql"].split()[0] for query in queries]
        assert [command for command in commands if command not in ("BEGIN", "COMMIT")] == ["DELETE"]

    @isolate_apps("tests.testapp", attr_name="apps")
    def test_are_connected_for_every_way_to_add_a_relation(self):
        class Meta:
            app_label = "testapp"

        def define(name, base=models.Model, **attributes):
            return type(name, (base,), {"__module__": __name__, "Meta": Meta, **attributes})

        relation = GenericRelation("testapp.LaterFile")
        define("Early", files=relation)
        later = define("LaterFile", cascades.ProxyStorageModelBase)
        assert self.is_connected(later)
        other = define("OtherFile", cascades.ProxyStorageModelBase)
        tag = define("Tag")
        model = define("Plain", tags=GenericRelation(tag))
        assert not self.is_connected(tag)
        GenericRelation(other).contribute_to_class(model, "files")
        assert not self.is_connected(other)
        cascades.connect(model)
        assert self.is_connected(other)

    def test_are_connected_when_apps_are_ready(self, monkeypatch):
        config = apps.get_app_config("proxy_storage")
        post_delete.disconnect(sender=CaseFile, dispatch_uid=cascades.UID)
        with monkeypatch.context() as patch:
            # Without content types, generic relations and their model do not exist.
            patch.setattr(apps, "is_installed", lambda name: False)
            config.ready()
        assert not self.is_connected(CaseFile)
        config.ready()
        assert self.is_connected(CaseFile)
