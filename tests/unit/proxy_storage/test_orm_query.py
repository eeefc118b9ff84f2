"""What each database is told; that it understands, the contract shows on every one of them."""

from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from proxy_storage.exceptions import MetaBackendError
from proxy_storage.meta_backends import querysets
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.meta_backends.orm_query import RowQuery
from proxy_storage.meta_backends.queries import parse_order
from proxy_storage.meta_backends.querysets import get_literal_collation, get_subquery
from tests.testapp.models import Document, KeyedDocument, NamedDocument, PlainStoredFile, StoredFile

CONNECTIONS = {
    "sqlite": {"vendor": "sqlite"},
    "postgresql": {"vendor": "postgresql"},
    "mariadb": {"vendor": "mysql", "mysql_is_mariadb": True},
    "mysql": {"vendor": "mysql", "mysql_is_mariadb": False},
}


def get_sql(database, condition=True, *names):
    """Return what comes after the names of the columns and of the table."""
    query = RowQuery(StoredFile.objects.using("default"))
    features = SimpleNamespace(order_by_nulls_first=database != "postgresql")
    query.connection = SimpleNamespace(alias="default", features=features, **CONNECTIONS[database])
    rows = query.get_rows(condition, parse_order(names)).values("id")
    sql = str(rows.query).replace('"testapp_storedfile".', "").replace('"', "")
    return sql.partition(" FROM testapp_storedfile ")[2]


@pytest.mark.parametrize(
    ("database", "ascending", "descending"),
    [
        ("sqlite", "size ASC, path ASC", "size DESC, path DESC"),
        ("mariadb", "size ASC, path ASC", "size DESC, path DESC"),
        (
            "postgresql",
            "size ASC NULLS FIRST, path COLLATE C ASC",
            "size DESC NULLS LAST, path COLLATE C DESC",
        ),
    ],
)
def test_order(database, ascending, descending):
    assert get_sql(database, True, "size") == f"ORDER BY {ascending}"
    assert get_sql(database, True, "-size") == f"ORDER BY {descending}"


@pytest.mark.parametrize(
    ("database", "literal", "other"),
    [
        ("sqlite", "path", "mime_type"),
        ("postgresql", "path COLLATE C", "mime_type COLLATE C"),
        ("mariadb", "path", "mime_type COLLATE utf8mb4_nopad_bin"),
        ("mysql", "path", "mime_type COLLATE utf8mb4_0900_bin"),
    ],
)
def test_text_is_ordered_by_code_points(database, literal, other):
    sql = get_sql(database, Q(path__gt="/a") & Q(mime_type__lte="text"), "mime_type")
    assert sql.replace("(", "").replace(")", "") == (
        f"WHERE {literal} > /a AND {other} <= text ORDER BY {other} ASC, {literal} ASC"
    )


@pytest.mark.parametrize(
    ("database", "other"),
    [
        ("sqlite", "mime_type"),
        ("postgresql", "mime_type"),
        ("mariadb", "mime_type COLLATE utf8mb4_nopad_bin"),
        ("mysql", "mime_type COLLATE utf8mb4_0900_bin"),
    ],
)
def test_equal_text_is_the_same(database, other):
    sql = get_sql(database, Q(path="/a") & Q(mime_type="text")).replace("(", "").replace(")", "")
    assert sql.startswith(f"WHERE path IN /a AND {other} IN text ORDER BY")


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        ("sqlite", "path >= /a_ AND path < /a`"),
        ("mariadb", "path >= /a_ AND path < /a`"),
        ("postgresql", r"path LIKE /a\_% ESCAPE '\'"),
    ],
)
def test_beginning(database, expected):
    sql = get_sql(database, Q(path__startswith="/a_")).replace("(", "").replace(")", "")
    assert sql.startswith(f"WHERE {expected} ORDER BY")


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        ("sqlite", r"path LIKE %A\_% ESCAPE '\'"),
        ("postgresql", r"path LIKE %A\_% ESCAPE '\'"),
        ("mariadb", r"LOWERpath COLLATE utf8mb4_nopad_bin LIKE %a\_% ESCAPE '\'"),
    ],
)
def test_part(database, expected):
    sql = get_sql(database, Q(path__icontains="A_")).replace("(", "").replace(")", "")
    assert sql.startswith(f"WHERE {expected} ORDER BY")


def test_what_is_known_is_not_asked():
    for condition, expected in (
        (Q(path__isnull=False), ""),
        (Q(title=None) | Q(size=1), ""),
        (~Q(size="a lot") & ~Q(content_type_id__startswith="1"), ""),
        (Q(title="a") | Q(path="/a"), "WHERE path IN (/a) "),
        (Q(id__startswith="1") | Q(id="one") | Q(id=True) | Q(id="5"), "WHERE id IN (5) "),
    ):
        assert get_sql("sqlite", condition) == f"{expected}ORDER BY path ASC"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Q(size__gt=2.5), "size > 2"),
        (Q(size__gte=2.5), "size >= 3"),
        (Q(size__lt=-2.5), "size < -2"),
        (Q(size__lte=-2.5), "size <= -3"),
        (Q(size__in=[2.0, 2.5, True, "3"]), "size IN (2, 3)"),
    ],
)
def test_numbers_that_a_column_cannot_have(condition, expected):
    assert get_sql("sqlite", condition) == f"WHERE {expected} ORDER BY path ASC"


@pytest.mark.parametrize(("is_native", "parts"), [(True, 0), (False, 5)])
def test_text_of_a_uuid(is_native, parts, monkeypatch):
    monkeypatch.setattr(connection.features, "has_native_uuid_field", is_native)
    field = StoredFile._meta.get_field("object_id")
    subquery = get_subquery(KeyedDocument.objects.all(), field, "default")
    # where it is kept without its dashes, they are put between its parts
    assert str(subquery.query).count("SUBSTR(CAST(") == parts


@pytest.mark.parametrize(
    "owners",
    [KeyedDocument, Document, NamedDocument],
)
@pytest.mark.parametrize("database", ["mariadb", "sqlite"])
def test_owners_keys_are_looked_for_in_the_collation_of_the_records(owners, database, monkeypatch):
    """MariaDB would look each of them up on its own."""
    collation = get_literal_collation(SimpleNamespace(**CONNECTIONS[database]))
    monkeypatch.setattr(querysets, "get_literal_collation", lambda connection: collation)
    subquery = get_subquery(
        owners.objects.all(), StoredFile._meta.get_field("object_id"), "default"
    )
    assert ('COLLATE "utf8mb4_nopad_bin" AS' in str(subquery.query)) is (database == "mariadb")


@pytest.mark.django_db
class TestORMMetaBackend:
    def test_a_model_without_owners(self, django_assert_num_queries):
        backend = ORMMetaBackend("testapp.PlainStoredFile")
        PlainStoredFile.objects.create(path="/b")
        PlainStoredFile.objects.create(path="/a")
        nobodys = Q(content_type_id=None) & ~Q(object_id__in=User.objects.all()) & Q(object_id=None)
        with django_assert_num_queries(3):
            assert [record["path"] for record in backend.select(nobodys)] == ["/a", "/b"]
            assert backend.count(nobodys) == 2
            records = backend.select(nobodys, ["-size", "field"])
        assert [record["path"] for record in records] == ["/a", "/b"]
        with django_assert_num_queries(0):
            assert backend.select(Q(content_type_id=1) | Q(object_id__in=User.objects.all())) == []

    @pytest.mark.parametrize("start", [0, 5])
    def test_one_query_reads_no_more_than_a_part(self, start):
        backend = ORMMetaBackend("testapp.StoredFile")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            backend.select(Q(size__gt=5), ["-size"], start, start + 3)
        (query,) = queries
        assert "LIMIT 3" in query["sql"]
        assert ("OFFSET 5" in query["sql"]) is (start == 5)

    def test_table_is_missing(self):
        backend = ORMMetaBackend("testapp.TablelessStoredFile")
        for ask in (backend.select, backend.count):
            with pytest.raises(MetaBackendError) as caught, transaction.atomic():
                ask(Q(path="/a"))
            assert isinstance(caught.value.__cause__, DatabaseError)
