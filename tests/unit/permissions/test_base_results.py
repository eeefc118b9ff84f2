"""Permissions must return True or False. Other results raise RuleError."""

import gc
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.utils.functional import SimpleLazyObject
from rest_framework.permissions import AllowAny, BasePermission, IsAdminUser, IsAuthenticated

from proxy_storage.exceptions import ConfigurationError, RuleError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage_permissions import (
    CanReadFile,
    FieldPermissions,
    FilePermission,
    HasModelPermission,
    HasObjectPermission,
    IsOwner,
    evaluate,
    get_readable,
)
from tests.testapp.models import Document
from tests.unit.permissions.asking import VIEW, ask, own

pytestmark = pytest.mark.django_db
RECORD = MetaBackendObject(path="/x")


class AsyncForRequests(BasePermission):
    async def has_permission(self, request, view):
        return False


class AsyncForRecords(BasePermission):
    async def has_object_permission(self, request, view, obj):
        return False


def answering(answer):
    class Answering(BasePermission):
        def has_permission(self, request, view):
            return answer

    return Answering


# The operators compare by identity, and would treat the first lazy value as true.
LAZY = [SimpleLazyObject(lambda: False), SimpleLazyObject(lambda: True)]
NO_ANSWERS = [None, 1, 0, "yes", "", object(), [False], User, *LAZY]


@pytest.mark.parametrize(
    "permission",
    [
        AsyncForRequests,
        AsyncForRecords,
        ~AsyncForRequests,
        ~AsyncForRecords,
        AsyncForRequests | IsAdminUser,
        IsAuthenticated & AsyncForRecords,
        *(answering(answer) for answer in NO_ANSWERS),
        *(~answering(answer) for answer in NO_ANSWERS),
    ],
)
@pytest.mark.parametrize("who", ["owner", "staff"])
@pytest.mark.slow
def test_other_results_raise_an_error_under_all_operators(people, permission, who, recwarn):
    with pytest.raises(RuleError):
        evaluate(permission(), ask(people[who]), VIEW, RECORD)
    gc.collect()
    assert not recwarn.list  # No coroutine that was never awaited.


@pytest.mark.parametrize(
    "permission", [AsyncForRequests, answering(1), ~answering(None), answering(LAZY[0])]
)
def test_other_results_raise_an_error_in_lists(people, permission):
    with pytest.raises(RuleError):
        get_readable([permission()], ask(people["owner"]), VIEW, [Document])


def test_operand_that_is_not_needed_is_not_evaluated(people):
    assert evaluate((IsAdminUser | AsyncForRequests)(), ask(people["staff"]), VIEW, RECORD) is True
    assert evaluate((IsAdminUser & AsyncForRequests)(), ask(people["owner"]), VIEW, RECORD) is False


@pytest.mark.parametrize("name", ["has_object_permission", "get_filter", "get_permission_filter"])
def test_coroutine_functions_are_refused_when_the_class_is_defined(name):
    async def method(self, *arguments):
        return False

    with pytest.raises(ConfigurationError, match=f"Late.{name} must not be a coroutine function"):
        type("Late", (FilePermission,), {name: method})


def test_permission_of_a_field(people):
    class Fields(FieldPermissions):
        model = Document
        permissions = {"orm_file": AsyncForRequests}

    record = own(Document.objects.create(user=people["owner"]), "orm_file")
    with pytest.raises(RuleError, match="AsyncForRequests"):
        evaluate(Fields(), ask(people["owner"]), VIEW, record)


@pytest.mark.parametrize("is_async", [True, False])
def test_method_of_the_content_object(people, monkeypatch, is_async):
    async def coroutine(self, user, field):
        return False

    def number(self, user, field):
        return 1

    monkeypatch.setattr(Document, "can_read_file", coroutine if is_async else number, raising=False)
    record = own(Document.objects.create(user=people["owner"]), "orm_file")
    with pytest.raises(RuleError, match=r"Document.can_read_file\(\)"):
        evaluate(CanReadFile(), ask(people["owner"]), VIEW, record)


@pytest.mark.parametrize("permission", [HasModelPermission(), HasObjectPermission()])
def test_has_perm_of_the_user(people, permission):
    class Requester(SimpleNamespace):
        is_authenticated = True

        def has_perm(self, name, obj=None):
            return 1

    record = own(Document.objects.create(user=people["owner"]), "orm_file")
    with pytest.raises(RuleError, match=r"Requester.has_perm\(\)"):
        evaluate(permission, ask(Requester(pk=1)), VIEW, record)


class TestBases:
    """A base whose has_permission would never be called is an error."""

    @pytest.mark.parametrize(
        "bases",
        [
            (IsOwner, IsAuthenticated),
            (IsAuthenticated, IsOwner),
            (IsOwner, AllowAny),
            (FieldPermissions, IsAdminUser),
            (FilePermission, type("Derived", (IsAuthenticated,), {})),
            (IsOwner, type("Mixin", (), {"has_permission": lambda self, request, view: True})),
        ],
    )
    def test_base_with_has_permission_is_refused(self, bases):
        with pytest.raises(
            ConfigurationError, match=r"Both is evaluated for records only.* inherits from .*'&'"
        ):
            type("Both", bases, {})

    def test_base_without_has_permission_is_accepted(self):
        class Named:
            name = "x"

        class Both(IsOwner, CanReadFile, Named):
            pass

        assert Both("user").user_field == "user"


class Pub(FilePermission):
    def has_object_permission(self, request, view, obj):
        return True

    def get_filter(self, request, view, models):
        return True


def refuse(*arguments):
    return False


def with_careless_base():
    class Careless:
        def __init_subclass__(cls, **kwargs):
            pass

    return type("Both", (Careless, Pub, IsAuthenticated), {})


def with_assignment():
    rule = type("Later", (Pub,), {})
    rule.has_permission = refuse
    return rule


def with_assignment_to_a_mixin():
    mixin = type("Mixin", (), {})
    rule = type("Mixed", (mixin, Pub), {})
    mixin.has_permission = refuse
    return rule


def with_other_bases():
    rule = type("Based", (Pub, type("Mixin", (), {})), {})
    rule.__bases__ = (Pub, IsAuthenticated)
    return rule


def with_attribute_of_the_instance():
    rule = Pub()
    rule.has_permission = refuse
    return rule


def with_attribute_access():
    class Dynamic(Pub):
        def __getattribute__(self, name):
            return refuse if name == "has_permission" else super().__getattribute__(name)

    return Dynamic


class TestLateHasPermission:
    """A has_permission that is added after the definition of a class raises RuleError."""

    @pytest.fixture(
        params=[
            with_careless_base,
            with_assignment,
            with_assignment_to_a_mixin,
            with_other_bases,
            with_attribute_of_the_instance,
            with_attribute_access,
        ]
    )
    def rule(self, request):
        return request.param()

    def test_raises_an_error_for_one_file(self, people, rule):
        for record in (RECORD, None):
            for permission in (rule(), (~Pub | rule)(), (Pub & rule)()):
                with pytest.raises(RuleError, match=r"never called.*'&'"):
                    evaluate(permission, ask(people["staff"]), VIEW, record)

    def test_raises_an_error_for_lists(self, people, rule):
        for permission in (rule(), (Pub & rule)()):
            with pytest.raises(RuleError, match=r"never called.*'&'"):
                get_readable([permission], ask(people["staff"]), VIEW, [Document])
