"""Migration operations for tables of records."""

from __future__ import annotations

from typing import Any

from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.operations.base import Operation
from django.db.models import DO_NOTHING, Field, ForeignKey, IntegerField, Model

from proxy_storage.db.collation import LiteralCharField
from proxy_storage.exceptions import ConfigurationError

# The field of 0.1.2, and the foreign key that uses its column now.
OLD_NAME, NEW_NAME = "content_type_id", "content_type"


class UpgradeRecords(Operation):
    """Change the content objects in a table of 0.1.2 to those of `ContentObjectFieldMixin`.

    In 0.1.2 ``content_type_id`` was a field of its own. Django takes today's foreign key
    ``content_type`` for a new column: ``makemigrations`` removes the old one, and all records lose
    their content objects. Write a migration with this operation first, and then run
    ``makemigrations`` for everything else, which Django changes correctly::

        operations = [UpgradeRecords("StoredFile")]

    The column ``content_type_id`` and its values stay. The keys in ``object_id`` become text. In
    records without a content object the empty ``field`` becomes ``NULL``.

    The operation is reversible while each key is a whole number that the old column can hold.

    Args:
        model_name: the name of the model of records, without the label of its app.

    Raises:
        ConfigurationError: the migrations before this one do not define the fields of 0.1.2.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Replace the three fields in the state of the migrations."""
        self._check_state(app_label, state)
        for key, field in get_new_fields().items():
            self._alter_state(app_label, state, key, field)

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Alter the three columns."""
        new_model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, new_model):
            for old, new in self._get_steps(app_label, from_state):
                _alter(schema_editor, old, new)
            _write_fields(schema_editor, new_model, "NULL", "= '' AND {content_type} IS NULL")

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Alter the columns back.

        Raises:
            IrreversibleError: a key is not a number that the old column can hold.
        """
        new_model = from_state.apps.get_model(app_label, self.model_name)
        old_model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, new_model):
            if not schema_editor.collect_sql:
                _check_keys(schema_editor.connection, old_model, new_model)
            _write_fields(schema_editor, new_model, "''", "IS NULL")
            for old, new in reversed(self._get_steps(app_label, to_state)):
                _alter(schema_editor, new, old)

    def _check_state(self, app_label: str, state: Any) -> None:
        model_state = state.models.get((app_label, self.model_name.lower()))
        fields = {} if model_state is None else model_state.fields
        for name in (OLD_NAME, "object_id", "field"):
            if name not in fields:
                raise ConfigurationError(
                    f"The migrations of {app_label!r} before {self!r} do not define a field "
                    f"{name!r} of this model. The operation is for tables of 0.1.2 with "
                    "ContentObjectFieldMixin; remove it from the migrations of other tables."
                )
        has_content_types = ("contenttypes", "contenttype") in state.models
        if not has_content_types and "contenttypes" not in state.real_apps:
            raise ConfigurationError(
                f"The migration with {self!r} does not depend on the content types. Add "
                "('contenttypes', '0002_remove_content_type_name') to its dependencies."
            )

    def _alter_state(self, app_label: str, state: Any, key: str, field: Any) -> None:
        name = self.model_name.lower()
        if key == NEW_NAME:
            state.rename_field(app_label, name, OLD_NAME, NEW_NAME)
        state.alter_field(app_label, name, key, field, True)

    def _get_steps(self, app_label: str, state: Any) -> list[tuple[Any, Any]]:
        """Return each field before and after a change.

        SQLite makes a new table for each of them, for which the other fields of its model have to
        be as they are at that moment. MariaDB forgets the collation of a column that becomes
        nullable in the same step.
        """
        nullable = state.models[app_label, self.model_name.lower()].fields["field"].clone()
        nullable.null = True
        steps = []
        content_type, object_id, field = get_new_fields().items()
        for key, new_field in (content_type, object_id, ("field", nullable), field):
            before, state = state, state.clone()
            self._alter_state(app_label, state, key, new_field)
            old_key = OLD_NAME if key == NEW_NAME else key
            steps.append(
                (
                    before.apps.get_model(app_label, self.model_name)._meta.get_field(old_key),
                    state.apps.get_model(app_label, self.model_name)._meta.get_field(key),
                )
            )
        return steps

    def references_model(self, name: str, app_label: str) -> bool:
        """Tell whether the operation is about a model; used to optimize migrations."""
        return name.lower() in (self.model_name.lower(), "contenttype")

    def describe(self) -> str:
        """Return the line that ``migrate`` and ``sqlmigrate`` show."""
        return f"Upgrade the records in {self.model_name} from django-proxy-storage 0.1.2"

    @property
    def migration_name_fragment(self) -> str:
        """The part of the name of a migration."""
        return f"upgrade_{self.model_name.lower()}"


def get_new_fields() -> dict[str, Field[Any, Any]]:
    """Return the fields of a content object by name, as they are after the operation.

    They must never change, since projects have migrations with the operation: what changes in
    `ContentObjectFieldMixin` is found by ``makemigrations``, as any change of a model.
    """
    return {
        NEW_NAME: ForeignKey(
            "contenttypes.contenttype",
            on_delete=DO_NOTHING,
            null=True,
            blank=True,
            db_constraint=False,
            related_name="+",
        ),
        "object_id": LiteralCharField(max_length=255, null=True, blank=True, db_index=True),
        "field": LiteralCharField(max_length=255, null=True, blank=True),
    }


def _alter(schema_editor: Any, old: Any, new: Any) -> None:
    if not _is_done(schema_editor, old, new):
        schema_editor.alter_field(old.model, old, new)


def _is_done(schema_editor: Any, old: Any, new: Any) -> bool:
    """Tell whether a migration that was interrupted has made this step already.

    MariaDB and MySQL commit each statement. The last one of a step adds an index or a check
    constraint, which cannot be added twice; all others can be repeated.
    """
    connection = schema_editor.connection
    if connection.features.can_rollback_ddl or schema_editor.collect_sql:
        return False
    added = _get_constraints(connection, new) - _get_constraints(connection, old)
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, old.model._meta.db_table)
    return any(
        found[kind] and found["columns"] == [old.column]
        for found in constraints.values()
        for kind in added
    )


def _get_constraints(connection: Any, field: Any) -> set[str]:
    """Return the kinds of constraints that Django makes for a field."""
    kinds = {"index": field.db_index, "check": field.db_parameters(connection)["check"]}
    return {kind for kind, is_made in kinds.items() if is_made}


def _write_fields(schema_editor: Any, model: type[Model], value: str, condition: str) -> None:
    """Change ``field`` in the rows whose ``field`` fulfils a condition."""
    quote = schema_editor.quote_name
    field, content_type = (
        quote(model._meta.get_field(key).column)  # type: ignore[union-attr]  # both have columns
        for key in ("field", NEW_NAME)
    )
    where = f"{field} {condition.format(content_type=content_type)}"
    # All parts are names and literals of this module.
    sql = f"UPDATE {quote(model._meta.db_table)} SET {field} = {value} WHERE {where}"  # noqa: S608
    schema_editor.execute(sql)


def _check_keys(connection: Any, old_model: type[Model], new_model: type[Model]) -> None:
    """Find a key that the old column cannot hold."""
    old_field = old_model._meta.get_field("object_id")
    if not isinstance(old_field, IntegerField):
        return
    first, last = connection.ops.integer_field_range(old_field.get_internal_type())
    rows = new_model._base_manager.using(connection.alias).exclude(object_id=None)
    # An operation that was interrupted has left numbers.
    for key in map(str, rows.values_list("object_id", flat=True).distinct().iterator()):
        is_number = key.isascii() and key.isdigit() and str(int(key)) == key
        if not (is_number and first <= int(key) <= last):
            raise IrreversibleError(
                f"{new_model._meta.label} has records of the key {key!r}, which is not a number "
                "that the column of 0.1.2 can hold. Remove the content objects of these records "
                "first."
            )
