"""Create records again that a rollback has deleted, when their row is saved once more.

A rollback deletes the record of a file that was saved in the transaction, but not its bytes. A
program that catches the error and saves the same instance again still has the name of the file. As
with Django's own storages, the file must exist then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self

from proxy_storage.transactions import Outcome, is_transaction_open

if TYPE_CHECKING:
    from django.db.models import Model

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


def restore_name(name: Any) -> Any:
    """Create the record of a name again if a rollback has deleted it.

    Args:
        name: the name in a file field.

    Returns:
        The path of the record. It is another one if a new record has taken the path. If there is
        nothing to restore, the name itself.

    Raises:
        ProxyFileNotFoundError: the bytes were deleted after the rollback.
        MetaBackendError: the record could not be created.
    """
    if isinstance(name, SavedName) and name.outcome.is_rolled_back:
        return name.restore()
    return name


def remember_names(instance: Model, fields: Iterable[Any]) -> None:
    """Keep the names of an instance's files that were saved in a transaction.

    They are kept in ``instance._state``, since ``refresh_from_db`` sets the fields to plain text.
    """
    names: dict[str, SavedName] = {}
    for field in fields:
        value = instance.__dict__.get(field.attname)
        name = get_remembered_name(instance, field, getattr(value, "name", value))
        if isinstance(name, SavedName) and name.outcome.is_pending:
            names[field.attname] = name
    if names or hasattr(instance._state, _NAMES):
        setattr(instance._state, _NAMES, names)


def get_remembered_name(instance: Model, field: Any, name: Any) -> Any:
    """Return the `SavedName` that is kept for a name of an instance, or else the name itself.

    Args:
        instance: the instance.
        field: one of its file fields.
        name: the name that the field has now.
    """
    saved = getattr(instance._state, _NAMES, {}).get(field.attname)
    return saved if saved is not None and saved == name else name


def forget_name(instance: Model, field: Any) -> None:
    """Delete the kept name of a file whose record was created again."""
    names = getattr(instance._state, _NAMES, {})
    others = {attname: name for attname, name in names.items() if attname != field.attname}
    setattr(instance._state, _NAMES, others)
