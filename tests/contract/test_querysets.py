"""Querysets in conditions are subqueries if the database supports it, otherwise they are read."""

import uuid

import pytest
from django.contrib.auth.models import User
from django.db.models import Max, Q
from django.db.models.functions import Lower

from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.meta_backends.queries import matches
from proxy_storage.registry import get_proxy_storage
from tests.testapp.models import (
    Document,
    ElsewhereStoredFile,
    KeyedDocument,
    NamedDocument,
    ScannedDocument,
)

RECORD = {"proxy_storage_name": "orm-disk", "original_storage_path": "a.txt"}
# MariaDB accepts only valid UUIDs.
KEYS = [
    uuid.UUID(f"{start}-89ab-4cde-8123-456789abcdef") for start in ("01234567", "ffffffff", "0" * 8)
]

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("empty_storages")]


@pytest.fixture
def rows():
    """Create rows with keys of each type, and a user without a document."""
    users = [User.objects.create(username=name) for name in ("messi", "ronaldo", "nobody")]
    for number, user in enumerate(users[:2]):
        ScannedDocument.objects.create(title=str(number), user=user)
        NamedDocument.objects.create(code=["05", "é"][number])
    ScannedDocument.objects.create(title="of no user")
    for key in KEYS:
        KeyedDocument.objects.create(id=key, title=str(key))


@pytest.fixture
def filled(backend, rows):
    keys = [
        *User.objects.values_list("pk", flat=True),
        *ScannedDocument.objects.values_list("pk", flat=True),
        *("5", "05", "é", "É", 10**6, None, *map(str, KEYS), KEYS[0].hex, str(KEYS[0]).upper()),
    ]
    for number, key in enumerate(keys):
        backend.create({"path": f"/{number:02}", "object_id": key, "size": number, **RECORD})
    return backend


QUERYSETS = {
    "numbers": User.objects.filter(username__lt="n"),
    "numbers by name": User.objects.values("pk"),
    "a relation": Document.objects.values("user"),
    "a relation by its column": Document.objects.filter(title="0").values_list("user_id"),
    "a column of another table": Document.objects.values("user__id"),
    "a child's key": ScannedDocument.objects.filter(title="1"),
    "some columns": ScannedDocument.objects.only("title").order_by("title"),
    "text": NamedDocument.objects.all(),
    "UUIDs": KeyedDocument.objects.exclude(pk=KEYS[1]),
    "UUIDs by name": KeyedDocument.objects.values_list("id", flat=True),
    "groups": Document.objects.values("user").annotate(last=Max("pk")).values("user"),
    "different ones": Document.objects.order_by("title").values("user_id").distinct(),
    "none": User.objects.none(),
    "no key": User.objects.filter(pk__in=[]),
}
TO_BE_READ = {
    "something computed": Document.objects.values("user").annotate(last=Max("pk")).values("last"),
    "an expression": KeyedDocument.objects.values_list(Lower("title")),
    "a part": User.objects.order_by("-pk")[1:],
    "a union": User.objects.filter(username="messi").union(User.objects.filter(username="nobody")),
    "an extra column": User.objects.extra(select={"one": "1"}).values("one"),
    "times": User.objects.values("date_joined"),
}


@pytest.mark.parametrize("name", [*QUERYSETS, *TO_BE_READ])
def test_select_and_count_agree_with_matches(filled, name):
    queryset = {**QUERYSETS, **TO_BE_READ}[name]
    for condition in (Q(object_id__in=queryset), ~Q(object_id__in=queryset)):
        for asked in (condition, condition & Q(size__gt=1), condition | Q(size=0)):
            expected = [record for record in filled if matches(asked, record)]
            assert filled.select(asked) == expected
            assert filled.count(asked) == len(expected)


def test_expected_records(filled):
    keys = set(map(str, KEYS))
    texts = [record for record in filled if record["object_id"] in keys]
    assert len(texts) == len(KEYS)
    assert filled.select(Q(object_id__in=KeyedDocument.objects.all())) == texts
    named = filled.select(Q(object_id__in=NamedDocument.objects.all()))
    assert [record["object_id"] for record in named] == ["05", "é"]


@pytest.mark.parametrize("name", QUERYSETS)
def test_queryset_of_the_same_database_is_a_subquery(rows, name, django_assert_num_queries):
    backend = get_proxy_storage("orm-disk").meta_backend
    with django_assert_num_queries(0 if name in ("none", "no key") else 1):
        backend.select(Q(object_id__in=QUERYSETS[name]))
    with django_assert_num_queries(1):
        backend.count(~Q(object_id__in=QUERYSETS[name]))


@pytest.mark.parametrize("name", TO_BE_READ)
def test_other_querysets_are_read_first(rows, name, django_assert_num_queries):
    backend = get_proxy_storage("orm-disk").meta_backend
    with django_assert_num_queries(2):
        backend.select(Q(object_id__in=TO_BE_READ[name]))


@pytest.mark.django_db(databases=["default", "other"])
class TestOtherDatabase:
    def test_queryset_of_another_database_is_read(self, rows, django_assert_num_queries):
        backend = ORMMetaBackend("testapp.ElsewhereStoredFile")
        owner = User.objects.get(username="messi")
        backend.create({"path": "/a", "object_id": owner.pk, **RECORD})
        backend.create({"path": "/b", "object_id": 0, **RECORD})
        with django_assert_num_queries(1):  # The other query is one of the other database.
            records = backend.select(Q(object_id__in=User.objects.all()))
        assert [record["path"] for record in records] == ["/a"]

    def test_records_and_queryset_in_any_database(self):
        elsewhere = ORMMetaBackend("testapp.ElsewhereStoredFile")
        here = get_proxy_storage("orm-disk").meta_backend
        key = elsewhere.create({"path": "/owner", **RECORD})["id"]
        for backend in (elsewhere, here):
            backend.create({"path": "/a", "object_id": key, **RECORD})
            backend.create({"path": "/b", "object_id": key + 10, **RECORD})
            for rows in (ElsewhereStoredFile.objects, ElsewhereStoredFile.objects.using("other")):
                owned = Q(object_id__in=rows.filter(path="/owner"))
                assert [record["path"] for record in backend.select(owned)] == ["/a"]

    def test_queryset_of_the_same_other_database_is_a_subquery(self, django_assert_num_queries):
        backend = ORMMetaBackend("testapp.ElsewhereStoredFile")
        for rows in (ElsewhereStoredFile.objects, ElsewhereStoredFile.objects.using("other")):
            with django_assert_num_queries(1, using="other"):
                backend.count(Q(object_id__in=rows.values("pk")))


def test_querysets_for_other_keys(rows, django_assert_num_queries):
    backend = get_proxy_storage("orm-disk").meta_backend
    users = User.objects.order_by("pk")
    for number, user in enumerate(users):
        backend.create({"path": f"/{number}", "size": user.pk, "field": user.username, **RECORD})
    with django_assert_num_queries(3):
        assert backend.count(Q(size__in=users)) == 3
        assert backend.count(Q(field__in=users.filter(username="messi").values("username"))) == 1
        assert backend.count(~Q(field__in=users.values("username"))) == 0
    # Text that is not a number is not equal to any number.
    assert backend.count(Q(size__in=users.values("username"))) == 0
