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
    ProxyStorageBase = object  # whose module offers this mixin as well


class MultipleOriginalStoragesMixin(ProxyStorageBase):
    """A proxy storage that says with each ``save`` where the bytes go.

    Records name the original storage in ``original_storage_name``; a model of records
    needs `OriginalStorageNameMixin` for it. Names stay valid for as long as there are
    records of them, the order may change: a save without ``using`` goes to the first.

    To choose by what is being saved, override ``save`` and pass ``using`` on.
    """

    #: pairs of a name and a storage
    original_storages: Iterable[tuple[str, Storage]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Keep pairs that can be read but once."""
        super().__init_subclass__(**kwargs)
        if isinstance(cls.__dict__.get("original_storages"), Iterator):
            cls.original_storages = tuple(cls.original_storages)

    def get_original_storages(self) -> dict[str, Storage]:
        """Return the original storages by name, in their order.

        Raises:
            ConfigurationError: there are none, or two of one name, or something that is
                no pair of a name and a storage.
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
                    f"{cls}.original_storages must have pairs of a name and a storage, "
                    f"such as ('disk', FileSystemStorage()), and has {pair!r}."
                )
            if name in originals:
                raise ConfigurationError(f"{cls} has two original storages {name!r}.")
            originals[name] = storage
        if not originals:
            raise ConfigurationError(f"{cls}.original_storages is empty.")
        return originals

    def get_original_storage(self, meta_backend_obj: MetaBackendObject | None = None) -> Storage:
        """Return the storage that a record names, or the first one without a record or a name.

        Raises:
            ConfigurationError: the record names none of the storages. It is not looked
                for in another one, where somebody else's bytes may lie at its path.
        """
        if meta_backend_obj is None:
            return next(iter(self.get_original_storages().values()))
        return self._get_named(self.get_original_storage_name(meta_backend_obj))

    def get_original_storage_name(self, meta_backend_obj: MetaBackendObject) -> str:
        """Return the name of the storage that holds the bytes of a record.

        Returns:
            The name of the first storage for a record whose name is empty or missing: it is from
            before the proxy storage had several.
        """
        name: str | None = meta_backend_obj.get("original_storage_name")
        return name or next(iter(self.get_original_storages()))

    def get_originals(self) -> Sequence[NamedStorage]:
        """Return the first original storage."""
        name, storage = next(iter(self.get_original_storages().items()))
        return [NamedStorage(storage, name)]

    @classmethod
    def get_record_keys(cls) -> tuple[str, ...]:
        """Return the keys that records need: the original storage's name as well."""
        return (*super().get_record_keys(), "original_storage_name")

    def save(
        self,
        name: Any,
        content: Any,
        max_length: int | None = None,
        original_storage_path: str | None = None,
        using: str | None = None,
    ) -> str:
        """Save a file, or record one that is there; see `ProxyStorageBase.save`.

        Args:
            name: the wanted name, relative.
            content: a Django ``File`` or anything with ``read``.
            max_length: how many characters the returned path may have.
            original_storage_path: path of an object that is in the original storage
                already.
            using: the name of the original storage; ``None`` for the first one.

        Raises:
            ConfigurationError: there is no original storage of this name.
        """
        originals = self.get_originals()
        if using is not None:
            originals = [NamedStorage(self._get_named(using), using)]
        return saving.save(self, originals, name, content, max_length, original_storage_path)

    def _get_named(self, name: Any) -> Storage:
        originals = self.get_original_storages()
        if name not in originals:
            raise ConfigurationError(
                f"{type(self).__qualname__} has no original storage {name!r}; it has "
                f"{', '.join(map(repr, originals))}."
            )
        return originals[name]
