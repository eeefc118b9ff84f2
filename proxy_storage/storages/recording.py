"""The record of a file: of bytes that have just been written, or that were there already."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from proxy_storage.exceptions import (
    ConfigurationError,
    MetaBackendObjectAlreadyExists,
    MetaBackendObjectDoesNotExist,
    ProxyFileNotFoundError,
)
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.originals import (
    Original,
    get_local_path,
    get_own_path,
    remove_bytes,
    saves_exclusively,
)
from proxy_storage.owners import OWNER_KEYS
from proxy_storage.paths import (
    SHORT_TOKEN_LENGTH,
    clean_path,
    unique_name,
    validate_original_storage_path,
)
from proxy_storage.registry import get_proxy_storage_name
from proxy_storage.storages.content import MeasuredFile

if TYPE_CHECKING:
    from proxy_storage.storages.base import ProxyStorageBase


@dataclass(frozen=True)
class Recording:
    """What one record is about while it is being written. It lives as long as the call.

    Args:
        storage: the proxy storage.
        original: the original storage that has the bytes.
        name: the name that ``save`` was called with, validated.
        max_length: how many characters the path may have.
    """

    storage: ProxyStorageBase
    original: Original
    name: str
    max_length: int | None

    def record_written(self, original_storage_path: str, content: MeasuredFile) -> str:
        """Write the record of bytes that have just been written, or remove them again.

        Raises:
            MetaBackendObjectAlreadyExists: a record has these bytes already. They stay
                where the original storage may have put two files into one object.
        """
        path = ""
        try:
            content.finish()
            paths = self._get_paths(original_storage_path)
            path = next(paths)
            while not self._create_record(path, original_storage_path, content):
                path = next(paths)
        except MetaBackendObjectAlreadyExists as error:
            if saves_exclusively(self.original.storage):
                remove_bytes(self.original.storage, original_storage_path, error)
            raise
        except BaseException as error:
            self._remove_unless_recorded(path, original_storage_path, error)
            raise
        return path

    def record_existing(self, original_storage_path: Any, content: Any) -> str:
        """Write a record of bytes that are there already. They are never removed."""
        original = self.original.storage
        known = get_own_path(original, validate_original_storage_path(original_storage_path))
        local_path = get_local_path(original, known)
        is_folder = local_path is not None and os.path.isdir(local_path)
        if is_folder or not original.exists(known):
            raise ProxyFileNotFoundError(
                f"{type(original).__name__} has nothing at {known!r} to record.", path=known
            )
        if self.storage.checksum_algorithm is not None:
            with original.open(known) as file:
                content = MeasuredFile(file, self.name, self.storage.checksum_algorithm)
                content.finish()
        paths = self._get_paths(known)
        path = next(paths)
        while not self._create_record(path, known, content):
            self._check_has_no_record(known)
            path = next(paths)
        return path

    def _check_has_no_record(self, original_storage_path: str) -> None:
        """Find a record of these bytes under a path that is not the usual one."""
        where = {"proxy_storage_name": get_proxy_storage_name(self.storage)}
        if self.original.name is not None:
            where["original_storage_name"] = self.original.name
        relative = original_storage_path.lstrip("/")
        for record in chain.from_iterable(
            self.storage.meta_backend.filter({**where, "original_storage_path": path})
            for path in (relative, f"/{relative}")
        ):
            raise MetaBackendObjectAlreadyExists(
                f"The bytes at {original_storage_path!r} have a record already.",
                path=record["path"],
            )

    def _get_paths(self, original_storage_path: str) -> Iterator[str]:
        """Give out the path of the bytes, and others of its kind for as long as needed."""
        path = self.storage.get_path(self.original.storage, original_storage_path)
        if self.max_length is None or len(path) <= self.max_length:
            yield path
        while True:
            other = self.storage.get_available_name(path, max_length=self.max_length)
            # the path itself, if its record has gone in between: another may come again
            yield unique_name(path, self.max_length, SHORT_TOKEN_LENGTH) if other == path else other

    def _create_record(self, path: str, original_storage_path: str, content: Any) -> bool:
        """Write a record; return whether the path was free."""
        data = self.storage.get_data_for_meta_backend_save(
            path=path,
            original_storage_path=original_storage_path,
            original_name=self.name,
            content=content,
        )
        if self.original.name is not None:
            data["original_storage_name"] = self.original.name
        try:
            self.storage.meta_backend.create(data)
        except MetaBackendObjectAlreadyExists:
            # two records of the same bytes: to delete one would empty the other
            if self._is_recorded(self.storage.meta_backend.get, path, original_storage_path):
                raise
            return False
        return True

    def _is_recorded(
        self, get: Callable[[str], MetaBackendObject], path: str, original_storage_path: str
    ) -> bool:
        """Tell whether the record of a path is about these bytes."""
        try:
            record = get(path)
            other = record.get_original_storage()
        except (MetaBackendObjectDoesNotExist, ConfigurationError):
            return False  # no record, or one of a proxy storage that is no more
        local_path = get_local_path(self.original.storage, original_storage_path)
        if local_path is not None:
            return local_path == get_local_path(other, record["original_storage_path"])
        same_storage = (
            record["proxy_storage_name"] == get_proxy_storage_name(self.storage)
            and (record.get("original_storage_name") or None) == self.original.name
        )
        return (same_storage or other is self.original.storage) and clean_path(
            record["original_storage_path"]
        ) == clean_path(original_storage_path)

    def _get_without_owner(self, path: str, error: BaseException) -> MetaBackendObject:
        """Return a record that may be the one of this save.

        One that has an owner already is from before. Its bytes had vanished, or the new ones
        would not have got their place, and its owner must not be given these.
        """
        record = self.storage.meta_backend.get_after_error(path, error=error)
        if any(record.get(key) is not None for key in OWNER_KEYS):
            raise MetaBackendObjectDoesNotExist(f"{path!r} is somebody's already.", path=path)
        return record

    def _remove_unless_recorded(
        self, path: str, original_storage_path: str, error: BaseException
    ) -> None:
        """Clean up after an error, whatever else goes wrong, and leave notes on it.

        A record that is there nevertheless was written before the connection broke.
        """
        try:
            get = partial(self._get_without_owner, error=error)
            is_certain = getattr(error, "is_certain", False)
            if not is_certain and self._is_recorded(get, path, original_storage_path):
                return
        except Exception as failure:  # noqa: BLE001  (nobody can be asked; no path is given out)
            error.add_note(f"Whether {path!r} has a record cannot be told: {failure}")
        remove_bytes(self.original.storage, original_storage_path, error)
