from types import SimpleNamespace

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.contenttypes.models import ContentType
from rest_framework.permissions import AllowAny, IsAdminUser, IsAuthenticated

from jobs.models import JobApply
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.owners import get_owner_data
from proxy_storage_permissions import FieldPermissions, FilePermission, IsOwner, decide
from tests.testapp.models import Document, ProxyDocument, ScannedDocument

pytestmark = pytest.mark.django_db
VIEW = SimpleNamespace(asks_for_one_file=True)


@pytest.fixture
def people():
    return {
        "anonymous": AnonymousUser(),
        "stranger": User.objects.create(username="stranger"),
        "owner": User.objects.create(username="owner"),
        "staff": User.objects.create(username="staff", is_staff=True),
    }


@pytest.fixture
def resume(people):
    instance = JobApply.objects.create(user=people["owner"])
    return MetaBackendObject(
        path="/cv.txt", **get_owner_data(instance, JobApply._meta.get_field("resume"))
    )


def allowed(permission, people, record):
    """Who may have the file."""

    def ask(user):
        instance, request = permission(), SimpleNamespace(user=user, method="GET")
        early, answer = decide(instance, request, VIEW), decide(instance, request, VIEW, record)
        assert answer is not None
        # what is said without a record holds with it
        assert early in (None, answer)
        return answer

    return {who for who, user in people.items() if ask(user)}


EVERYBODY = {"anonymous", "stranger", "owner", "staff"}


@pytest.mark.parametrize(
    ("permission", "expected"),
    [
        (FilePermission, set()),
        (FilePermission(), set()),
        (IsOwner, {"owner"}),
        (IsOwner("user"), {"owner"}),
        (IsOwner("user") | IsAdminUser, {"owner", "staff"}),
        (IsAdminUser | IsOwner("user"), {"owner", "staff"}),
        (IsOwner("user") & IsAdminUser, set()),
        (IsAuthenticated & IsOwner("user"), {"owner"}),
        (~IsOwner("user"), EVERYBODY - {"owner"}),
        (~~IsOwner("user"), {"owner"}),
        (~IsOwner("user") & IsAuthenticated, {"stranger", "staff"}),
        (~(IsOwner("user") | IsAdminUser), {"anonymous", "stranger"}),
        (AllowAny, EVERYBODY),
        (~AllowAny, set()),
    ],
)
def test_truth_table(permission, expected, people, resume):
    assert allowed(permission, people, resume) == expected


def test_nobody_owns_a_file_without_owner(people):
    assert allowed(IsOwner("user"), people, MetaBackendObject(path="/x")) == set()


def test_nobody_owns_a_file_whose_owner_names_no_user(people):
    document = Document.objects.create(user=None)
    field = Document._meta.get_field("orm_file")
    record = MetaBackendObject(path="/x", **get_owner_data(document, field))
    assert allowed(IsOwner("user"), people, record) == set()
    assert allowed(IsOwner(), people, record) == set()


def test_owner_is_told_without_fetching_the_user(people, resume, django_assert_num_queries):
    request = SimpleNamespace(user=people["owner"])
    with django_assert_num_queries(1):
        assert IsOwner("user").has_object_permission(request, VIEW, resume)


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


def test_file_of_another_model_is_denied(people):
    document = Document.objects.create(user=people["owner"])
    owner = get_owner_data(document, Document._meta.get_field("orm_file"))
    record = MetaBackendObject({"path": "/x", **owner, "field": "avatar"})
    assert allowed(Rules, people, record) == set()


@pytest.mark.parametrize(
    ("permission", "expected"),
    [
        (IsOwner("user"), None),
        (~IsOwner("user"), None),
        (Rules, None),
        (~Rules, None),
        (IsOwner("user") | Rules, None),
        (IsOwner("user") | AllowAny, True),
        (IsOwner("user") & AllowAny, None),
        (~(IsOwner("user") | AllowAny), False),
        (IsOwner("user") & ~AllowAny, False),
        (AllowAny, True),
    ],
)
def test_without_a_record(people, permission, expected):
    request = SimpleNamespace(user=people["owner"])
    assert decide(permission(), request, SimpleNamespace()) is expected


@pytest.mark.parametrize("permission", [IsOwner("user"), Rules(), IsOwner("user") | Rules])
def test_other_views_may_never_ask_the_record_so_nothing_is_allowed(people, permission):
    for view in (SimpleNamespace(), SimpleNamespace(asks_for_one_file=False)):
        for user in people.values():
            assert not permission().has_permission(SimpleNamespace(user=user), view)
    assert permission().has_permission(SimpleNamespace(user=people["owner"]), VIEW)


class TestWrongConfiguration:
    @pytest.mark.parametrize("name", ["usr", "what_you_want", "id"])
    def test_no_such_foreign_key(self, people, resume, name):
        with pytest.raises(ConfigurationError, match="no such foreign key"):
            allowed(IsOwner(name), people, resume)

    def test_foreign_key_to_another_model_has_the_same_numbers(self, people):
        content_type, _ = ContentType.objects.get_or_create(
            pk=people["owner"].pk, defaults={"app_label": "some", "model": "thing"}
        )
        entry = LogEntry.objects.create(
            user=people["staff"], content_type=content_type, action_flag=1
        )
        record = MetaBackendObject(path="/x", **get_owner_data(entry, LogEntry._meta.pk))
        assert allowed(IsOwner("user"), people, record) == {"staff"}
        with pytest.raises(ConfigurationError, match="not the model of users"):
            allowed(IsOwner("content_type"), people, record)

    def test_rules_for_a_field_that_another_model_declares(self, people):
        class ScannedFiles(FieldPermissions):
            model = ScannedDocument
            permissions = {"orm_file": AllowAny}

        document = ScannedDocument.objects.create()
        field = ScannedDocument._meta.get_field("orm_file")
        record = MetaBackendObject(path="/x", **get_owner_data(document, field))
        with pytest.raises(ConfigurationError, match=r"declared by testapp\.Document"):
            allowed(ScannedFiles, people, record)

    def test_rules_for_a_proxy_model_are_those_of_its_table(self, people):
        class ProxyFiles(FieldPermissions):
            model = ProxyDocument
            permissions = {"orm_file": AllowAny}

        document = Document.objects.create()
        field = Document._meta.get_field("orm_file")
        record = MetaBackendObject(path="/x", **get_owner_data(document, field))
        assert allowed(ProxyFiles, people, record) == EVERYBODY
