"""A requester that is not a user does not have the rights of the user of the same key."""

from types import SimpleNamespace

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.http import QueryDict
from django.utils.functional import SimpleLazyObject

from proxy_storage_permissions import IsOwner, get_readable, get_signed_url
from proxy_storage_permissions.links import is_valid_link
from proxy_storage_permissions.requesters import get_model_label, is_user
from tests.testapp.models import Document, Team
from tests.unit.permissions.asking import VIEW, ask, is_allowed, own

pytestmark = pytest.mark.django_db


class Device(Team):
    """What an authentication sets in place of a user."""

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
def test_owner_by_a_key_that_is_equal(user, device, path):
    document = Document.objects.create(user=user)
    document.teams.create(lead=user).members.add(user)
    record = own(document, "orm_file")
    assert is_allowed(IsOwner(path), user, record)
    for requester in (device, SimpleLazyObject(lambda: device)):
        assert not is_allowed(IsOwner(path), requester, record)
        readable = get_readable([IsOwner(path)], ask(requester), VIEW, [Document])
        assert readable.condition is False


def test_negation_counts_it_as_a_stranger(user, device):
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
    ],
)
def test_who_is_a_user(user, get_requester, expected):
    assert is_user(get_requester(user)) is expected


def test_model_of_a_user_has_no_label(user, device):
    assert get_model_label(user) is None
    assert get_model_label(AnonymousUser()) is None
    assert get_model_label(device) == "testapp.team"


class TestLinks:
    @pytest.fixture
    def record(self, empty_storages):
        storage = Document._meta.get_field("orm_file").storage
        from django.core.files.base import ContentFile

        return storage.get_meta_backend_obj(storage.save("a.txt", ContentFile(b"a")))

    def opens(self, record, link, requester):
        query = QueryDict(link.url.partition("?")[2])
        return is_valid_link(record, query, "GET", requester)

    def test_for_a_user(self, record, user, device):
        link = get_signed_url(record, user=user)
        assert self.opens(record, link, user)
        assert not self.opens(record, link, device)
        assert not self.opens(record, link, SimpleNamespace(is_authenticated=True, pk=user.pk))

    def test_for_a_device(self, record, user, device):
        link = get_signed_url(record, user=device)
        assert self.opens(record, link, device)
        assert not self.opens(record, link, user)
        assert not self.opens(record, link, None)

    def test_for_everybody(self, record, user, device):
        link = get_signed_url(record)
        for requester in (user, device, AnonymousUser(), None):
            assert self.opens(record, link, requester)

    def test_for_what_has_no_model(self, record):
        with pytest.raises(ValueError, match="not SimpleNamespace"):
            get_signed_url(record, user=SimpleNamespace(is_authenticated=True, pk=1))
