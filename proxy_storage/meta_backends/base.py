"""What a meta backend is: the place where the records of files live."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.core.files.storage import Storage
from django.db.models import Model

from proxy_storage import owners, registry
from proxy_storage.exceptions import (
    MetaBackendError,
    MetaBackendObjectAlreadyExists,
    MetaBackendObjectDoesNotExist,
    MetaBackendUnavailable,
)
from proxy_storage.paths import is_literal_path

if TYPE_CHECKING:
    from proxy_storage.storages.base import ProxyStorageBase

__all__ = [
    "MetaBackendBase",
    "MetaBackendError",
    "MetaBackendObject",
    "MetaBackendObjectAlreadyExists",
    "MetaBackendObjectDoesNotExist",
    "MetaBackendUnavailable",
]

_NOT_LOADED: Any = object()


class MetaBackendObject(dict[str, Any]):
    """The record of one file: a dict that knows its storages and its owner.

    Keys that are always there: ``proxy_storage_name``, ``path``,
    ``original_storage_path``. Meta backends add a key of their own (``id``, ``_id``),
    mixins and projects add more.
    """

    _content_object: Model | None = _NOT_LOADED

    def get_proxy_storage(self) -> ProxyStorageBase:
        """Return the proxy storage that the file was saved through.

        Raises:
            ConfigurationError: the record's ``proxy_storage_name`` is not registered.
        """
        return registry.get_proxy_storage(self["proxy_storage_name"])

    def get_original_storage(self) -> Storage:
        """Return the storage that holds the bytes."""
        return self.get_proxy_storage().get_original_storage(self)

    def get_original_storage_full_path(self) -> str:
        """Return the full path of the file within the storage that holds the bytes."""
        return self.get_proxy_storage().get_original_storage_full_path(
            self["original_storage_path"], meta_backend_obj=self
        )

    def get_content_object(self) -> Model | None:
        """Return the model instance that owns the file; one query, then remembered.

        Returns:
            ``None`` for a file that nobody owns, or whose owner has been deleted.
        """
        if self._content_object is _NOT_LOADED:
            self._content_object = owners.get_content_object(self)
        return self._content_object


class MetaBackendBase(ABC):
    """A store of records, each under its unique path.

    Subclasses write the methods with an underscore and need not check what they are
    given; they raise errors of `proxy_storage.exceptions` only. Two equal meta backends
    (``==``) are the same place, so subclasses compare what they write to.
    """

    def create(self, data: Mapping[str, Any]) -> MetaBackendObject:
        """Write a new record.

        Args:
            data: at least ``path``, ``proxy_storage_name``, ``original_storage_path``.

        Returns:
            The record as it is stored.

        Raises:
            MetaBackendObjectAlreadyExists: another record has this path. An open
                transaction stays usable.
            MetaBackendUnavailable: the database does not answer.
            MetaBackendError: the record was refused.
        """
        if not is_literal_path(data["path"]):
            raise MetaBackendError(f"A path must be text, not {data['path']!r}.")
        return self._make_object(self._create(dict(data)))

    def get(self, path: str) -> MetaBackendObject:
        """Return the record of a path; one query.

        Raises:
            MetaBackendObjectDoesNotExist: no record has this path, or the value is not
                text and so can be no path.
            MetaBackendUnavailable: the database does not answer.
        """
        data = self._get(self._check_path(path))
        if data is None:
            raise self._does_not_exist(path)
        return self._make_object(data)

    def exists(self, path: str) -> bool:
        """Tell whether a record has this path; one query."""
        return is_literal_path(path) and self._exists(path)

    def update(
        self,
        path: str,
        update_data: Mapping[str, Any],
        where: Mapping[str, Any] | None = None,
    ) -> None:
        """Change values of a record; one query.

        Args:
            path: the record's path.
            update_data: the new values by key; keys that are not named stay.
            where: values that the record must have as well; ``None`` as a value stands
                for a key that has no value.

        Raises:
            MetaBackendObjectDoesNotExist: no such record.
            MetaBackendObjectAlreadyExists: ``update_data`` has a path that is taken.
        """
        criteria = {**(where or {}), "path": self._check_path(path)}
        if not self._update(criteria, dict(update_data)):
            raise self._does_not_exist(path)

    def delete(self, path: str, where: Mapping[str, Any] | None = None) -> None:
        """Delete a record.

        Args:
            path: the record's path.
            where: as for `update`.

        Raises:
            MetaBackendObjectDoesNotExist: no such record.
        """
        if not self._delete({**(where or {}), "path": self._check_path(path)}):
            raise self._does_not_exist(path)

    def get_transaction_alias(self) -> str | None:
        """Return the database whose transactions the records take part in, if any."""
        return None

    def check_keys(self, keys: Iterable[str]) -> None:  # noqa: B027  (documents take any key)
        """Make sure that records can have these keys; system checks ask.

        Raises:
            ConfigurationError: they cannot; the message says what to change.
        """

    @abstractmethod
    def get_identity(self, record: MetaBackendObject) -> dict[str, Any]:
        """Return what tells this record from a later one of the same path, for ``where``."""

    @abstractmethod
    def _create(self, data: dict[str, Any]) -> dict[str, Any]:
        """Write a record and return it as stored."""

    @abstractmethod
    def _get(self, path: str) -> dict[str, Any] | None:
        """Return the record of exactly this path, or ``None``."""

    @abstractmethod
    def _exists(self, path: str) -> bool:
        """Tell whether there is a record of this path."""

    @abstractmethod
    def _update(self, criteria: dict[str, Any], update_data: dict[str, Any]) -> bool:
        """Change the record that has all these values; return whether there was one."""

    @abstractmethod
    def _delete(self, criteria: dict[str, Any]) -> bool:
        """Delete the record that has all these values; return whether there was one."""

    @staticmethod
    def _make_object(data: dict[str, Any]) -> MetaBackendObject:
        owners.restore_object_id(data)
        return MetaBackendObject(data)

    def _check_path(self, path: Any) -> str:
        if not is_literal_path(path):
            raise MetaBackendObjectDoesNotExist(
                f"A path is text; {path!r} is none, so no record can have it.", path=path
            )
        return path

    @staticmethod
    def _does_not_exist(path: str) -> MetaBackendObjectDoesNotExist:
        return MetaBackendObjectDoesNotExist(f"No record has the path {path!r}.", path=path)
