"""The model of records that matches its table while migrations run.

A data migration uses historical models, but the storages of their file fields, and the models of
records, are the current ones. At that moment a column that a later migration adds does not exist
yet, and a column that a later migration removes still has to be filled. Records are therefore
written with the historical model of their table as well.

Historical models exist only in processes that run or make migrations. In all other processes the
cost is one comparison.

Source: https://docs.djangoproject.com/en/5.2/topics/migrations/#historical-models
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.db.models.fields.files import FieldFile
from django.db.models.signals import class_prepared

_Model = TypeVar("_Model", bound=Model)

# The value of ``__module__`` of Django's historical models.
HISTORICAL_MODULE = "__fake__"
# Methods of operations, migrations and their executor, and the variable that holds the state of the
# models at that moment. Work that waits for a commit is done after an operation or a migration.
STATE_VARIABLES = {
    "database_forwards": "from_state",
    "database_backwards": "from_state",
    "apply": "project_state",
    "unapply": "to_state",
    "apply_migration": "state",
    "unapply_migration": "state",
}
# Methods and properties of instances, of their files and of querysets that use records.
INSTANCE_METHODS = frozenset(
    {"save", "save_base", "delete", "open", "_get_file", "assign", "size", "url", "path"}
)

# Whether this process has historical models. Otherwise `get_model_of_table` need not be called.
has_historical_models = False


def note_historical_model(sender: type[Model], **kwargs: Any) -> None:
    """Note that this process has historical models. Receiver of ``class_prepared``."""
    global has_historical_models
    has_historical_models = has_historical_models or is_historical(sender)


class_prepared.connect(note_historical_model, dispatch_uid="proxy_storage.historical")


def is_historical(model: type[Model]) -> bool:
    """Return whether Django created a model from the state of migrations."""
    return model.__module__ == HISTORICAL_MODULE


def get_model_of_table(model: type[_Model]) -> type[_Model]:
    """Return the model that has the columns of the table at this moment.

    It is taken from the migration operation that is running in this thread, or from the historical
    instance whose file is saved or read, for example in the test of a migration.

    Args:
        model: the current model.

    Returns:
        The current model if no migration is running, or if the migration does not include it.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        apps = _get_historical_apps(frame)
        if apps is not None:
            return _get_model(apps, model)
        frame = frame.f_back
    return model


def _get_historical_apps(frame: FrameType) -> Any:
    """Return the registry of historical models that a call uses, if it uses one."""
    method = frame.f_code.co_name
    if method in STATE_VARIABLES:
        return getattr(frame.f_locals.get(STATE_VARIABLES[method]), "apps", None)
    if method in INSTANCE_METHODS:
        used = frame.f_locals.get("self")
        used = used.instance if isinstance(used, FieldFile) else used
        model = used.model if isinstance(used, QuerySet) else type(used)
        if issubclass(model, Model) and is_historical(model):
            return model._meta.apps
    return None


def _get_model(apps: Any, model: type[_Model]) -> type[_Model]:
    try:
        historical: type[_Model] = apps.get_model(model._meta.label_lower)
    except LookupError:
        return model
    return historical
