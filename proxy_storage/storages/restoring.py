"""Create records again that a rollback has deleted, when their row is saved once more.

A rollback deletes the record of a file that was saved in the transaction, but not its bytes. A
program that catches the error and saves the same instance again still has the name of the file. As
with Django's own storages, the file must exist then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from django.db.models import FileField, Model
from django.db.models.signals import post_save
from django.dispatch import receiver

from proxy_storage.content_objects import is_tracked
from proxy_storage.db.tracking import remember_new_path
from proxy_storage.transactions import Outcome

_NAMES = "proxy_storage_names"


class SavedName(str):
    """The name of a file that was saved in a transaction.

    A pickled name becomes plain text, which is never restored.

    Args:
        path: the path of the record.
        outcome: the outcome of the transaction of the record.
        restore: creates the record again and returns its path.
    """

    outcome: Outcome
    restore: Callable[[], str]

    def __new__(cls, path: str, outcome: Outcome, restore: Callable[[], str]) -> Self:
        """Return the text of the path, with the other arguments as attributes."""
        name = super().__new__(cls, path)
        name.outcome, name.restore = outcome, restore
        return name

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str.__str__(self),)

    def __str__(self) -> str:
        return str.__str__(self)


def restore_record(instance: Model, field: Any) -> None:
    """Create the record of a file again if a rollback has deleted it.

    Args:
        instance: the instance, which gets another path if a new record has taken this one.
        field: one of its file fields.

    Raises:
        ProxyFileNotFoundError: the bytes were deleted after the rollback.
        MetaBackendError: the record could not be created.
    """
    value: Any = instance.__dict__.get(field.attname)
    kept: dict[str, str] = getattr(instance._state, _NAMES, {})
    name = _get_saved_name(kept, field, value)
    if name is None or not name.outcome.is_rolled_back:
        return
    restored = name.restore()
    others = {attname: kept[attname] for attname in kept if attname != field.attname}
    setattr(instance._state, _NAMES, others)
    if hasattr(value, "name"):
        value.name = restored
    else:
        instance.__dict__[field.attname] = restored
    if is_tracked(field):
        # The record does not have a content object: the rollback has deleted the row as well.
        remember_new_path(instance, field.name, restored)


@receiver(post_save, dispatch_uid="proxy_storage.restoring")
def remember_names(sender: type[Model], instance: Model, **kwargs: Any) -> None:
    """Keep the names of an instance's files that were saved in a transaction.

    It is connected to all models, because a Django file field can be added to a finished class.
    The names are kept in ``instance._state``, since ``refresh_from_db`` sets the fields to plain
    text.
    """
    kept: dict[str, str] = getattr(instance._state, _NAMES, {})
    names: dict[str, str] = {}
    for field in sender._meta.concrete_fields:
        if isinstance(field, FileField):
            name = _get_saved_name(kept, field, instance.__dict__.get(field.attname))
            if name is not None and name.outcome.is_pending:
                names[field.attname] = name
    if names or kept:
        setattr(instance._state, _NAMES, names)


def _get_saved_name(kept: dict[str, str], field: Any, value: Any) -> SavedName | None:
    """Return the `SavedName` of a file that was saved in a transaction, if it has one.

    An unpickled name is plain text.

    Args:
        kept: the kept names of the instance.
        field: one of its file fields.
        value: the value of the field.
    """
    name = getattr(value, "name", value)
    saved = kept.get(field.attname)
    found = saved if saved == name else name
    return found if isinstance(found, SavedName) else None
