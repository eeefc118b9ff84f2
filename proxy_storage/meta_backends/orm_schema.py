"""Differences between the model of records and its table in the database."""

from __future__ import annotations

from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Model

_CURE = "Run manage.py migrate. If that applies nothing, run manage.py makemigrations first."


def find_schema_problems(model: type[Model], alias: str) -> list[tuple[str, str]]:
    """Return missing tables and columns, and migrations that have not been applied.

    Args:
        model: the model.
        alias: the alias of the database.

    Returns:
        Each problem, and its cure.
    """
    causes = find_missing_columns(model, alias)
    pending = _find_pending_migrations(model, alias)
    if pending:
        causes.append(f"Migrations have not been applied: {', '.join(pending)}.")
    return [(cause, _CURE) for cause in causes]


def find_missing_columns(model: type[Model], alias: str) -> list[str]:
    """Return the tables and columns of a model that do not exist, each as a sentence.

    Args:
        model: the model.
        alias: the alias of the database.
    """
    connection = connections[alias]
    columns_by_table: dict[str, set[str]] = {}
    for field in model._meta.concrete_fields:
        columns_by_table.setdefault(field.model._meta.db_table, set()).add(str(field.column))
    causes: list[str] = []
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        for table, columns in columns_by_table.items():
            if table not in tables:
                causes.append(f"The table {table!r} does not exist in the database {alias!r}.")
                continue
            description = connection.introspection.get_table_description(cursor, table)
            missing = columns - {column.name for column in description}
            if missing:
                names = ", ".join(sorted(missing))
                causes.append(f"The table {table!r} does not have the columns {names}.")
    return causes


def _find_pending_migrations(model: type[Model], alias: str) -> list[str]:
    """Return the names of the migrations of a model's app that the database does not have yet."""
    executor = MigrationExecutor(connections[alias])
    label = model._meta.app_label
    targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] == label]
    return [
        f"{migration.app_label}.{migration.name}"
        for migration, _ in executor.migration_plan(targets)
    ]
