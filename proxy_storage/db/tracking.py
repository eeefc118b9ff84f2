"""The file changes of a model instance that are not yet saved and committed.

An instance keeps for each file field

- the path of a file that was saved through the field: its record has no content object yet;
- the paths that the field had before: their records lose this content object. ``None`` stands for
  unknown paths, since the field was deferred;
- the outcome of the transaction in which the records were changed: after a rollback the next save
  changes them again.

The changes are kept in ``instance._state``, which copies and pickles of the instance have as well.
"""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

from django.db.models import Model
from django.db.models.fields.files import FieldFile, FileDescriptor, ImageFileDescriptor

from proxy_storage.db.released import released_files
from proxy_storage.transactions import Outcome, get_open_transactions

_ATTRIBUTE = "proxy_storage_changes"
_GIVEN_KEY = "proxy_storage_given_key"
_READ_AT = "proxy_storage_read_at"


class FileChange(NamedTuple):
    """The change of one file field. It is replaced, never altered: copies share it.

    Args:
        new_path: the path of the file that was saved through the field, if any.
        previous_paths: the paths that the field had before; ``None`` if they are unknown.
        is_replaced: whether the field has been given another file.
        outcome: the outcome of the transaction in which the records were changed; ``None`` as
            long as they have not been changed.
    """

    new_path: str | None = None
    previous_paths: frozenset[str] | None = frozenset()
    is_replaced: bool = False
    outcome: Outcome | None = None

    @property
    def is_written(self) -> bool:
        """Whether the records have been changed, and the change was not rolled back."""
        return self.outcome is not None and not self.outcome.is_rolled_back


def get_change(instance: Model, name: str) -> FileChange | None:
    """Return the change of a field since the row was read or saved, if there is one."""
    return _get_changes(instance).get(name)


def remember_new_path(instance: Model, name: str, path: str | None) -> None:
    """Note that a file was saved through a field."""
    change = get_change(instance, name) or FileChange()
    _set_change(instance, name, change._replace(new_path=path, outcome=None))


def remember_previous_path(instance: Model, name: str, path: str | None) -> None:
    """Note that a field had a path; ``None`` for an unknown one.

    An instance that has not been saved yet has no row that could have had one.
    """
    if instance._state.adding:
        return
    change = get_change(instance, name) or FileChange()
    paths = change.previous_paths
    if paths is not None:
        paths = None if path is None else paths | {path}
    _set_change(
        instance, name, change._replace(previous_paths=paths, is_replaced=True, outcome=None)
    )


def remember_written(instance: Model, name: str) -> None:
    """Note that the records have been changed; forget the change once that is committed."""
    change = get_change(instance, name) or FileChange()
    if not get_open_transactions():
        forget(instance, name)
        return
    reference = weakref.ref(instance)

    def forget_committed() -> None:
        saved = reference()
        if saved is not None and get_change(saved, name) is written:
            forget(saved, name)

    written = change._replace(outcome=Outcome(forget_committed))
    _set_change(instance, name, written)


def forget(instance: Model, name: str) -> None:
    """Forget the change of a field: the row has been read or saved."""
    changes = _get_changes(instance)
    if name in changes:
        left = {other: change for other, change in changes.items() if other != name}
        setattr(instance._state, _ATTRIBUTE, left)


def remember_given_key(instance: Model) -> None:
    """Note before a save whether the instance was made by hand with a key.

    Such an instance does not know the files of the row, if the row is there.
    """
    setattr(instance._state, _GIVEN_KEY, instance._state.adding and instance.pk is not None)


def pop_given_key(instance: Model) -> bool:
    """Return the note of `remember_given_key`, and take it away."""
    return bool(vars(instance._state).pop(_GIVEN_KEY, False))


def is_stale(instance: Model, path: str) -> bool:
    """Tell whether this process has released a path since the instance was read."""
    return released_files.has(path, getattr(instance._state, _READ_AT, 0))


def _get_changes(instance: Model) -> dict[str, FileChange]:
    return getattr(instance._state, _ATTRIBUTE, {})


def _set_change(instance: Model, name: str, change: FileChange) -> None:
    setattr(instance._state, _ATTRIBUTE, {**_get_changes(instance), name: change})


def get_committed_path(value: Any) -> str | None:
    """Return the path that the value of a file field stands for; ``""`` for no file.

    Returns:
        ``None`` for a file that has not been saved yet, and for an expression.
    """
    if isinstance(value, FieldFile):
        return (value.name or "") if getattr(value, "_committed", False) else None
    return str(value or "") if value is None or isinstance(value, str) else None


class TrackingFileDescriptor(FileDescriptor):
    """Django's attribute of a file field, which also keeps the previous value."""

    field: Any

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        """Return the file; a deferred one is read from the row, which is not a change."""
        if instance is None or self.field.attname in instance.__dict__:
            return super().__get__(instance, cls)
        value = super().__get__(instance, cls)
        forget(instance, self.field.name)
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        """Take a new value, and remember the path of the old one."""
        self._track(instance, value)
        super().__set__(instance, value)

    def _track(self, instance: Any, value: Any) -> None:
        name, attributes = self.field.name, instance.__dict__
        if self._is_read_again(instance, value):
            setattr(instance._state, _READ_AT, released_files.number)
            forget(instance, name)
        elif self.field.attname in attributes:
            old, new = get_committed_path(attributes[self.field.attname]), get_committed_path(value)
            if old is not None and old != new:
                remember_previous_path(instance, name, old)
        else:
            setattr(instance._state, _READ_AT, released_files.number)
            remember_previous_path(instance, name, None)

    def _is_read_again(self, instance: Any, value: Any) -> bool:
        """Tell whether ``refresh_from_db`` sets the file of another copy of the row."""
        return (
            isinstance(value, FieldFile)
            and get_committed_path(value) is not None
            and value.instance is not instance
            and not value.instance._state.adding
            and not instance._state.adding
            and value.field == self.field
            and value.instance.pk == instance.pk
        )


class TrackingImageFileDescriptor(TrackingFileDescriptor, ImageFileDescriptor):
    """The same for an image field."""
