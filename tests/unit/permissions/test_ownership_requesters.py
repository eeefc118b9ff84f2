"""A requester that is not a user does not get the permissions of the user with the same key."""

from types import SimpleNamespace

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import models
from django.http import QueryDict
from django.test.utils import isolate_apps
from django.utils.functional import SimpleLazyObject

from proxy_storage.meta_backends.queries import matches
from proxy_storage_permissions import (
    HasModelPermission,
    HasObjectPermission,
    IsOwner,
    get_readable,
    get_signed_url,
)
from proxy_storage_permissions.links import get_key, get_model_label, is_valid_link
from proxy_storage_permissions.ownership import is_logged_in, is_user
from tests.testapp.models import Document, Team
from tests.unit.permissions.asking import VIEW, ask, is_allowed, own

pytestmark = pytest.mark.django_db


class Device(Team):
    """A requester of another model, which an authentication class sets as request.user."""

    is_authenticated = True

    class Meta:
        proxy = True
        app_label = "testapp"


class Staff(User):
    class Meta:
        proxy = True
        app_label = "testapp"


@pytest.fixture
def user():
    return User.objects.create(username="owner")


@pytest.fixture
def device(user):
    return Device.objects.create(pk=user.pk)


@pytest.mark.parametrize("path", ["user", "teams.members", "teams.lead"])
def test_device_with_the_key_of_the_owner_is_denied(user, device, path):
    document = Document.objects.create(user=user)
    document.teams.create(lead=user).members.add(user)
    record = own(document, "orm_file")
    assert is_allowed(IsOwner(path), user, record)
    for requester in (device, SimpleLazyObject(lambda: device)):
        assert not is_allowed(IsOwner(path), requester, record)
        readable = get_readable([IsOwner(path)], ask(requester), VIEW, [Document])
        assert readable.condition is False


def test_device_is_not_the_owner_under_negation(user, device):
    record = own(Document.objects.create(user=user), "orm_file")
    assert is_allowed(~IsOwner(), device, record)


@pytest.mark.parametrize(
    ("get_requester", "expected"),
    [
        (lambda user: user, True),
        (lambda user: SimpleLazyObject(lambda: user), True),
        (lambda user: Staff.objects.get(pk=user.pk), True),
        (lambda user: SimpleNamespace(is_authenticated=True, pk=user.pk, username="owner"), True),
        (lambda user: SimpleNamespace(is_authenticated=True, pk=user.pk, get_username=str), True),
        (lambda user: SimpleNamespace(is_authenticated=True, pk=user.pk), False),
        (lambda user: SimpleNamespace(is_authenticated=False, pk=user.pk, username="owner"), False),
        (lambda user: Device(pk=user.pk), False),
        (lambda user: AnonymousUser(), False),
        (lambda user: None, False),
        (lambda user: {"sub": user.pk}, False),
        (lambda user: "owner", False),
        (lambda user: user.pk, False),
    ],
)
def test_is_user(user, get_requester, expected):
    assert is_user(get_requester(user)) is expected


def test_get_model_label(user, device):
    assert get_model_label(user) is None
    assert get_model_label(AnonymousUser()) is None
    assert get_model_label(device) == "testapp.team"


WITHOUT_LOGIN = [None, {"sub": 1}, {}, "owner", 1, object(), AnonymousUser()]


@pytest.mark.parametrize("requester", WITHOUT_LOGIN)
def test_other_objects_are_not_logged_in(requester):
    assert is_logged_in(requester) is False


@pytest.mark.parametrize("requester", [*WITHOUT_LOGIN, Device(pk=1)])
@pytest.mark.parametrize("rule", [HasModelPermission(), HasObjectPermission(), IsOwner("user")])
def test_requester_that_is_not_a_user_is_denied(user, requester, rule):
    record = own(Document.objects.create(user=user), "orm_file")
    assert not is_allowed(rule, requester, record)
    readable = get_readable([rule], ask(requester), VIEW, [Document])
    assert readable.is_exact
    assert not matches(readable.condition, record)


def test_has_perm_on_the_user_instance_is_called_for_each_file(user):
    user.has_perm = lambda name, obj=None: False
    readable = get_readable([HasObjectPermission()], ask(user), VIEW, [Document])
    assert not readable.is_exact


@pytest.fixture
def employee_model():
    """A multi-table child of the user model with a primary key of its own."""
    with isolate_apps("tests.testapp"):

        class Employee(User):
            number = models.AutoField(primary_key=True)
            account = models.OneToOneField(User, models.CASCADE, parent_link=True, related_name="+")

            class Meta:
                app_label = "testapp"

        yield Employee


class TestKey:
    def test_child_of_the_user_model_has_the_key_of_the_user(self, user, employee_model):
        employee = employee_model(number=user.pk + 7, id=user.pk, account_id=user.pk)
        assert employee.pk != user.pk
        assert get_key(employee) == get_key(user) == user.pk

    @pytest.mark.parametrize(
        ("requester", "expected"),
        [
            (Device(pk=3), 3),
            (SimpleNamespace(is_authenticated=True, username="owner", pk="4"), "4"),
            (SimpleNamespace(is_authenticated=True, username="owner", id=5, pk=6), 5),
            (SimpleNamespace(is_authenticated=True, username="owner"), None),
            (AnonymousUser(), None),
            ({"sub": 1}, None),
        ],
    )
    def test_other_requesters(self, requester, expected):
        assert get_key(requester) == expected


class TestLinks:
    @pytest.fixture
    def record(self, empty_storages):
        storage = Document._meta.get_field("orm_file").storage
        from django.core.files.base import ContentFile

        return storage.get_meta_backend_obj(storage.save("a.txt", ContentFile(b"a")))

    def opens(self, record, link, requester):
        query = QueryDict(link.url.partition("?")[2])
        return is_valid_link(record, query, "GET", requester)

    def test_link_for_a_user(self, record, user, device):
        link = get_signed_url(record, user=user)
        assert self.opens(record, link, user)
        assert not self.opens(record, link, device)
        assert not self.opens(record, link, SimpleNamespace(is_authenticated=True, pk=user.pk))
        for requester in WITHOUT_LOGIN:
            assert not self.opens(record, link, requester)

    def test_link_for_a_user_is_not_for_a_child_with_an_equal_key(
        self, record, user, employee_model
    ):
        other = User.objects.create(username="other")
        stranger = employee_model(number=user.pk, id=other.pk, account_id=other.pk)
        employee = employee_model(number=other.pk, id=user.pk, account_id=user.pk)
        for link in (get_signed_url(record, user=user), get_signed_url(record, user=employee)):
            assert not self.opens(record, link, stranger)
            assert self.opens(record, link, employee)
            assert self.opens(record, link, user)

    def test_link_for_a_device(self, record, user, device):
        link = get_signed_url(record, user=device)
        assert self.opens(record, link, device)
        assert not self.opens(record, link, user)
        assert not self.opens(record, link, None)

    def test_link_for_all(self, record, user, device):
        link = get_signed_url(record)
        for requester in (user, device, AnonymousUser(), None):
            assert self.opens(record, link, requester)

    def test_link_for_an_object_without_a_model_is_an_error(self, record):
        with pytest.raises(ValueError, match="not SimpleNamespace"):
            get_signed_url(record, user=SimpleNamespace(is_authenticated=True, pk=1))
        with pytest.raises(ValueError, match="has no key"):
            get_signed_url(record, user={"sub": 1})
