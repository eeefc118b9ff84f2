"""Records that went with a rollback, and are written again when their row is saved once more.

A rollback takes the record of a file that was saved inside of the transaction, but not its bytes. A
program that catches the error and saves the same instance again still has the name of the file, and
expects it to be there, as with Django's own storages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self

from proxy_storage.transactions import Outcome, get_open_transactions

if TYPE_CHECKING:
    from django.db.models import Model

    from proxy_storage.meta_backends.base import MetaBackendBase

_NAMES = "proxy_storage_names"


class SavedName(str):
    """The name of a file that was saved inside of a transaction.

    A pickle of it is plain text, which is never restored.

    Args:
        path: the path of the record.
        outcome: the outcome of the transaction of the record.
        restore: writes the record again and returns its path.
    """

    outcome: Outcome
    restore: Callable[[], str]

    def __new__(cls, path: str, outcome: Outcome, restore: Callable[[], str]) -> Self:
        """Return the name; everything else is kept beside the text."""
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
    """Return the name of a file whose record has just been written.

    Args:
        path: the path of the record.
        meta_backend: the meta backend that has the record.
        restore: writes the record again and returns its path.

    Returns:
        A `SavedName` if the record takes part in an open transaction.
    """
    if meta_backend.get_transaction_alias() not in get_open_transactions():
        return path
    return SavedName(path, Outcome(), restore)


def restore_name(name: Any) -> Any:
    """Write the record of a name again if a rollback has taken it.

    Args:
        name: the name of a file field.

    Returns:
        The path of the record, which is another one if the path has been taken meanwhile; the
        name itself if there is nothing to do.

    Raises:
        ProxyFileNotFoundError: the bytes have been deleted meanwhile.
        MetaBackendError: the record could not be written.
    """
    if isinstance(name, SavedName) and name.outcome.is_rolled_back:
        return name.restore()
    return name


def remember_names(instance: Model, fields: Iterable[Any]) -> None:
    """Keep the names of the files of an instance that were saved inside of a transaction.

    They are kept in ``instance._state``: ``refresh_from_db`` gives the fields plain text.
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
    """Return the name of a file as its save has returned it, if the instance remembers that.

    Args:
        instance: the instance.
        field: one of its file fields.
        name: the name that the field has now.
    """
    saved = getattr(instance._state, _NAMES, {}).get(field.attname)
    return saved if saved is not None and saved == name else name


def forget_name(instance: Model, field: Any) -> None:
    """Forget the name of a file whose record has been written again."""
    names = getattr(instance._state, _NAMES, {})
    left = {attname: name for attname, name in names.items() if attname != field.attname}
    setattr(instance._state, _NAMES, left)
