"""What the saves and deletes of a model do to the records of its files.

After a save, the record of a file that was saved through its field names the instance and
the field, and the record of a file that the field has no more loses them. A path that was
assigned as text may be anybody's: it changes no owner.

Records in the database of the instance are written at once, all others after the commit of
the transactions that are open: a rollback takes the row away, but could not take back what
is written elsewhere, and whoever gets the row's key next would own the file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from django.db.models import Model
from django.db.models.signals import class_prepared, post_delete, post_save
from django.dispatch import receiver

from proxy_storage import owners
from proxy_storage.db import tracking
from proxy_storage.meta_backends.base import MetaBackendBase
from proxy_storage.transactions import after_commit

logger = logging.getLogger("proxy_storage")

UID = "proxy_storage.fields"


@cache
def get_file_fields(model: type[Model]) -> tuple[Any, ...]:
    """Return the fields of a model whose files know their owner, inherited ones included."""
    from proxy_storage.db.fields import OwnedFileMixin

    return tuple(
        field for field in model._meta.concrete_fields if isinstance(field, OwnedFileMixin)
    )


@receiver(class_prepared, dispatch_uid=UID)
def connect(sender: type[Model], **kwargs: Any) -> None:
    """Listen to the saves and deletes of a class with such a field."""
    if get_file_fields(sender):
        post_save.connect(write_owners, sender=sender, dispatch_uid=UID)
        post_delete.connect(release_owners, sender=sender, dispatch_uid=UID)


def write_owners(
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
    save that writes it into the row; a fixture (``raw``) changes nothing.
    """
    if raw:
        return
    for field in get_file_fields(sender):
        is_saved = update_fields is None or field.name in update_fields
        if is_saved and field.attname in instance.__dict__:
            _write_owner(instance, field, using, created)


def release_owners(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    """Take the owner from the files of a row that is gone: its key may be used again.

    Receiver of ``post_delete``; one query for each field. A parent's row of a multi-table
    child is deleted with a signal of its own.
    """
    for field in get_file_fields(sender):
        if field.model._meta.concrete_model is sender._meta.concrete_model:
            _set_owner(instance, field, using, path=None, released=None)


def _write_owner(instance: Model, field: Any, using: str, created: bool) -> None:
    path = getattr(instance, field.attname).name or None
    is_new = path is not None and path == tracking.get_new_path(instance, field.name)
    has_changed = tracking.has_changed(instance, field.name)
    left = tracking.get_left_paths(instance, field.name)
    if is_new and not (has_changed or created):
        left = None  # the instance was made by hand, for a row that was there
    if path and not is_new and (has_changed or (created and path != field.get_default())):
        logger.warning("%r was assigned to %s as text, which changes no owner", path, field)
        if left is None:
            left = frozenset(_get_owned_paths(instance, field))
    if left is not None:
        left -= {path, ""}
    _set_owner(instance, field, using, path=path if is_new else None, released=left)
    tracking.forget(instance, [field.name])


def _get_owned_paths(instance: Model, field: Any) -> Iterator[str]:
    for record in field.storage.meta_backend.filter(owners.get_owner_data(instance, field)):
        yield record["path"]


def _set_owner(
    instance: Model, field: Any, using: str, path: str | None, released: frozenset[str] | None
) -> None:
    if path is None and released is not None and not released:
        return
    meta_backend: MetaBackendBase = field.storage.meta_backend
    owner = owners.get_owner_data(instance, field)

    def write() -> None:
        # A new file gets an owner only where nobody owns it: it may have been deleted, and
        # its path be another one's by now.
        if not meta_backend.set_owner(owner, path, released) and path is not None:
            logger.warning("%r was deleted or owned before its owner was saved", path)

    if meta_backend.get_transaction_alias() == using:
        write()
    else:
        after_commit(write)
