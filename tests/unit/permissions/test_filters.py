"""The records that a list may contain."""

from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import Q
from django.utils.functional import SimpleLazyObject
from guardian.shortcuts import assign_perm
from rest_framework.permissions import (
    AllowAny,
    BasePermission,
    IsAdminUser,
    IsAuthenticated,
    IsAuthenticatedOrReadOnly,
)

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.queries import get_test, matches
from proxy_storage_permissions import (
    DenyAll,
    FieldPermissions,
    FilePermission,
    HasObjectPermission,
    IsOwner,
    Readable,
    decide,
    get_readable,
)
from proxy_storage_permissions.filters import find_unfiltered, get_rule_name
from tests.testapp.models import (
    Document,
    KeyedDocument,
    Picture,
)
from tests.unit.permissions.asking import (
    VIEW,
    Asked,
    Told,
    ToldEverything,
    ask,
    get_list,
    is_allowed,
    own,
)

pytestmark = pytest.mark.django_db
UNBOUND = MetaBackendObject(path="/x")
BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
ALL, NONE = Readable(condition=True, is_exact=True), Readable(condition=False, is_exact=True)
ASK_EACH = Readable(condition=True, is_exact=False)


class ToldNothing(Told):
    """Overrides the check of a record, but not the filter of its parent."""

    def has_object_permission(self, request, view, obj):
        return False


class Stricter:
    def has_object_permission(self, request, view, obj):
        return False


class StricterOwner(Stricter, IsOwner):
    pass


class StricterFields(Stricter, FieldPermissions):
    model = Document
    permissions = {"orm_file": AllowAny}


class NeverAllows(FilePermission):
    """Overrides the filter, but not the check of a record."""

    def get_filter(self, request, view, models):
        return True


class DjangosWithBoth(BasePermission):
    def has_permission(self, request, view):
        return request.user.is_authenticated

    def has_object_permission(self, request, view, obj):
        return False


def test_without_permissions_all_records_are_listed_as_in_drf(people):
    assert get_list(people["anonymous"]) == ALL


@pytest.mark.parametrize(
    ("permission", "anonymous", "owner", "staff"),
    [
        (AllowAny, ALL, ALL, ALL),
        (~AllowAny, NONE, NONE, NONE),
        (IsAdminUser, NONE, NONE, ALL),
        (~IsAdminUser, ALL, ALL, NONE),
        (IsAuthenticated & ~IsAdminUser, NONE, ALL, NONE),
        (IsAuthenticatedOrReadOnly, ALL, ALL, ALL),
        (DenyAll, NONE, NONE, NONE),
        (~DenyAll, ALL, ALL, ALL),
        (FilePermission, NONE, NONE, NONE),
        (DjangosWithBoth, NONE, ASK_EACH, ASK_EACH),
        (~DjangosWithBoth, ALL, ASK_EACH, ASK_EACH),
        (DjangosWithBoth & IsAdminUser, NONE, NONE, ASK_EACH),
        (DjangosWithBoth | IsAdminUser, NONE, ASK_EACH, ALL),
        (Asked, ASK_EACH, ASK_EACH, ASK_EACH),
        (~Asked, ASK_EACH, ASK_EACH, ASK_EACH),
        (Asked & ~Asked, ASK_EACH, ASK_EACH, ASK_EACH),
        (Asked | AllowAny, ALL, ALL, ALL),
        (AllowAny | Asked, ALL, ALL, ALL),
        (Asked & DenyAll, NONE, NONE, NONE),
        (~(Asked & DenyAll), ALL, ALL, ALL),
        (~(Asked | AllowAny), NONE, NONE, NONE),
    ],
)
def test_permissions_that_depend_on_the_request(people, permission, anonymous, owner, staff):
    for who, expected in (("anonymous", anonymous), ("owner", owner), ("staff", staff)):
        assert get_list(people[who], permission) == expected


def test_all_permissions_must_allow(people):
    record = own(Document.objects.create(user=people["owner"]), "orm_file")
    keyed = own(KeyedDocument.objects.create(), "orm_file")
    for permissions, expected in (
        ([Told, IsAuthenticated], [True, False]),
        ([Told, ~Told], [False, False]),
        ([Told, DenyAll], [False, False]),
    ):
        test = get_test(get_list(people["owner"], *permissions).condition)
        assert [test(record), test(keyed)] == expected


def test_permissions_after_a_refusal_are_not_evaluated(people):
    def fail():
        raise AssertionError

    never = SimpleNamespace(has_permission=lambda request, view: fail())
    assert get_readable([DenyAll(), never], ask(people["owner"]), VIEW) == NONE
    # IsOwner would raise an error, since pictures have no user.
    assert get_list(people["staff"], IsAdminUser | IsOwner, models=[Picture]) == ALL
    assert get_list(people["owner"], IsAdminUser & IsOwner, models=[Picture]) == NONE
    with pytest.raises(ConfigurationError, match="no relation 'user'"):
        get_list(people["owner"], IsAdminUser | IsOwner, models=[Picture])


def test_default_filter(people):
    request = ask(people["owner"])
    assert Asked().get_filter(request, VIEW, [Document]) is None
    assert FilePermission().get_filter(request, VIEW, [Document]) is False


class TestSubclasses:
    @pytest.mark.parametrize("permission", [ToldNothing, StricterOwner(), StricterFields])
    def test_filter_of_the_parent_is_not_used_for_an_overridden_check(self, people, permission):
        for asked in (permission, ~permission, ~~permission):
            assert get_list(people["owner"], asked) == ASK_EACH

    def test_overridden_filter_is_used(self, people):
        readable = get_list(people["owner"], ToldEverything)
        assert readable.is_exact
        assert matches(readable.condition, UNBOUND)

    def test_filter_without_a_check_allows_nothing(self, people):
        assert get_list(people["owner"], NeverAllows) == NONE


def test_condition_limits_the_records_to_check(people):
    document = own(Document.objects.create(), "orm_file")
    keyed = own(KeyedDocument.objects.create(), "orm_file")
    for permission, read in (
        (Asked & Told, [True, False]),
        (~Asked & Told, [True, False]),
        (Asked & ~Told, [False, True]),
        (~(Asked | Told), [False, True]),
        (~(Told | Asked), [False, True]),
        (~(Asked & ~Told) & ~Told, [False, True]),
        (Asked | Told, [True, True]),
    ):
        readable = get_list(people["owner"], permission)
        assert not readable.is_exact
        assert [matches(readable.condition, one) for one in (document, keyed)] == read


def test_rows_that_the_default_manager_excludes_are_included(people, monkeypatch, settings):

    class Published(models.Manager):
        def get_queryset(self):
            return super().get_queryset().exclude(title="hidden")

    manager = Published()
    manager.model = Document
    settings.AUTHENTICATION_BACKENDS = BACKENDS
    monkeypatch.setitem(vars(Document._meta), "default_manager", manager)
    document = Document(title="hidden", user=people["owner"])
    document.save()
    document.teams.create().members.add(people["owner"])
    people["root"] = User.objects.create(username="root", is_superuser=True)
    assign_perm("testapp.view_document", people["stranger"], document)
    record = own(document, "orm_file")
    assert not Document._default_manager.exists()
    for permission, who in (
        (IsOwner("user"), "owner"),
        (IsOwner("teams.members"), "owner"),
        (HasObjectPermission("view"), "root"),
        (HasObjectPermission("view"), "stranger"),
    ):
        for asked, is_shown in ((permission, True), (~permission, False)):
            assert is_allowed(asked, people[who], record) is is_shown
            condition = get_list(people[who], asked, models=[Document]).condition
            assert matches(condition, record) is is_shown


@pytest.mark.parametrize("answer", [Q(), ~Q(), [], "all", 1])
def test_filter_that_is_not_a_condition_is_refused(people, answer):
    class Unclear(Told):
        def get_filter(self, request, view, models):
            return answer

    with pytest.raises(ConfigurationError, match=r"Unclear\.get_filter\(\) must return"):
        get_list(people["owner"], Unclear)


def test_list_is_one_query(people, empty_storages, django_assert_num_queries):
    from tests.testapp.storages import OrmDiskStorage

    meta_backend = OrmDiskStorage.meta_backend
    for number in range(5):
        document = Document.objects.create(user=people["owner"])
        document.teams.create().members.add(people["owner"])
        meta_backend.create(
            {
                **own(document, "orm_file"),
                "path": f"/{number}",
                "proxy_storage_name": "orm_disk",
                "original_storage_path": f"{number}",
            }
        )
    permission = IsOwner("user") & IsOwner("teams.members") | IsAdminUser
    ContentType.objects.get_for_models(Document, KeyedDocument)
    with django_assert_num_queries(1):
        readable = get_list(people["owner"], permission, models=[Document, KeyedDocument])
        assert len(meta_backend.select(readable.condition)) == 5


class TestMethodsOfInstances:
    """Attributes of an instance override methods of its class."""

    def replace(self, permission, **methods):
        for name, method in methods.items():
            setattr(permission, name, method)
        return permission

    @pytest.mark.parametrize("cls", [BasePermission, AllowAny, IsAuthenticated])
    def test_check_of_a_drf_permission(self, people, cls):
        rule = self.replace(cls(), has_object_permission=lambda request, view, obj: False)
        request = ask(people["owner"])
        assert decide(rule, request, VIEW) is None
        assert decide(rule, request, VIEW, UNBOUND) is False
        assert get_readable([rule], request, VIEW) == ASK_EACH
        assert list(find_unfiltered(rule, [Document]))

    def test_filter_of_the_class_is_not_used(self, people):
        rule = self.replace(IsOwner("user"), has_object_permission=lambda request, view, obj: False)
        assert get_readable([rule], ask(people["owner"]), VIEW) == ASK_EACH
        assert list(find_unfiltered(rule, [Document])) == [get_rule_name(rule)]

    def test_filter_of_the_instance_is_used(self, people):
        rule = self.replace(
            FilePermission(),
            has_object_permission=lambda request, view, obj: True,
            get_filter=lambda request, view, models: True,
        )
        assert get_readable([rule], ask(people["owner"]), VIEW).is_exact
        assert not list(find_unfiltered(rule, [Document]))

    def test_check_of_a_permission_that_denies_all(self, people):
        rule = self.replace(DenyAll(), has_object_permission=lambda request, view, obj: True)
        assert decide(rule, ask(people["owner"]), VIEW) is None
        assert get_readable([rule], ask(people["owner"]), VIEW) == ASK_EACH

    @pytest.mark.parametrize("value", [True, False])
    def test_lazy_bool_is_refused(self, people, value):
        rule = self.replace(Told(), get_filter=lambda *arguments: SimpleLazyObject(lambda: value))
        with pytest.raises(ConfigurationError, match="not SimpleLazyObject"):
            get_readable([rule], ask(people["owner"]), VIEW)
