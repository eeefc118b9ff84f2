"""File fields of Django and of other packages on a proxy storage.

Such a field does not have a descriptor of this package. Its files get a content object if the
proxy storage has ``tracks_plain_fields``. Only the storage decides, so that the models of other
packages need not be changed.

A storage may be built on its first use only, such as Django's ``default_storage``. It is not built
while apps are loaded: `may_be_tracked` examines the class in the settings instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeGuard

from django.apps import apps
from django.conf import DEFAULT_STORAGE_ALIAS
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import DefaultStorage
from django.db.models import CompositePrimaryKey, FileField
from django.db.models.fields.files import FieldFile
from django.utils.functional import LazyObject, empty

from proxy_storage import registry
from proxy_storage.db.tracking import TrackingFileDescriptor
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.queries import CONTENT_OBJECT_KEYS

if TYPE_CHECKING:
    from proxy_storage.storages.base import ProxyStorageBase


def has_descriptor(field: Any) -> bool:
    """Return whether a field has the descriptor of this package."""
    descriptor = getattr(field, "descriptor_class", None)
    return isinstance(descriptor, type) and issubclass(descriptor, TrackingFileDescriptor)


def is_plain(field: Any) -> TypeGuard[FileField]:
    """Return whether a field is a file field of Django or of another package."""
    return isinstance(field, FileField) and not has_descriptor(field)


def is_tracked_plain_field(field: Any) -> bool:
    """Return whether the files of a field of Django or of another package get a content object."""
    # A field file can be made with a field that was not added to a model.
    if not is_plain(field) or not hasattr(field, "model"):
        return False
    storage = get_proxy_storage(field)
    return storage is not None and get_obstacle(field, storage) is None


def may_be_tracked(field: Any) -> bool:
    """Return whether a plain field can turn out to be tracked, without building its storage."""
    if not is_plain(field):
        return False
    storage: Any = field.storage
    if _is_unbuilt(storage):
        return not _is_other_default(storage)
    storage = _unwrap(storage)
    return _is_proxy_storage(storage) and storage.tracks_plain_fields


def get_proxy_storage(field: Any) -> ProxyStorageBase | None:
    """Return the proxy storage of a field.

    Returns:
        ``None`` if the storage is not a proxy storage, or cannot be built.
    """
    storage: Any = field.storage
    if _is_unbuilt(storage) and _is_other_default(storage):
        return None
    try:
        storage = _unwrap(storage)
    except ImproperlyConfigured:
        return None  # A save raises the error.
    return storage if _is_proxy_storage(storage) else None


def get_obstacle(field: Any, storage: ProxyStorageBase) -> str | None:
    """Return the reason why the files of a plain field do not get a content object, if any."""
    if not storage.tracks_plain_fields:
        return "the proxy storage does not track Django's file fields"
    try:
        if not storage.meta_backend.can_hold(*CONTENT_OBJECT_KEYS):
            return "the records cannot hold a content object"
    except (AttributeError, ConfigurationError) as error:
        return f"its meta backend cannot be used: {error}"
    if isinstance(field.model._meta.pk, CompositePrimaryKey):
        return f"{field.model._meta.label} has a composite primary key"
    if not apps.is_installed("django.contrib.contenttypes"):
        return "django.contrib.contenttypes is not installed"
    return None


def is_in_storage_of_field(file: FieldFile) -> bool:
    """Return whether a file is in the storage of its field.

    The file fields of some packages choose another storage for some files.
    """
    storage: Any = file.storage
    return _unwrap(storage) is _unwrap(file.field.storage)


def _is_proxy_storage(storage: Any) -> bool:
    # The registry recognises proxy storages in the same way.
    return bool(getattr(type(storage), "is_proxy_storage", False))


def _is_unbuilt(storage: Any) -> bool:
    # type() returns the class of a lazy object. isinstance() would build the object.
    return issubclass(type(storage), LazyObject) and vars(storage).get("_wrapped", empty) is empty


def _is_other_default(storage: Any) -> bool:
    """Return whether an object is the default storage, and this one is not a proxy storage."""
    is_default = issubclass(type(storage), DefaultStorage)
    return is_default and not registry.is_proxy_storage_alias(DEFAULT_STORAGE_ALIAS)


def _unwrap(storage: Any) -> Any:
    """Return the storage in a lazy object, which is built if necessary."""
    while issubclass(type(storage), LazyObject):
        if vars(storage).get("_wrapped", empty) is empty:
            storage._setup()
        storage = storage._wrapped
    return storage


@checks.register(checks.Tags.models)
def check_plain_fields(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Check the file fields whose files do not belong to any row."""
    configs = apps.get_app_configs() if app_configs is None else app_configs
    models = (model for config in configs for model in config.get_models())
    return [
        message
        for model in models
        for field in model._meta.local_fields
        for message in _check_field(field)
    ]


def _check_field(field: Any) -> Iterator[checks.CheckMessage]:
    storage = get_proxy_storage(field) if is_plain(field) else None
    obstacle = None if storage is None else get_obstacle(field, storage)
    if obstacle is not None:
        yield checks.Warning(
            f"The files of {field} do not get a content object, because {obstacle}. Permissions "
            "that need the content object deny access to them.",
            hint="Use ProxyStorageFileField or ProxyStorageImageField. Or set "
            "tracks_plain_fields = True on the class of the proxy storage, or 'plain_fields': True "
            "in its OPTIONS in STORAGES. A table of records needs ContentObjectFieldMixin, and a "
            "model needs a primary key of one column.",
            obj=field,
            id="proxy_storage.W103",
        )
