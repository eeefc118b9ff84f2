"""The model field whose database column compares text literally."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField

if TYPE_CHECKING:
    TextField = CharField[Any, Any]
else:
    TextField = CharField

# These collations compare code points. MariaDB's one also compares trailing spaces, for which MySQL
# does not have a collation.
MARIADB_COLLATION = "utf8mb4_nopad_bin"
MYSQL_COLLATION = "utf8mb4_0900_bin"
# Compares code points as well. Without it, an index could not be used to sort records by code
# points, which is their order in every meta backend.
POSTGRESQL_COLLATION = "C"


class LiteralCharField(TextField):
    """A ``CharField`` in which two texts are equal only if all their characters are equal.

    This is the default in SQLite and PostgreSQL. In MariaDB and MySQL ``A`` equals ``a``, and
    ``é`` equals ``e``, in unique indexes as well, unless the column has a binary collation. This
    field sets one.

    In PostgreSQL the collation of this field sets the order of texts: by code points, whatever the
    language of the database is.

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
