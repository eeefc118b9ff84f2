"""One permission for each file field of a model."""

import pytest
from django.db.models import Q
from rest_framework.permissions import AllowAny, IsAdminUser

from jobs.models import JobApply
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.queries import get_test, matches
from proxy_storage_permissions import (
    CanReadFile,
    FieldPermissions,
    FilePermission,
    IsOwner,
    get_readable,
)
from tests.testapp.models import Document, ProxyDocument, ScannedDocument
from tests.unit.permissions.asking import EVERYBODY, VIEW, allowed, ask, is_allowed, own

pytestmark = pytest.mark.django_db


class Rules(FieldPermissions):
    model = JobApply
    permissions = {"avatar": AllowAny, "resume": IsOwner("user") | IsAdminUser}


class NoRules(FieldPermissions):
    model = JobApply


def test_permission_of_the_field_is_used(people, resume):
    assert allowed(Rules, people, resume) == {"owner", "staff"}
    assert allowed(Rules, people, MetaBackendObject({**resume, "field": "avatar"})) == EVERYBODY


@pytest.mark.parametrize("change", [{"field": "other"}, {"field": None}, {"content_type_id": None}])
def test_other_fields_are_denied(people, resume, change):
    assert allowed(Rules, people, MetaBackendObject({**resume, **change})) == set()
    assert allowed(Rules, people, MetaBackendObject(path="/x")) == set()


def test_class_without_permissions_denies_all(people, resume):
    assert allowed(NoRules, people, resume) == set()
    assert get_readable([NoRules()], ask(people["owner"]), VIEW).condition is False


def test_permission_none_denies(people, resume):
    class Nobody(FieldPermissions):
        model = JobApply
        permissions = {"resume": None}

    assert allowed(Nobody, people, resume) == set()
    assert get_readable([Nobody()], ask(people["owner"]), VIEW).condition is False


def test_file_of_another_model_is_denied(people):
    document = Document.objects.create(user=people["owner"])
    assert allowed(Rules, people, own(document, "orm_file", field="avatar")) == set()


class TestList:
    def test_list_has_files_of_the_model_only(self, people):
        class Others(FieldPermissions):
            model = JobApply
            permissions = {"avatar": ~IsOwner("user"), "resume": ~CanReadFile}

        readable = get_readable([Others()], ask(people["anonymous"]), VIEW)
        job, document = JobApply.objects.create(user=people["owner"]), Document.objects.create()
        assert readable.is_exact
        assert matches(readable.condition, own(job, "avatar"))
        assert matches(readable.condition, own(job, "resume"))
        assert not matches(readable.condition, own(document, "orm_file", field="resume"))
        assert not matches(readable.condition, MetaBackendObject(path="/x", field="resume"))

    def test_list_has_files_of_models_with_django_file_fields(self, people):
        """The records have a content object that was set without a ProxyStorageFileField."""
        from tests.testapp.models import PlainDocument

        class PlainFiles(FieldPermissions):
            model = PlainDocument
            permissions = {"orm_file": ~IsOwner("user")}

        record = own(PlainDocument.objects.create(), "orm_file")
        readable = get_readable([PlainFiles()], ask(people["anonymous"]), VIEW)
        assert is_allowed(PlainFiles, people["anonymous"], record)
        assert matches(readable.condition, record)

    def test_equal_permissions_of_several_fields_are_evaluated_once(
        self, people, django_assert_num_queries
    ):
        class Several(FieldPermissions):
            model = JobApply
            permissions = {
                "avatar": IsOwner("user") | IsAdminUser,
                "resume": IsOwner("user") | IsAdminUser,
            }

        readable = get_readable([Several()], ask(people["owner"]), VIEW)
        mine = JobApply.objects.create(user=people["owner"])
        theirs = JobApply.objects.create(user=people["stranger"])
        with django_assert_num_queries(1):
            test = get_test(readable.condition)
        for field in ("avatar", "resume"):
            assert test(own(mine, field))
            assert not test(own(theirs, field))

    def test_filter_is_exact_if_all_permissions_have_one(self, people):
        request = ask(people["owner"])
        assert isinstance(Rules().get_filter(request, VIEW, [JobApply]), Q)

        class Asked(FilePermission):
            def has_object_permission(self, request, view, obj):
                return True

        class SomeAsked(FieldPermissions):
            model = JobApply
            permissions = {"avatar": Asked, "resume": IsOwner("user")}

        assert SomeAsked().get_filter(request, VIEW, [JobApply]) is None
        readable = get_readable([SomeAsked()], request, VIEW)
        assert not readable.is_exact
        # Files that are certainly denied are not selected.
        theirs = JobApply.objects.create(user=people["stranger"])
        assert matches(readable.condition, own(theirs, "avatar"))
        assert not matches(readable.condition, own(theirs, "resume"))


class TestWrongConfiguration:
    def test_inherited_field_is_an_error(self, people):
        class ScannedFiles(FieldPermissions):
            model = ScannedDocument
            permissions = {"orm_file": AllowAny}

        record = own(ScannedDocument.objects.create(), "orm_file")
        with pytest.raises(ConfigurationError, match=r"inherits from testapp\.Document"):
            allowed(ScannedFiles, people, record)
        with pytest.raises(ConfigurationError, match=r"inherits from testapp\.Document"):
            get_readable([ScannedFiles()], ask(people["owner"]), VIEW)

    def test_proxy_model_stands_for_its_concrete_model(self, people):
        class ProxyFiles(FieldPermissions):
            model = ProxyDocument
            permissions = {"orm_file": AllowAny}

        record = own(Document.objects.create(), "orm_file")
        assert allowed(ProxyFiles, people, record) == EVERYBODY
        readable = get_readable([ProxyFiles()], ask(people["anonymous"]), VIEW)
        assert matches(readable.condition, record)

    def test_unknown_field_is_an_error(self, people, resume):
        class OldFiles(FieldPermissions):
            model = JobApply
            permissions = {"photo": AllowAny}

        with pytest.raises(
            ConfigurationError, match=r"'photo', which is not a field of jobs\.JobApply"
        ):
            allowed(OldFiles, people, MetaBackendObject({**resume, "field": "photo"}))
        with pytest.raises(ConfigurationError, match="'photo', which is not a field"):
            get_readable([OldFiles()], ask(people["owner"]), VIEW)
