"""One save: bytes first, then their record, and neither without the other."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.files.storage import FileSystemStorage

from proxy_storage.exceptions import (
    ConfigurationError,
    InvalidNameError,
    MetaBackendObjectAlreadyExists,
    MetaBackendObjectDoesNotExist,
    ProxyFileNotFoundError,
)
from proxy_storage.originals import Original, get_local_path, saves_exclusively, watch_names
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

logger = logging.getLogger("proxy_storage")


def save(
    storage: ProxyStorageBase,
    originals: Sequence[Original],
    name: str,
    content: Any,
    max_length: int | None,
) -> str:
    """Save to the first original storage that takes the file; return the record's path.

    An original storage that fails with one of its ``fallback_exceptions`` is passed over,
    but for the last one. Each attempt begins with the first byte of the content; content
    that cannot be read again is not tried again.
    """
    measured = MeasuredFile(content, name, storage.checksum_algorithm)
    for original in originals[:-1]:
        operation = SaveOperation(storage, original, name, max_length)
        wanted_name = operation.choose_name()
        try:
            original_storage_path = operation.write(wanted_name, measured)
        except tuple(getattr(original.storage, "fallback_exceptions", ())) as error:
            if not measured.rewind():
                error.add_note(f"The content of {name!r} cannot be read again for the next one.")
                raise
            logger.warning(
                "original storage %r failed to save %r, trying the next: %r",
                original.name,
                name,
                error,
            )
            continue
        return operation.record_written(original_storage_path, measured)
    operation = SaveOperation(storage, originals[-1], name, max_length)
    original_storage_path = operation.write(operation.choose_name(), measured)
    return operation.record_written(original_storage_path, measured)


@dataclass(frozen=True)
class SaveOperation:
    """What one save in one original storage is about. It lives as long as the call.

    Args:
        storage: the proxy storage.
        original: the original storage that was chosen for this call.
        name: the wanted name, validated.
        max_length: how many characters the path may have.
    """

    storage: ProxyStorageBase
    original: Original
    name: str
    max_length: int | None

    def choose_name(self) -> str:
        """Return a name that no other save can have."""
        max_length = self._get_name_length()
        if not saves_exclusively(self.original.storage):
            return unique_name(self.name, max_length)
        name = self.name
        while self._is_taken(name):
            name = unique_name(self.name, max_length, SHORT_TOKEN_LENGTH)
        return name

    def write(self, name: str, content: MeasuredFile) -> str:
        """Write the bytes, or nothing; return the path that the original storage gives."""
        max_length = self._get_name_length()
        original, tried = self.original.storage, [name]
        if saves_exclusively(original) and isinstance(original, FileSystemStorage):
            original, tried = watch_names(original)
        try:
            return validate_original_storage_path(
                original.save(name, content, max_length=max_length)
            )
        except BaseException as error:
            self._remove_rest(tried, content, error)
            raise

    def _remove_rest(self, tried: list[str], content: MeasuredFile, error: BaseException) -> None:
        """Remove what a write that failed has left, if it is sure to be ours.

        Django's storage creates a file, with ``O_EXCL``, right before it reads the first
        byte. A name with a random token is nobody else's. All others clean up themselves.
        """
        original = self.original.storage
        exclusive = saves_exclusively(original)
        if exclusive and not isinstance(original, FileSystemStorage):
            return
        if tried and (content.touched or not exclusive):
            self._delete_bytes(tried[-1], error)

    def _get_name_length(self) -> int | None:
        """Return how long a name may be: what a path has in front of it counts as well."""
        if self.max_length is None:
            return None
        length = self.max_length - len(self.storage.get_path(self.original.storage, "x")) + 1
        if length < 1:
            raise InvalidNameError(
                f"The path of {self.name!r} is longer than its field allows; "
                "give the field a larger max_length.",
                name=self.name,
            )
        return length

    def _is_taken(self, name: str) -> bool:
        """Tell whether a record has the path that this name would get.

        The bytes of such a record may have vanished from the original storage. New bytes
        under the same name would be handed to the owner of the old ones.
        """
        return self.storage.meta_backend.exists(self.storage.get_path(self.original.storage, name))

    def record_written(self, original_storage_path: str, content: MeasuredFile) -> str:
        """Write the record of bytes that have just been written, or remove them again."""
        path = ""
        try:
            content.finish()
            paths = self._get_paths(original_storage_path)
            path = next(paths)
            while not self._create_record(path, original_storage_path, content):
                path = next(paths)
        except BaseException as error:
            self._remove_unless_recorded(path, original_storage_path, error)
            raise
        return path

    def record_existing(self, original_storage_path: Any, content: Any) -> str:
        """Write a record of bytes that are there already. They are never removed."""
        known = validate_original_storage_path(original_storage_path)
        original = self.original.storage
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
        where = {
            "proxy_storage_name": get_proxy_storage_name(self.storage),
            "original_storage_path": original_storage_path,
        }
        if self.original.name is not None:
            where["original_storage_name"] = self.original.name
        for record in self.storage.meta_backend.filter(where):
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
            yield self.storage.get_available_name(path, max_length=self.max_length)

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
            if self._is_recorded(path, original_storage_path):
                raise
            return False
        return True

    def _is_recorded(self, path: str, original_storage_path: str) -> bool:
        """Tell whether the record of a path is about these bytes."""
        try:
            record = self.storage.meta_backend.get(path)
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

    def _remove_unless_recorded(
        self, path: str, original_storage_path: str, error: BaseException
    ) -> None:
        """Clean up after an error, whatever else goes wrong, and leave notes on it.

        A record that is there nevertheless was written before the connection broke.
        """
        try:
            if not isinstance(error, MetaBackendObjectAlreadyExists) and self._is_recorded(
                path, original_storage_path
            ):
                return
        except Exception as failure:  # noqa: BLE001  (nobody can be asked; no path is given out)
            error.add_note(f"Whether {path!r} has a record cannot be told: {failure}")
        self._delete_bytes(original_storage_path, error)

    def _delete_bytes(self, original_storage_path: str, error: BaseException) -> None:
        try:
            self.original.storage.delete(original_storage_path)
        except Exception as failure:  # noqa: BLE001  (the first error is the one to see)
            error.add_note(f"The bytes at {original_storage_path!r} are left behind: {failure}")
