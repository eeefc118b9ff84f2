"""The collation of columns with literal text."""

import pytest
from django.db import connection

from proxy_storage.db import columns
from proxy_storage.db.collation import LiteralCharField
from tests.testapp.models import StoredFile


@pytest.mark.parametrize(
    ("vendor", "is_mariadb", "expected"),
    [
        ("sqlite", False, None),
        ("postgresql", False, "C"),
        ("mysql", True, "utf8mb4_nopad_bin"),
        ("mysql", False, "utf8mb4_0900_bin"),
    ],
)
def test_collation(monkeypatch, vendor, is_mariadb, expected):
    monkeypatch.setattr(connection, "vendor", vendor)
    monkeypatch.setattr(connection, "mysql_is_mariadb", is_mariadb, raising=False)
    parameters = LiteralCharField(max_length=10).db_parameters(connection)
    assert parameters.get("collation") == expected


def test_columns_that_identify_a_file_or_a_content_object_are_literal():
    names = ["path", "proxy_storage_name", "original_storage_path", "original_storage_name"]
    for name in (*names, "object_id", "field"):
        assert isinstance(StoredFile._meta.get_field(name), LiteralCharField)


def test_former_import_path_in_migrations():
    """A migration that names the former path must not differ from one with the present path."""
    assert columns.LiteralCharField is LiteralCharField
