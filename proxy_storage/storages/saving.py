"""One save: bytes first, then their record, and neither without the other."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import FileSystemStorage, Storage
from django.utils.crypto import get_random_string

from proxy_storage.exceptions import InvalidNameError, MetaBackendObjectAlreadyExists
from proxy_storage.originals import (
    Original,
    get_full_path,
    get_local_path,
    get_max_name_bytes,
    remove_bytes,
    saves_exclusively,
    watch_names,
)
from proxy_storage.paths import (
    MAX_PATH_LENGTH,
    SHORT_TOKEN_LENGTH,
    UNIQUE_TOKEN_LENGTH,
    fit_name,
    unique_name,
    validate_original_storage_path,
)
from proxy_storage.storages import lookup
from proxy_storage.storages.content import MeasuredFile
from proxy_storage.storages.recording import Recording

if TYPE_CHECKING:
    from proxy_storage.storages.base import ProxyStorageBase

logger = logging.getLogger("proxy_storage")

# how many names are tried before the bytes are written; a project may make one path of all
MAX_NAMES = 20


def save(
    storage: ProxyStorageBase,
    originals: Sequence[Original],
    name: str,
    content: Any,
    max_length: int,
) -> str:
    """Save to the first original storage that takes the file; return the record's path.

    An original storage that fails with one of its ``fallback_exceptions`` is passed over,
    but for the last one. Each attempt begins with the first byte of the content; content
    that cannot be read again is not tried again. The error of the last attempt is raised,
    with notes on those before.
    """
    measured = MeasuredFile(content, name, storage.checksum_algorithm)
    failures: list[str] = []
    try:
        operation, original_storage_path = _write(
            [SaveOperation(storage, original, name, max_length) for original in originals],
            measured,
            failures,
        )
        return operation.record(original_storage_path, measured)
    except BaseException as error:
        for failure in failures:
            error.add_note(failure)
        raise
    finally:
        measured.discard()


def _write(
    operations: Sequence[SaveOperation], content: MeasuredFile, failures: list[str]
) -> tuple[SaveOperation, str]:
    """Write to the first that works; return it and what it says, and note what failed."""
    for operation in operations[:-1]:
        wanted_name = operation.choose_name()
        try:
            return operation, operation.write(wanted_name, content)
        except BaseException as error:
            if not operation.lets_next_try(error, content):
                raise
            name = operation.original.name
            failures.append(f"The original storage {name!r} failed before: {error!r}")
    last = operations[-1]
    return last, last.write(last.choose_name(), content)


def has_folder(name: str, original: Storage) -> bool:
    """Return whether a name has a folder, in an original storage that is there.

    Otherwise an error about folders is not one of the name: the storage's own folder is a file.
    """
    root = get_local_path(original, "")
    return "/" in name and (root is None or os.path.isdir(root))


@contextmanager
def refused_names(name: str, originals: Sequence[Original]) -> Iterator[None]:
    """Raise `InvalidNameError` for the errors of an original storage that are about the name.

    Args:
        name: the name that ``save`` was called with.
        originals: the original storages that are tried; an error is that of the last one.
    """
    try:
        yield
    except InvalidNameError:
        raise
    except SuspiciousFileOperation as error:
        raise InvalidNameError(f"{name!r} cannot be saved: {error}", name=name) from error
    except (FileExistsError, NotADirectoryError) as error:
        if not has_folder(name, originals[-1].storage):
            raise
        raise InvalidNameError(
            f"{name!r} cannot be saved: a part of it is a file, not a folder.", name=name
        ) from error
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise InvalidNameError(
            f"{name!r} is longer than the original storage allows.", name=name
        ) from error


@dataclass(frozen=True)
class SaveOperation:
    """What one save in one original storage is about. It lives as long as the call.

    Args:
        storage: the proxy storage.
        original: the original storage that was chosen for this call.
        name: the wanted name, validated.
        max_length: how many characters the path may have.
        token: random text for a name of the bytes that is never used twice.
    """

    storage: ProxyStorageBase
    original: Original
    name: str
    max_length: int
    token: str = field(default_factory=partial(get_random_string, UNIQUE_TOKEN_LENGTH))

    def choose_name(self) -> str:
        """Return a name for the bytes that no other save can have."""
        if self.uses_unique_names or not saves_exclusively(self.original.storage):
            return self._fit(self.token)
        self._get_name_length()  # Raises before the first query.
        name = self._fit()
        for _attempt in range(MAX_NAMES):
            if not self._is_taken(name):
                break
            name = self._make_unique(SHORT_TOKEN_LENGTH)
        return name

    @property
    def uses_unique_names(self) -> bool:
        """Whether the path of the record does not follow from the name of the bytes."""
        return lookup.uses_unique_names(self.storage, self.original.storage)

    def _fit(self, token: str = "") -> str:
        """Return the name as the original storage can have it."""
        # a longer name without token is cut, and made unique, by the original storage
        max_length = self._get_name_length() if token else None
        return fit_name(self.name, max_length, get_max_name_bytes(self.original.storage), token)

    def _make_unique(self, token_length: int = UNIQUE_TOKEN_LENGTH) -> str:
        return self._fit(get_random_string(token_length))

    def lets_next_try(self, error: BaseException, content: MeasuredFile) -> bool:
        """Tell whether the next original storage is to be tried after this error."""
        if not isinstance(error, tuple(getattr(self.original.storage, "fallback_exceptions", ()))):
            return False
        if not content.rewind():
            error.add_note(f"The content of {self.name!r} cannot be read again for the next one.")
            return False
        logger.warning(
            "original storage %r failed to save %r, trying the next: %r",
            self.original.name,
            self.name,
            error,
        )
        return True

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
        """Delete the partial file of a failed write if this call created it.

        Django's storage creates a file, with ``O_EXCL``, right before it reads the first
        byte. A name with a random token is nobody else's. All others clean up themselves.
        """
        original = self.original.storage
        exclusive = saves_exclusively(original)
        if exclusive and not isinstance(original, FileSystemStorage):
            return
        if tried and (content.touched or not exclusive):
            remove_bytes(original, tried[-1], error)

    def _get_name_length(self) -> int:
        """Return how long a name may be: what a path has in front of it counts as well."""
        if self.uses_unique_names:
            # the path is not made of the name, but has to fit before anything is written
            if len(self.name) > self.max_length:
                unique_name(self.name, self.max_length, SHORT_TOKEN_LENGTH)
            return MAX_PATH_LENGTH
        length = self.max_length - len(self.storage.get_path(self.original.storage, "x")) + 1
        if length < 1:
            raise InvalidNameError(
                f"The path of {self.name!r} is longer than {self.max_length} characters. Use a "
                "shorter name, or allow the field a larger max_length.",
                name=self.name,
            )
        return length

    def _is_taken(self, name: str) -> bool:
        """Tell whether a record has the path that this name would get.

        The bytes of such a record may have vanished from the original storage. New bytes
        under the same name would be handed to the owner of the old ones.
        """
        path = self.storage.get_path(self.original.storage, name)
        # records from before paths were of another kind may have the full path
        full_path = get_full_path(self.original.storage, name)
        return any(map(self.storage.meta_backend.exists, {path, full_path}))

    def record(self, original_storage_path: str, content: MeasuredFile) -> str:
        """Write the record of the bytes that have just been written; return its path."""
        recording = Recording(self.storage, self.original, self.name, self.max_length)
        if self.uses_unique_names and self.token.lower() in original_storage_path.lower():
            return recording.record_written(original_storage_path, content, has_unique_name=True)
        # The name of the bytes is the wanted one, or one that the original storage has chosen.
        # Its path is unique, so that no bytes get two records.
        try:
            return recording.record_written(original_storage_path, content)
        except MetaBackendObjectAlreadyExists:
            # A file that is being deleted, or whose bytes have vanished, had this place. The
            # bytes are removed again; under another name nothing is in their way.
            if not (saves_exclusively(self.original.storage) and content.rewind()):
                raise
            other_path = self.write(self._make_unique(), content)
            return recording.record_written(other_path, content)
