"""Several original storages behind one proxy storage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django.core.files.storage import Storage

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.original_storages.inspect import NamedStorage
from proxy_storage.storages import saving

if TYPE_CHECKING:
    from proxy_storage.storages.base import ProxyStorageBase
else:
    ProxyStorageBase = object  # The module of the class imports this one.


class MultipleOriginalStoragesMixin(ProxyStorageBase):
    """A proxy storage with several original storages; ``save`` chooses one by its name.

    Records have the name of the original storage in ``original_storage_name``; a model of
    records needs `OriginalStorageNameMixin` for it. Do not change a name while records have it.
    The order may change. A save without ``using`` writes to the first storage.

    To choose the storage by the name or the content, override ``save`` and pass ``using``.
    """

    #: pairs of a name and an original storage
    original_storages: Iterable[tuple[str, Storage]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Keep the pairs of an iterator, which can be read only once."""
        super().__init_subclass__(**kwargs)
        if isinstance(cls.__dict__.get("original_storages"), Iterator):
            cls.original_storages = tuple(cls.original_storages)

    def get_original_storages(self) -> dict[str, Storage]:
        """Return the original storages by name, in their order.

        Raises:
            ConfigurationError: ``original_storages`` is empty, has a name twice, or has an item
                that is not a pair of a name and a storage.
        """
        cls = type(self).__qualname__
        originals: dict[str, Storage] = {}
        for pair in getattr(self, "original_storages", ()):
            try:
                name, storage = pair
            except (TypeError, ValueError):
                name = storage = None
            if not (isinstance(name, str) and name and isinstance(storage, Storage)):
                raise ConfigurationError(
                    f"{cls}.original_storages must contain pairs of a name and a storage, such "
                    f"as ('disk', FileSystemStorage()), not {pair!r}."
                )
            if name in originals:
                raise ConfigurationError(
                    f"{cls}.original_storages has the name {name!r} twice. Rename one of the two."
                )
            originals[name] = storage
        if not originals:
            raise ConfigurationError(
                f"{cls}.original_storages is empty. Add a pair of a name and a storage."
            )
        return originals

    def get_original_storage(self, meta_backend_obj: MetaBackendObject | None = None) -> Storage:
        """Return the original storage of a record, or the first one without a record.

        Raises:
            ConfigurationError: no storage has the name that the record has. Other storages are
                not tried, since they may have the bytes of another file at its path.
        """
        if meta_backend_obj is None:
            return next(iter(self.get_original_storages().values()))
        return self._get_named(self.get_original_storage_name(meta_backend_obj))

    def get_original_storage_name(self, meta_backend_obj: MetaBackendObject) -> str:
        """Return the name of the storage that holds the bytes of a record.

        Returns:
            The name of the first storage if the record has no name, since it was created before
            the proxy storage had several original storages.
        """
        name: str | None = meta_backend_obj.get("original_storage_name")
        return name or next(iter(self.get_original_storages()))

    def get_originals(self) -> Sequence[NamedStorage]:
        """Return the first original storage."""
        name, storage = next(iter(self.get_original_storages().items()))
        return [NamedStorage(storage, name)]

    def get_record_keys(self) -> tuple[str, ...]:
        """Return the keys that records need, with the name of the original storage."""
        return (*super().get_record_keys(), "original_storage_name")

    def save(
        self,
        name: Any,
        content: Any,
        max_length: int | None = None,
        original_storage_path: str | None = None,
        using: str | None = None,
    ) -> str:
        """Save a file, or create the record of an existing one; see `ProxyStorageBase.save`.

        Args:
            name: the wanted name, relative.
            content: a Django ``File`` or an object with ``read``.
            max_length: maximum length of the returned path in characters.
            original_storage_path: the path of an existing object of the original storage.
            using: the name of the original storage; ``None`` for the first one.

        Raises:
            ConfigurationError: no original storage has this name.
        """
        originals = self.get_originals()
        if using is not None:
            originals = [NamedStorage(self._get_named(using), using)]
        return saving.save(self, originals, name, content, max_length, original_storage_path)

    def _get_named(self, name: Any) -> Storage:
        originals = self.get_original_storages()
        if name not in originals:
            raise ConfigurationError(
                f"{type(self).__qualname__} does not have an original storage {name!r}. Its "
                f"original_storages are {', '.join(map(repr, originals))}."
            )
        return originals[name]
