"""Changes of the files of model instances that are not yet saved and committed.

An instance keeps for each file field

- the path of a file that was saved through the field: its record has no content object yet;
- the paths that the field had before: their records lose this content object. ``None`` stands for
  unknown paths, since the field was deferred;
- the outcome of the transaction in which the records were changed: after a rollback the next save
  changes them again.

For a field without a descriptor of this package, it also keeps the path in the row: see
`proxy_storage.db.plain_changes`.

The changes are kept in ``instance._state``, which copies and pickles of the instance have as well.

A save of an unchanged instance makes no query. A stale copy of an instance still has the path of a
file that another copy has replaced since, and a save writes this path back into the row. The module
detects such a save by the recent changes of this process (`RecentChanges`). It does not detect
stale copies in other processes.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from django.db.models import Model
from django.db.models.fields.files import FieldFile, FileDescriptor, ImageFileDescriptor

from proxy_storage.transactions import Outcome, get_open_transactions

if TYPE_CHECKING:
    from proxy_storage.db.attaching import Upload

# Attributes of ``instance._state``. The first two are followed by the name of a field.
_CHANGE = "proxy_storage_change_of_"
_ROW_PATH = "proxy_storage_row_path_of_"
_READ_AT = "proxy_storage_read_at"

# The number of paths of each kind that `RecentChanges` keeps, about 5 MiB in all.
MAX_PATHS = 5000


class FileChange(NamedTuple):
    """The change of one file field. It is replaced, never altered: copies share it.

    Args:
        new_path: the path of the file that was saved through the field, if any.
        previous_paths: the paths that the field had before; ``None`` if they are unknown.
        is_replaced: whether the field has been given another file.
        moved_from: the name of the field of the same row that the file came from, if any.
        is_new_row: whether the row was created without a file. A former row of its key may have
            left files, which are released together with the first file of this row.
        upload: the conditions of the new file if it is an upload that is attached.
        outcome: the outcome of the transaction in which the records were changed; ``None`` as
            long as they have not been changed.
    """

    new_path: str | None = None
    previous_paths: frozenset[str] | None = frozenset()
    is_replaced: bool = False
    moved_from: str | None = None
    is_new_row: bool = False
    upload: Upload | None = None
    outcome: Outcome | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the field has not been changed."""
        return self.new_path is None and not self.is_replaced

    @property
    def is_written(self) -> bool:
        """Whether the records have been changed, and the change was not rolled back."""
        return self.outcome is not None and not self.outcome.is_rolled_back

    def with_previous_path(self, path: str | None, moved_from: str | None = None) -> Self:
        """Return the change with one more previous path; ``None`` for an unknown path."""
        paths = self.previous_paths
        if paths is not None:
            paths = None if path is None else paths | {path}
        return self._replace(
            previous_paths=paths, is_replaced=True, moved_from=moved_from, outcome=None
        )


def get_change(instance: Model, name: str) -> FileChange:
    """Return the change of a field since the row was read or saved; an empty one by default.

    Args:
        instance: the instance.
        name: the name of the field.
    """
    change: FileChange = vars(instance._state).get(_CHANGE + name, _NO_CHANGE)
    return change


_NO_CHANGE = FileChange()


def set_change(instance: Model, name: str, change: FileChange) -> None:
    """Replace the change of a field."""
    setattr(instance._state, _CHANGE + name, change)


def forget(instance: Model, name: str, is_new_row: bool = False) -> None:
    """Forget the change of a field: the row has been read or saved.

    Args:
        instance: the instance.
        name: the name of the field.
        is_new_row: see `FileChange`.
    """
    vars(instance._state).pop(_CHANGE + name, None)
    if is_new_row:
        set_change(instance, name, FileChange(is_new_row=True))


def remember_new_path(
    instance: Model,
    name: str,
    path: str | None,
    previous_path: str | None = None,
    upload: Upload | None = None,
) -> None:
    """Note that a file was saved through a field, or that an upload is to be attached.

    Args:
        instance: the instance.
        name: the name of the field.
        path: the path of the file.
        previous_path: the path that the field had before, if it is known.
        upload: the conditions of an upload.
    """
    change = get_change(instance, name)
    if previous_path is not None and not instance._state.adding:
        change = change.with_previous_path(previous_path)
    set_change(instance, name, change._replace(new_path=path, upload=upload, outcome=None))


def remember_previous_path(
    instance: Model, name: str, path: str | None, moved_from: str | None = None
) -> None:
    """Note that the field of an existing row had a path.

    Args:
        instance: the instance.
        name: the name of the field.
        path: the path; ``None`` for an unknown one.
        moved_from: see `FileChange`.
    """
    set_change(instance, name, get_change(instance, name).with_previous_path(path, moved_from))


def remember_deleted(instance: Model, name: str, path: str) -> None:
    """Note that the file of a field was deleted: after a rollback, the next save releases it."""
    if instance._state.adding:
        return
    change = get_change(instance, name)
    remember_previous_path(instance, name, path)
    if change.is_empty or change.is_written:
        remember_written(instance, name)


def remember_written(instance: Model, name: str, is_new_row: bool = False) -> None:
    """Note that the records have been changed; forget the change once that is committed.

    Args:
        instance: the instance.
        name: the name of the field.
        is_new_row: see `FileChange`.
    """
    if not get_open_transactions():
        forget(instance, name, is_new_row)
        return
    reference = weakref.ref(instance)

    def forget_committed() -> None:
        saved = reference()
        if saved is not None and get_change(saved, name) is written:
            forget(saved, name, is_new_row)

    outcome = Outcome(forget_committed)
    written = get_change(instance, name)._replace(is_new_row=is_new_row, outcome=outcome)
    set_change(instance, name, written)


def remember_read(instance: Model, name: str, path: str | None) -> None:
    """Note that a path was read from the row again; forget the change of the field.

    Args:
        instance: the instance.
        name: the name of the field.
        path: the path.
    """
    set_read_now(instance)
    change = get_change(instance, name)
    # A rollback that is still to come can remove the record of a saved file.
    if not change.is_written or change.new_path != path:
        forget(instance, name)


def set_read_now(instance: Model) -> None:
    """Note that the files of an instance have been read after the recent changes."""
    setattr(instance._state, _READ_AT, recent_changes.number)


def get_row_path(instance: Model, name: str) -> str | None:
    """Return the path that the row of an instance has in a field; ``None`` if it is unknown."""
    path: str | None = vars(instance._state).get(_ROW_PATH + name)
    return path


def set_row_path(instance: Model, name: str, path: str | None) -> None:
    """Note the path that the row of an instance has in a field; ``None`` for an unknown path."""
    setattr(instance._state, _ROW_PATH + name, path)


def get_source(instance: Model, field: Any, value: Any) -> str | None:
    """Return the name of the other field of the same instance that a value comes from.

    Args:
        instance: the instance.
        field: the file field that has the value.
        value: the value.
    """
    if isinstance(value, FieldFile) and value.instance is instance:
        return value.field.name if value.field != field else None
    return None


def get_committed_path(value: Any) -> str | None:
    """Return the path that the value of a file field stands for; ``""`` for no file.

    Returns:
        ``None`` for a file that has not been saved yet, and for an expression.
    """
    if isinstance(value, FieldFile):
        return (value.name or "") if getattr(value, "_committed", False) else None
    return str(value or "") if value is None or isinstance(value, str) else None


class TrackingFileDescriptor(FileDescriptor):
    """Django's attribute of a file field, which also keeps the previous path."""

    field: Any

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        """Return the file; a deferred one is read from the row, which is not a change."""
        if instance is None or self.field.attname in instance.__dict__:
            return super().__get__(instance, cls)
        value = super().__get__(instance, cls)
        forget(instance, self.field.name)
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        """Set the value, and remember the path of the previous one."""
        name, attributes = self.field.name, instance.__dict__
        if isinstance(value, FieldFile) and self._is_read_again(instance, value):
            remember_read(instance, name, value.name)
        elif self.field.attname not in attributes:
            set_read_now(instance)
            if not instance._state.adding:
                remember_previous_path(instance, name, None)
        elif not instance._state.adding:
            old, new = get_committed_path(attributes[self.field.attname]), get_committed_path(value)
            if old is not None and old != new:
                remember_previous_path(instance, name, old, get_source(instance, self.field, value))
        super().__set__(instance, value)

    def _is_read_again(self, instance: Any, value: FieldFile) -> bool:
        """Return whether ``refresh_from_db``, which reads a second instance, sets the value."""
        return (
            get_committed_path(value) is not None
            and value.instance is not instance
            and not value.instance._state.adding
            and not instance._state.adding
            and value.field == self.field
            and value.instance.pk == instance.pk
            and value.instance._state.db == instance._state.db
            # If the other instance was read earlier, the project assigned its file.
            and _get_read_at(value.instance) >= _get_read_at(instance)
        )


class TrackingImageFileDescriptor(TrackingFileDescriptor, ImageFileDescriptor):
    """The same for an image field."""


class RecentChanges:
    """The latest files that content objects have got and lost in this process.

    A number grows with each change. With it, instances that were read before a change can be
    distinguished from instances that were read later.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._released: OrderedDict[str, tuple[int, dict[str, Any]]] = OrderedDict()
        self._assigned: OrderedDict[Hashable, tuple[int, str]] = OrderedDict()
        self.number = 0

    def add(self, data: Mapping[str, Any], path: str | None, released: Iterable[str]) -> None:
        """Remember a change of the files of a content object.

        Args:
            data: the values of `proxy_storage.content_objects.get_content_object_data`.
            path: the path of the file that the content object has got, if any.
            released: the paths of the files that it has lost.
        """
        with self._lock:
            if path is not None:
                self.number += 1
                key = frozenset(data.items())
                self._assigned[key] = self.number, path
                self._assigned.move_to_end(key)
            for previous_path in released:
                self.number += 1
                self._released[previous_path] = self.number, dict(data)
                self._released.move_to_end(previous_path)
            for changes in (self._assigned, self._released):
                while len(changes) > MAX_PATHS:
                    changes.popitem(last=False)

    def get_assigned(self, data: Mapping[str, Any], instance: Model) -> str | None:
        """Return the path that a content object has got since an instance was read."""
        number, path = self._assigned.get(frozenset(data.items()), (0, None))
        return path if number > _get_read_at(instance) else None

    def is_released(self, path: str, instance: Model) -> bool:
        """Return whether a file was released since an instance was read."""
        return path in self._released and self._released[path][0] > _get_read_at(instance)

    def pop_released(self, path: str, data: Mapping[str, Any]) -> bool:
        """Forget a released file; return whether this content object has released it."""
        with self._lock:
            if path not in self._released or self._released[path][1] != data:
                return False
            del self._released[path]
            return True


recent_changes = RecentChanges()


def _get_read_at(instance: Model) -> int:
    """Return the number of `RecentChanges` when the files of an instance were read."""
    return getattr(instance._state, _READ_AT, 0)
