"""Filters apply to models with file fields. Files of other models are not listed, even with `~`."""

import pytest
from django.contrib.contenttypes.models import ContentType
from rest_framework.permissions import AllowAny, IsAdminUser

from proxy_storage.content_objects import get_content_object_models
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.queries import get_test, matches
from proxy_storage_permissions import DenyAll, IsOwner
from tests.testapp.models import (
    Document,
    KeyedDocument,
    Picture,
    ProxyDocument,
    ScannedDocument,
    Team,
)
from tests.unit.permissions.asking import Asked, Told, ToldEverything, get_list, own

pytestmark = pytest.mark.django_db
UNBOUND = MetaBackendObject(path="/x")


@pytest.fixture
def strange(people):
    team = Team.objects.create()
    stale = ContentType.objects.create(app_label="gone", model="gone")
    gone = {"path": "/x", "object_id": 1, "field": "orm_file"}
    return [
        own(team, "id"),
        MetaBackendObject(gone, content_type_id=stale.pk),
        MetaBackendObject(gone, content_type_id=9999),
    ]


@pytest.mark.parametrize(
    "permission",
    [Told, ~Told, ToldEverything, ~Told | Asked, ~(Told & Asked), ~Told & AllowAny],
)
def test_filters_do_not_select_them(people, strange, permission):
    test = get_test(get_list(people["owner"], permission).condition)
    assert not any(map(test, strange))


def test_permissions_without_filter_select_them(people, strange):
    for permission in (AllowAny, Told | IsAdminUser, Asked, ~DenyAll):
        test = get_test(get_list(people["staff"], permission).condition)
        assert all(map(test, strange))


def test_negation_for_anonymous_requests_does_not_select_them(people, strange):
    test = get_test(get_list(people["anonymous"], ~IsOwner).condition)
    assert not any(map(test, strange))
    assert test(UNBOUND)
    assert test(own(Document.objects.create(), "orm_file"))


def test_models_that_are_not_passed_are_other_models(people):
    document = own(Document.objects.create(), "orm_file")
    keyed = own(KeyedDocument.objects.create(), "orm_file")
    condition = get_list(people["anonymous"], ~IsOwner, models=[Document]).condition
    assert [matches(condition, one) for one in (document, keyed, UNBOUND)] == [
        True,
        False,
        True,
    ]
    condition = get_list(people["anonymous"], ~IsOwner, models=[]).condition
    assert [matches(condition, one) for one in (document, keyed, UNBOUND)] == [
        False,
        False,
        True,
    ]


def test_models_that_define_a_file_field_are_known():
    assert {Document, KeyedDocument, Picture} <= set(get_content_object_models())
    assert not {ScannedDocument, ProxyDocument, Team} & set(get_content_object_models())
