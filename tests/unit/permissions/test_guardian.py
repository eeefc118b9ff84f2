"""Object permissions of authentication backends, and of django-guardian."""

import guardian.conf.settings
import pytest
from django.contrib.auth.backends import BaseBackend, ModelBackend, RemoteUserBackend
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.utils.functional import SimpleLazyObject
from guardian.backends import ObjectPermissionBackend
from guardian.shortcuts import assign_perm

from proxy_storage.meta_backends.queries import matches
from proxy_storage_permissions import HasObjectPermission, get_readable
from tests.testapp.models import Document, KeyedDocument, NamedDocument
from tests.unit.permissions.asking import VIEW, allowed, ask, is_allowed, own

pytestmark = [pytest.mark.database, pytest.mark.django_db]
DJANGOS = "django.contrib.auth.backends.ModelBackend"
GUARDIANS = "guardian.backends.ObjectPermissionBackend"


class TitleBackend(BaseBackend):
    """Allows the instances with a title."""

    def has_perm(self, user_obj, perm, obj=None):
        return obj is not None and obj.title != ""


class GenerousGuardian(ObjectPermissionBackend):
    def has_perm(self, user_obj, perm, obj=None):
        return True


class GenerousBackend(ModelBackend):
    def get_all_permissions(self, user_obj, obj=None):
        return {"testapp.view_document"}


class AccountBackend(ModelBackend):
    """Overrides the authentication only."""

    def authenticate(self, request, **credentials):
        return None


class OtherBackend:
    """Has no permissions."""

    def authenticate(self, request):
        return None


class StaffUser(User):
    class Meta:
        proxy = True
        app_label = "testapp"

    def has_perm(self, perm, obj=None):
        return self.is_staff


def get_path(backend):
    return f"{backend.__module__}.{backend.__qualname__}"


@pytest.fixture
def document(people):
    document = Document.objects.create()
    assign_perm("testapp.view_document", people["owner"], document)
    return document


@pytest.fixture
def record(document):
    return own(document, "orm_file")


def get_listed(permission, people, record):
    """Return the users whose list has the file; None if a list has to check each file."""
    listed = set()
    for who, user in people.items():
        readable = get_readable([permission()], ask(user), VIEW)
        if not readable.is_exact:
            return None
        if matches(readable.condition, record):
            listed.add(who)
    return listed


@pytest.mark.parametrize(
    ("backends", "who"),
    [
        ([DJANGOS], set()),
        ([get_path(RemoteUserBackend), get_path(OtherBackend)], set()),
        ([DJANGOS, GUARDIANS], {"owner"}),
        ([GUARDIANS, get_path(AccountBackend), get_path(BaseBackend)], {"owner"}),
    ],
)
def test_django_and_guardian_are_queried(people, record, settings, backends, who):
    settings.AUTHENTICATION_BACKENDS = backends
    people["root"] = User.objects.create(username="root", is_superuser=True)
    people["retired"] = User.objects.create(username="retired", is_superuser=True, is_active=False)
    assert allowed(HasObjectPermission, people, record) == who | {"root"}
    assert get_listed(HasObjectPermission, people, record) == who | {"root"}


@pytest.mark.parametrize(
    ("backend", "who"),
    [
        (TitleBackend, {"owner"}),
        (GenerousGuardian, {"anonymous", "stranger", "owner", "staff"}),
        (GenerousBackend, {"stranger", "owner", "staff"}),
    ],
)
def test_other_backends_are_called_for_each_file(people, record, settings, backend, who):
    settings.AUTHENTICATION_BACKENDS = [get_path(backend), GUARDIANS]
    assert allowed(HasObjectPermission, people, record) == who
    assert get_listed(HasObjectPermission, people, record) is None
    request = ask(people["owner"])
    assert HasObjectPermission().get_filter(request, VIEW, [Document]) is None
    readable = get_readable([HasObjectPermission()], request, VIEW)
    assert matches(readable.condition, record)
    assert not matches(readable.condition, {"path": "/unbound"})


def test_user_with_its_own_has_perm_is_called_for_each_file(people, record, settings):
    settings.AUTHENTICATION_BACKENDS = [DJANGOS, GUARDIANS]
    staff = {"staff": StaffUser.objects.get(username="staff")}
    assert allowed(HasObjectPermission, staff, record) == {"staff"}
    assert get_listed(HasObjectPermission, staff, record) is None


def test_user_may_be_a_lazy_object(people, record, settings):
    settings.AUTHENTICATION_BACKENDS = [DJANGOS, GUARDIANS]
    lazy = {who: SimpleLazyObject(lambda user=user: user) for who, user in people.items()}
    assert allowed(HasObjectPermission, lazy, record) == {"owner"}
    assert get_listed(HasObjectPermission, lazy, record) == {"owner"}


class TestGuardian:
    @pytest.fixture(autouse=True)
    def backends(self, settings):
        settings.AUTHENTICATION_BACKENDS = [DJANGOS, GUARDIANS]

    @pytest.mark.parametrize("has", [{}, {"is_superuser": True}, {"is_active": False}])
    def test_anonymous_user_of_guardian(self, people, record, monkeypatch, has):
        monkeypatch.setattr(guardian.conf.settings, "ANONYMOUS_USER_NAME", "anonymous_user")
        anonymous_user = User.objects.create(username="anonymous_user", **has)
        other = own(Document.objects.create(), "orm_file")
        assert is_allowed(HasObjectPermission, AnonymousUser(), other) is (
            has == {"is_superuser": True}
        )
        assign_perm(
            "testapp.view_document", anonymous_user, Document.objects.get(pk=record["object_id"])
        )
        for asked in (record, other):
            who = allowed(HasObjectPermission, people, asked)
            assert ("anonymous" in who) is (
                has == {"is_superuser": True} or (has == {} and asked is record)
            )
            assert get_listed(HasObjectPermission, people, asked) == who

    def test_model_permission_does_not_count(self, people, record):
        permission = Permission.objects.get(codename="view_document")
        people["staff"].user_permissions.add(permission)
        assert allowed(HasObjectPermission, people, record) == {"owner"}
        assert get_listed(HasObjectPermission, people, record) == {"owner"}

    def test_other_permissions_do_not_count(self, people, record):
        for name in ("change", "testapp.change_document", "testapp.view_keyeddocument"):
            assert allowed(HasObjectPermission(name), people, record) == set()
            assert get_listed(HasObjectPermission(name), people, record) == set()

    @pytest.mark.parametrize(
        "name", ["testapp.view_document", "auth.view_user", "auth.view_document"]
    )
    def test_permissions_of_other_models_and_apps_deny(self, people, record, name):
        keyed = own(KeyedDocument.objects.create(), "orm_file")
        named = own(NamedDocument.objects.create(code="1"), "orm_file")
        people["root"] = User.objects.create(username="root", is_superuser=True)
        owners = {"owner", "root"} if name == "testapp.view_document" else {"root"}
        for asked, who in ((record, owners), (keyed, {"root"}), (named, {"root"})):
            assert allowed(HasObjectPermission(name), people, asked) == who
            assert get_listed(HasObjectPermission(name), people, asked) == who

    def test_invalid_name_is_checked_for_each_file(self, people, record):
        permission = HasObjectPermission("testapp.view.document")
        assert allowed(permission, people, record) == set()
        assert get_listed(permission, people, record) is None

    def test_errors_of_other_backends_are_raised(self, people, record, settings):
        settings.AUTHENTICATION_BACKENDS = [get_path(BrokenBackend)]
        with pytest.raises(ZeroDivisionError):
            allowed(HasObjectPermission, people, record)


class BrokenBackend(BaseBackend):
    def has_perm(self, user_obj, perm, obj=None):
        raise ZeroDivisionError
