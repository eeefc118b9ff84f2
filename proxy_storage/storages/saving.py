"""One save: bytes first, then their record, and neither without the other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.files.base import File
from django.core.files.storage import Storage
from django.core.files.uploadedfile import UploadedFile

from proxy_storage.exceptions import (
    ConfigurationError,
    InvalidNameError,
    MetaBackendObjectAlreadyExists,
    MetaBackendObjectDoesNotExist,
    ProxyFileNotFoundError,
)
from proxy_storage.originals import get_local_path, saves_exclusively
from proxy_storage.paths import clean_path, unique_name, validate_original_storage_path
from proxy_storage.registry import get_proxy_storage_name

if TYPE_CHECKING:
    from proxy_storage.storages.base import ProxyStorageBase


@dataclass(frozen=True)
class SaveOperation:
    """What one call of ``save`` is about. It lives as long as the call.

    Args:
        storage: the proxy storage.
        original: the original storage that was chosen for this call.
        name: the wanted name, validated.
        content: what the caller gave.
        max_length: how many characters the path may have.
    """

    storage: ProxyStorageBase
    original: Storage
    name: str
    content: Any
    max_length: int | None

    def save(self) -> str:
        """Write the bytes and their record; without a record, remove the bytes again."""
        content = as_file(self.content, self.name)
        original_storage_path = self._write(content)
        path = ""
        try:
            paths = self._get_paths(original_storage_path)
            path = next(paths)
            while not self._create_record(path, original_storage_path, content):
                path = next(paths)
        except BaseException as error:
            self._remove_unless_recorded(path, original_storage_path, error)
            raise
        return path

    def record(self, original_storage_path: Any) -> str:
        """Write a record of bytes that are there already. They are never removed."""
        known = validate_original_storage_path(original_storage_path)
        local_path = get_local_path(self.original, known)
        is_folder = local_path is not None and os.path.isdir(local_path)
        if is_folder or not self.original.exists(known):
            raise ProxyFileNotFoundError(
                f"{type(self.original).__name__} has nothing at {known!r} to record.", path=known
            )
        paths = self._get_paths(known)
        return next(path for path in paths if self._create_record(path, known, self.content))

    def _write(self, content: File[Any]) -> str:
        """Write the bytes under a name that no other save can have; return that name."""
        name, max_length = self.name, self.max_length
        if max_length is not None:
            # what a path has in front of the name takes its part of the length
            max_length -= len(self.storage.get_path(self.original, "x")) - 1
            if max_length < 1:
                raise InvalidNameError(
                    f"The path of {name!r} is longer than its field allows; "
                    "give the field a larger max_length.",
                    name=name,
                )
        if not saves_exclusively(self.original) or self._is_taken(name):
            name = unique_name(name, max_length)
        return validate_original_storage_path(
            self.original.save(name, content, max_length=max_length)
        )

    def _is_taken(self, name: str) -> bool:
        """Tell whether a record has the path that this name would get.

        The bytes of such a record may have vanished from the original storage. New bytes
        under the same name would be handed to the owner of the old ones.
        """
        return not self.storage.is_name_available(self.storage.get_path(self.original, name))

    def _get_paths(self, original_storage_path: str) -> Iterator[str]:
        """Give out the path of the bytes, and others of its kind for as long as needed."""
        path = self.storage.get_path(self.original, original_storage_path)
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
        local_path = get_local_path(self.original, original_storage_path)
        if local_path is not None:
            return local_path == get_local_path(other, record["original_storage_path"])
        same_storage = record["proxy_storage_name"] == get_proxy_storage_name(self.storage)
        return (same_storage or other is self.original) and clean_path(
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
        try:
            self.original.delete(original_storage_path)
        except Exception as failure:  # noqa: BLE001  (the first error is the one to see)
            error.add_note(f"The bytes at {original_storage_path!r} are left behind: {failure}")


def as_file(content: Any, name: str) -> File[Any]:
    """Return what was given to ``save`` as a file that original storages can read.

    Args:
        content: a Django ``File`` or anything with ``read``.
        name: the name for content that is no ``File``.
    """
    if not hasattr(content, "chunks"):
        return File(content, name)
    if hasattr(content, "temporary_file_path"):
        # Without the path, Django copies the file instead of moving it: a move looks for a
        # free name first and renames then, and another save may come in between.
        content_type = getattr(content, "content_type", None)
        return UploadedFile(content.file, content.name, content_type, content.size)
    file: File[Any] = content
    return file
