"""Each permission is evaluated to one result, to which the operators are applied."""

from types import SimpleNamespace

import pytest
from rest_framework.permissions import AllowAny, IsAdminUser, IsAuthenticated

from jobs.models import JobApply
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage_permissions import (
    DenyAll,
    FieldPermissions,
    FilePermission,
    HasModelPermission,
    HasObjectPermission,
    IsOwner,
    evaluate,
)
from tests.unit.permissions.asking import EVERYBODY, VIEW, allowed, ask

pytestmark = pytest.mark.django_db


class Rules(FieldPermissions):
    model = JobApply
    permissions = {"avatar": AllowAny, "resume": IsOwner("user") | IsAdminUser}


@pytest.mark.parametrize(
    ("permission", "expected"),
    [
        (FilePermission, set()),
        (FilePermission(), set()),
        (~FilePermission(), EVERYBODY),
        (DenyAll, set()),
        (DenyAll | IsAdminUser, {"staff"}),
        (~DenyAll, EVERYBODY),
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
def test_operators_are_applied_to_results(permission, expected, people, resume):
    assert allowed(permission, people, resume) == expected


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
        (IsOwner("user") & DenyAll, False),
        (DenyAll, False),
        (FilePermission, False),
        (~DenyAll, True),
        (AllowAny, True),
    ],
)
def test_result_without_a_record(people, permission, expected):
    assert evaluate(permission(), ask(people["owner"]), SimpleNamespace()) is expected


@pytest.mark.parametrize("permission", [IsOwner("user"), Rules(), IsOwner("user") | Rules])
def test_views_that_do_not_check_records_are_denied(people, permission):
    for view in (SimpleNamespace(), SimpleNamespace(checks_record=False)):
        for user in people.values():
            assert not permission().has_permission(ask(user), view)
    assert permission().has_permission(ask(people["owner"]), VIEW)


def test_former_name_of_checks_record_works(people):
    view = SimpleNamespace(asks_for_one_file=True)
    assert IsOwner().has_permission(ask(people["owner"]), view)


def test_class_with_has_permission_is_refused():
    with pytest.raises(ConfigurationError, match=r"IsPaying.* never be called.*'&'"):

        class IsPaying(FilePermission):
            def has_permission(self, request, view):
                return False

    with pytest.raises(ConfigurationError, match="never be called"):

        class IsUserAndOwner(IsAuthenticated, IsOwner):
            pass


def test_permissions_of_the_same_class_and_arguments_are_equal():
    assert IsOwner("user") == IsOwner("user")
    assert hash(IsOwner("user")) == hash(IsOwner("user"))
    assert IsOwner("user") != IsOwner("author")
    assert HasModelPermission("view") != HasObjectPermission("view")
    assert IsOwner("user") | IsAdminUser == IsOwner("user") | IsAdminUser
    assert IsOwner("user") | IsAdminUser != IsOwner("author") | IsAdminUser


def test_view_needs_no_attributes(people):
    record = MetaBackendObject(path="/x")
    assert evaluate(AllowAny(), ask(people["anonymous"]), SimpleNamespace(), record) is True
