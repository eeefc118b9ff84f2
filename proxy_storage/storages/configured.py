"""A proxy storage that is configured in Django's setting ``STORAGES``."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import getattr_static
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import Storage, storages
from django.utils.deconstruct import deconstructible

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendBase
from proxy_storage.settings import build_backend
from proxy_storage.storages import lookup
from proxy_storage.storages.base import MultipleOriginalStoragesMixin, ProxyStorageBase


@deconstructible(path="proxy_storage.storages.ProxyStorage")
class ProxyStorage(ProxyStorageBase):
    """A proxy storage that is configured by options; its name is its alias in ``STORAGES``.

    ::

        STORAGES = {
            "disk": {
                "BACKEND": "django.core.files.storage.FileSystemStorage",
                "OPTIONS": {"location": "/var/files/"},
            },
            "default": {
                "BACKEND": "proxy_storage.storages.ProxyStorage",
                "OPTIONS": {
                    "original_storage": "disk",
                    "meta_backend": {
                        "BACKEND": "proxy_storage.meta_backends.orm.ORMMetaBackend",
                        "OPTIONS": {"model": "letters.StoredFile"},
                    },
                },
            },
        }

    A missing option has the value of the class attribute, so that a subclass can set some of
    them.

    Paths are relative unless ``path_prefix`` or ``paths`` is set: ``save`` returns the name that
    it was called with, as Django's own storages do. ``delete`` of a name without record is not
    an error.

    Args:
        original_storage: an alias in ``STORAGES``, a dict with ``BACKEND`` and
            ``OPTIONS``, or a storage.
        meta_backend: a dict with ``BACKEND`` and ``OPTIONS``, or a meta backend.
        path_prefix: the text that paths begin with; see `ProxyStorageBase`.
        original_storages: for subclasses with `MultipleOriginalStoragesMixin` or
            `FallbackProxyStorageMixin`: a dict of names and values as for ``original_storage``,
            in the order in which they are tried.
        paths: ``"relative"``, ``"full"`` or ``"prefixed"``.
        unique_original_names: with relative paths, whether bytes get a name that is never
            used twice; see `ProxyStorageBase`.

    Raises:
        ConfigurationError: an option is missing or not valid.
    """

    paths = lookup.RELATIVE
    delete_missing_ok = True

    def __init__(
        self,
        original_storage: str | Mapping[str, Any] | Storage | None = None,
        meta_backend: Mapping[str, Any] | MetaBackendBase | None = None,
        path_prefix: str | None = None,
        original_storages: Mapping[str, str | Mapping[str, Any] | Storage] | None = None,
        paths: str | None = None,
        unique_original_names: bool | None = None,
    ) -> None:
        if original_storage is not None:
            self.original_storage = self._get_storage("original_storage", original_storage)
        if meta_backend is not None:
            where = f"Option 'meta_backend' of {type(self).__qualname__}"
            self.meta_backend = build_backend(where, meta_backend, MetaBackendBase)
        if path_prefix is not None:
            self.path_prefix = path_prefix
        if original_storages is not None:
            self._set_original_storages(original_storages)
        if paths is not None:
            self.paths = paths
        if unique_original_names is not None:
            self.unique_original_names = unique_original_names
        lookup.check_path_kind(self)
        self._check_is_complete()

    def _check_is_complete(self) -> None:
        """Raise `ConfigurationError` for a missing option that is not a class attribute either."""
        cls = type(self)
        needed = ["meta_backend"]
        if isinstance(self, MultipleOriginalStoragesMixin):
            needed.append("original_storages")
        elif cls.get_original_storage is ProxyStorageBase.get_original_storage:
            needed.append("original_storage")
        missing = [name for name in needed if getattr_static(self, name, None) is None]
        if missing:
            raise ConfigurationError(
                f"{cls.__qualname__} needs {' and '.join(map(repr, missing))}. Set it in OPTIONS "
                "in STORAGES, or as an attribute of the class."
            )

    def _set_original_storages(self, options: Mapping[str, Any]) -> None:
        if not isinstance(self, MultipleOriginalStoragesMixin):
            raise ConfigurationError(
                f"{type(self).__qualname__} does not support original_storages. Use a subclass "
                "with MultipleOriginalStoragesMixin or FallbackProxyStorageMixin."
            )
        self.original_storages = [
            (name, self._get_storage(f"original_storages[{name!r}]", option))
            for name, option in options.items()
        ]

    def _get_storage(self, option: str, value: str | Mapping[str, Any] | Storage) -> Storage:
        if isinstance(value, Storage):
            return value
        where = f"Option {option!r} of {type(self).__qualname__}"
        try:
            return (
                storages[value] if isinstance(value, str) else storages.create_storage(dict(value))
            )
        except RecursionError as error:
            raise ConfigurationError(
                f"{where} refers to the storage itself, maybe through other aliases. Set it to "
                "another storage."
            ) from error
        except (ImproperlyConfigured, KeyError, TypeError) as error:
            raise ConfigurationError(f"{where} cannot be built: {error}") from error
