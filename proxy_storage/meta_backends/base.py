"""What a meta backend is: the place where the records of files live."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from django.core.checks import CheckMessage
from django.core.files.storage import Storage
from django.db.models import Model
from django.utils import timezone
from django.utils.deconstruct import deconstructible

from proxy_storage import content_objects, registry
from proxy_storage.content_objects import FORMER_KEYS, RELEASED_KEY
from proxy_storage.exceptions import (
    ConfigurationError,
    MetaBackendError,
    MetaBackendObjectAlreadyExists,
    MetaBackendObjectDoesNotExist,
    MetaBackendUnavailable,
)
from proxy_storage.meta_backends.queries import KINDS
from proxy_storage.meta_backends.selecting import SelectingBase
from proxy_storage.paths import is_literal_path
from proxy_storage.scopes import SCOPE_KEY

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


#: the keys that every record has, each with text that is not empty as its value
REQUIRED_KEYS = ("path", "proxy_storage_name", "original_storage_path")


def is_required_text(value: Any) -> TypeGuard[str]:
    """Tell whether a value can be that of one of `REQUIRED_KEYS`."""
    return is_literal_path(value) and value != ""


class MetaBackendObject(dict[str, Any]):
    """The record of one file: a dict that knows its storages and its owner.

    Keys that are always there: ``proxy_storage_name``, ``path``,
    ``original_storage_path``. Meta backends add a key of their own (``id``, ``_id``),
    mixins and projects add more.
    """

    _content_object: Model | None
    has_fetched_content_object = False
    #: The meta backend that the record comes from, if any
    meta_backend: MetaBackendBase | None = None

    def get_proxy_storage(self) -> ProxyStorageBase:
        """Return the proxy storage that the file was saved through.

        Raises:
            ConfigurationError: the record's ``proxy_storage_name`` is not registered.
        """
        return registry.get_proxy_storage(self["proxy_storage_name"])

    def get_original_storage(self) -> Storage:
        """Return the storage that holds the bytes."""
        return self.get_proxy_storage().get_original_storage(self)

    def get_original_storage_name(self) -> str | None:
        """Return the name of the storage that holds the bytes, if the proxy storage has several.

        A record without a name, which may be from before there were several, is in the first one.
        """
        return self.get_proxy_storage().get_original_storage_name(self)

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
        if not self.has_fetched_content_object:
            self.set_content_object(content_objects.get_content_object(self))
        return self._content_object

    def set_content_object(self, instance: Model | None) -> None:
        """Remember the instance that owns the file, or that there is none."""
        self._content_object, self.has_fetched_content_object = instance, True


@deconstructible
class MetaBackendBase(SelectingBase):
    """A store of records, each under its unique path.

    Subclasses write the methods with an underscore and need not check what they are
    given; they raise errors of `proxy_storage.exceptions` only. Two equal meta backends
    (``==``) are the same place, so subclasses compare what they write to.

    A migration names the class and the arguments that a meta backend was made with.
    """

    if TYPE_CHECKING:

        def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
            """Return the path of the class and the arguments; the decorator adds the method."""
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
            MetaBackendError: the data lacks one of the three keys or has something else
                than text there, or empty text, or the database refused the record.
        """
        for key in REQUIRED_KEYS:
            if key not in data:
                raise MetaBackendError(
                    f"The record was refused: the key {key!r} is missing. Add it, with text as "
                    "its value.",
                    path=data.get("path"),
                    nothing_written=True,
                )
        self._check_values(data)
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
            MetaBackendError: ``update_data`` has something else than text for one of
                `REQUIRED_KEYS`, or empty text, or the database refused the change.
        """
        self._check_values(update_data)
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

    def filter(
        self, where: Mapping[str, Any] | None = None, path_prefix: str = ""
    ) -> Iterator[MetaBackendObject]:
        """Give out records one after the other, in the order of their paths.

        Args:
            where: values that the records must have, as for `update`.
            path_prefix: literal text that their paths begin with.

        Raises:
            MetaBackendUnavailable: the database does not answer.
        """
        if not is_literal_path(path_prefix):
            return
        for data in self._filter(dict(where or {}), path_prefix):
            # a database may compare without case
            if data["path"].startswith(path_prefix):
                yield self._make_object(data)

    def __iter__(self) -> Iterator[MetaBackendObject]:
        """Give out all records."""
        return self.filter()

    def set_content_object(
        self,
        owner: Mapping[str, Any],
        path: str | None = None,
        released: Collection[str] | None = (),
    ) -> bool:
        """Make an instance the content object of a file, and release its former files.

        A file that has another content object keeps it and is not released.

        Args:
            owner: the values of `proxy_storage.content_objects.get_content_object_data`.
            path: the path of the file that gets the content object, if any.
            released: paths of the files that lose it; ``None`` for all but ``path``.

        Returns:
            Whether any record has changed.
        """
        if path is None and released is not None and not released:
            return False
        assigned = {SCOPE_KEY: None, **owner}
        if not self.can_hold(SCOPE_KEY) and assigned.pop(SCOPE_KEY) is not None:
            logger.warning(
                "%r gets no content object: records of %r cannot name the scope %r of its key",
                path,
                self,
                owner[SCOPE_KEY],
            )
            return False
        return self._set_content_object(assigned, path, released)

    def get_assigned_values(self, owner: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values that a record gets with its content object."""
        return {**owner, **dict.fromkeys(self._get_release_keys())}

    def get_released_values(self, owner: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values that a record gets when it loses its content object.

        The time and the former content object are kept if records can hold them.
        """
        values: dict[str, Any] = dict.fromkeys(owner)
        if self._get_release_keys():
            values |= {FORMER_KEYS[key]: value for key, value in owner.items()}
            values[RELEASED_KEY] = timezone.now()
        return values

    def _get_release_keys(self) -> tuple[str, ...]:
        keys = (RELEASED_KEY, *FORMER_KEYS.values())
        return keys if self.can_hold(*keys) else ()

    def get_transaction_alias(self) -> str | None:
        """Return the database whose transactions the records take part in, if any."""
        return None

    def get_tenant(self) -> str:
        """Return the tenant that all records belong to at the moment; empty text for none.

        The scope of a content object's key names a tenant only if it is not this one: if
        records of several tenants are kept together.
        """
        return ""

    def can_hold(self, *keys: str) -> bool:
        """Tell whether records can have these keys."""
        try:
            self.check_keys(keys)
        except ConfigurationError:
            return False
        return True

    def check_keys(self, keys: Iterable[str]) -> None:
        """Make sure that records can have these keys; system checks ask.

        Raises:
            ConfigurationError: they cannot; the message says what to change.
        """

    def check(self) -> list[CheckMessage]:
        """Return messages of Django's system checks about the place of the records.

        It is called for each meta backend of a registered proxy storage, once `check_keys`
        has passed. Override and extend it for checks of your own.
        """
        return []

    def claim(self, record: MetaBackendObject) -> dict[str, Any]:
        """Take a record for oneself, right before its bytes are deleted.

        It is asked where records take part in no transaction. Override it so that of
        several who delete one file at once the others wait: as long as one of them is at the
        bytes the record stays, and keeps the path from being used again.

        Returns:
            What the record has as long as nobody else claims it, for ``where``.

        Raises:
            MetaBackendObjectDoesNotExist: the record is gone.
        """
        identity = self.get_identity(record)
        if self.get_identity(self.get(record["path"])) != identity:
            raise self._does_not_exist(record["path"])
        return identity

    def release(self, record: MetaBackendObject) -> None:
        """Give a record back that was claimed, since its bytes cannot be deleted."""

    def get_blank_values(self) -> dict[str, Any]:
        """Return every key that records can have, without a value.

        Permissions are checked with such a record if a path has no record. Override
        it where records have keys of their own.
        """
        return dict.fromkeys(KINDS)

    def get_after_error(self, path: str, error: BaseException) -> MetaBackendObject:
        """Return a record as `get` does, after a write that may have been done or not.

        Override it where a connection that broke has to be opened anew, or where the error
        has used up all the time that there is.
        """
        return self.get(path)

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

    def _set_content_object(
        self, owner: dict[str, Any], path: str | None, released: Collection[str] | None
    ) -> bool:
        """Do what `set_content_object` says. Override it where it can be done in one query."""
        changed = path is not None and self._update(
            {"path": path, "content_type_id": None}, self.get_assigned_values(owner)
        )
        if released is None:
            released = [record["path"] for record in self.filter(owner) if record["path"] != path]
        for released_path in released:
            changed |= self._update(
                {**owner, "path": released_path}, self.get_released_values(owner)
            )
        return changed

    def _make_objects(self, data: list[dict[str, Any]]) -> list[MetaBackendObject]:
        content_objects.restore_object_ids(data)
        return [self._remember_meta_backend(MetaBackendObject(one)) for one in data]

    def _remember_meta_backend(self, record: MetaBackendObject) -> MetaBackendObject:
        record.meta_backend = self
        return record

    def _make_object(self, data: dict[str, Any]) -> MetaBackendObject:
        return self._make_objects([data])[0]

    @staticmethod
    def _check_values(data: Mapping[str, Any]) -> None:
        """Refuse values that would make a document or row that is not a record."""
        for key in REQUIRED_KEYS:
            if key in data and not is_required_text(data[key]):
                raise MetaBackendError(
                    f"The record was refused: {key} must be text without NUL that is not empty, "
                    f"and is {data[key]!r}.",
                    path=data.get("path"),
                    nothing_written=True,
                )

    def _check_path(self, path: Any) -> str:
        if not is_literal_path(path):
            raise MetaBackendObjectDoesNotExist(
                f"A path is text; {path!r} is none, so no record can have it.", path=path
            )
        return path

    @staticmethod
    def _does_not_exist(path: str) -> MetaBackendObjectDoesNotExist:
        return MetaBackendObjectDoesNotExist(f"No record has the path {path!r}.", path=path)
