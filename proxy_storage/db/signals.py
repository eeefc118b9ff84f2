"""Signal receivers that keep records in line with the rows that name their files.

After a save, the record of a file that was saved through its field names the instance and
the field, and the records of the field's previous files are released. A path that was assigned
as text can be the path of any file, so it changes no content object.

Records in the database of the instance are written at once, all others after the commit of
the open transactions. A rollback removes the row, but it could not undo a change of a record in
another database, and the next row with this key would get the file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from typing import Any

from django.apps import apps
from django.core.signals import setting_changed
from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import FileField, Model
from django.db.models.fields.files import FieldFile
from django.db.models.signals import class_prepared, post_delete, post_init, post_save, pre_save
from django.dispatch import receiver

from proxy_storage.content_objects import (
    FORMER_KEYS,
    SCOPE_KEY,
    forget_content_object_models,
    get_content_object_data,
    get_databases,
    get_file_fields,
    is_tracked,
)
from proxy_storage.db import plain_changes, plain_fields, tracking
from proxy_storage.db.attaching import Upload, UploadPath, attach, attach_after_commit
from proxy_storage.db.plain_fields import has_descriptor, is_in_storage_of_field, may_be_tracked
from proxy_storage.db.tracking import recent_changes
from proxy_storage.exceptions import MetaBackendError, MetaBackendObjectDoesNotExist
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.storages.restoring import restore_record
from proxy_storage.transactions import after_commit, get_open_transactions

logger = logging.getLogger("proxy_storage")

UID = "proxy_storage.fields"


@receiver(class_prepared, dispatch_uid=UID)
def connect(sender: type[Model], **kwargs: Any) -> None:
    """Connect the receivers to a model with file fields, and to its subclasses.

    The fields call this as well, since a field can be added to a finished class.
    """
    if sender._meta.abstract:
        return
    # Django's own list of a model's fields can lack fields that were added to a parent later.
    bases = [base for base in sender.__mro__ if hasattr(base, "_meta")]
    fields = [field for base in bases for field in base._meta.local_fields]
    # While models are loaded, the class of a storage must not be imported.
    has_plain_fields = apps.models_ready and any(map(may_be_tracked, fields))
    if has_plain_fields:
        post_init.connect(plain_changes.note_row, sender=sender, dispatch_uid=UID)
    if has_plain_fields or any(map(has_descriptor, fields)):
        forget_content_object_models()
        post_save.connect(write_content_objects, sender=sender, dispatch_uid=UID)
        post_delete.connect(release_content_object, sender=sender, dispatch_uid=UID)
    for subclass in sender.__subclasses__():
        connect(subclass)


def connect_all() -> None:
    """Connect the receivers to all installed models with file fields."""
    for model in apps.get_models(include_auto_created=True):
        connect(model)


@receiver(setting_changed, dispatch_uid=UID)
def connect_again(setting: str, **kwargs: Any) -> None:
    """Connect the receivers to models whose storage has been changed, in tests."""
    if setting == "STORAGES":
        forget_content_object_models()
        connect_all()


@receiver(pre_save, dispatch_uid=UID)
def prepare_save(
    sender: type[Model],
    instance: Model,
    using: str | None = None,
    raw: bool = False,
    update_fields: Iterable[str] | None = None,
    **kwargs: Any,
) -> None:
    """Write records that a rollback has removed again, before the row names their paths.

    It is connected to all models, because a Django file field with a proxy storage can be added
    to a finished class. The fields of this package write their records again in ``pre_save()``.
    """
    for field in sender._meta.concrete_fields:
        if not isinstance(field, FileField):
            continue
        is_plain = plain_fields.is_plain(field)
        is_written = update_fields is None or field.name in update_fields
        if is_plain and is_written and not raw:
            restore_record(instance, field)
        if is_tracked(field):
            if is_plain and is_written:
                plain_changes.note_change(instance, field)
            _note_unknown_files(instance, field, using)
            if is_written and not raw:
                _note_upload(instance, field)


def _note_upload(instance: Model, field: Any) -> None:
    """Note an upload that the save attaches. The field keeps its path as plain text."""
    value: Any = instance.__dict__.get(field.attname)
    path = getattr(value, "name", value)
    if not isinstance(path, UploadPath):
        return
    plain_path = str(path)
    if hasattr(value, "name"):
        value.name = plain_path
    else:
        instance.__dict__[field.attname] = plain_path
    tracking.remember_new_path(instance, field.name, plain_path, upload=path.upload)


def _note_unknown_files(instance: Model, field: Any, using: str | None) -> None:
    """Note the files of the row that the instance has not read.

    An instance that was created by hand with the key of an existing row has read none of them.
    Another copy of the row can have saved a file since this one was read, which this save
    replaces. A file that another copy saves at this moment is left alone, since its row may be
    the later one.
    """
    name = field.name
    change = tracking.get_change(instance, name)
    if instance._state.adding and instance.pk is not None:
        change = change._replace(previous_paths=None, is_replaced=True)
        tracking.set_change(instance, name, change)
    elif change.previous_paths and not change.is_written:
        data = get_content_object_data(instance, field, using, field.storage.meta_backend)
        path = recent_changes.get_assigned(data, instance)
        if path is not None:
            tracking.remember_previous_path(instance, name, path, change.moved_from)


def write_content_objects(
    sender: type[Model],
    instance: Model,
    using: str,
    created: bool = False,
    raw: bool = False,
    update_fields: Iterable[str] | None = None,
    **kwargs: Any,
) -> None:
    """Update the records after a save: one query for each field that has changed.

    Receiver of ``post_save``. The change of a field that is not in ``update_fields`` is written
    by the save that writes the field into the row. A row that a fixture (``raw``) has created
    changes nothing; a fixture for an existing row releases the files that the row does not name
    any more.
    """
    saves = [
        _FieldSave(instance, field, using, created)
        for field in get_file_fields(sender)
        if (update_fields is None or field.name in update_fields)
        and field.attname in instance.__dict__
    ]
    plain_changes.note_saved(instance, [save.field for save in saves])
    if raw:
        for save in saves:
            if created:
                save.forget_previous_files()
            # The rows of parents are not written.
            elif save.field.model._meta.concrete_model is sender._meta.concrete_model:
                save.write_raw()
        return
    # Two fields may have exchanged their files. Both move before one of them is released.
    for save in saves:
        if save.path and save.change.moved_from is not None and not save.is_written:
            save.move(save.path)
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
        value = instance.__dict__[field.attname]
        name = getattr(value, "name", value)
        # Django's value for a default of the database is an expression.
        self.path: str | None = (name or None) if isinstance(name, str) else None
        self.change = tracking.get_change(instance, field.name)
        self.is_written = self.change.is_written
        # Whether the file was saved through the field.
        self.is_new_file = self.path is not None and self.path == self.change.new_path

    @cached_property
    def meta_backend(self) -> MetaBackendBase:
        """The meta backend that holds the records of the field's files."""
        meta_backend: MetaBackendBase = self.field.storage.meta_backend
        return meta_backend

    @cached_property
    def data(self) -> dict[str, Any]:
        """The values by which a record names this row and field."""
        return get_content_object_data(self.instance, self.field, self.using, self.meta_backend)

    def move(self, path: str) -> None:
        """Write this field into the record of a file that another field of the row had."""
        where = _get_condition(self.data, self.meta_backend)
        where["field"] = self.change.moved_from

        def write() -> None:
            with suppress(MetaBackendObjectDoesNotExist):
                self.meta_backend.update(path, {"field": self.field.name}, where=where)

        _run(write, self.meta_backend, self.using)

    def write(self) -> None:
        """Write the content object of a new file, and release the previous files."""
        if self.is_written:
            return
        if not self.created and self.change.is_empty:
            if self.path is not None and recent_changes.is_released(self.path, self.instance):
                _run(partial(self._reassign, self.path), self.meta_backend, self.using)
            return
        if self.path and not self.is_new_file and self._is_assigned_as_text():
            logger.warning(
                "%r was assigned to %s as text, which does not change the content object of the "
                "file. Call proxy_storage.db.fields.assign() with the field file to change it.",
                self.path,
                self.field,
            )
        self._set_content_object(self.path if self.is_new_file else None)
        is_new_row = self.created and self.path is None
        tracking.remember_written(self.instance, self.field.name, is_new_row)

    def write_raw(self) -> None:
        """Release the previous files. A fixture is loaded even if that is not possible."""
        try:
            with transaction.atomic(using=self.using):
                self._set_content_object(None)
        except MetaBackendError:
            logger.exception(
                "The previous files of %s of %r were not released", self.field, self.instance.pk
            )
        self.forget_previous_files()

    def forget_previous_files(self) -> None:
        """Forget the files that the row had; a new file waits for a save that is not raw."""
        if self.change.new_path is None:
            tracking.forget(self.instance, self.field.name)

    def _is_assigned_as_text(self) -> bool:
        if self.change.moved_from is not None or self._is_in_other_storage():
            return False
        if self.created:
            return self.path not in (self.field.get_default(), self.field.db_default)
        # The row may have had this path already if the previous ones are not known.
        is_unknown = plain_fields.is_plain(self.field) and self.change.previous_paths is None
        return self.change.is_replaced and not is_unknown

    def _is_in_other_storage(self) -> bool:
        """Return whether the field of another package has chosen a storage for the file."""
        value = self.instance.__dict__[self.field.attname]
        is_file = isinstance(value, FieldFile) and plain_fields.is_plain(self.field)
        return is_file and not is_in_storage_of_field(value)

    def _get_released(self) -> frozenset[str] | None:
        """Return the paths that lose this content object; ``None`` for all but the new one."""
        change, paths = self.change, self.change.previous_paths
        if self.is_new_file and (self.created or change.is_new_row or not change.is_replaced):
            return None
        key: Any = self.field.model._meta.pk
        if paths is None and self.created and (key.has_default() or key.has_db_default()):
            # A key by default is a new one, so a former row cannot have left files.
            return frozenset()
        if paths is None:
            if self.is_new_file or self.path is None:
                return None
            # A path that was assigned as text keeps its content object.
            paths = self._find_other_paths()
        return paths - {self.path or "", ""}

    def _find_other_paths(self) -> frozenset[str]:
        """Return the paths of the other files that have this content object; one query."""
        records = _find_records(self.data, self.meta_backend)
        return frozenset(record["path"] for record in records) - {self.path or ""}

    def _set_content_object(self, path: str | None) -> None:
        """Write this content object into the record of a path, and release the previous files."""
        released = self._get_released()
        if path is None and released is not None and not released:
            return
        data = self.data
        upload = None if path is None else self.change.upload

        def write() -> None:
            if path is not None and upload is not None:
                self._attach(path, upload)
            others = released
            if others is None:
                # A new row does not have stale copies.
                is_new_row = self.created or self.change.is_new_row
                others = frozenset() if is_new_row else self._find_other_paths()
            # A new file gets a content object only if it does not have one: it may have been
            # deleted, and another file may have its path by now.
            is_assigned = self.meta_backend.set_content_object(data, path, released)
            if upload is not None:
                is_assigned = True
            if path is not None and not is_assigned:
                logger.warning("%r was deleted or assigned before its row was saved", path)
            recent_changes.add(data, path if is_assigned else None, others)

        # Rows of the default database can always be found.
        is_default = self.using == DEFAULT_DB_ALIAS
        if path and not is_default and self.using not in get_databases(self.field.model):
            logger.warning(
                "%r belongs to a row of the database %r, in which content objects are not looked "
                "up. Add it to PROXY_STORAGE['CONTENT_OBJECT_DATABASES'].",
                path,
                self.using,
            )
        if path is None or upload is None or self._is_written_at_once():
            _run(write, self.meta_backend, self.using)
        else:
            with self._without_path_of_refused_upload(path):
                attach_after_commit(self.meta_backend, path, upload, data, write)

    def _is_written_at_once(self) -> bool:
        """Return whether the records are changed now, without a lock.

        Records that take part in no Django transaction are always locked: the query that attaches
        an upload could come while its file is being deleted.
        """
        alias = self.meta_backend.get_transaction_alias()
        return alias == self.using or (alias is not None and not get_open_transactions())

    def _attach(self, path: str, upload: Upload) -> None:
        with self._without_path_of_refused_upload(path):
            attach(self.meta_backend, path, upload, self.data)

    @contextmanager
    def _without_path_of_refused_upload(self, path: str) -> Iterator[None]:
        """If another row has got the upload, remove its path from this row.

        The row may have been committed already, since Django opens no transaction for a save. It
        may also be committed by code that catches the error inside a transaction.
        """
        try:
            yield
        except MetaBackendError:
            raise  # It is not known which row has the upload.
        except Exception:
            previous = self.change.previous_paths or ()
            name = next(iter(previous)) if len(previous) == 1 else ""
            field = self.field
            rows = field.model._base_manager.using(self.using)
            rows = rows.filter(pk=self.instance.pk, **{field.attname: path})
            rows.update(**{field.attname: name or (None if field.null else "")})
            raise

    def _reassign(self, path: str) -> None:
        """Assign a released file to the row that names it again, as a stale copy of it does."""
        former = {FORMER_KEYS[key]: value for key, value in self.data.items()}
        meta_backend = self.meta_backend
        if not recent_changes.pop_released(path, self.data) or not meta_backend.can_hold(*former):
            return
        values, _released = meta_backend.get_content_object_values(self.data)
        try:
            meta_backend.update(path, values, where={**former, "content_type_id": None})
        except MetaBackendObjectDoesNotExist:
            return
        others = self._find_other_paths()
        meta_backend.set_content_object(self.data, path, None)
        recent_changes.add(self.data, None, others)


def release_content_object(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    """Release the files of a deleted row: another row can get its key.

    Receiver of ``post_delete``; one query for each field. Django sends a signal of its own for
    the parent's row of a multi-table child.
    """
    for field in get_file_fields(sender):
        if field.model._meta.concrete_model is not sender._meta.concrete_model:
            continue
        meta_backend: MetaBackendBase = field.storage.meta_backend
        data = get_content_object_data(instance, field, using, meta_backend)
        is_deleted = getattr(field, "delete_with_content_object", False)
        records = _find_records(data, meta_backend) if is_deleted else []
        _run(partial(meta_backend.set_content_object, data, None, None), meta_backend, using)
        for record in records:
            after_commit(partial(_delete_file, record))


def _find_records(
    data: Mapping[str, Any], meta_backend: MetaBackendBase
) -> list[MetaBackendObject]:
    """Return the records that name a content object."""
    where = _get_condition(data, meta_backend)
    if data[SCOPE_KEY] is not None and SCOPE_KEY not in where:
        return []
    return list(meta_backend.filter(where))


def _get_condition(data: Mapping[str, Any], meta_backend: MetaBackendBase) -> dict[str, Any]:
    """Return the values of a content object that records of a meta backend can hold."""
    return {key: value for key, value in data.items() if meta_backend.can_hold(key)}


def _delete_file(record: MetaBackendObject) -> None:
    """Delete a file whose row is deleted, unless it has got another content object."""
    try:
        record.get_proxy_storage().delete_record(record, where={"content_type_id": None})
    except Exception:  # The row is deleted in any case, and the file stays as a released one.
        logger.exception("%r was not deleted together with its row", record["path"])


def _run(write: Callable[[], object], meta_backend: MetaBackendBase, using: str) -> None:
    """Write records now if they are rolled back with the row, otherwise after the commit."""
    if meta_backend.get_transaction_alias() == using:
        write()
    else:
        after_commit(write)
