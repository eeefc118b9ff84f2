"""Signed links in projects with several databases or tenants, whose rows have the same keys."""

import pytest
from django.contrib.auth.models import Group, User

from proxy_storage_permissions import links
from proxy_storage_permissions.links import get_signed_url
from tests.unit.permissions.links import NOW, is_valid, save

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
    pytest.mark.parametrize("storage", ["orm-memory", "mongo-memory"], indirect=True),
]


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(links, "time", lambda: NOW)


@pytest.fixture
def record(storage):
    return save(storage)


class Tenants:
    """A project whose tables of some models are different ones for each tenant."""

    def __init__(self):
        self.current = "one"
        self.models = ()

    def __call__(self, model, using):
        return self.current if issubclass(model, self.models) else None


@pytest.fixture
def tenants(settings):
    tenants = Tenants()
    settings.PROXY_STORAGE = {**settings.PROXY_STORAGE, "GET_TENANT": tenants}
    return tenants


def test_record_of_another_tenant(tenants, record, storage):
    """The tables of two tenants have records with the same path and key."""
    is_table = hasattr(storage.meta_backend, "model")
    if is_table:
        tenants.models = (storage.meta_backend.model,)
    link = get_signed_url(record)
    assert is_valid(link, record)
    tenants.current = "two"
    # The keys of MongoDB are unique, and all tenants use the same record.
    assert is_valid(link, record) is not is_table


def test_record_of_another_database(record, storage, monkeypatch):
    link = get_signed_url(record)
    monkeypatch.setattr(type(storage.meta_backend), "get_transaction_alias", lambda self: "other")
    assert not is_valid(link, record)
    assert is_valid(get_signed_url(record), record)


class Scanner(Group):
    """A requester that is not a user."""

    is_authenticated = True

    class Meta:
        app_label = "testapp"
        proxy = True


@pytest.mark.parametrize("model", [User, Scanner])
def test_user_of_another_tenant(tenants, record, model):
    tenants.models = (User, Group)
    user = model.objects.create(pk=7)
    link = get_signed_url(record, user=user)
    assert is_valid(link, record, by=user)
    tenants.current = "two"
    assert not is_valid(link, record, by=user)


def test_user_of_another_database(record):
    user, twin = User.objects.create(pk=7), User(pk=7)
    twin._state.db = "other"
    link = get_signed_url(record, user=user)
    assert is_valid(link, record, by=user)
    assert not is_valid(link, record, by=twin)
    assert is_valid(get_signed_url(record, user=twin), record, by=twin)


def test_link_for_all_users_does_not_depend_on_their_tenant(tenants, record):
    tenants.models = (User,)
    link = get_signed_url(record)
    tenants.current = "two"
    assert is_valid(link, record, by=User.objects.create(pk=7))
