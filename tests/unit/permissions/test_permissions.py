from types import SimpleNamespace

import pytest
from django.contrib.auth.models import AnonymousUser, User
from rest_framework.permissions import AllowAny, IsAdminUser, IsAuthenticated

from jobs.models import JobApply
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.owners import get_owner_data
from proxy_storage_permissions import FieldPermissions, FilePermission, IsOwner, is_allowed
from tests.testapp.models import Document

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
    """Who may have the file, by DRF's own two questions and by ours."""

    def ask(user):
        instance, request = permission(), SimpleNamespace(user=user, method="GET")
        answer = is_allowed(instance, request, VIEW, record)
        by_drf = instance.has_permission(request, VIEW) and instance.has_object_permission(
            request, VIEW, record
        )
        assert not by_drf or answer
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


@pytest.mark.parametrize("permission", [IsOwner("user"), Rules(), IsOwner("user") | Rules])
def test_where_no_single_file_is_asked_for_nothing_is_allowed(people, permission):
    for view in (SimpleNamespace(), SimpleNamespace(asks_for_one_file=False)):
        for user in people.values():
            request = SimpleNamespace(user=user)
            assert not permission().has_permission(request, view)
