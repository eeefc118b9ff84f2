"""Errors of databases about a table or a column that does not exist."""

from __future__ import annotations

import re

CODES = (
    # PostgreSQL: undefined_column, undefined_table and invalid_schema_name
    *("42703", "42P01", "3F000"),
    # MariaDB and MySQL: ER_BAD_FIELD_ERROR and ER_NO_SUCH_TABLE
    *(1054, 1146),
)
# SQLite has one error code for everything that is wrong with a statement.
SQLITE_MESSAGE = re.compile(r"no such (table|column): |table \S+ has no column named ")


def is_schema_error(error: BaseException) -> bool:
    """Tell whether a statement failed because a table or a column does not exist.

    Args:
        error: Django's error, whose cause is the error of the driver.

    Source: https://www.postgresql.org/docs/current/errcodes-appendix.html,
    https://mariadb.com/docs/server/reference/error-codes/mariadb-error-code-reference,
    https://www.sqlite.org/rescode.html#error
    """
    # psycopg has the code in the one attribute, psycopg2 in the other
    states = [getattr(error.__cause__, name, None) for name in ("sqlstate", "pgcode")]
    is_known = any(code in CODES for code in (*states, *error.args[:1]))
    return is_known or SQLITE_MESSAGE.match(str(error)) is not None
