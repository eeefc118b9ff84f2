"""One save: bytes first, then their record, and neither without the other."""

from __future__ import annotations

import errno
import logging
import os
import pathlib
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import FileSystemStorage, Storage
from django.utils.crypto import get_random_string

from proxy_storage.content_objects import has_content_object
from proxy_storage.exceptions import (
    ConfigurationError,
    InvalidNameError,
    MetaBackendError,
    MetaBackendObjectAlreadyExists,
    MetaBackendObjectDoesNotExist,
    ProxyFileNotFoundError,
)
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.original_storages.inspect import (
    NamedStorage,
    get_full_path,
    get_local_path,
    get_max_name_bytes,
    get_own_path,
    remove_bytes,
    supports_exclusive_create,
    watch_names,
)
from proxy_storage.paths import (
    MAX_PATH_LENGTH,
    SHORT_TOKEN_LENGTH,
    UNIQUE_TOKEN_LENGTH,
    clean_path,
    fit_name,
    normalize_name,
    unique_name,
    validate_name,
    validate_original_storage_path,
)
from proxy_storage.registry import get_proxy_storage_name
from proxy_storage.storages import lookup
from proxy_storage.storages.content import MeasuredFile
from proxy_storage.storages.lookup import RELATIVE, get_path_kind
from proxy_storage.storages.restoring import make_name

if TYPE_CHECKING:
    from proxy_storage.storages.base import ProxyStorageBase


class AlreadyRecorded(MetaBackendObjectAlreadyExists):
    """The record that has the wanted path is of the same bytes."""


def create_record(
    storage: ProxyStorageBase,
    original: NamedStorage,
    wanted_path: str,
    original_storage_path: str,
    get_data: Callable[[str], Mapping[str, Any]],
    max_length: int,
) -> str:
    """Write the record of bytes under a path, or under another one if the path is taken.

    Nothing is looked up before the insert: it decides which record gets a path. A project's
    own ``get_available_name`` is called first where paths are relative, as Django does.

    Args:
        storage: the proxy storage.
        original: the original storage that has the bytes.
        wanted_path: the path that the record is to have.
        original_storage_path: where the bytes are.
        get_data: returns what the record of a given path holds.
        max_length: how many characters the path may have.

    Returns:
        The path of the record.

    Raises:
        AlreadyRecorded: the record that has the path is of these bytes. Deleting one of two
            such records would leave the other without bytes.
        InvalidNameError: no path of this length is left.
    """
    for path in get_paths(storage, wanted_path, max_length):
        data = dict(get_data(path))
        try:
            storage.meta_backend.create(data)
        except MetaBackendObjectAlreadyExists as error:
            get = storage.meta_backend.get
            if is_recorded(storage, original, get, path, original_storage_path):
                raise AlreadyRecorded(str(error), path=path) from error
            continue
        restore = partial(
            _restore_record, storage, original, original_storage_path, data, max_length
        )
        return make_name(path, storage.meta_backend, restore)
    raise AssertionError("unreachable: there is always another path")  # pragma: no cover


def _restore_record(
    storage: ProxyStorageBase,
    original: NamedStorage,
    original_storage_path: str,
    data: Mapping[str, Any],
    max_length: int,
) -> str:
    """Write a record again that a rollback has taken; return its path.

    Raises:
        ProxyFileNotFoundError: the bytes have been deleted meanwhile.
    """
    path = data["path"]
    if not original.storage.exists(original_storage_path):
        raise ProxyFileNotFoundError(
            f"The record of {path!r} was rolled back, and its bytes are gone. Save the file again.",
            path=path,
        )

    def get_data(other_path: str) -> Mapping[str, Any]:
        return {**data, "path": other_path}

    try:
        return create_record(storage, original, path, original_storage_path, get_data, max_length)
    except AlreadyRecorded as error:
        return str(error.path)  # Another copy of the instance was saved before.


def get_paths(storage: ProxyStorageBase, wanted_path: str, max_length: int) -> Iterator[str]:
    """Give out the wanted path, and others of its kind for as long as needed."""
    chooses = _chooses_names(storage)
    if chooses and get_path_kind(storage) == RELATIVE:
        found = storage.get_available_name(wanted_path, max_length=max_length)
        path = normalize_name(validate_name(found))
        yield path
    else:
        path = wanted_path
        if len(path) <= max_length:
            yield path
    while True:
        previous = path
        if chooses:
            path = storage.get_available_name(wanted_path, max_length=max_length)
        else:
            path = _get_alternative(storage, wanted_path, max_length)
        if path == previous:  # it was taken a moment ago
            path = unique_name(wanted_path, max_length, SHORT_TOKEN_LENGTH)
        yield path


def _chooses_names(storage: ProxyStorageBase) -> bool:
    """Tell whether a project's own class chooses the names of files."""
    function = getattr(storage.get_available_name, "__func__", None)
    return function is not Storage.get_available_name


def _get_alternative(storage: ProxyStorageBase, path: str, max_length: int) -> str:
    """Return a path with a random part, as Django makes it."""
    folder, file_name = posixpath.split(path)
    extension = "".join(pathlib.PurePosixPath(file_name).suffixes)
    stem = file_name.removesuffix(extension)
    found = posixpath.join(folder, storage.get_alternative_name(stem, extension))
    if len(found) <= max_length:
        return found
    return unique_name(path, max_length, SHORT_TOKEN_LENGTH)


def is_recorded(
    storage: ProxyStorageBase,
    original: NamedStorage,
    get: Callable[[str], MetaBackendObject],
    path: str,
    original_storage_path: str,
) -> bool:
    """Tell whether the record of a path is about these bytes."""
    try:
        record = get(path)
        other = record.get_original_storage()
    except (MetaBackendObjectDoesNotExist, ConfigurationError):
        return False  # no record, or one of a proxy storage that is not registered any more
    local_path = get_local_path(original.storage, original_storage_path)
    if local_path is not None:
        return local_path == get_local_path(other, record["original_storage_path"])
    same_storage = (
        record["proxy_storage_name"] == get_proxy_storage_name(storage)
        and storage.get_original_storage_name(record) == original.name
    )
    return (same_storage or other is original.storage) and clean_path(
        record["original_storage_path"]
    ) == clean_path(original_storage_path)


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
    original: NamedStorage
    name: str
    max_length: int

    def record_written(
        self, original_storage_path: str, content: MeasuredFile, has_unique_name: bool = False
    ) -> str:
        """Write the record of bytes that have just been written, or remove them again.

        Args:
            original_storage_path: where they are.
            content: what was written.
            has_unique_name: whether no other bytes can be there, so that the path need not
                show it.

        Raises:
            MetaBackendObjectAlreadyExists: a record has these bytes already. They stay
                where the original storage may have put two files into one object.
        """
        path = self.name
        try:
            content.finish()
            if not has_unique_name:
                path = self.storage.get_path(self.original.storage, original_storage_path)

            def get_data(other_path: str) -> Mapping[str, Any]:
                nonlocal path
                path = other_path
                return self._get_data(path, original_storage_path, content)

            return self._create(path, original_storage_path, get_data)
        except MetaBackendObjectAlreadyExists as error:
            if has_unique_name and isinstance(error, AlreadyRecorded):
                return path  # a driver has repeated the insert of this very record
            if has_unique_name or supports_exclusive_create(self.original.storage):
                remove_bytes(self.original.storage, original_storage_path, error)
            raise
        except BaseException as error:
            self._remove_unless_recorded(path, original_storage_path, error)
            raise

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
                content.discard()
        is_relative = get_path_kind(self.storage) == RELATIVE
        wanted_path = self.name if is_relative else self.storage.get_path(original, known)

        def get_data(path: str) -> Mapping[str, Any]:
            if not is_relative and path != wanted_path:
                self._check_has_no_record(known)
            return self._get_data(path, known, content)

        path = self._create(wanted_path, known, get_data)
        if is_relative:
            self._check_has_no_other_record(known, path)
        return path

    def _check_has_no_other_record(self, original_storage_path: str, path: str) -> None:
        """Take a record back if the same bytes have another one.

        The paths of the two are different, so the database cannot decide. Of two saves at
        once each sees the other's record, or one of them does.
        """
        try:
            self._check_has_no_record(original_storage_path, but=path)
        except BaseException:
            where = {"original_storage_path": original_storage_path}
            with suppress(MetaBackendError):
                self.storage.meta_backend.delete(path, where=where)
            raise

    def _check_has_no_record(self, original_storage_path: str, but: str | None = None) -> None:
        """Find a record of these bytes under a path that is not the usual one."""
        where = {"proxy_storage_name": get_proxy_storage_name(self.storage)}
        relative = original_storage_path.lstrip("/")
        for record in chain.from_iterable(
            self.storage.meta_backend.filter({**where, "original_storage_path": path})
            for path in (relative, f"/{relative}")
        ):
            name = self.storage.get_original_storage_name(record)
            if record["path"] != but and self.original.name in (None, name):
                raise MetaBackendObjectAlreadyExists(
                    f"The bytes at {original_storage_path!r} have a record already.",
                    path=record["path"],
                )

    def _create(
        self,
        path: str,
        original_storage_path: str,
        get_data: Callable[[str], Mapping[str, Any]],
    ) -> str:
        return create_record(
            self.storage, self.original, path, original_storage_path, get_data, self.max_length
        )

    def _get_data(self, path: str, original_storage_path: str, content: Any) -> dict[str, Any]:
        """Return what a new record holds."""
        data = self.storage.get_data_for_meta_backend_save(
            path=path,
            original_storage_path=original_storage_path,
            original_name=self.name,
            content=content,
        )
        if self.original.name is not None:
            data["original_storage_name"] = self.original.name
        return data

    def _get_without_owner(self, path: str, error: BaseException) -> MetaBackendObject:
        """Return a record that may be the one of this save.

        A record with a content object was written before this save, for bytes that have vanished
        since. Its content object must not get the new bytes.
        """
        record = self.storage.meta_backend.get_after_error(path, error=error)
        if has_content_object(record):
            message = f"The record of {path!r} has a content object."
            raise MetaBackendObjectDoesNotExist(message, path=path)
        return record

    def _remove_unless_recorded(
        self, path: str, original_storage_path: str, error: BaseException
    ) -> None:
        """Clean up after an error, whatever else goes wrong, and leave notes on it.

        A record that is there nevertheless was written before the connection broke.
        """
        try:
            get = partial(self._get_without_owner, error=error)
            nothing_written = getattr(error, "nothing_written", False)
            is_ours = partial(is_recorded, self.storage, self.original, get)
            if not nothing_written and is_ours(path, original_storage_path):
                return
        except Exception as failure:  # noqa: BLE001  (the meta backend does not answer, and save returns no path)
            error.add_note(f"Whether {path!r} has a record cannot be told: {failure}")
        remove_bytes(self.original.storage, original_storage_path, error)


logger = logging.getLogger("proxy_storage")

# how many names are tried before the bytes are written; a project may make one path of all
MAX_NAMES = 20


def save(
    storage: ProxyStorageBase,
    originals: Sequence[NamedStorage],
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
def refused_names(name: str, originals: Sequence[NamedStorage]) -> Iterator[None]:
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
    original: NamedStorage
    name: str
    max_length: int
    token: str = field(default_factory=partial(get_random_string, UNIQUE_TOKEN_LENGTH))

    def choose_name(self) -> str:
        """Return a name for the bytes that no other save can have."""
        if self.uses_unique_names or not supports_exclusive_create(self.original.storage):
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
        if supports_exclusive_create(original) and isinstance(original, FileSystemStorage):
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
        exclusive = supports_exclusive_create(original)
        if exclusive and not isinstance(original, FileSystemStorage):
            return
        if tried and (content.was_read or not exclusive):
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
            if not (supports_exclusive_create(self.original.storage) and content.rewind()):
                raise
            other_path = self.write(self._make_unique(), content)
            return recording.record_written(other_path, content)
