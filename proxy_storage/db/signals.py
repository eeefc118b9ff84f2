"""Receivers that keep records in line with the rows that name their files.

After a save, the record of a file that was saved through its field names the instance and
the field, and the records of the field's former files are released. A path that was assigned as
text may be the path of any file, so it changes no content object.

Records in the database of the instance are written at once, all others after the commit of
the transactions that are open: a rollback takes the row away, but could not take back a change
that was made elsewhere, and the next row of this key would get the file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import FileField, Model
from django.db.models.signals import class_prepared, post_delete, post_save, pre_save
from django.dispatch import receiver

from proxy_storage import content_objects
from proxy_storage.db import tracking
from proxy_storage.db.tracking import released_files
from proxy_storage.exceptions import MetaBackendError, MetaBackendObjectDoesNotExist
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.scopes import SCOPE_KEY, get_database
from proxy_storage.storages.restoring import (
    forget_name,
    get_remembered_name,
    remember_names,
    restore_name,
)
from proxy_storage.transactions import after_commit

logger = logging.getLogger("proxy_storage")

UID = "proxy_storage.fields"


@receiver(class_prepared, dispatch_uid=UID)
def connect(sender: type[Model], **kwargs: Any) -> None:
    """Connect the receivers to a model with file fields, and to its subclasses.

    A field can be added to a finished class, so the field calls this as well.
    """
    if sender._meta.abstract:
        return
    if any(map(content_objects.is_tracked, _get_declared_fields(sender))):
        content_objects.forget_content_object_models()
        post_save.connect(write_content_objects, sender=sender, dispatch_uid=UID)
        post_delete.connect(release_content_object, sender=sender, dispatch_uid=UID)
    for subclass in sender.__subclasses__():
        connect(subclass)


def _get_declared_fields(model: type[Model]) -> Iterator[Any]:
    """Give out the fields of a model and its parents.

    Django's own list is kept from its first use on, and would lack fields that are added later.
    """
    for base in model.__mro__:
        if hasattr(base, "_meta"):
            yield from base._meta.local_fields


@receiver(pre_save, dispatch_uid=UID)
def prepare_save(
    sender: type[Model],
    instance: Model,
    using: str | None = None,
    raw: bool = False,
    update_fields: Iterable[str] | None = None,
    **kwargs: Any,
) -> None:
    """Write records again that went with a rollback, before the row names their paths.

    It is called for all models: a file field of Django's own, which does not do this itself, can
    be added to a finished class.
    """
    for field in _get_all_file_fields(sender):
        if content_objects.is_tracked(field):
            _note_unknown_files(instance, field, using)
        elif not raw and (update_fields is None or field.name in update_fields):
            restore_record(instance, field)


@receiver(post_save, dispatch_uid=f"{UID}.names")
def remember_saved_names(sender: type[Model], instance: Model, **kwargs: Any) -> None:
    """Note the names whose records a rollback may take, for the next save of the instance."""
    remember_names(instance, _get_all_file_fields(sender))


def _get_all_file_fields(model: type[Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if isinstance(field, FileField)]


def _note_unknown_files(instance: Model, field: Any, using: str | None) -> None:
    """Note the files of the row that the instance does not know."""
    tracking.remember_given_key(instance, field.name)
    change = tracking.get_change(instance, field.name)
    if change is not None and change.previous_paths and not change.is_written:
        data = content_objects.get_content_object_data(
            instance, field, using, field.storage.meta_backend
        )
        tracking.remember_assigned_path(instance, field.name, data)


def restore_record(instance: Model, field: Any) -> None:
    """Write the record of a file again if a rollback has taken it.

    Args:
        instance: the instance, which gets another path if this one has been taken.
        field: one of its file fields.
    """
    value: Any = instance.__dict__.get(field.attname)
    name = get_remembered_name(instance, field, getattr(value, "name", value))
    restored = restore_name(name)
    if restored is name:
        return
    forget_name(instance, field)
    if hasattr(value, "name"):
        value.name = restored
    else:
        instance.__dict__[field.attname] = restored
    if content_objects.is_tracked(field):
        # The record has no content object, since the row that was to have it is gone.
        tracking.remember_new_path(instance, field.name, restored)


def write_content_objects(
    sender: type[Model],
    instance: Model,
    using: str,
    created: bool = False,
    raw: bool = False,
    update_fields: Iterable[str] | None = None,
    **kwargs: Any,
) -> None:
    """Bring the records in line with the row: one query for each field that has changed.

    Receiver of ``post_save``. A field that was left out of ``update_fields`` waits for the
    save that writes it into the row. A row that a fixture (``raw``) has created changes nothing;
    one that was there before releases the files that it does not name any more.
    """
    saves = [
        _FieldSave(instance, field, using, created)
        for field in content_objects.get_file_fields(sender)
        if (update_fields is None or field.name in update_fields)
        and field.attname in instance.__dict__
    ]
    if raw:
        for save in saves:
            if created:
                save.forget_former_files()
            # The rows of parents are not written.
            elif save.field.model._meta.concrete_model is sender._meta.concrete_model:
                save.write_raw()
        return
    # Two fields may have exchanged their files. Both move before one of them is released.
    for save in saves:
        save.move()
    for save in saves:
        save.write()


class _FieldSave:
    """One file field of a row that has just been saved.

    Args:
        instance: the instance.
        field: the field.
        using: the alias of the database of the row.
        created: whether the row is new.
    """

    def __init__(self, instance: Model, field: Any, using: str, created: bool) -> None:
        self.instance, self.field, self.using, self.created = instance, field, using, created
        name = getattr(instance, field.attname).name
        # Django's value for a default of the database is an expression.
        self.path: str | None = (name or None) if isinstance(name, str) else None
        self.change = tracking.get_change(instance, field.name) or tracking.FileChange()

    def move(self) -> None:
        """Let a file that another field of the row had belong to this field."""
        path, source = self.path, self.change.moved_from
        if path is None or source is None or self.change.is_written:
            return
        meta_backend: MetaBackendBase = self.field.storage.meta_backend
        data = self._get_data()
        where = {key: value for key, value in data.items() if meta_backend.can_hold(key)}

        def write() -> None:
            with suppress(MetaBackendObjectDoesNotExist):
                meta_backend.update(
                    path, {"field": self.field.name}, where={**where, "field": source}
                )

        _run(write, meta_backend, self.using)

    def write(self) -> None:
        """Write the content object of a new file, and release the former files."""
        if self.change.is_written:
            return
        if self.change.is_empty and not self.created:
            self._take_back()
            return
        if self.path and not self._is_new() and self._is_assigned():
            logger.warning(
                "%r was assigned to %s as text, which changes no content object",
                self.path,
                self.field,
            )
        self._set_content_object(self.path if self._is_new() else None, self._get_released())
        is_new_row = self.created and self.path is None
        tracking.remember_written(self.instance, self.field.name, is_new_row)

    def write_raw(self) -> None:
        """Release the former files. A fixture is loaded even if that is not possible."""
        try:
            with transaction.atomic(using=self.using):
                self._set_content_object(None, self._get_released())
        except MetaBackendError:
            logger.exception("the former files of %s of %r stay", self.field, self.instance.pk)
        self.forget_former_files()

    def forget_former_files(self) -> None:
        """Forget the files that the row had; a new file waits for a save that is not raw."""
        if self.change.new_path is None:
            tracking.forget(self.instance, self.field.name)

    def _is_new(self) -> bool:
        """Tell whether the file was saved through the field."""
        return self.path is not None and self.path == self.change.new_path

    def _is_assigned(self) -> bool:
        if self.change.moved_from is not None:
            return False
        if self.created:
            return self.path not in (self.field.get_default(), self.field.db_default)
        return self.change.is_replaced

    def _get_released(self) -> frozenset[str] | None:
        """Return the paths that lose this content object; ``None`` for all but the new one."""
        paths = self.change.previous_paths
        if self.created:
            paths = self._get_released_of_new_row()
        elif self._is_new() and (self.change.is_new_row or not self.change.is_replaced):
            paths = None
        if paths is None:
            if self._is_new() or self.path is None:
                return None
            # The path of a text stays as it is.
            paths = self._find_other_paths()
        return paths - {self.path or "", ""}

    def _get_released_of_new_row(self) -> frozenset[str] | None:
        """Return the files of a former row of this key; ``None`` if they are unknown."""
        if self._is_new():
            return None
        key: Any = self.field.model._meta.pk
        paths = self.change.previous_paths
        # A key by default is a new one.
        has_new_key = key.has_default() or key.has_db_default()
        return frozenset() if paths is None and has_new_key else paths

    def _find_other_paths(self) -> frozenset[str]:
        """Return the paths of the other files that have this content object; one query."""
        records = _find_files(self._get_data(), self.field)
        return frozenset(record["path"] for record in records) - {self.path or ""}

    def _set_content_object(self, path: str | None, released: frozenset[str] | None) -> None:
        if path is None and released is not None and not released:
            return
        meta_backend: MetaBackendBase = self.field.storage.meta_backend
        data = self._get_data()

        def write() -> None:
            others = released
            if others is None:
                # A new row has no stale copies.
                is_new_row = self.created or self.change.is_new_row
                others = frozenset() if is_new_row else self._find_other_paths()
            # A new file gets a content object only if it does not have one: it may have been
            # deleted, and another file may have its path by now.
            if not meta_backend.set_content_object(data, path, released) and path is not None:
                logger.warning("%r was deleted or assigned before its row was saved", path)
            elif path is not None:
                released_files.assign(path, data)
            released_files.add(others, data)

        if path is not None:
            self._warn_of_unused_database(data)
        _run(write, meta_backend, self.using)

    def _warn_of_unused_database(self, data: Mapping[str, Any]) -> None:
        model, meta_backend = self.field.model, self.field.storage.meta_backend
        if get_database(model, data[SCOPE_KEY], meta_backend) is None:
            logger.warning(
                "%r belongs to a row of the database %r, in which content objects are not looked "
                "up. Add it to PROXY_STORAGE['CONTENT_OBJECT_DATABASES'].",
                self.path,
                self.using,
            )

    def _take_back(self) -> None:
        """Give a file back to the row that names it again, as a stale copy of the row does."""
        if self.path is None or not tracking.is_stale(self.instance, self.path):
            return
        meta_backend: MetaBackendBase = self.field.storage.meta_backend
        path, data = self.path, self._get_data()

        def write() -> None:
            if released_files.pop(path, data) and _reassign(meta_backend, path, data):
                others = self._find_other_paths()
                meta_backend.set_content_object(data, path, None)
                released_files.add(others, data)

        _run(write, meta_backend, self.using)

    def _get_data(self) -> dict[str, Any]:
        return content_objects.get_content_object_data(
            self.instance, self.field, self.using, self.field.storage.meta_backend
        )


def _reassign(meta_backend: MetaBackendBase, path: str, data: Mapping[str, Any]) -> bool:
    """Undo the release of a file by this very content object; return whether it was done."""
    former = {content_objects.FORMER_KEYS[key]: value for key, value in data.items()}
    if not meta_backend.can_hold(*former):
        return False
    try:
        meta_backend.update(
            path,
            meta_backend.get_assigned_values(data),
            where={**former, "content_type_id": None},
        )
    except MetaBackendObjectDoesNotExist:
        return False
    return True


def release_content_object(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    """Release the files of a row that is gone: its key may be used again.

    Receiver of ``post_delete``; one query for each field. A parent's row of a multi-table
    child is deleted with a signal of its own.
    """
    for field in content_objects.get_file_fields(sender):
        if field.model._meta.concrete_model is not sender._meta.concrete_model:
            continue
        meta_backend: MetaBackendBase = field.storage.meta_backend
        data = content_objects.get_content_object_data(instance, field, using, meta_backend)
        records = _find_files(data, field) if field.delete_with_content_object else []
        _release(meta_backend, data, records, using)


def _release(
    meta_backend: MetaBackendBase,
    data: Mapping[str, Any],
    records: list[MetaBackendObject],
    using: str,
) -> None:
    _run(lambda: meta_backend.set_content_object(data, None, None), meta_backend, using)
    for record in records:
        after_commit(partial(_delete_file, record))


def _find_files(data: Mapping[str, Any], field: Any) -> list[MetaBackendObject]:
    """Return the records that name a content object."""
    meta_backend: MetaBackendBase = field.storage.meta_backend
    where = {key: value for key, value in data.items() if meta_backend.can_hold(key)}
    if data[SCOPE_KEY] is not None and SCOPE_KEY not in where:
        return []
    return list(meta_backend.filter(where))


def _delete_file(record: MetaBackendObject) -> None:
    """Delete a file whose row is gone, unless it has got another content object."""
    try:
        record.get_proxy_storage().delete_record(record, where={"content_type_id": None})
    except Exception:  # The row is gone in any case, and the file stays as a released one.
        logger.exception("%r was not deleted together with its row", record["path"])


def _run(write: Any, meta_backend: MetaBackendBase, using: str) -> None:
    """Write records now if they are rolled back with the row, otherwise after the commit."""
    if meta_backend.get_transaction_alias() == using:
        write()
    else:
        after_commit(write)
