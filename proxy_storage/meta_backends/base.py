"""The base classes of meta backends and of records."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.core.checks import CheckMessage
from django.core.files.storage import Storage
from django.db.models import Model
from django.utils import timezone
from django.utils.deconstruct import deconstructible

from proxy_storage import content_objects, registry
from proxy_storage.content_objects import FORMER_KEYS, RELEASED_KEY, SCOPE_KEY
from proxy_storage.exceptions import (
    ConfigurationError,
    MetaBackendError,
    MetaBackendObjectAlreadyExists,
    MetaBackendObjectDoesNotExist,
    MetaBackendUnavailable,
)
from proxy_storage.meta_backends.queries import (
    KINDS,
    Condition,
    Order,
    all_of,
    get_sort_key,
    get_test,
    localize_scopes,
    parse_order,
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

logger = logging.getLogger("proxy_storage")


#: the keys that every record has; their values are text that is not empty
REQUIRED_KEYS = ("path", "proxy_storage_name", "original_storage_path")


class MetaBackendObject(dict[str, Any]):
    """The record of a file: a dict with methods for its storages and its content object.

    A record always has the keys ``path``, ``proxy_storage_name`` and ``original_storage_path``.
    The meta backend adds its primary key (``id`` or ``_id``). Mixins and projects add more keys.
    """

    _content_object: Model | None
    has_fetched_content_object = False
    #: the meta backend of the record, if it was read from one
    meta_backend: MetaBackendBase | None = None

    def get_proxy_storage(self) -> ProxyStorageBase:
        """Return the proxy storage that the file was saved through.

        Raises:
            ConfigurationError: the record's ``proxy_storage_name`` is not registered.
        """
        return registry.get_proxy_storage(self["proxy_storage_name"])

    def get_original_storage(self) -> Storage:
        """Return the original storage of the file."""
        return self.get_proxy_storage().get_original_storage(self)

    def get_original_storage_name(self) -> str | None:
        """Return the name of the original storage if the proxy storage has several.

        A record without a name, such as an older one, is in the first original storage.
        """
        return self.get_proxy_storage().get_original_storage_name(self)

    def get_original_storage_full_path(self) -> str:
        """Return the full path of the file in its original storage."""
        return self.get_proxy_storage().get_original_storage_full_path(
            self["original_storage_path"], meta_backend_obj=self
        )

    def get_content_object(self) -> Model | None:
        """Return the model instance that the file belongs to; one query for the first call.

        Returns:
            ``None`` if the file does not have a content object, or the instance was deleted.
        """
        if not self.has_fetched_content_object:
            self._content_object = content_objects.get_content_object(self)
            self.has_fetched_content_object = True
        return self._content_object

    def set_content_object(self, instance: Model | None) -> None:
        """Set the instance that `get_content_object` returns."""
        self._content_object, self.has_fetched_content_object = instance, True


@deconstructible
class MetaBackendBase(ABC):
    """A store of records, each with a unique path.

    Subclasses implement the methods with an underscore. The public methods have checked the
    arguments. Subclasses raise only errors of `proxy_storage.exceptions`. Two meta backends are
    equal (``==``) if they store their records in the same place.

    A migration contains the class and the arguments of the constructor.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make an override of `lock` or `unlock` available by its current and its former name."""
        super().__init_subclass__(**kwargs)
        for names in (("lock", "claim"), ("unlock", "release")):
            defined = next(filter(None, (vars(base).keys() & names for base in cls.__mro__)))
            method = getattr(cls, names[0] if names[0] in defined else names[1])
            for name in names:
                if getattr(cls, name) is not method:
                    setattr(cls, name, method)

    if TYPE_CHECKING:

        def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
            """Return the path of the class, and the arguments. The decorator adds the method."""
            raise NotImplementedError

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
            MetaBackendError: one of the three keys is missing or its value is not text or is
                empty, or the database refused the record.
        """
        self._check_values(data, is_complete=True)
        return self._make_objects([self._create(dict(data))])[0]

    def get(self, path: str) -> MetaBackendObject:
        """Return the record of a path; one query.

        Raises:
            MetaBackendObjectDoesNotExist: no record has this path, or the path is not text.
            MetaBackendUnavailable: the database does not answer.
        """
        data = self._get(path) if is_literal_path(path) else None
        if data is None:
            raise self._does_not_exist(path)
        return self._make_objects([data])[0]

    def exists(self, path: str) -> bool:
        """Return whether a record has this path; one query."""
        return is_literal_path(path) and self._exists(path)

    def update(
        self,
        path: str,
        update_data: Mapping[str, Any],
        where: Mapping[str, Any] | None = None,
    ) -> None:
        """Change values of a record; one query.

        Args:
            path: the path of the record.
            update_data: the new values by key; other keys keep their values.
            where: values that the record must have as well. The value ``None`` selects records
                in which the key has no value.

        Raises:
            MetaBackendObjectDoesNotExist: no record has this path and these values.
            MetaBackendObjectAlreadyExists: another record has the path in ``update_data``.
            MetaBackendError: a value for one of `REQUIRED_KEYS` is not text or is empty, or the
                database refused the change.
        """
        self._check_values(update_data)
        criteria = {**(where or {}), "path": path}
        if not (is_literal_path(path) and self._update(criteria, dict(update_data))):
            raise self._does_not_exist(path)

    def delete(self, path: str, where: Mapping[str, Any] | None = None) -> None:
        """Delete a record.

        Args:
            path: the path of the record.
            where: as for `update`.

        Raises:
            MetaBackendObjectDoesNotExist: no record has this path and these values.
        """
        if not (is_literal_path(path) and self._delete({**(where or {}), "path": path})):
            raise self._does_not_exist(path)

    def filter(
        self, where: Mapping[str, Any] | None = None, path_prefix: str = ""
    ) -> Iterator[MetaBackendObject]:
        """Yield records in the order of their paths.

        Args:
            where: values that the records must have, as for `update`.
            path_prefix: literal text with which their paths begin.

        Raises:
            MetaBackendUnavailable: the database does not answer.
        """
        if not is_literal_path(path_prefix):
            return
        for data in self._filter(dict(where or {}), path_prefix):
            # Some databases ignore case in comparisons.
            if data["path"].startswith(path_prefix):
                yield self._make_objects([data])[0]

    def select(
        self,
        condition: Condition = True,
        order_by: Sequence[str] = ("path",),
        start: int = 0,
        stop: int | None = None,
    ) -> list[MetaBackendObject]:
        """Return the records that fulfil a condition, or a slice of them; one query.

        Args:
            condition: see `proxy_storage.meta_backends.queries`.
            order_by: keys, with ``-`` before those in descending order. Records without a value
                come first, and last in descending order. Records with equal values are ordered
                by path.
            start: the index of the first record.
            stop: the index after the last record; ``None`` for all.

        Raises:
            ConfigurationError: the condition or the order is not supported.
            MetaBackendUnavailable: the database does not answer.
        """
        condition, order = localize_scopes(all_of(condition), self), parse_order(order_by)
        if condition is False or (stop is not None and stop <= start):
            return []
        return self._make_objects(self._select(condition, order, start, stop))

    def count(self, condition: Condition = True) -> int:
        """Return the number of records that fulfil a condition; one query.

        Raises:
            ConfigurationError: the condition is not supported.
            MetaBackendUnavailable: the database does not answer.
        """
        condition = localize_scopes(all_of(condition), self)
        return 0 if condition is False else self._count(condition)

    def __iter__(self) -> Iterator[MetaBackendObject]:
        """Yield all records."""
        return self.filter()

    def set_content_object(
        self,
        content_object_data: Mapping[str, Any],
        path: str | None = None,
        released: Collection[str] | None = (),
    ) -> bool:
        """Make an instance the content object of a file, and release its former files.

        A file with another content object keeps it and is not released.

        Args:
            content_object_data: the values that
                `proxy_storage.content_objects.get_content_object_data` returns.
            path: the path of the file that gets the content object, if any.
            released: the paths of the files that lose it; ``None`` for all except ``path``.

        Returns:
            Whether a record has changed.
        """
        if path is None and released is not None and not released:
            return False
        assigned = {SCOPE_KEY: None, **content_object_data}
        if not self.can_hold(SCOPE_KEY) and assigned.pop(SCOPE_KEY) is not None:
            logger.warning(
                "The file %r does not get a content object: records of %r cannot name the scope "
                "%r of its key. Add content_object_scope to the model and migrate.",
                path,
                self,
                content_object_data[SCOPE_KEY],
            )
            return False
        return self._set_content_object(assigned, path, released)

    def get_content_object_values(
        self, content_object_data: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the values that a record gets with its content object, and when it loses it.

        The second ones include the time and the former content object if records have keys for
        them.
        """
        assigned = dict(content_object_data)
        released: dict[str, Any] = dict.fromkeys(content_object_data)
        release_keys = (RELEASED_KEY, *FORMER_KEYS.values())
        if self.can_hold(*release_keys):
            assigned |= dict.fromkeys(release_keys)
            released[RELEASED_KEY] = timezone.now()
            for key, value in content_object_data.items():
                released[FORMER_KEYS[key]] = value
        return assigned, released

    def get_transaction_alias(self) -> str | None:
        """Return the alias of the Django database that has the records, if there is one."""
        return None

    def get_tenant(self) -> str:
        """Return the tenant that all records currently belong to; empty text for none.

        The scope of a content object's key contains the tenant only if it differs from this one,
        which is the case if records of several tenants are in one table.
        """
        return ""

    def can_hold(self, *keys: str) -> bool:
        """Return whether records can have these keys."""
        try:
            self.check_keys(keys)
        except ConfigurationError:
            return False
        return True

    def check_keys(self, keys: Iterable[str]) -> None:  # noqa: B027  (All keys are accepted.)
        """Check that records can have these keys. System checks call this method.

        Raises:
            ConfigurationError: they cannot. The message contains the necessary change.
        """

    def check(self) -> list[CheckMessage]:
        """Return messages for Django's system checks.

        It is called for each meta backend of a registered proxy storage after `check_keys` has
        passed. Extend it for your own checks.
        """
        return []

    def find_problems(self) -> list[tuple[str, str]]:
        """Return problems that only the database itself shows, each with its cure.

        ``proxystorage doctor`` calls this method. It may send queries, but must not change data.
        An exception is a problem as well, so by default one record is looked up.
        """
        self.exists("/")
        return []

    def lock(self, record: MetaBackendObject) -> dict[str, Any]:
        """Lock a record before its file is deleted.

        It is called for records that take part in no Django transaction. Override it so that of
        several deletes of one file the others wait. The record stays until the file is deleted, so
        that its path is not used again before.

        Returns:
            Values that the record has while this lock lasts, for ``where``.

        Raises:
            MetaBackendObjectDoesNotExist: the record was deleted.
        """
        identity = self.get_identity(record)
        if self.get_identity(self.get(record["path"])) != identity:
            raise self._does_not_exist(record["path"])
        return identity

    def unlock(self, record: MetaBackendObject) -> None:  # noqa: B027  (`lock` locks nothing.)
        """Unlock a record, because its file cannot be deleted."""

    #: the former names of `lock` and `unlock`
    claim, release = lock, unlock

    def get_blank_values(self) -> dict[str, Any]:
        """Return all keys that records can have, without values.

        Permissions are checked with such a record if a path has no record. Override it if
        records have other keys.
        """
        return dict.fromkeys(KINDS)

    def get_after_error(self, path: str, error: BaseException) -> MetaBackendObject:
        """Return a record as `get` does, after a write with an unknown result.

        Override it if a broken connection has to be opened again, or if the query needs a time
        limit because the failed write has waited for the server.
        """
        return self.get(path)

    @abstractmethod
    def get_identity(self, record: MetaBackendObject) -> dict[str, Any]:
        """Return values for ``where`` that no later record with the same path has."""

    @abstractmethod
    def _create(self, data: dict[str, Any]) -> dict[str, Any]:
        """Write a record and return it as it is stored."""

    @abstractmethod
    def _get(self, path: str) -> dict[str, Any] | None:
        """Return the record with exactly this path, or ``None``."""

    @abstractmethod
    def _exists(self, path: str) -> bool:
        """Return whether a record has this path."""

    @abstractmethod
    def _filter(self, criteria: dict[str, Any], path_prefix: str) -> Iterator[dict[str, Any]]:
        """Yield the records with these values and this path prefix, ordered by path."""

    def _select(
        self, condition: Condition, order: Order, start: int, stop: int | None
    ) -> list[dict[str, Any]]:
        """Return a slice of the records that fulfil a condition, in an order.

        Override it if the database can do it in one query.
        """
        records = filter(get_test(condition), self._filter({}, ""))
        return sorted(records, key=get_sort_key(order))[start:stop]

    def _count(self, condition: Condition) -> int:
        """Return the number of records that fulfil a condition. Override it as `_select`."""
        return sum(map(get_test(condition), self._filter({}, "")))

    @abstractmethod
    def _update(self, criteria: dict[str, Any], update_data: dict[str, Any]) -> bool:
        """Change the record with these values. Return whether there was one."""

    @abstractmethod
    def _delete(self, criteria: dict[str, Any]) -> bool:
        """Delete the record with these values. Return whether there was one."""

    def _set_content_object(
        self,
        content_object_data: dict[str, Any],
        path: str | None,
        released: Collection[str] | None,
    ) -> bool:
        """Implement `set_content_object`. Override it if the database can do it in one query."""
        assigned_values, released_values = self.get_content_object_values(content_object_data)
        changed = path is not None and self._update(
            {"path": path, "content_type_id": None}, assigned_values
        )
        if released is None:
            records = self.filter(content_object_data)
            released = [record["path"] for record in records if record["path"] != path]
        for released_path in released:
            changed |= self._update({**content_object_data, "path": released_path}, released_values)
        return changed

    def _make_objects(self, data: list[dict[str, Any]]) -> list[MetaBackendObject]:
        content_objects.restore_object_ids(data)
        records = [MetaBackendObject(one) for one in data]
        for record in records:
            record.meta_backend = self
        return records

    @staticmethod
    def _check_values(data: Mapping[str, Any], is_complete: bool = False) -> None:
        for key in REQUIRED_KEYS:
            if key in data:
                is_valid = is_literal_path(data[key]) and data[key] != ""
                problem = None if is_valid else f"not {data[key]!r}"
            else:
                problem = "and is missing" if is_complete else None
            if problem is not None:
                raise MetaBackendError(
                    f"The record was refused: {key} must be text without NUL that is not empty, "
                    f"{problem}.",
                    path=data.get("path"),
                    nothing_written=True,
                )

    @staticmethod
    def _does_not_exist(path: Any) -> MetaBackendObjectDoesNotExist:
        message = f"No record has the path {path!r}."
        if not isinstance(path, str):
            message = f"path must be a str, not {type(path).__name__}."
        return MetaBackendObjectDoesNotExist(message, path=path)
