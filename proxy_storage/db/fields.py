"""File fields that write the owner of a file into its record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.core import checks
from django.db.models import CompositePrimaryKey, FileField, ImageField
from django.db.models.fields.files import FieldFile, ImageFieldFile

from proxy_storage import owners
from proxy_storage.db import receivers, tracking  # noqa: F401  (receivers listen from now on)
from proxy_storage.exceptions import (
    ConfigurationError,
    MetaBackendObjectDoesNotExist,
    OwnerError,
)
from proxy_storage.storages.base import ProxyStorageBase

if TYPE_CHECKING:
    BaseField = FileField
else:
    BaseField = object  # FileField and ImageField bring their own


class ProxyStorageFieldFile(FieldFile):
    """The file of a `ProxyStorageFileField` of one instance."""

    def save(self, name: str, content: Any, save: bool = True) -> None:
        """Save a file as Django's does, and remember that its record needs an owner."""
        previous = tracking.get_committed_path(self)
        super().save(name, content, save=False)
        if previous is not None:
            tracking.remember_left_path(self.instance, self.field.name, previous)
        tracking.remember_new_path(self.instance, self.field.name, self.name)
        if save:
            self.instance.save()

    # keeps templates from calling it; functions have no such attribute for mypy
    save.alters_data = True  # type: ignore[attr-defined]  # functions have none for mypy

    def claim(self) -> None:
        """Make this saved instance the owner of a file whose path was assigned as text.

        A path as text changes no owner by itself, since it may be anybody's. Code that
        knows where the path comes from says so with this method: an import, say, that has
        saved the file by the storage.

        Raises:
            OwnerError: there is no such file, or it has another owner, or the instance has
                not been saved.
        """
        if self.instance.pk is None:
            raise OwnerError(f"{self.field} has no row yet; save it first.", path=self.name)
        owner = owners.get_owner_data(self.instance, self.field)
        storage: Any = self.field.storage
        try:
            record = storage.get_meta_backend_obj(self.name)
            if not owners.is_owned_by(record, owner):
                storage.meta_backend.update(
                    str(self.name),
                    owner,
                    where={"content_type_id": None, **storage.meta_backend.get_identity(record)},
                )
        except (FileNotFoundError, MetaBackendObjectDoesNotExist) as error:
            raise OwnerError(
                f"{self.field} cannot have {self.name!r}: there is no such file without owner.",
                path=self.name,
            ) from error

    # as for save
    claim.alters_data = True  # type: ignore[attr-defined]  # functions have none for mypy


class OwnedFileMixin(BaseField):
    """What `ProxyStorageFileField` and `ProxyStorageImageField` have in common."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 255)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        """Name ``max_length`` always: Django's default for it is another than ours."""
        name, path, args, kwargs = super().deconstruct()
        return name, path, list(args), {**kwargs, "max_length": self.max_length}

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """Add checks of the storage and the model's key to those of Django."""
        return [*super().check(**kwargs), *self._check_storage()]

    def _check_storage(self) -> Iterable[checks.CheckMessage]:
        if not isinstance(self.storage, ProxyStorageBase):
            yield checks.Error(
                f"{type(self).__name__} needs a proxy storage, and its storage is a "
                f"{type(self.storage).__name__}.",
                hint="Give it storage=YourProxyStorage(), or use Django's own field.",
                obj=self,
                id="proxy_storage.E101",
            )
            return
        try:
            self.storage.meta_backend.check_keys(owners.OWNER_KEYS)
        except (AttributeError, ConfigurationError) as error:
            yield checks.Error(
                str(error),
                hint="Mix ContentObjectFieldMixin into the model of the records.",
                obj=self,
                id="proxy_storage.E102",
            )
        if isinstance(self.model._meta.pk, CompositePrimaryKey):
            yield checks.Error(
                f"{self.model._meta.label} has a composite primary key, which no record can hold.",
                hint="Use Django's own field, or give the model a key of one column.",
                obj=self,
                id="proxy_storage.E103",
            )


class ProxyStorageFileField(OwnedFileMixin, FileField):
    """A ``FileField`` whose files know the instance and field that they belong to.

    Takes what Django's takes; ``storage`` has to be a proxy storage, or a callable that
    returns one. ``max_length`` is 255 unless given: names are full paths here.
    """

    attr_class = ProxyStorageFieldFile
    descriptor_class = tracking.TrackingFileDescriptor


class ProxyStorageImageFieldFile(ProxyStorageFieldFile, ImageFieldFile):
    """The image of a `ProxyStorageImageField` of one instance."""


class ProxyStorageImageField(OwnedFileMixin, ImageField):
    """An ``ImageField`` whose files know the instance and field that they belong to.

    As `ProxyStorageFileField`; like Django's, it needs Pillow.
    """

    attr_class = ProxyStorageImageFieldFile
    descriptor_class = tracking.TrackingImageFileDescriptor
