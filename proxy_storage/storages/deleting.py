"""One delete: the bytes and their record, as the transactions around it allow."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction

from proxy_storage.exceptions import MetaBackendError, MetaBackendObjectDoesNotExist
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.transactions import after_commit, check_can_wait, get_open_transactions

if TYPE_CHECKING:
    from proxy_storage.storages.base import ProxyStorageBase

logger = logging.getLogger("proxy_storage")


@dataclass(frozen=True)
class DeleteOperation:
    """What one call of ``delete`` is about.

    Args:
        storage: the proxy storage.
        record: the record as it was when the call came.
        where: values that the record must still have, otherwise nothing is deleted.
    """

    storage: ProxyStorageBase
    record: MetaBackendObject
    where: Mapping[str, Any] = field(default_factory=dict)

    def delete(self) -> None:
        """Delete now what can be rolled back or has no transaction, the rest after commit."""
        check_can_wait()
        self.storage.get_original_storage(self.record)  # raises while nothing has been done
        if get_open_transactions() != [self.storage.meta_backend.get_transaction_alias()]:
            after_commit(self._delete_now)
        elif self._delete_record():
            after_commit(self._delete_unless_replaced)

    def _delete_now(self) -> None:
        meta_backend = self.storage.meta_backend
        alias = meta_backend.get_transaction_alias()
        if alias is not None:
            # The row is gone for others when the bytes are, and comes back if they cannot be
            # deleted. Until then it keeps others who delete or save at this path waiting.
            with transaction.atomic(using=alias):
                if self._delete_record():
                    self._delete_bytes()
            return
        try:
            lock = meta_backend.lock(self.record)
        except MetaBackendObjectDoesNotExist:
            self._log_missing_record()
            return
        try:
            if not self._is_as_wanted():
                meta_backend.unlock(self.record)
                return
            self._delete_bytes()
        except BaseException:
            with suppress(MetaBackendError):  # A lock ends by itself as well.
                meta_backend.unlock(self.record)
            raise
        self._delete_record(lock)

    def _is_as_wanted(self) -> bool:
        """Tell whether the locked record still has the wanted values."""
        if not self.where:
            return True
        record = self.storage.meta_backend.get(self.record["path"])
        if all(record.get(key) == value for key, value in self.where.items()):
            return True
        logger.info("record of %r has changed and is not deleted", self.record["path"])
        return False

    def _delete_unless_replaced(self) -> None:
        """Delete the bytes, unless a file that was saved in the same transaction has their place.

        That takes bytes that had vanished before.
        """
        try:
            record = self.storage.meta_backend.get(self.record["path"])
        except MetaBackendObjectDoesNotExist:
            self._delete_bytes()
            return
        get_name = self.storage.get_original_storage_name
        keys = ("proxy_storage_name", "original_storage_path")
        is_same_place = all(record[key] == self.record[key] for key in keys)
        if not is_same_place or get_name(record) != get_name(self.record):
            self._delete_bytes()

    def _delete_bytes(self) -> None:
        try:
            original = self.storage.get_original_storage(self.record)
            original.delete(self.record["original_storage_path"])
        except FileNotFoundError:
            logger.info("bytes of %r were gone already", self.record["path"])

    def _delete_record(self, lock: Mapping[str, Any] | None = None) -> bool:
        """Delete this very record; return whether it was there."""
        meta_backend = self.storage.meta_backend
        where = lock
        if where is None:
            where = {**meta_backend.get_identity(self.record), **self.where}
        try:
            meta_backend.delete(self.record["path"], where=where)
        except MetaBackendObjectDoesNotExist:
            self._log_missing_record()
            return False
        return True

    def _log_missing_record(self) -> None:
        logger.info("record of %r was deleted by another call", self.record["path"])
