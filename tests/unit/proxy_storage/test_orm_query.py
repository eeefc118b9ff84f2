"""The SQL of conditions for each database. The contract tests run it."""

from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, models, transaction
from django.db.models import Q
from django.test.utils import CaptureQueriesContext, isolate_apps

from proxy_storage.exceptions import ConfigurationError, MetaBackendSchemaError
from proxy_storage.meta_backends import orm_query
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.meta_backends.orm_query import RowQuery, get_literal_collation, get_subquery
from proxy_storage.meta_backends.queries import QuerySetColumn, parse_order
from tests.testapp.models import Document, KeyedDocument, NamedDocument, PlainStoredFile, StoredFile

CONNECTIONS = {
    "sqlite": {"vendor": "sqlite"},
    "postgresql": {"vendor": "postgresql"},
    "mariadb": {"vendor": "mysql", "mysql_is_mariadb": True},
    "mysql": {"vendor": "mysql", "mysql_is_mariadb": False},
}


def get_sql(database, condition=True, *names):
    """Return the SQL after the names of the columns and of the table."""
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
def test_null_comes_first_in_ascending_order(database, ascending, descending):
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
def test_equality_distinguishes_case(database, other):
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
def test_startswith_is_literal(database, expected):
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
def test_icontains(database, expected):
    sql = get_sql(database, Q(path__icontains="A_")).replace("(", "").replace(")", "")
    assert sql.startswith(f"WHERE {expected} ORDER BY")


def test_comparison_with_a_constant_result_is_left_out():
    for condition, expected in (
        (Q(path__isnull=False), ""),
        (Q(title=None) | Q(size=1), ""),
        (~Q(size="a lot") & ~Q(title__gt=1), ""),
        (Q(title="a") | Q(path="/a"), "WHERE path IN (/a) "),
        (Q(id__startswith="1") | Q(id__icontains="1") | Q(id="5"), "WHERE id IN (5) "),
    ):
        assert get_sql("sqlite", condition) == f"{expected}ORDER BY path ASC"


def test_value_of_the_wrong_type_for_a_column_of_the_project_is_refused():
    with pytest.raises(ConfigurationError, match=r"the type of its column in testapp\.StoredFile"):
        get_sql("sqlite", Q(id="one"))


@pytest.mark.parametrize(("is_native", "parts"), [(True, 0), (False, 5)])
def test_uuid_is_compared_as_text_with_dashes(is_native, parts, monkeypatch):
    monkeypatch.setattr(connection.features, "has_native_uuid_field", is_native)
    field = StoredFile._meta.get_field("object_id")
    subquery = get_subquery(QuerySetColumn(KeyedDocument.objects.all()), field, "default")
    # A UUID that is stored without dashes gets them.
    assert str(subquery.query).count("SUBSTR(CAST(") == parts


@pytest.mark.parametrize("model", [KeyedDocument, Document, NamedDocument])
@pytest.mark.parametrize("database", ["mariadb", "sqlite"])
def test_keys_have_the_collation_of_the_records(model, database, monkeypatch):
    """MariaDB would run the subquery for each record otherwise."""
    collation = get_literal_collation(SimpleNamespace(**CONNECTIONS[database]))
    monkeypatch.setattr(orm_query, "get_literal_collation", lambda connection: collation)
    field = StoredFile._meta.get_field("object_id")
    subquery = get_subquery(QuerySetColumn(model.objects.all()), field, "default")
    assert ('COLLATE "utf8mb4_nopad_bin" AS' in str(subquery.query)) is (database == "mariadb")


@isolate_apps("tests.testapp")
def test_keys_that_are_converted_in_python_are_read_first():
    class HexField(models.IntegerField):
        def from_db_value(self, value, expression, connection):
            return hex(value)

    class Numbered(models.Model):
        number = HexField(primary_key=True)

        class Meta:
            app_label = "testapp"

    field = StoredFile._meta.get_field("object_id")
    assert get_subquery(QuerySetColumn(Numbered.objects.all()), field, "default") is None


@pytest.mark.django_db
class TestORMMetaBackend:
    def test_columns_that_the_model_does_not_have_are_none(self, django_assert_num_queries):
        backend = ORMMetaBackend("testapp.PlainStoredFile")
        PlainStoredFile.objects.create(path="/b")
        PlainStoredFile.objects.create(path="/a")
        without = Q(content_type_id=None) & ~Q(object_id__in=User.objects.all()) & Q(object_id=None)
        with django_assert_num_queries(3):
            assert [record["path"] for record in backend.select(without)] == ["/a", "/b"]
            assert backend.count(without) == 2
            records = backend.select(without, ["-size", "field"])
        assert [record["path"] for record in records] == ["/a", "/b"]
        with django_assert_num_queries(0):
            assert backend.select(Q(content_type_id=1) | Q(object_id__in=User.objects.all())) == []

    @pytest.mark.parametrize("start", [0, 5])
    def test_slice_is_one_query_with_a_limit(self, start):
        backend = ORMMetaBackend("testapp.StoredFile")
        with CaptureQueriesContext(connection) as queries:
            backend.select(Q(size__gt=5), ["-size"], start, start + 3)
        (query,) = queries
        assert "LIMIT 3" in query["sql"]
        assert ("OFFSET 5" in query["sql"]) is (start == 5)

    def test_missing_table_raises_schema_error(self):
        backend = ORMMetaBackend("testapp.TablelessStoredFile")
        for ask in (backend.select, backend.count, lambda condition: list(backend)):
            with (
                pytest.raises(MetaBackendSchemaError, match=r"manage\.py migrate") as caught,
                transaction.atomic(),
            ):
                ask(Q(path="/a"))
            assert isinstance(caught.value.__cause__, DatabaseError)
