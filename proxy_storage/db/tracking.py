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

import threading
import weakref
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from django.db.models import Model
from django.db.models.fields.files import FieldFile, FileDescriptor, ImageFileDescriptor

from proxy_storage.transactions import Outcome, get_open_transactions

_ATTRIBUTE = "proxy_storage_changes"
_READ_AT = "proxy_storage_read_at"


class FileChange(NamedTuple):
    """The change of one file field. It is replaced, never altered: copies share it.

    Args:
        new_path: the path of the file that was saved through the field, if any.
        previous_paths: the paths that the field had before; ``None`` if they are unknown.
        is_replaced: whether the field has been given another file.
        moved_from: the name of the field of the same row that the file came from, if any.
        is_new_row: whether the row was created without a file. A former row of its key may have
            left files, which are released together with the first file of this row.
        outcome: the outcome of the transaction in which the records were changed; ``None`` as
            long as they have not been changed.
    """

    new_path: str | None = None
    previous_paths: frozenset[str] | None = frozenset()
    is_replaced: bool = False
    moved_from: str | None = None
    is_new_row: bool = False
    outcome: Outcome | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the field has not been changed."""
        return self.new_path is None and not self.is_replaced

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


def remember_previous_path(
    instance: Model, name: str, path: str | None, moved_from: str | None = None
) -> None:
    """Note that a field had a path; ``None`` for an unknown one.

    An instance that has not been saved yet has no row that could have had one.

    Args:
        instance: the instance.
        name: the name of the field.
        path: the path.
        moved_from: see `FileChange`.
    """
    if instance._state.adding:
        return
    change = get_change(instance, name) or FileChange()
    paths = change.previous_paths
    if paths is not None:
        paths = None if path is None else paths | {path}
    change = change._replace(previous_paths=paths, is_replaced=True, moved_from=moved_from)
    _set_change(instance, name, change._replace(outcome=None))


def remember_deleted(instance: Model, name: str, path: str) -> None:
    """Note that the file of a field was deleted: after a rollback, the next save releases it."""
    if instance._state.adding:
        return
    change = get_change(instance, name)
    remember_previous_path(instance, name, path)
    if change is None or change.is_empty or change.is_written:
        remember_written(instance, name)


def remember_written(instance: Model, name: str, is_new_row: bool = False) -> None:
    """Note that the records have been changed; forget the change once that is committed.

    Args:
        instance: the instance.
        name: the name of the field.
        is_new_row: see `FileChange`.
    """
    change = get_change(instance, name) or FileChange()
    if not get_open_transactions():
        _set_saved(instance, name, is_new_row)
        return
    reference = weakref.ref(instance)

    def forget_committed() -> None:
        saved = reference()
        if saved is not None and get_change(saved, name) is written:
            _set_saved(saved, name, is_new_row)

    written = change._replace(is_new_row=is_new_row, outcome=Outcome(forget_committed))
    _set_change(instance, name, written)


def _set_saved(instance: Model, name: str, is_new_row: bool) -> None:
    if is_new_row:
        _set_change(instance, name, FileChange(is_new_row=True))
    else:
        forget(instance, name)


def forget(instance: Model, name: str) -> None:
    """Forget the change of a field: the row has been read or saved."""
    changes = _get_changes(instance)
    if name in changes:
        left = {other: change for other, change in changes.items() if other != name}
        setattr(instance._state, _ATTRIBUTE, left)


def remember_given_key(instance: Model, name: str) -> None:
    """Note before a save that an instance was made by hand with a key, if it was.

    Such an instance does not know the files of the row, if the row is there.
    """
    if instance._state.adding and instance.pk is not None:
        change = get_change(instance, name) or FileChange()
        _set_change(instance, name, change._replace(previous_paths=None, is_replaced=True))


def remember_assigned_path(instance: Model, name: str, data: Mapping[str, Any]) -> None:
    """Note before a save the file that another copy of the row has saved, if there is one.

    The copy that is saved now replaces it, although it has not read it. A file that another copy
    saves at this moment is left alone: its row may be the later one.

    Args:
        instance: the instance.
        name: the name of the field.
        data: the values of `proxy_storage.content_objects.get_content_object_data`.
    """
    path = released_files.get_assigned(data, _get_read_at(instance))
    change = get_change(instance, name)
    if path is not None and change is not None:
        remember_previous_path(instance, name, path, change.moved_from)


def is_stale(instance: Model, path: str) -> bool:
    """Tell whether this process has released a path since the instance was read."""
    return released_files.has(path, _get_read_at(instance))


def _get_read_at(instance: Model) -> int:
    """Return the number of `ReleasedFiles` when the files of an instance were read."""
    return getattr(instance._state, _READ_AT, 0)


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
            change = get_change(instance, name)
            # The record of a file that was saved may go with a rollback that is still to come.
            if change is None or not change.is_written or change.new_path != value.name:
                forget(instance, name)
        elif self.field.attname in attributes:
            old, new = get_committed_path(attributes[self.field.attname]), get_committed_path(value)
            if old is not None and old != new:
                remember_previous_path(instance, name, old, self._get_source(instance, value))
        else:
            setattr(instance._state, _READ_AT, released_files.number)
            remember_previous_path(instance, name, None)

    def _get_source(self, instance: Any, value: Any) -> str | None:
        """Return the name of the other field of the same instance that a value comes from."""
        if isinstance(value, FieldFile) and value.instance is instance:
            return value.field.name if value.field != self.field else None
        return None

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
            and value.instance._state.db == instance._state.db
            # The file of a copy that was read earlier is one that the project assigns.
            and _get_read_at(value.instance) >= _get_read_at(instance)
        )


class TrackingImageFileDescriptor(TrackingFileDescriptor, ImageFileDescriptor):
    """The same for an image field."""


# JOINED The paths that this process has assigned and released lately.
#
# A save of an unchanged instance makes no query. So a stale copy of a row, which writes a former
# path back, is noticed by the paths that the process keeps. Copies in other processes are not noticed.
#

# The number of paths of each kind that are kept, about 5 MiB in all.
MAX_PATHS = 5000


class ReleasedFiles:
    """Paths of released files with their former content objects, the latest ones only.

    The latest paths that content objects have got are kept as well. A number grows with each
    release and each assignment. By it an instance that was read before one of them is
    distinguished from one that was read after it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._former: OrderedDict[str, tuple[int, dict[str, Any]]] = OrderedDict()
        self._assigned: OrderedDict[Hashable, tuple[int, str]] = OrderedDict()
        self.number = 0

    def add(self, paths: Iterable[str], data: Mapping[str, Any]) -> None:
        """Remember released files.

        Args:
            paths: the paths of the files.
            data: the values of `proxy_storage.content_objects.get_content_object_data`.
        """
        with self._lock:
            for path in paths:
                self.number += 1
                self._former[path] = self.number, dict(data)
                self._former.move_to_end(path)
            while len(self._former) > MAX_PATHS:
                self._former.popitem(last=False)

    def assign(self, path: str, data: Mapping[str, Any]) -> None:
        """Remember the file that a content object has got.

        Args:
            path: the path of the file.
            data: the values of `proxy_storage.content_objects.get_content_object_data`.
        """
        with self._lock:
            self.number += 1
            self._assigned[_get_key(data)] = self.number, path
            self._assigned.move_to_end(_get_key(data))
            while len(self._assigned) > MAX_PATHS:
                self._assigned.popitem(last=False)

    def get_assigned(self, data: Mapping[str, Any], number: int) -> str | None:
        """Return the path that a content object has got after the release of a number."""
        assigned_number, path = self._assigned.get(_get_key(data), (0, None))
        return path if assigned_number > number else None

    def has(self, path: str, number: int) -> bool:
        """Tell whether a path was released after the release of a number."""
        return path in self._former and self._former[path][0] > number

    def pop(self, path: str, data: Mapping[str, Any]) -> bool:
        """Forget a path; return whether it was released by this content object."""
        with self._lock:
            if path not in self._former or self._former[path][1] != data:
                return False
            del self._former[path]
            return True


def _get_key(data: Mapping[str, Any]) -> Hashable:
    return tuple(sorted(data.items(), key=itemgetter(0)))


released_files = ReleasedFiles()
