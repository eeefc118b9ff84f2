"""One rule for each file field of a model."""

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


def test_rule_of_the_field(people, resume):
    assert allowed(Rules, people, resume) == {"owner", "staff"}
    assert allowed(Rules, people, MetaBackendObject({**resume, "field": "avatar"})) == EVERYBODY


@pytest.mark.parametrize("change", [{"field": "other"}, {"field": None}, {"content_type_id": None}])
def test_what_has_no_rule_is_denied(people, resume, change):
    assert allowed(Rules, people, MetaBackendObject({**resume, **change})) == set()
    assert allowed(Rules, people, MetaBackendObject(path="/x")) == set()


def test_without_rules_everything_is_denied(people, resume):
    assert allowed(NoRules, people, resume) == set()
    assert get_readable([NoRules()], ask(people["owner"]), VIEW).condition is False


def test_rule_that_is_none_denies(people, resume):
    class Nobody(FieldPermissions):
        model = JobApply
        permissions = {"resume": None}

    assert allowed(Nobody, people, resume) == set()
    assert get_readable([Nobody()], ask(people["owner"]), VIEW).condition is False


def test_file_of_another_model_is_denied(people):
    document = Document.objects.create(user=people["owner"])
    assert allowed(Rules, people, own(document, "orm_file", field="avatar")) == set()


class TestList:
    def test_has_files_of_the_model_only_whatever_the_rules(self, people):
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

    def test_has_files_of_models_whose_fields_are_djangos(self, people):
        """Somebody has given their files an owner by hand, and has spoken about this model."""
        from tests.testapp.models import PlainDocument

        class PlainFiles(FieldPermissions):
            model = PlainDocument
            permissions = {"orm_file": ~IsOwner("user")}

        record = own(PlainDocument.objects.create(), "orm_file")
        readable = get_readable([PlainFiles()], ask(people["anonymous"]), VIEW)
        assert is_allowed(PlainFiles, people["anonymous"], record)
        assert matches(readable.condition, record)

    def test_asks_a_rule_once_for_all_its_fields(self, people, django_assert_num_queries):
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

    def test_is_told_by_a_filter_where_all_rules_can_tell(self, people):
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
        # files that no rule could allow are not read at all
        theirs = JobApply.objects.create(user=people["stranger"])
        assert matches(readable.condition, own(theirs, "avatar"))
        assert not matches(readable.condition, own(theirs, "resume"))


class TestWrongConfiguration:
    def test_rules_for_a_field_that_another_model_declares(self, people):
        class ScannedFiles(FieldPermissions):
            model = ScannedDocument
            permissions = {"orm_file": AllowAny}

        record = own(ScannedDocument.objects.create(), "orm_file")
        with pytest.raises(ConfigurationError, match=r"inherits from testapp\.Document"):
            allowed(ScannedFiles, people, record)
        with pytest.raises(ConfigurationError, match=r"inherits from testapp\.Document"):
            get_readable([ScannedFiles()], ask(people["owner"]), VIEW)

    def test_rules_for_a_proxy_model_are_those_of_its_table(self, people):
        class ProxyFiles(FieldPermissions):
            model = ProxyDocument
            permissions = {"orm_file": AllowAny}

        record = own(Document.objects.create(), "orm_file")
        assert allowed(ProxyFiles, people, record) == EVERYBODY
        readable = get_readable([ProxyFiles()], ask(people["anonymous"]), VIEW)
        assert matches(readable.condition, record)

    def test_rules_for_a_field_that_is_not_there(self, people, resume):
        class OldFiles(FieldPermissions):
            model = JobApply
            permissions = {"photo": AllowAny}

        with pytest.raises(
            ConfigurationError, match=r"'photo', which is not a field of jobs\.JobApply"
        ):
            allowed(OldFiles, people, MetaBackendObject({**resume, "field": "photo"}))
        with pytest.raises(ConfigurationError, match="'photo', which is not a field"):
            get_readable([OldFiles()], ask(people["owner"]), VIEW)
