"""Create records again that a rollback has deleted, when their row is saved once more.

A rollback deletes the record of a file that was saved in the transaction, but not its bytes. A
program that catches the error and saves the same instance again still has the name of the file. As
with Django's own storages, the file must exist then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from django.db.models import FileField, Model
from django.db.models.signals import post_save
from django.dispatch import receiver

from proxy_storage.transactions import Outcome, is_transaction_open

if TYPE_CHECKING:
    from proxy_storage.meta_backends.base import MetaBackendBase

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


def make_name(path: str, meta_backend: MetaBackendBase, restore: Callable[[], str]) -> str:
    """Return the name of a file whose record was just created.

    Args:
        path: the path of the record.
        meta_backend: the meta backend of the record.
        restore: creates the record again and returns its path.

    Returns:
        A `SavedName` if the record is part of an open transaction.
    """
    alias = meta_backend.get_transaction_alias()
    if alias is None or not is_transaction_open(alias):
        return path
    return SavedName(path, Outcome(), restore)


def restore_name(instance: Model, field: Any, name: Any) -> Any:
    """Create the record of a name again if a rollback has deleted it.

    Args:
        instance: the instance.
        field: one of its file fields.
        name: the name in the field.

    Returns:
        The path of the record. It is another one if a new record has taken the path. If there is
        nothing to restore, the name itself.

    Raises:
        ProxyFileNotFoundError: the bytes were deleted after the rollback.
        MetaBackendError: the record could not be created.
    """
    kept: dict[str, SavedName] = getattr(instance._state, _NAMES, {})
    saved: Any = kept.get(field.attname)
    if saved != name:
        saved = name
    if not (isinstance(saved, SavedName) and saved.outcome.is_rolled_back):
        return name
    restored = saved.restore()
    if field.attname in kept:
        others = {attname: kept[attname] for attname in kept if attname != field.attname}
        setattr(instance._state, _NAMES, others)
    return restored


@receiver(post_save, dispatch_uid="proxy_storage.restoring")
def remember_names(sender: type[Model], instance: Model, **kwargs: Any) -> None:
    """Keep the names of an instance's files that were saved in a transaction.

    It is connected to all models, because a Django file field can be added to a finished class.
    The names are kept in ``instance._state``, since ``refresh_from_db`` sets the fields to plain
    text.
    """
    kept: dict[str, SavedName] = getattr(instance._state, _NAMES, {})
    names: dict[str, SavedName] = {}
    for field in sender._meta.concrete_fields:
        if not isinstance(field, FileField):
            continue
        value = instance.__dict__.get(field.attname)
        name = getattr(value, "name", value)
        saved: Any = kept.get(field.attname)
        if saved != name:
            saved = name
        if isinstance(saved, SavedName) and saved.outcome.is_pending:
            names[field.attname] = saved
    if names or kept:
        setattr(instance._state, _NAMES, names)
