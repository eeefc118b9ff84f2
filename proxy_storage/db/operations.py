"""The migration operation for tables of 0.1.2, and the system checks of these tables."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from django.apps import apps
from django.core import checks
from django.db import DatabaseError, connections, router
from django.db.migrations import AddField, CreateModel, RemoveField, SeparateDatabaseAndState
from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import DO_NOTHING, Field, ForeignKey, IntegerField, Model, Q

from proxy_storage import registry
from proxy_storage.db.collation import LiteralCharField
from proxy_storage.exceptions import ConfigurationError, MetaBackendError
from proxy_storage.meta_backends.models import ContentObjectFieldMixin, ProxyStorageModelBase
from proxy_storage.storages.multiple import MultipleOriginalStoragesMixin

# The field of 0.1.2, and the foreign key that uses its column now.
OLD_NAME, NEW_NAME = "content_type_id", "content_type"

HINT = (
    "Write a migration with proxy_storage.db.operations.UpgradeRecords({name!r}) before you run "
    "makemigrations. See the page Upgrade from 0.1.2 in the documentation."
)


class UpgradeRecords(Operation):
    """Change the content objects in a table of 0.1.2 to those of `ContentObjectFieldMixin`.

    In 0.1.2 ``content_type_id`` was a field of its own. For Django, the current foreign key
    ``content_type`` is a new column: ``makemigrations`` removes the old column, and all records
    lose their content objects. Write a migration with this operation first, and then run
    ``makemigrations`` for the other changes, which Django handles correctly::

        operations = [UpgradeRecords("StoredFile")]

    The column ``content_type_id`` and its values stay. The keys in ``object_id`` become text. In
    records without a content object the empty ``field`` becomes ``NULL``.

    The operation is reversible as long as each key is an integer that the old column can hold.

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
        for key, new_field in get_new_fields().items():
            self._alter_state(app_label, state, key, new_field)

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
        """Undo the changes of the three columns.

        Raises:
            IrreversibleError: a key is not an integer that the old column can hold.
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
                    f"The migrations of {app_label!r} before {self!r} do not define the field "
                    f"{name!r} of this model. The operation is for tables of 0.1.2 with "
                    "ContentObjectFieldMixin. Remove it from the migrations of other tables."
                )
        has_content_types = ("contenttypes", "contenttype") in state.models
        if not has_content_types and "contenttypes" not in state.real_apps:
            raise ConfigurationError(
                f"The migration with {self!r} does not depend on django.contrib.contenttypes. Add "
                "('contenttypes', '0002_remove_content_type_name') to its dependencies."
            )

    def _alter_state(self, app_label: str, state: Any, key: str, new_field: Any) -> None:
        name = self.model_name.lower()
        if key == NEW_NAME:
            state.rename_field(app_label, name, OLD_NAME, NEW_NAME)
        state.alter_field(app_label, name, key, new_field, True)

    def _get_steps(self, app_label: str, state: Any) -> list[tuple[Any, Any]]:
        """Return each field before and after a change.

        SQLite creates a new table for each step, from a model whose other fields must be in the
        state of that step. MariaDB drops the collation of a column that becomes nullable in the
        same step.
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
        """Return whether the operation refers to a model; used to optimize migrations."""
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

    These definitions must never change, since projects have migrations with the operation. Later
    changes of `ContentObjectFieldMixin` are found by ``makemigrations``.
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
    """Return whether an interrupted migration has made this step already.

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
    """Set ``field`` in the rows whose ``field`` meets a condition."""
    quote = schema_editor.quote_name
    field, content_type = (
        quote(model._meta.get_field(key).column)  # type: ignore[union-attr]  # Both have columns.
        for key in ("field", NEW_NAME)
    )
    where = f"{field} {condition.format(content_type=content_type)}"
    # All parts are names and literals of this module.
    sql = f"UPDATE {quote(model._meta.db_table)} SET {field} = {value} WHERE {where}"  # noqa: S608
    schema_editor.execute(sql)


def _check_keys(connection: Any, old_model: type[Model], new_model: type[Model]) -> None:
    """Raise IrreversibleError if the old column cannot hold a key."""
    old_field = old_model._meta.get_field("object_id")
    if not isinstance(old_field, IntegerField):
        return
    first, last = connection.ops.integer_field_range(old_field.get_internal_type())
    rows = new_model._base_manager.using(connection.alias).exclude(object_id=None)
    # An interrupted operation has left integers.
    for key in map(str, rows.values_list("object_id", flat=True).distinct().iterator()):
        is_number = key.isascii() and key.isdigit() and str(int(key)) == key
        if not (is_number and first <= int(key) <= last):
            raise IrreversibleError(
                f"{new_model._meta.label} has records with the key {key!r}, which is not an "
                "integer that the column of 0.1.2 can hold. Remove the content objects of these "
                "records first."
            )


@checks.register()
def check_migrations(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Find tables of 0.1.2 that would lose a column with its values by ``makemigrations``."""
    return [
        checks.Warning(
            f"The migrations of {model._meta.label} define content_type_id as in 0.1.2. "
            "makemigrations would remove the column, and all files would lose their content "
            "objects.",
            hint=HINT.format(name=model.__name__),
            obj=model,
            id="proxy_storage.W201",
        )
        for model, history in _get_histories()
        if history.defining and not (history.removing or history.is_upgraded)
    ]


@checks.register(checks.Tags.database)
def check_tables(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Find migrations that would delete content objects, and records without original storage."""
    if not databases:
        return []
    return [*_check_removals(databases), *_check_original_storages(databases)]


def _check_removals(databases: Sequence[str]) -> Iterator[checks.CheckMessage]:
    for model, history in _get_histories():
        alias = router.db_for_write(model)
        if not history.removing or history.is_upgraded or alias not in databases:
            continue
        applied = {name for _, name in MigrationRecorder(connections[alias]).applied_migrations()}
        is_next = history.defining & applied and not history.removing & applied
        if is_next and _has_content_objects(model, alias):
            yield checks.Error(
                f"The migration {min(history.removing)!r} removes the column content_type_id of "
                f"{model._meta.label}, and all files would lose their content objects.",
                hint=f"Delete this migration. {HINT.format(name=model.__name__)}",
                obj=model,
                id="proxy_storage.E201",
            )


def _has_content_objects(model: type[Model], alias: str) -> bool:
    rows = model._base_manager.using(alias).exclude(content_type_id=None)
    with suppress(DatabaseError):
        return bool(rows.values("content_type_id")[:1])
    return False


def _check_original_storages(databases: Sequence[str]) -> Iterator[checks.CheckMessage]:
    for name, storage in _get_storages():
        # A meta backend without a Django database is checked with any database.
        is_checked = storage.meta_backend.get_transaction_alias() in (None, *databases)
        originals = list(storage.get_original_storages())
        if is_checked and len(originals) > 1 and _has_record_without_name(name, storage):
            yield checks.Warning(
                f"Records of {name!r} do not have an original_storage_name. Their files are looked "
                f"for in the first original storage, {originals[0]!r}.",
                hint="Set original_storage_name to the name of the storage that holds the files, "
                f"in all records whose proxy_storage_name is {name!r} and whose "
                "original_storage_name is empty or missing.",
                id="proxy_storage.W202",
            )


def _get_storages() -> Iterator[tuple[str, MultipleOriginalStoragesMixin]]:
    """Yield the proxy storages with several original storages that are configured correctly."""
    with suppress(ConfigurationError):  # Another check reports the error.
        for name in registry.get_proxy_storage_names():
            with suppress(ConfigurationError):
                storage = registry.get_proxy_storage(name)
                if isinstance(storage, MultipleOriginalStoragesMixin):
                    storage.meta_backend.check_keys(storage.get_record_keys())
                    yield name, storage


def _has_record_without_name(name: str, storage: Any) -> bool:
    key = "original_storage_name"
    condition = Q(proxy_storage_name=name) & (Q(**{key: ""}) | Q(**{key: None}))
    with suppress(MetaBackendError):  # The table is not migrated yet, for example.
        return bool(storage.meta_backend.select(condition, stop=1))
    return False


@dataclass
class _History:
    """The migrations that change the column ``content_type_id`` of a model.

    Args:
        defining: the names of the migrations that define the field of 0.1.2.
        removing: the names of the migrations that remove it.
        is_upgraded: whether a migration keeps the column with `UpgradeRecords`.
    """

    defining: set[str] = field(default_factory=set)
    removing: set[str] = field(default_factory=set)
    is_upgraded: bool = False

    def add(self, name: str, operation: Any, model_name: str) -> None:
        """Note an operation of a migration.

        Args:
            name: the name of the migration.
            operation: the operation.
            model_name: the name of the model in lower case.
        """
        if isinstance(operation, SeparateDatabaseAndState):
            for part in operation.state_operations:
                self.add(name, part, model_name)
        elif isinstance(operation, CreateModel) and operation.name_lower == model_name:
            if OLD_NAME in dict(operation.fields):
                self.defining.add(name)
        elif getattr(operation, "model_name", "").lower() != model_name:
            return
        elif isinstance(operation, UpgradeRecords):
            self.is_upgraded = True
        elif isinstance(operation, AddField) and operation.name == OLD_NAME:
            self.defining.add(name)
        elif isinstance(operation, RemoveField) and operation.name == OLD_NAME:
            self.removing.add(name)


def _get_histories() -> Iterator[tuple[type[Model], _History]]:
    """Yield the models of records with content objects, and their migrations."""
    for model in apps.get_models():
        if issubclass(model, ProxyStorageModelBase) and issubclass(model, ContentObjectFieldMixin):
            history = _History()
            for name, operation in _get_operations(model._meta.app_label):
                history.add(name, operation, model.__name__.lower())
            yield model, history


def _get_operations(app_label: str) -> Iterator[tuple[str, Any]]:
    """Yield the operations of an app's migrations, each with the name of its migration."""
    package, _ = MigrationLoader.migrations_module(app_label)
    if package is None:
        return
    # An app without migrations does not have a package. Other errors are raised by migrate.
    with suppress(ImportError):
        for module in pkgutil.iter_modules(import_module(package).__path__):
            migration = getattr(import_module(f"{package}.{module.name}"), "Migration", None)
            for operation in getattr(migration, "operations", ()):
                yield module.name, operation
