"""Delete a file: its bytes and its record, as the open transactions allow."""

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
    """One call of ``delete``.

    Args:
        storage: the proxy storage.
        record: the record as it was at the time of the call.
        where: values that the record must still have, otherwise nothing is deleted.
    """

    storage: ProxyStorageBase
    record: MetaBackendObject
    where: Mapping[str, Any] = field(default_factory=dict)

    def delete(self) -> bool:
        """Delete the file, or the parts that a rollback cannot restore after the commit.

        If the only open transaction is one of the record's database, the record is deleted at
        once and the bytes after the commit. If no transaction is open, both are deleted at once.
        Otherwise both are deleted after the commit.

        Returns:
            ``False`` if the record has changed or does not exist any more. ``True`` if the file
            was deleted, or is deleted after the commit.
        """
        check_can_wait()
        self.storage.get_original_storage(self.record)  # Raises before anything is deleted.
        transactions = get_open_transactions()
        if not transactions:
            return self._delete_now()
        if transactions != [self.storage.meta_backend.get_transaction_alias()]:
            after_commit(self._delete_now)
        elif self._delete_record():
            after_commit(self._delete_unless_replaced)
        else:
            return False
        return True

    def _delete_now(self) -> bool:
        meta_backend = self.storage.meta_backend
        alias = meta_backend.get_transaction_alias()
        if alias is not None:
            # If the bytes cannot be deleted, the rollback restores the record. Until the commit,
            # other calls that delete or save at this path wait for the lock on the row.
            with transaction.atomic(using=alias):
                is_deleted = self._delete_record()
                if is_deleted:
                    self._delete_bytes()
            return is_deleted
        try:
            lock = meta_backend.lock(self.record)
        except MetaBackendObjectDoesNotExist:
            self._log_missing_record()
            return False
        try:
            if not self._is_as_wanted():
                meta_backend.unlock(self.record)
                return False
            self._delete_bytes()
        except BaseException:
            with suppress(MetaBackendError):  # A lock ends by itself as well.
                meta_backend.unlock(self.record)
            raise
        return self._delete_record(lock)

    def _is_as_wanted(self) -> bool:
        """Return whether the locked record still has the values of ``where``."""
        if not self.where:
            return True
        record = self.storage.meta_backend.get(self.record["path"])
        if all(record.get(key) == value for key, value in self.where.items()):
            return True
        logger.info("record of %r has changed and is not deleted", self.record["path"])
        return False

    def _delete_unless_replaced(self) -> None:
        """Delete the bytes, unless the transaction has saved another file at the same place.

        That is possible if the bytes were missing before.
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
            logger.info("bytes of %r were missing already", self.record["path"])

    def _delete_record(self, lock: Mapping[str, Any] | None = None) -> bool:
        """Delete this record, but no later one of its path; return whether it existed."""
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
