"""A proxy storage that is configured in Django's setting ``STORAGES``."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import getattr_static
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.utils.deconstruct import deconstructible

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendBase
from proxy_storage.settings import build_backend
from proxy_storage.storages import lookup
from proxy_storage.storages.base import MultipleOriginalStoragesMixin, ProxyStorageBase
from proxy_storage.storages.metadata import OptionalMetadataMixin
from proxy_storage.suggestions import describe_build_error, suggest

#: The label of the ready model of records, in the app ``proxy_storage.records``.
READY_MODEL = "proxy_storage_records.StoredFile"
#: The meta backend of the app ``proxy_storage.records``. Its class is imported when it is built: it
#: needs Django's models, and the storages can be imported before these are loaded.
READY_META_BACKEND = {
    "BACKEND": "proxy_storage.meta_backends.orm.ORMMetaBackend",
    "OPTIONS": {"model": READY_MODEL},
}
URL_KINDS = ("endpoint", "signed")


@deconstructible(path="proxy_storage.storages.ProxyStorage")
class ProxyStorage(OptionalMetadataMixin):
    """A proxy storage that is configured by options; its name is its alias in ``STORAGES``.

    ::

        STORAGES = {
            "disk": {
                "BACKEND": "django.core.files.storage.FileSystemStorage",
                "OPTIONS": {"location": "/var/files/"},
            },
            "default": {
                "BACKEND": "proxy_storage.storages.ProxyStorage",
                "OPTIONS": {"original_storage": "disk"},
            },
        }

    A missing option has the value of the class attribute, so that a subclass can set some of
    them. Without a value there either, the files are stored in ``MEDIA_ROOT``, and the records in
    the table of the app ``proxy_storage.records``, with the metadata of the files.

    Paths are relative unless ``path_prefix`` or ``paths`` is set: ``save`` returns the name that
    it was called with, as Django's own storages do. ``delete`` of a name without record is not
    an error.

    Args:
        original_storage: an alias in ``STORAGES``, a dict with ``BACKEND`` and
            ``OPTIONS``, or a storage; by default Django's ``FileSystemStorage()``.
        meta_backend: a dict with ``BACKEND`` and ``OPTIONS``, or a meta backend; by default the
            one with the ready model of records.
        path_prefix: the text that paths begin with; see `ProxyStorageBase`.
        original_storages: for subclasses with `MultipleOriginalStoragesMixin` or
            `FallbackProxyStorageMixin`: a dict of names and values as for ``original_storage``,
            in the order in which they are tried.
        paths: ``"relative"``, ``"full"`` or ``"prefixed"``.
        unique_original_names: with relative paths, whether bytes get a name that is never
            used twice; see `ProxyStorageBase`.
        records_metadata: whether size, MIME type, checksum, time and name are recorded; see
            `OptionalMetadataMixin`. By default they are recorded in the ready model.
        plain_fields: whether the files of Django's own file fields on this storage get a content
            object, as those of ``ProxyStorageFileField`` do; by default they do.
        url: the URLs that ``url()`` returns: ``"endpoint"`` for the download endpoint, which
            checks the permissions, or ``"signed"`` for signed links, which give access
            to the file without a login until they expire.

    Raises:
        ConfigurationError: an option is missing or not valid.
    """

    paths = lookup.RELATIVE
    delete_missing_ok = True
    tracks_plain_fields = True

    def __init__(
        self,
        original_storage: str | Mapping[str, Any] | Storage | None = None,
        meta_backend: Mapping[str, Any] | MetaBackendBase | None = None,
        path_prefix: str | None = None,
        original_storages: Mapping[str, str | Mapping[str, Any] | Storage] | None = None,
        paths: str | None = None,
        unique_original_names: bool | None = None,
        records_metadata: bool | None = None,
        plain_fields: bool | None = None,
        url: str | None = None,
    ) -> None:
        if original_storage is not None:
            self.original_storage = self._get_storage("original_storage", original_storage)
        elif self._is_missing("original_storage") and self._needs_original_storage():
            self.original_storage = FileSystemStorage()
        if meta_backend is None and self._is_missing("meta_backend"):
            meta_backend = READY_META_BACKEND
            if records_metadata is None:
                records_metadata = True
        if meta_backend is not None:
            where = f"Option 'meta_backend' of {type(self).__qualname__}"
            self.meta_backend = build_backend(where, meta_backend, MetaBackendBase)
        if records_metadata is not None:
            self.records_metadata = records_metadata
        if self.records_metadata and self.checksum_algorithm is None:
            self.checksum_algorithm = "sha256"
        if plain_fields is not None:
            self.tracks_plain_fields = plain_fields
        if url is not None:
            self._set_url_kind(url)
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

    def _set_url_kind(self, kind: str) -> None:
        if kind not in URL_KINDS:
            raise ConfigurationError(
                f"Option 'url' of {type(self).__qualname__} must be one of "
                f"{', '.join(map(repr, URL_KINDS))}, not {kind!r}."
            )
        self.signs_urls = kind == "signed"

    def _is_missing(self, option: str) -> bool:
        """Return whether neither the options nor the class have a value."""
        return getattr_static(self, option, None) is None

    def _needs_original_storage(self) -> bool:
        cls = type(self)
        return (
            not isinstance(self, MultipleOriginalStoragesMixin)
            and cls.get_original_storage is ProxyStorageBase.get_original_storage
        )

    def _check_is_complete(self) -> None:
        """Raise `ConfigurationError` if several original storages are needed but not set."""
        is_multiple = isinstance(self, MultipleOriginalStoragesMixin)
        if is_multiple and self._is_missing("original_storages"):
            raise ConfigurationError(
                f"{type(self).__qualname__} needs 'original_storages'. Set it in OPTIONS in "
                "STORAGES, or as an attribute of the class."
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
            reason = _describe(value, error)
            raise ConfigurationError(f"{where} cannot be built: {reason}") from error


def _describe(value: str | Mapping[str, Any], error: Exception) -> str:
    """Return why an original storage cannot be built.

    Args:
        value: the alias, or the dict with ``BACKEND`` and ``OPTIONS``.
        error: the error of Django or of the storage.
    """
    if not isinstance(value, str):
        return describe_build_error(value, error)
    if value in storages.backends:
        return describe_build_error(storages.backends[value], error)
    known = ", ".join(map(repr, storages.backends))
    return f"{error}{suggest(value, storages.backends)} The aliases are {known}."
