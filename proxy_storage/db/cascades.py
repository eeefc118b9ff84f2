"""Delete the files of records that Django deletes together with their content object.

When a row is deleted, Django deletes the rows that its ``GenericRelation`` fields refer to as well.
If these rows are records, their files have to be deleted too, because a file without a record
cannot be found again.

A receiver of ``post_delete`` makes Django read the rows before it deletes them. Therefore only
models of records that are the target of such a relation get a receiver.
"""

from __future__ import annotations

import logging
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, Q, QuerySet
from django.db.models.fields.related import lazy_related_operation
from django.db.models.signals import class_prepared, post_delete
from django.db.transaction import TransactionManagementError
from django.dispatch import receiver

from proxy_storage.content_objects import SCOPE_KEY, get_scope
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.models import ProxyStorageModelBase
from proxy_storage.original_storages.inspect import get_local_path
from proxy_storage.transactions import after_commit

if TYPE_CHECKING:
    from proxy_storage.storages.base import ProxyStorageBase

logger = logging.getLogger("proxy_storage")

UID = "proxy_storage.cascades"


def connect_all() -> None:
    """Connect the receiver for the relations of all installed models.

    A model can be older than the import of this module, and can have got its relation later.
    """
    for model in chain.from_iterable(models.values() for models in apps.all_models.values()):
        connect(model)


@receiver(class_prepared, dispatch_uid=UID)
def connect(sender: type[Model], **kwargs: Any) -> None:
    """Connect the receiver to the models of records that relations of a new class refer to."""
    for field in sender._meta.private_fields:
        # Django recognises relations that it deletes in the same way.
        if hasattr(field, "bulk_related_objects"):
            lazy_related_operation(_connect_records, sender, field.remote_field.model)


def _connect_records(model: type[Model], target: type[Model]) -> None:
    if issubclass(target, ProxyStorageModelBase):
        post_delete.connect(delete_file, sender=target, dispatch_uid=UID)


def delete_file(
    sender: type[Model],
    instance: ProxyStorageModelBase,
    using: str,
    origin: Any = None,
    **kwargs: Any,
) -> None:
    """Delete the file of a record that was deleted by a cascade, after the commit.

    Receiver of ``post_delete``. Code that deletes records directly, by an instance or by a
    queryset, deletes only rows: this package deletes record and file one after the other, and a
    project can have a reason to keep the file.

    A ``GenericRelation`` compares the model and the key of a content object, but not the scope.
    A record of another database or tenant is therefore inserted again in the same transaction.
    """
    # Django identifies the model of a receiver by its address, which a later model can get.
    if origin is None or not isinstance(instance, ProxyStorageModelBase):
        return
    model = origin.model if isinstance(origin, QuerySet) else type(origin)
    if issubclass(model, ProxyStorageModelBase):
        return
    fields = instance._meta.concrete_fields
    record = MetaBackendObject({one.attname: getattr(instance, one.attname) for one in fields})
    if not _is_of_scope(record, using):
        logger.warning(
            "The record of %r was kept: it belongs to another database or tenant", record["path"]
        )
        sender._base_manager.using(using).bulk_create([instance])
        return
    try:
        after_commit(partial(_delete_file, sender, record))
    except TransactionManagementError:
        logger.exception("The file of %r was not deleted: autocommit is off", record["path"])


def _is_of_scope(record: MetaBackendObject, using: str) -> bool:
    """Return whether the content object of a record is in the database of a cascade."""
    content_type_id: Any = record.get("content_type_id")
    try:
        meta_backend = record.get_proxy_storage().meta_backend
        model = ContentType.objects.get_for_id(content_type_id).model_class()
    except (ConfigurationError, ContentType.DoesNotExist):
        return True  # The file will be kept, because its storage or its model is not known.
    # Without a model class, a row in another scope cannot exist either.
    return model is None or (record.get(SCOPE_KEY) or None) == get_scope(model, using, meta_backend)


def _delete_file(model: type[Model], record: MetaBackendObject) -> None:
    """Delete the file that a deleted record named, unless another record names it.

    It runs after the commit, when the record cannot be restored, so errors are only logged.
    """
    path = record["path"]
    try:
        storage = record.get_proxy_storage()
        if not _keeps_records_in(storage, model):
            logger.warning("The file of %r was kept: its storage has another model", path)
        elif _is_named(record):
            logger.info("The file of %r was kept: another record names it", path)
        else:
            record.get_original_storage().delete(record["original_storage_path"])
    except FileNotFoundError:
        logger.info("The file of %r was deleted before", path)
    except Exception:
        logger.exception("The file of %r was not deleted, and does not have a record now", path)


def _keeps_records_in(storage: ProxyStorageBase, model: type[Model]) -> bool:
    """Return whether a storage keeps its records in the table of a model."""
    own = getattr(storage.meta_backend, "model", None)
    if own is None:
        return False
    own, model = own._meta.concrete_model, model._meta.concrete_model or model
    # A row of a multi-table child is one of its parent as well.
    return issubclass(own, model) or issubclass(model, own)


def _is_named(record: MetaBackendObject) -> bool:
    """Return whether another record names the file of a deleted record.

    Raises:
        ConfigurationError: a record with the same original path belongs to a storage that is not
            registered any more, so it is unknown which file it names.
    """
    original, name = record.get_original_storage(), record["original_storage_path"]
    local_path = get_local_path(original, name)
    # Object stores use the same key for a path with a leading slash and without.
    names = {name, name.lstrip("/"), f"/{name.lstrip('/')}"}
    meta_backend = record.get_proxy_storage().meta_backend
    for other in meta_backend.select(Q(original_storage_path__in=sorted(names))):
        other_original = other.get_original_storage()
        if other_original is original:
            return True
        if local_path is not None and local_path == get_local_path(
            other_original, other["original_storage_path"]
        ):
            return True
    return False


connect_all()
