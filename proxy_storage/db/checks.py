"""System checks of the tables of records, and of the migrations that change them."""

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
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Model, Q

from proxy_storage import registry
from proxy_storage.db.operations import OLD_NAME, UpgradeRecords
from proxy_storage.exceptions import ConfigurationError, MetaBackendError
from proxy_storage.meta_backends.models import ContentObjectFieldMixin, ProxyStorageModelBase
from proxy_storage.storages.multiple import MultipleOriginalStoragesMixin

HINT = (
    "Write a migration with proxy_storage.db.operations.UpgradeRecords({name!r}) before "
    "makemigrations is run. See the page Coming from 0.1.2 in the documentation."
)


@checks.register()
def check_migrations(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Find tables of 0.1.2 of which ``makemigrations`` would remove a column with its values."""
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
    """Find rows that a migration would damage, and rows whose original storage is uncertain."""
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
        # A meta backend without a database of Django is checked with any of them.
        is_checked = storage.meta_backend.get_transaction_alias() in (None, *databases)
        originals = list(storage.get_original_storages())
        if is_checked and len(originals) > 1 and _has_record_without_name(name, storage):
            yield checks.Warning(
                f"Records of {name!r} have no original_storage_name. Their files are looked for "
                f"in the first of its original storages, {originals[0]!r}.",
                hint="Write the name of the storage that holds the files into these records: "
                f"original_storage_name, where proxy_storage_name is {name!r} and "
                "original_storage_name is empty or missing.",
                id="proxy_storage.W202",
            )


def _get_storages() -> Iterator[tuple[str, MultipleOriginalStoragesMixin]]:
    """Give out the proxy storages with several original storages that can be used."""
    with suppress(ConfigurationError):  # which another check reports
        for name in registry.get_proxy_storage_names():
            with suppress(ConfigurationError):
                storage = registry.get_proxy_storage(name)
                if isinstance(storage, MultipleOriginalStoragesMixin):
                    storage.meta_backend.check_keys(storage.get_record_keys())
                    yield name, storage


def _has_record_without_name(name: str, storage: Any) -> bool:
    key = "original_storage_name"
    condition = Q(proxy_storage_name=name) & (Q(**{key: ""}) | Q(**{key: None}))
    with suppress(MetaBackendError):  # before its table is migrated, for example
        return bool(storage.meta_backend.select(condition, stop=1))
    return False


@dataclass
class _History:
    """The migrations that are about the column ``content_type_id`` of a model.

    Args:
        defining: names of the migrations that define the field of 0.1.2.
        removing: names of those that remove it.
        is_upgraded: whether one of them keeps the column with `UpgradeRecords`.
    """

    defining: set[str] = field(default_factory=set)
    removing: set[str] = field(default_factory=set)
    is_upgraded: bool = False

    def add(self, name: str, operation: Any, model_name: str) -> None:
        """Note an operation of a migration."""
        if isinstance(operation, SeparateDatabaseAndState):
            for part in operation.state_operations:
                self.add(name, part, model_name)
        elif isinstance(operation, CreateModel) and operation.name_lower == model_name:
            self._define(name, dict(operation.fields).get(OLD_NAME))
        elif getattr(operation, "model_name", "").lower() != model_name:
            return
        elif isinstance(operation, UpgradeRecords):
            self.is_upgraded = True
        elif isinstance(operation, AddField) and operation.name == OLD_NAME:
            self._define(name, operation.field)
        elif isinstance(operation, RemoveField) and operation.name == OLD_NAME:
            self.removing.add(name)

    def _define(self, name: str, model_field: Any) -> None:
        if model_field is not None:
            self.defining.add(name)


def _get_histories() -> Iterator[tuple[type[Model], _History]]:
    """Give out the models of records with content objects, and their migrations."""
    for model in apps.get_models():
        if issubclass(model, ProxyStorageModelBase) and issubclass(model, ContentObjectFieldMixin):
            history = _History()
            for name, operation in _get_operations(model._meta.app_label):
                history.add(name, operation, model.__name__.lower())
            yield model, history


def _get_operations(app_label: str) -> Iterator[tuple[str, Any]]:
    """Give out the operations of an app's migrations, each with the name of its migration."""
    package, _ = MigrationLoader.migrations_module(app_label)
    if package is None:
        return
    # An app without migrations has no package; other errors are those of migrate.
    with suppress(ImportError):
        for module in pkgutil.iter_modules(import_module(package).__path__):
            migration = getattr(import_module(f"{package}.{module.name}"), "Migration", None)
            for operation in getattr(migration, "operations", ()):
                yield module.name, operation
