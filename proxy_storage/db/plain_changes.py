"""Changes of file fields that do not have a descriptor of this package.

See `proxy_storage.db.plain_fields` for these fields. Their changes are detected as follows:

- Django's ``FieldFile.save`` is wrapped once. Subclasses of other packages call it, so that the
  path of each file that is saved through a field is noted.
- The path in the row is noted when an instance is created (``post_init``), when it is read again
  (``Model.refresh_from_db`` is wrapped as well), and after each save. Before a save it is compared
  with the path of the field.

Models that get a file field later are connected by a wrapper of ``FileField.contribute_to_class``.
The changes are kept by `proxy_storage.db.tracking`, as those of the other fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, wraps
from typing import Any

from django.db.models import FileField, Model
from django.db.models.fields.files import FieldFile

from proxy_storage.db import plain_files, tracking
from proxy_storage.db.plain_fields import is_in_storage_of_field, is_plain, is_tracked_plain_field
from proxy_storage.storages.content import get_own_name, uploaded_as
from proxy_storage.storages.lookup import get_returned_name

# The attribute of a model's ``_meta`` that keeps its plain fields.
_FIELDS = "proxy_storage_plain_fields"

_save_of_django = FieldFile.save
_refresh_of_django = Model.refresh_from_db


@cache
def install(connect: Callable[[type[Model]], object]) -> None:
    """Wrap methods of Django. Further calls do nothing.

    Args:
        connect: connects the signal receivers to a model. It is called for each model that gets a
            file field after the apps were loaded.
    """
    FieldFile.save = _save  # type: ignore[method-assign]  # It is replaced.
    plain_files.install()
    Model.refresh_from_db = _refresh_from_db  # type: ignore[method-assign]  # It is replaced.
    contribute_to_class = FileField.contribute_to_class

    @wraps(contribute_to_class)
    def _contribute_to_class(
        self: FileField, cls: type[Model], name: str, *args: Any, **kwargs: Any
    ) -> None:
        contribute_to_class(self, cls, name, *args, **kwargs)
        connect(cls)

    FileField.contribute_to_class = _contribute_to_class  # type: ignore[method-assign]  # It is replaced.


@wraps(_save_of_django)
def _save(self: FieldFile, name: str, content: Any, save: bool = True) -> None:
    """Save a file as Django does, and note its path if the field is tracked."""
    is_tracked = isinstance(self.instance, Model) and is_tracked_plain_field(self.field)
    if not is_tracked or not is_in_storage_of_field(self):
        _save_of_django(self, name, content, save)
        return
    name = get_returned_name(self.storage, name)
    with uploaded_as(content, get_own_name(content) or name):
        _save_of_django(self, name, content, save=False)
    tracking.remember_new_path(self.instance, self.field.name, self.name)
    if save:
        self.instance.save()


@wraps(_refresh_of_django)
def _refresh_from_db(self: Model, *args: Any, **kwargs: Any) -> None:
    """Read values of the row again as Django does, and note the paths among them."""
    names = [field.attname for field in _get_plain_fields(type(self))]
    values = {name: self.__dict__.get(name) for name in names}
    _refresh_of_django(self, *args, **kwargs)
    for name, value in values.items():
        # Each value that was read is another object.
        if self.__dict__.get(name) is not value:
            path = tracking.get_committed_path(self.__dict__[name])
            tracking.remember_read(self, name, path)
            tracking.set_row_path(self, name, path)


def note_row(sender: type[Model], instance: Model, **kwargs: Any) -> None:
    """Note the paths of a new instance. Receiver of ``post_init``.

    They are used only if the instance was read from its row.
    """
    tracking.set_read_now(instance)
    for field in _get_plain_fields(sender):
        if field.attname in instance.__dict__:
            path = tracking.get_committed_path(instance.__dict__[field.attname])
            tracking.set_row_path(instance, field.name, path)


def _get_plain_fields(model: type[Model]) -> tuple[Any, ...]:
    """Return the plain fields of a model, also those that are not tracked."""
    fields: Any = model._meta.concrete_fields
    # Django makes another list when a field is added to the class.
    known_fields, plain_fields = getattr(model._meta, _FIELDS, (None, ()))
    if known_fields is not fields:
        plain_fields = tuple(field for field in fields if is_plain(field))
        setattr(model._meta, _FIELDS, (fields, plain_fields))
    return plain_fields


def note_change(instance: Model, field: Any) -> None:
    """Note the path in the row of an existing instance, before a save replaces it.

    Args:
        instance: the instance.
        field: a plain field that the save writes.
    """
    if instance._state.adding or field.attname not in instance.__dict__:
        return
    value = instance.__dict__[field.attname]
    path = tracking.get_row_path(instance, field.name)
    change = tracking.get_change(instance, field.name)
    if change.is_written and path in (change.previous_paths or ()):
        return  # The file was deleted. Its record is deleted later, and must not change until then.
    if path is None or path != tracking.get_committed_path(value):
        tracking.remember_previous_path(
            instance, field.name, path, tracking.get_source(instance, field, value)
        )


def note_saved(instance: Model, fields: Iterable[Any]) -> None:
    """Note the paths that a save has written into the row.

    Args:
        instance: the instance.
        fields: the file fields that were written.
    """
    for field in fields:
        if is_plain(field):
            value = instance.__dict__[field.attname]
            tracking.set_row_path(instance, field.name, tracking.get_committed_path(value))
