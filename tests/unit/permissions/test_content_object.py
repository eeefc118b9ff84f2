"""Permissions that depend on the content object or its model."""

import pytest
from django.contrib.auth.models import Permission, User
from django.db import models
from django.test.utils import isolate_apps

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.queries import get_test
from proxy_storage_permissions import (
    CanReadFile,
    HasModelPermission,
    HasObjectPermission,
    get_readable,
)
from tests.testapp.models import DiskDocument, Document, KeyedDocument, ScannedDocument
from tests.unit.permissions.asking import VIEW, allowed, ask, is_allowed, own

pytestmark = pytest.mark.django_db
FIELDS = ("orm_file", "mongo_file")
UNBOUND = MetaBackendObject(path="/x")


class Readable(models.Model):
    scan, copy = models.FileField(), models.FileField()

    class Meta:
        abstract = True

    def can_read_file(self, user, field):
        return True

    @classmethod
    def readable_by(cls, user, field):
        return cls.objects.all()


def permit(user, *codenames):
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return User.objects.get(pk=user.pk)  # Django caches the permissions of a user.


class TestModelPermission:
    def test_is_checked_on_the_model_that_defines_the_field(self, people):
        people["owner"] = permit(people["owner"], "view_document")
        people["staff"] = permit(people["staff"], "view_keyeddocument", "view_scanneddocument")
        document = own(Document.objects.create(), "orm_file")
        scanned = own(ScannedDocument.objects.create(), "orm_file")
        keyed = own(KeyedDocument.objects.create(), "orm_file")
        assert allowed(HasModelPermission, people, document) == {"owner"}
        assert allowed(HasModelPermission, people, scanned) == {"owner"}
        assert allowed(HasModelPermission, people, keyed) == {"staff"}
        assert allowed(HasModelPermission, people, UNBOUND) == set()

    def test_action_is_an_argument(self, people):
        people["owner"] = permit(people["owner"], "change_document")
        record = own(Document.objects.create(), "orm_file")
        assert allowed(HasModelPermission("change"), people, record) == {"owner"}
        assert allowed(HasModelPermission("view"), people, record) == set()

    def test_full_name_applies_to_files_of_all_models(self, people):
        people["owner"] = permit(people["owner"], "change_document")
        permission = HasModelPermission("testapp.change_document")
        keyed = own(KeyedDocument.objects.create(), "orm_file")
        assert allowed(permission, people, keyed) == {"owner"}
        assert allowed(permission, people, UNBOUND) == set()

    def test_permissions_of_a_user_are_fetched_once(self, people, django_assert_num_queries):
        user = permit(people["owner"], "view_document")
        records = [own(Document.objects.create(), "orm_file") for _ in range(3)]
        with django_assert_num_queries(2):  # The permissions of the user, and of the user's groups.
            assert all(is_allowed(HasModelPermission, user, record) for record in records)

    def test_request_without_a_user_is_denied(self):
        record = own(Document.objects.create(), "orm_file")
        for permission in (HasModelPermission, HasObjectPermission):
            assert not is_allowed(permission, None, record)
            assert get_readable([permission()], ask(None), VIEW).condition is False


class TestCanReadFile:
    @pytest.fixture
    def record(self):
        return own(Document.objects.create(title="orm_file for owner"), "orm_file")

    def test_result_of_the_method_is_used(self, people, record):
        assert allowed(CanReadFile, people, record) == {"owner"}
        assert allowed(CanReadFile(), people, record) == {"owner"}

    def test_method_gets_the_name_of_the_field(self, people, record):
        record["field"] = "mongo_file"
        assert allowed(CanReadFile, people, record) == set()
        other = own(Document.objects.create(title="mongo_file for staff"), "mongo_file")
        assert allowed(CanReadFile, people, other) == {"staff"}

    @pytest.mark.parametrize("field", [None, "a_field_of_once", "title", "user"])
    def test_other_fields_are_denied(self, people, field):
        document = Document.objects.create(title=f"{field} for owner")
        record = own(document, "orm_file", field=field)
        assert document.can_read_file(people["owner"], field)
        assert allowed(CanReadFile, people, record) == set()
        assert allowed(~CanReadFile, people, record) == set(people)

    def test_missing_content_object_is_denied(self, people, record):
        Document.objects.all().delete()
        assert allowed(CanReadFile, people, MetaBackendObject(record)) == set()
        assert allowed(CanReadFile, people, UNBOUND) == set()

    def test_model_without_the_method_is_denied(self, people):
        record = own(DiskDocument.objects.create(), "orm_file")
        assert allowed(CanReadFile, people, record) == set()
        assert allowed(CanReadFile("can_be_read_by"), people, record) == set()


class TestLists:
    @pytest.fixture
    def records(self, people):
        documents = [Document.objects.create(title=f"orm_file for {who}") for who in people]
        return [own(document, field) for document in documents for field in FIELDS] + [UNBOUND]

    def get_listed(self, permission, user, records, *models):
        readable = get_readable([permission()], ask(user), VIEW, models or None)
        test = get_test(readable.condition)
        return readable.is_exact, [record for record in records if test(record)]

    def test_list_has_the_files_of_the_returned_instances(self, people, records):
        for user in people.values():
            truth = [record for record in records if is_allowed(CanReadFile, user, record)]
            assert self.get_listed(CanReadFile, user, records) == (True, truth)
            others = [record for record in records if record not in truth]
            assert self.get_listed(~CanReadFile, user, records) == (True, others)
            assert len(truth) == (user is not people["anonymous"])

    def test_model_without_the_second_method_is_checked_for_each_file(self, people, records):
        permission = CanReadFile("can_read_file", "no_such_method")
        assert permission.get_filter(ask(people["owner"]), VIEW, [Document]) is None
        assert self.get_listed(permission, people["owner"], records) == (False, records[:-1])

    def test_method_with_another_name_has_no_second_method(self, people, records):
        listed = self.get_listed(CanReadFile("has_changed"), people["owner"], records)
        assert listed == (True, [])
        # Each model has this method.
        listed = self.get_listed(CanReadFile("validate_unique"), people["owner"], records, Document)
        assert listed == (False, records[:-1])

    @isolate_apps("tests.testapp")
    def test_child_with_its_own_first_method_is_checked_for_each_file(self, people):
        class Note(Readable):
            class Meta:
                app_label = "testapp"

        class Letter(Readable):
            class Meta:
                app_label = "testapp"

            def can_read_file(self, user, field):
                return False

        permission, request = CanReadFile(), ask(people["owner"])
        assert permission.get_filter(request, VIEW, [Note]) is not None
        assert permission.get_filter(request, VIEW, [Letter]) is None
        letter = own(Letter(pk=1), "scan")
        assert self.get_listed(permission, people["owner"], [letter], Letter) == (False, [letter])

    @isolate_apps("tests.testapp")
    def test_field_for_which_the_model_returns_none_is_checked_for_each_file(self, people):
        class Letter(Readable):
            class Meta:
                app_label = "testapp"

            @classmethod
            def readable_by(cls, user, field):
                return None if field == "scan" else cls.objects.none()

        records = [own(Letter(pk=1), field) for field in ("scan", "copy")]
        listed = self.get_listed(CanReadFile, people["owner"], records, Letter)
        assert listed == (False, records[:1])

    @isolate_apps("tests.testapp")
    def test_queryset_of_another_model_is_an_error(self, people):
        class Letter(Readable):
            class Meta:
                app_label = "testapp"

            @classmethod
            def readable_by(cls, user, field):
                return Document.objects.all()

        with pytest.raises(
            ConfigurationError, match=r"of testapp\.Letter, not of testapp\.Document"
        ):
            self.get_listed(CanReadFile, people["owner"], [], Letter)
