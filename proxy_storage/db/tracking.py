"""What a model instance remembers of its files until it is saved.

An instance remembers, in its ``__dict__`` and by the name of the field,

- the path of a file that was saved through the field: its record has no owner yet;
- the paths that the field had before: their records lose this owner. ``None`` stands for
  paths that are not known, since the field was deferred.

The values are never changed in place: copies of an instance share them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Model
from django.db.models.fields.files import FieldFile, FileDescriptor, ImageFileDescriptor

_NEW = "_proxy_storage_new_files"
_LEFT = "_proxy_storage_left_files"


def get_new_path(instance: Model, name: str) -> str | None:
    """Return the path of the file that was saved through a field, if any was."""
    path: str | None = instance.__dict__.get(_NEW, {}).get(name)
    return path


def has_changed(instance: Model, name: str) -> bool:
    """Tell whether a field has been given another file since the row was read or saved."""
    return name in instance.__dict__.get(_LEFT, {})


def get_left_paths(instance: Model, name: str) -> frozenset[str] | None:
    """Return the paths that a field had before; ``None`` where they are not known."""
    paths: frozenset[str] | None = instance.__dict__.get(_LEFT, {}).get(name, frozenset())
    return paths


def remember_new_path(instance: Model, name: str, path: str | None) -> None:
    """Note that a file was saved through a field."""
    instance.__dict__[_NEW] = {**instance.__dict__.get(_NEW, {}), name: path}


def remember_left_path(instance: Model, name: str, path: str | None) -> None:
    """Note that a field had a path; ``None`` where it is not known which.

    An instance that has not been saved yet has no row that could have had one.
    """
    if instance._state.adding:
        return
    left = get_left_paths(instance, name)
    if left is not None:
        left = None if path is None else left | {path}
    instance.__dict__[_LEFT] = {**instance.__dict__.get(_LEFT, {}), name: left}


def forget(instance: Model, names: Iterable[str]) -> None:
    """Forget all about some fields: the row has been read or saved."""
    for key in (_NEW, _LEFT):
        remembered = instance.__dict__.get(key)
        if remembered:
            instance.__dict__[key] = {
                name: value for name, value in remembered.items() if name not in names
            }


def get_committed_path(value: Any) -> str | None:
    """Return the path that the value of a file field stands for; ``""`` for no file.

    Returns:
        ``None`` for a file that has not been saved yet.
    """
    if isinstance(value, FieldFile):
        return (value.name or "") if getattr(value, "_committed", False) else None
    return str(value or "") if value is None or isinstance(value, str) else None


class TrackingFileDescriptor(FileDescriptor):
    """Django's attribute of a file field, which also notes what it held before."""

    field: Any

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        """Return the file; a deferred one is read from the row, which is no change."""
        if instance is None or self.field.attname in instance.__dict__:
            return super().__get__(instance, cls)
        value = super().__get__(instance, cls)
        forget(instance, [self.field.name])
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        """Take a new value, and remember the path of the old one."""
        self._track(instance, value)
        super().__set__(instance, value)

    def _track(self, instance: Any, value: Any) -> None:
        name, attributes = self.field.name, instance.__dict__
        if self._is_read_again(instance, value):
            forget(instance, [name])
        elif self.field.attname in attributes:
            old, new = get_committed_path(attributes[self.field.attname]), get_committed_path(value)
            if old is not None and old != new:
                remember_left_path(instance, name, old)
        else:
            remember_left_path(instance, name, None)

    def _is_read_again(self, instance: Any, value: Any) -> bool:
        """Tell whether ``refresh_from_db`` hands over the file of another copy of the row."""
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
