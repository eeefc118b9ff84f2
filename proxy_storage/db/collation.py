"""The database column that holds literal text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField

if TYPE_CHECKING:
    TextField = CharField[Any, Any]
else:
    TextField = CharField

# compare code points; the first counts trailing spaces as well, which MySQL's has no way to
MARIADB_COLLATION = "utf8mb4_nopad_bin"
MYSQL_COLLATION = "utf8mb4_0900_bin"
# by code points as well; without it no index would serve the order that records have everywhere
POSTGRESQL_COLLATION = "C"


class LiteralCharField(TextField):
    """A ``CharField`` in which two texts are equal only if they are the same text.

    SQLite and PostgreSQL compare so by themselves. MariaDB and MySQL take ``A`` for ``a``
    and ``é`` for ``e``, in unique indexes as well, unless the column has a binary
    collation; here it has.

    On PostgreSQL it says how texts are ordered: by code points, whatever the language of the
    database.

    Source: https://www.postgresql.org/docs/current/collation.html,
    https://mariadb.com/docs/server/reference/data-types/string-data-types/character-sets/supported-character-sets-and-collations
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        """Return Django's parameters of the column, with the collation."""
        parameters: dict[str, Any] = super().db_parameters(connection)
        if connection.vendor == "mysql":
            is_mariadb = getattr(connection, "mysql_is_mariadb", False)
            parameters["collation"] = MARIADB_COLLATION if is_mariadb else MYSQL_COLLATION
        elif connection.vendor == "postgresql":
            parameters["collation"] = POSTGRESQL_COLLATION
        return parameters
