"""File fields that write the owner of a file into its record.

After a model instance is saved, the record of each file that was saved with it names the
instance and the field. Only files that went through ``FieldFile.save`` count: a path that
is assigned as text may be anybody's, so it changes no owner.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from django.core import checks
from django.db.models import CompositePrimaryKey, FileField, Model
from django.db.models.fields.files import FieldFile
from django.db.models.signals import class_prepared, post_save
from django.dispatch import receiver

from proxy_storage import owners
from proxy_storage.exceptions import ConfigurationError, MetaBackendObjectDoesNotExist
from proxy_storage.meta_backends.base import MetaBackendBase
from proxy_storage.storages.base import ProxyStorageBase
from proxy_storage.transactions import after_commit

logger = logging.getLogger("proxy_storage")

# name in an instance's __dict__: field name -> path of a file whose record has no owner yet
_NEW_FILES = "_proxy_storage_new_files"


class ProxyStorageFieldFile(FieldFile):
    """The file of a `ProxyStorageFileField` of one instance."""

    def save(self, name: str, content: Any, save: bool = True) -> None:
        """Save a file as Django's does, and remember that its record needs an owner."""
        super().save(name, content, save=False)
        new_files = self.instance.__dict__.get(_NEW_FILES, {})
        self.instance.__dict__[_NEW_FILES] = {**new_files, self.field.name: self.name}
        if save:
            self.instance.save()

    # keeps templates from calling it; functions have no such attribute for mypy
    save.alters_data = True  # type: ignore[attr-defined]


class ProxyStorageFileField(FileField):
    """A ``FileField`` whose files know the instance and field that they belong to.

    Takes what Django's takes; ``storage`` has to be a proxy storage, or a callable that
    returns one. ``max_length`` is 255 unless given: names are full paths here.
    """

    attr_class = ProxyStorageFieldFile

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 255)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        """Name ``max_length`` always: Django's default for it is another than ours."""
        name, path, args, kwargs = super().deconstruct()
        return name, path, list(args), {**kwargs, "max_length": self.max_length}

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """Add a check of the storage to those of Django."""
        return [*super().check(**kwargs), *self._check_storage()]

    def _check_storage(self) -> Iterable[checks.CheckMessage]:
        if not isinstance(self.storage, ProxyStorageBase):
            yield checks.Error(
                f"{type(self).__name__} needs a proxy storage, and its storage is a "
                f"{type(self.storage).__name__}.",
                hint="Give it storage=YourProxyStorage(), or use Django's FileField.",
                obj=self,
                id="proxy_storage.E101",
            )
            return
        try:
            self.storage.meta_backend.check_keys(owners.OWNER_KEYS)
        except (AttributeError, ConfigurationError) as error:
            yield checks.Error(str(error), obj=self, id="proxy_storage.E102")
        if isinstance(self.model._meta.pk, CompositePrimaryKey):
            yield checks.Error(
                f"{self.model._meta.label} has a composite primary key, which no record can hold.",
                hint="Use Django's FileField, or give the model a key of one column.",
                obj=self,
                id="proxy_storage.E103",
            )


@receiver(class_prepared, dispatch_uid="proxy_storage.fields")
def _connect(sender: type[Model], **kwargs: Any) -> None:
    """Listen to the saves of a class with such a field, inherited ones included."""
    if any(isinstance(field, ProxyStorageFileField) for field in sender._meta.concrete_fields):
        post_save.connect(write_owners, sender=sender, dispatch_uid="proxy_storage.fields")


def write_owners(
    sender: type[Model],
    instance: Model,
    using: str,
    raw: bool = False,
    update_fields: Iterable[str] | None = None,
    **kwargs: Any,
) -> None:
    """Write the owner into the records of new files; one query for each new file.

    Records in the database of the instance are written at once, all others after the
    commit of the transactions that are open.

    Receiver of ``post_save``. A file whose field was left out of ``update_fields`` waits
    for the save that writes it into the row.
    """
    new_files: dict[str, str] = instance.__dict__.get(_NEW_FILES, {})
    if raw or not new_files:
        return
    waiting = dict(new_files)  # never changed in place: copies of the instance share it
    for name, path in new_files.items():
        if update_fields is not None and name not in update_fields:
            continue
        # a file that was replaced or cleared before the row was written has no owner
        if getattr(instance, name).name == path:
            _write_owner(instance, sender._meta.get_field(name), path, using)
        del waiting[name]
    instance.__dict__[_NEW_FILES] = waiting


def _write_owner(instance: Model, field: Any, path: str, using: str) -> None:
    meta_backend: MetaBackendBase = field.storage.meta_backend
    data = owners.get_owner_data(instance, field)

    def write() -> None:
        try:
            # only where nobody owns it: the file may have been deleted, and its path be
            # another one's by now
            meta_backend.update(path, data, where={"content_type_id": None})
        except MetaBackendObjectDoesNotExist:
            logger.warning("%r was deleted or owned before its owner was saved", path)

    if meta_backend.get_transaction_alias() == using:
        write()
    else:
        # A rollback takes the row away, but would not take this back: whoever gets the
        # row's key next would own the file.
        after_commit(write)
