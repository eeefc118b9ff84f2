"""Files whose records Django deletes along with their content object.

Django deletes the rows that a ``GenericRelation`` leads to together with the row that has it.
Where these rows are records, their files have to be deleted as well: without a record a file
cannot be found again.

A listener to ``post_delete`` makes Django read the rows before it deletes them. So only the models
of records get one that are the target of such a relation.
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

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.models import ProxyStorageModelBase
from proxy_storage.original_storages.inspect import get_local_path
from proxy_storage.scopes import SCOPE_KEY, get_scope
from proxy_storage.transactions import after_commit

if TYPE_CHECKING:
    from proxy_storage.storages.base import ProxyStorageBase

logger = logging.getLogger("proxy_storage")

UID = "proxy_storage.cascades"


def connect_all() -> None:
    """Listen to the deletes of all records that relations of installed models lead to.

    A model may have been made before this module was imported, or have got its relation later.
    """
    for model in chain.from_iterable(models.values() for models in apps.all_models.values()):
        connect(model)


@receiver(class_prepared, dispatch_uid=UID)
def connect(sender: type[Model], **kwargs: Any) -> None:
    """Listen to the deletes of the records that the relations of a new class lead to."""
    for field in sender._meta.private_fields:
        # This is how Django recognises a relation to cascade over.
        if hasattr(field, "bulk_related_objects"):
            lazy_related_operation(_listen, sender, field.remote_field.model)


def _listen(model: type[Model], target: type[Model]) -> None:
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

    Receiver of ``post_delete``. Code that deletes records themselves, by an instance or by a
    queryset, deletes rows and no files: this package deletes the two one after the other, and a
    project may have reasons of its own.

    A ``GenericRelation`` compares the model and the key of a content object, but not the scope.
    A record of another database or tenant is written again in the same transaction.
    """
    # Django knows a receiver's model by its address, which a later model can have.
    if origin is None or not isinstance(instance, ProxyStorageModelBase):
        return
    model = origin.model if isinstance(origin, QuerySet) else type(origin)
    if issubclass(model, ProxyStorageModelBase):
        return
    fields = instance._meta.concrete_fields
    record = MetaBackendObject({one.attname: getattr(instance, one.attname) for one in fields})
    if not _is_of_scope(record, using):
        logger.warning("%r belongs to another database or tenant and was kept", record["path"])
        sender._base_manager.using(using).bulk_create([instance])
        return
    try:
        after_commit(partial(_delete_file, sender, record))
    except TransactionManagementError:
        logger.exception("the file of %r was kept: autocommit is off", record["path"])


def _is_of_scope(record: MetaBackendObject, using: str) -> bool:
    """Return whether the content object of a record is in the database of a cascade."""
    content_type_id: Any = record.get("content_type_id")
    try:
        meta_backend = record.get_proxy_storage().meta_backend
        model = ContentType.objects.get_for_id(content_type_id).model_class()
    except (ConfigurationError, ContentType.DoesNotExist):
        return True  # Nothing is known about the file, which will be kept.
    # Without a model class there is no row of another scope either.
    return model is None or (record.get(SCOPE_KEY) or None) == get_scope(model, using, meta_backend)


def _delete_file(model: type[Model], record: MetaBackendObject) -> None:
    """Delete the bytes that a record named, unless another record names them.

    It runs after the commit, when the record is gone for good: an error is logged.
    """
    path = record["path"]
    try:
        storage = record.get_proxy_storage()
        if not _keeps_records_in(storage, model):
            logger.warning("the file of %r was kept: its storage has other records", path)
        elif _is_named(record):
            logger.info("the file of %r was kept: another record names it", path)
        else:
            record.get_original_storage().delete(record["original_storage_path"])
    except FileNotFoundError:
        logger.info("the file of %r was gone already", path)
    except Exception:
        logger.exception("the file of %r could not be deleted; it has no record any more", path)


def _keeps_records_in(storage: ProxyStorageBase, model: type[Model]) -> bool:
    """Return whether a row of a model is a record of a storage, and not only looks like one."""
    own = getattr(storage.meta_backend, "model", None)
    if own is None:
        return False
    own, model = own._meta.concrete_model, model._meta.concrete_model or model
    # A row of a multi-table child is one of its parent as well.
    return issubclass(own, model) or issubclass(model, own)


def _is_named(record: MetaBackendObject) -> bool:
    """Return whether a record that is there names the bytes of one that is not.

    Raises:
        ConfigurationError: a record of the same original path is of a storage that is not
            registered any more, so nothing is known about its bytes.
    """
    original, name = record.get_original_storage(), record["original_storage_path"]
    local_path = get_local_path(original, name)
    # An object store may have been given the path with a slash or without.
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
