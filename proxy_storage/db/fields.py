"""File fields that write the content object of a file into its record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, models
from django.db.models import CompositePrimaryKey, FileField, ImageField
from django.db.models.fields.files import FieldFile, ImageFieldFile

from proxy_storage import content_objects, registry
from proxy_storage.content_objects import SCOPE_KEY, get_tenant
from proxy_storage.db import signals, tracking
from proxy_storage.db.own_files import (
    clear_field_file,
    delete_own_file,
    get_signed_url_of_own_file,
    open_own_file,
)
from proxy_storage.db.validators import FileSizeValidator, FileTypeValidator
from proxy_storage.exceptions import (
    ConfigurationError,
    ContentObjectError,
    ProxyFileNotFoundError,
)
from proxy_storage.meta_backends.queries import CONTENT_OBJECT_KEYS
from proxy_storage.storages.base import ProxyStorageBase
from proxy_storage.storages.content import get_own_name, uploaded_as
from proxy_storage.storages.lookup import get_returned_name
from proxy_storage.storages.restoring import restore_record

if TYPE_CHECKING:
    BaseField = FileField
else:
    BaseField = object  # The classes that use the mixin inherit from FileField or ImageField.


class ProxyStorageFieldFile(FieldFile):
    """The file of a `ProxyStorageFileField` of one instance."""

    def save(self, name: str, content: Any, save: bool = True) -> None:
        """Save a file as Django does; the save of the instance writes its content object.

        If ``name`` was returned by a proxy storage, its last part is used.
        """
        name = get_returned_name(self.storage, name)
        previous = tracking.get_committed_path(self)
        with uploaded_as(content, get_own_name(content) or name):
            super().save(name, content, save=False)
        tracking.remember_new_path(self.instance, self.field.name, self.name, previous)
        if save:
            self.instance.save()

    # Keeps templates from calling the method.
    save.alters_data = True  # type: ignore[attr-defined]  # Unknown to the stubs.

    def open(self, mode: str = "rb") -> Self:  # type: ignore[override]  # The stubs have no Self.
        """Open the file as Django does, unless it belongs to another instance.

        Raises:
            ProxyFileNotFoundError: the file does not exist, or it belongs to another instance: a
                path that was assigned as text opens no file of another row.
        """
        if getattr(self, "_file", None) is None:
            self.file = open_own_file(self, mode)
        else:
            self.file.open(mode)
        return self

    # As for save(). In this class, the name "open" is the method.
    open.alters_data = True  # type: ignore[attr-defined]  # noqa: A003

    def _get_file(self) -> Any:
        if getattr(self, "_file", None) is None:
            self._file = open_own_file(self, "rb")
        return self._file

    # Django's property calls these functions by name, so it has to be made again.
    file = property(_get_file, FieldFile._set_file, FieldFile._del_file)  # type: ignore[attr-defined]

    @property
    def url(self) -> str:
        """The URL of the file.

        If the storage returns signed links (``signs_urls``), a file of another instance has the
        URL without signature: a path that was assigned as text must not open the file of
        another row.
        """
        storage: Any = self.storage
        if not (self and getattr(storage, "signs_urls", False)):
            return str(super().url)
        return get_signed_url_of_own_file(self)

    def delete(self, save: bool = True) -> None:
        """Delete the file and clear the field, as Django does.

        A file that belongs to another instance or field is not deleted, because a copy of a row,
        or a path that was assigned as text, can name it. The field is cleared, and a warning is
        logged. A file that does not exist any more is not an error.

        Args:
            save: whether to save the instance afterwards.
        """
        storage: Any = self.storage
        if not self:
            return
        if not isinstance(storage, ProxyStorageBase):
            super().delete(save)
            return
        delete_own_file(self)
        self._clear(save)

    # As for save().
    delete.alters_data = True  # type: ignore[attr-defined]  # Unknown to the stubs.

    def _clear(self, save: bool) -> None:
        clear_field_file(self, save)

    def assign(self) -> None:
        """Make this saved instance the content object of a file whose path was assigned as text.

        To assign a path as text does not change a content object, since it can be the path of any
        file. Call this method in code that can trust its paths: an import, for example, that
        has saved the file through the storage. Other files of this instance and field are
        released.

        Raises:
            ContentObjectError: the file does not exist, or it belongs to another instance, or the
                instance has not been saved.
        """
        assign(self)

    # As for save().
    assign.alters_data = True  # type: ignore[attr-defined]  # Unknown to the stubs.
    #: The former name of `assign`
    claim = assign


def assign(file: FieldFile) -> None:
    """Make a saved instance the content object of a file whose path was assigned as text.

    See `ProxyStorageFieldFile.assign`. This function also accepts the files of other fields, if
    their proxy storage has ``tracks_plain_fields``.

    Args:
        file: the value of the field of an instance, such as ``document.file``.

    Raises:
        ContentObjectError: as for the method, or the files of the field do not have a content
            object.
    """
    instance, field, name = file.instance, file.field, file.name
    if not content_objects.is_tracked(field):
        raise ContentObjectError(
            f"{name!r} cannot be assigned to {field}: the files of this field do not have a "
            "content object. Use a ProxyStorageFileField, or a proxy storage with "
            "tracks_plain_fields = True.",
            path=name,
        )
    if instance.pk is None:
        raise ContentObjectError(
            f"{instance!r} has not been saved, so {name!r} cannot be assigned to {field}. Save the "
            "instance first.",
            path=name,
        )
    storage: Any = field.storage
    data = content_objects.get_content_object_data(
        instance, field, meta_backend=storage.meta_backend
    )
    try:
        record = storage.get_meta_backend_obj(name)
    except FileNotFoundError as error:
        raise ContentObjectError(
            f"{name!r} cannot be assigned to {field}: the file does not exist. Save it through "
            "the storage first.",
            path=name,
        ) from error
    set_content_object = storage.meta_backend.set_content_object
    set_content_object(data, record["path"])
    if not content_objects.belongs_to(storage.get_meta_backend_obj(name), data):
        raise ContentObjectError(
            f"{name!r} cannot be assigned to {field}: it belongs to another content object. "
            "Release it there first.",
            path=name,
        )
    # The other files are released only if this one has been assigned.
    set_content_object(data, record["path"], None)


class ContentObjectFileFieldMixin(BaseField):
    """The common part of `ProxyStorageFileField` and `ProxyStorageImageField`."""

    def __init__(
        self,
        *args: Any,
        delete_with_content_object: bool = False,
        allowed_types: Sequence[str] | None = None,
        max_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.delete_with_content_object = delete_with_content_object
        self.allowed_types, self.max_size = allowed_types, max_size
        self._file_validators: list[Any] = []
        if allowed_types is not None:
            self._file_validators.append(FileTypeValidator(allowed_types))
        if max_size is not None:
            self._file_validators.append(FileSizeValidator(max_size))
        kwargs.setdefault("max_length", 255)
        super().__init__(*args, **kwargs)

    @cached_property
    def validators(self) -> list[Any]:
        """Django's validators of the field, and those of ``allowed_types`` and ``max_size``."""
        return [*super().validators, *self._file_validators]

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        """Include ``max_length`` always, because Django's default is another one."""
        name, path, args, kwargs = super().deconstruct()
        kwargs["max_length"] = self.max_length
        if self.delete_with_content_object:
            kwargs["delete_with_content_object"] = True
        if self.allowed_types is not None:
            kwargs["allowed_types"] = list(self.allowed_types)
        if self.max_size is not None:
            kwargs["max_size"] = self.max_size
        return name, path, list(args), kwargs

    # The stubs of Field and FileField differ.
    def contribute_to_class(  # type: ignore[override]
        self, cls: type[models.Model], name: str, **kwargs: Any
    ) -> None:
        """Add the field, and connect the signal receivers in case the class is finished."""
        super().contribute_to_class(cls, name, **kwargs)
        signals.connect(cls)

    def pre_save(self, model_instance: Any, add: bool) -> Any:
        """Save the file before the row; write its record again if a rollback has removed it."""
        restore_record(model_instance, self)
        return super().pre_save(model_instance, add)

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """Run Django's checks, and those of the storage, the primary key and the relations."""
        return [
            *super().check(**kwargs),
            *self._check_app(),
            *self._check_storage(),
            *self._check_relations(),
        ]

    def _check_app(self) -> Iterable[checks.CheckMessage]:
        if not apps.is_installed("proxy_storage"):
            yield checks.Error(
                f"The model has a {type(self).__name__}, but 'proxy_storage' is not in "
                "INSTALLED_APPS.",
                hint="Add it. It updates the records of files when rows are deleted, and checks "
                "the settings.",
                obj=self,
                id="proxy_storage.E104",
            )

    def _check_storage(self) -> Iterable[checks.CheckMessage]:
        storage: Any = self.storage
        try:
            is_proxy_storage = isinstance(storage, ProxyStorageBase)
        except (ImproperlyConfigured, TypeError):
            return  # The default storage cannot be built. The checks of the settings report it.
        if not is_proxy_storage:
            yield checks.Error(
                f"The storage of a {type(self).__name__} must be a proxy storage, not a "
                f"{storage.__class__.__name__}.",
                hint="Pass a proxy storage as storage, or use a field of Django.",
                obj=self,
                id="proxy_storage.E101",
            )
            return
        yield from self._check_registration()
        try:
            storage.meta_backend.check_keys(CONTENT_OBJECT_KEYS)
        except (AttributeError, ConfigurationError) as error:
            yield checks.Error(
                str(error),
                hint="Correct the model of the records, which needs ContentObjectFieldMixin.",
                obj=self,
                id="proxy_storage.E102",
            )
        else:
            yield from self._check_scope()
        if isinstance(self.model._meta.pk, CompositePrimaryKey):
            yield checks.Error(
                f"{self.model._meta.label} has a composite primary key. A record can hold only a "
                "key of one column.",
                hint="Use a field of Django, or give the model a primary key of one column.",
                obj=self,
                id="proxy_storage.E103",
            )

    def _check_registration(self) -> Iterable[checks.CheckMessage]:
        storage: Any = self.storage
        try:
            registry.get_proxy_storage_names()
        except ConfigurationError:
            return  # The check of the settings reports it.
        try:
            registry.get_proxy_storage_name(storage)
        except ConfigurationError as error:
            yield checks.Error(
                f"The storage of the field cannot save files. {error}",
                hint="Each record contains the registered name of its proxy storage.",
                obj=self,
                id="proxy_storage.E105",
            )

    def _check_scope(self) -> Iterable[checks.CheckMessage]:
        storage: Any = self.storage
        has_scopes = len(settings.DATABASES) > 1 or get_tenant(self.model, DEFAULT_DB_ALIAS)
        if has_scopes and not storage.meta_backend.can_hold(SCOPE_KEY):
            yield checks.Warning(
                "Rows of several databases or tenants can have the same key, and the records of "
                f"{self} cannot distinguish them.",
                hint=f"Add the field {SCOPE_KEY!r} of ContentObjectFieldMixin to the model of the "
                "records.",
                obj=self,
                id="proxy_storage.W102",
            )

    def _check_relations(self) -> Iterable[checks.CheckMessage]:
        database_cascade = getattr(models, "DB_CASCADE", None)  # New in Django 6.1.
        for field in self.model._meta.concrete_fields:
            on_delete = getattr(field.remote_field, "on_delete", None)
            if on_delete is not None and on_delete is database_cascade:
                yield checks.Warning(
                    f"{field} has on_delete=DB_CASCADE. The database deletes these rows without a "
                    f"signal, so the files of {self} keep a content object that does not exist.",
                    hint="Use on_delete=CASCADE.",
                    obj=self,
                    id="proxy_storage.W101",
                )


class ProxyStorageFileField(ContentObjectFileFieldMixin, FileField):
    """A ``FileField`` that records the content object of each file.

    It takes the arguments of Django's field. ``storage`` must be a proxy storage, or a callable
    that returns one. ``max_length`` is 255 by default, since names are full paths here.

    Args:
        delete_with_content_object: whether a file is deleted when its row is deleted, after the
            commit. Otherwise the file is kept and released. The files of a row that the database
            deletes by itself (``DB_CASCADE``, ``TRUNCATE``) are kept in any case.
        allowed_types: the MIME types of files that forms and serializers accept, such as
            ``"application/pdf"`` and ``"image/*"``; see `FileTypeValidator`.
        max_size: the largest size in bytes of files that forms and serializers accept.
    """

    attr_class = ProxyStorageFieldFile
    descriptor_class = tracking.TrackingFileDescriptor


class ProxyStorageImageFieldFile(ProxyStorageFieldFile, ImageFieldFile):
    """The image of a `ProxyStorageImageField` of one instance."""

    def _clear(self, save: bool) -> None:
        vars(self).pop("_dimensions_cache", None)  # As in Django's ImageFieldFile.
        super()._clear(save)


class ProxyStorageImageField(ContentObjectFileFieldMixin, ImageField):
    """An ``ImageField`` that records the content object of each file.

    Its arguments are those of `ProxyStorageFileField`. Like Django's field, it needs Pillow.
    """

    attr_class = ProxyStorageImageFieldFile
    descriptor_class = tracking.TrackingImageFileDescriptor
    width_field: str | None
    height_field: str | None

    def update_dimension_fields(
        self, instance: models.Model, force: bool = False, *args: Any, **kwargs: Any
    ) -> None:
        """Set the dimensions of the image as Django does; ``None`` for the image of another row.

        The path of such an image can be assigned as text, but the image cannot be read.
        """
        try:
            super().update_dimension_fields(instance, force, *args, **kwargs)
        except ProxyFileNotFoundError:
            file: Any = getattr(instance, self.attname)
            if not file.storage.exists(file.name):
                raise
            for name in filter(None, (self.width_field, self.height_field)):
                setattr(instance, name, None)
