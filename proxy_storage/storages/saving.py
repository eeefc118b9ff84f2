"""Save a file: write its bytes to an original storage, then create its record.

If the record cannot be created, the bytes are deleted again. Bytes are kept if it is uncertain
whether they belong to another file.
"""

from __future__ import annotations

import errno
import logging
import os
import pathlib
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, partial
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
from proxy_storage.storages.content import MeasuredFile, get_recorded_values
from proxy_storage.storages.lookup import RELATIVE, get_name_to_save, get_path_kind
from proxy_storage.storages.restoring import SavedName
from proxy_storage.transactions import Outcome, is_transaction_open

if TYPE_CHECKING:
    from proxy_storage.storages.base import ProxyStorageBase

logger = logging.getLogger("proxy_storage")

# The number of names that are tried before the bytes are written. A `get_path` of a project may
# make the same path of all of them.
MAX_NAMES = 20


class AlreadyRecorded(MetaBackendObjectAlreadyExists):
    """The record that has the wanted path is a record of the same bytes."""


def save(
    storage: ProxyStorageBase,
    originals: Sequence[NamedStorage],
    name: Any,
    content: Any,
    max_length: int | None,
    original_storage_path: Any,
) -> str:
    """Save a file; see `ProxyStorageBase.save`.

    Args:
        storage: the proxy storage.
        originals: the original storages to try, in this order.
        name: the wanted name, or ``None`` for the name of the content.
        content: the file.
        max_length: maximum length of the path in characters, or ``None``.
        original_storage_path: the path of bytes that exist already, or ``None``.

    Returns:
        The path of the record.
    """
    proxy_storage_name = get_proxy_storage_name(storage)  # Raises before anything is written.
    wanted = getattr(content, "name", None) if name is None else name
    is_relative = get_path_kind(storage) == RELATIVE
    name = validate_name(get_name_to_save(storage, wanted))
    if is_relative:
        name = normalize_name(name)
    length = MAX_PATH_LENGTH if max_length is None else min(max_length, MAX_PATH_LENGTH)
    operations = [
        SaveOperation(storage, proxy_storage_name, original, is_relative, name, length)
        for original in originals
    ]
    with refused_names(name, originals[-1].storage):
        if original_storage_path is not None:
            return operations[0].record_existing(original_storage_path, content)
        measured = MeasuredFile(content, name, storage.checksum_algorithm)
        try:
            return _save_content(operations, measured)
        finally:
            measured.discard()


def _save_content(operations: Sequence[SaveOperation], content: MeasuredFile) -> str:
    """Save the content to the first original storage that accepts it.

    If a write fails with one of the storage's ``fallback_exceptions``, the next storage gets the
    content from its first byte. The last error is raised, with notes on the earlier ones.
    """
    failures: list[str] = []
    remaining = list(operations)
    try:
        while True:
            operation = remaining.pop(0)
            wanted_name = operation.choose_name()
            try:
                written_name = operation.write(wanted_name, content)
                break
            except BaseException as error:
                if not (remaining and operation.can_try_next(error, content)):
                    raise
                name = operation.original.name
                failures.append(f"The original storage {name!r} failed: {error!r}")
        return operation.record_written(written_name, content)
    except BaseException as error:
        for failure in failures:
            error.add_note(failure)
        raise


@contextmanager
def refused_names(name: str, original: Storage) -> Iterator[None]:
    """Raise `InvalidNameError` for errors of an original storage that are caused by the name.

    Args:
        name: the name to save.
        original: the storage that raises the errors. If its root is not a folder, an error
            about folders is not caused by the name.
    """
    try:
        yield
    except InvalidNameError:
        raise
    except SuspiciousFileOperation as error:
        raise InvalidNameError(f"{name!r} cannot be saved: {error}", name=name) from error
    except (FileExistsError, NotADirectoryError) as error:
        root = get_local_path(original, "")
        if "/" not in name or (root is not None and not os.path.isdir(root)):
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


class SaveOperation:
    """One call of ``save`` and one of the original storages that it tries.

    Args:
        storage: the proxy storage.
        proxy_storage_name: the registered name of the proxy storage.
        original: the original storage.
        is_relative: whether the paths of the proxy storage are relative.
        name: the wanted name, validated.
        max_length: maximum length of the path in characters.
    """

    def __init__(
        self,
        storage: ProxyStorageBase,
        proxy_storage_name: str,
        original: NamedStorage,
        is_relative: bool,
        name: str,
        max_length: int,
    ) -> None:
        self.storage = storage
        self.proxy_storage_name = proxy_storage_name
        self.original = original
        self.is_relative = is_relative
        self.name = name
        self.max_length = max_length
        # The path of the record, or the last one that was tried.
        self.path = name
        self._paths: dict[str, str] = {}
        # Random text for a name of the bytes that is never used twice.
        self.token = get_random_string(UNIQUE_TOKEN_LENGTH)
        self.has_unique_names = is_relative and (
            storage.unique_original_names or not self.supports_exclusive_create
        )

    @cached_property
    def supports_exclusive_create(self) -> bool:
        """Whether two saves at once never write to one object of the original storage."""
        return supports_exclusive_create(self.original.storage)

    # Names of the bytes

    def choose_name(self) -> str:
        """Return a name for the bytes that no other save uses.

        Raises:
            InvalidNameError: no path fits into the maximum length.
        """
        max_length = self._max_name_length  # Raises before the first query.
        if self.has_unique_names or not self.supports_exclusive_create:
            return self._fit(self.token, max_length)
        name = self._fit()
        for _attempt in range(MAX_NAMES):
            if not self._is_taken(name):
                break
            name = self._fit(get_random_string(SHORT_TOKEN_LENGTH), max_length)
        return name

    @cached_property
    def _max_name_length(self) -> int:
        """The maximum length of a name of the bytes, so that its path is not too long."""
        if self.has_unique_names:
            # The path does not contain this name, but it must fit before anything is written.
            if len(self.name) > self.max_length:
                unique_name(self.name, self.max_length, SHORT_TOKEN_LENGTH)
            return MAX_PATH_LENGTH
        length = self.max_length - len(self._get_path("x")) + 1
        if length < 1:
            raise InvalidNameError(
                f"The path of {self.name!r} is longer than {self.max_length} characters. Use a "
                "shorter name, or allow the field a larger max_length.",
                name=self.name,
            )
        return length

    def _fit(self, token: str = "", max_length: int | None = None) -> str:
        """Return the wanted name with a token, in a form that the original storage accepts.

        Without a maximum length, the original storage shortens a longer name by itself.
        """
        return fit_name(self.name, max_length, get_max_name_bytes(self.original.storage), token)

    def _is_taken(self, name: str) -> bool:
        """Return whether a record has the path that belongs to a name of the bytes.

        The bytes of such a record may be missing in the original storage. New bytes at the same
        place would become the file of that record's content object.
        """
        # Records from before a change of the kind of paths may have the full path.
        paths = {self._get_path(name), get_full_path(self.original.storage, name)}
        return any(map(self.storage.meta_backend.exists, paths))

    # The bytes

    def write(self, name: str, content: MeasuredFile) -> str:
        """Write the bytes; return the path that the original storage gives them.

        If that fails, the partial file is deleted.
        """
        original, tried = self.original.storage, [name]
        if self.supports_exclusive_create and isinstance(original, FileSystemStorage):
            original, tried = watch_names(original)
        try:
            written = original.save(name, content, max_length=self._max_name_length)
            # The wanted name has been validated already.
            return name if written == name else validate_original_storage_path(written)
        except BaseException as error:
            self._delete_partial_file(tried, content, error)
            raise

    def _delete_partial_file(
        self, tried: list[str], content: MeasuredFile, error: BaseException
    ) -> None:
        """Delete the partial file of a failed write if this call created it.

        Django's storage creates a file with ``O_EXCL`` right before it reads the first byte. A
        name with a random token belongs to this call in any case. Other storages that create
        files exclusively clean up by themselves.
        """
        original = self.original.storage
        exclusive = self.supports_exclusive_create
        if exclusive and not isinstance(original, FileSystemStorage):
            return
        if tried and (content.was_read or not exclusive):
            remove_bytes(original, tried[-1], error)

    def can_try_next(self, error: BaseException, content: MeasuredFile) -> bool:
        """Return whether the next original storage can be tried after an error of this one."""
        if not isinstance(error, tuple(getattr(self.original.storage, "fallback_exceptions", ()))):
            return False
        if not content.rewind():
            error.add_note(
                f"The content of {self.name!r} cannot be read a second time, so that no other "
                "original storage was tried."
            )
            return False
        logger.warning(
            "original storage %r failed to save %r, trying the next: %r",
            self.original.name,
            self.name,
            error,
        )
        return True

    # The record

    def record_written(self, original_storage_path: str, content: MeasuredFile) -> str:
        """Create the record of bytes that were just written; return its path.

        Raises:
            MetaBackendObjectAlreadyExists: a record of these bytes exists. They are kept if
                the original storage may write two files to one object.
        """
        # An original storage may change the case of names.
        if self.has_unique_names and self.token.lower() in original_storage_path.lower():
            return self._record(original_storage_path, content, has_unique_name=True)
        # The original storage has kept the wanted name or has chosen another one. The path
        # follows from that name, so that the same bytes do not get two records.
        try:
            return self._record(original_storage_path, content)
        except MetaBackendObjectAlreadyExists:
            # The place belonged to a file that is being deleted, or whose bytes are missing. The
            # new bytes have been deleted there, and are written again under an unused name.
            if not (self.supports_exclusive_create and content.rewind()):
                raise
            unused_name = self._fit(get_random_string(UNIQUE_TOKEN_LENGTH), self._max_name_length)
            return self._record(self.write(unused_name, content), content)

    def _record(
        self, original_storage_path: str, content: MeasuredFile, has_unique_name: bool = False
    ) -> str:
        """Create the record of bytes that were just written, or delete the bytes.

        Args:
            original_storage_path: the path of the bytes.
            content: the content that was written.
            has_unique_name: whether no other bytes can have this path. Then the path of the
                record does not follow from it.
        """
        try:
            content.finish()
            if not has_unique_name:
                self.path = self._get_path(original_storage_path)
            get_data = partial(self._get_data, original_storage_path, content)
            return self._create(self.path, original_storage_path, get_data)
        except MetaBackendObjectAlreadyExists as error:
            if has_unique_name and isinstance(error, AlreadyRecorded):
                return self.path  # The database driver has repeated the insert of this record.
            if has_unique_name or self.supports_exclusive_create:
                remove_bytes(self.original.storage, original_storage_path, error)
            raise
        except BaseException as error:
            self._delete_unless_recorded(original_storage_path, error)
            raise

    def record_existing(self, original_storage_path: Any, content: Any) -> str:
        """Create a record of bytes that exist already; they are never deleted."""
        original = self.original.storage
        known = get_own_path(original, validate_original_storage_path(original_storage_path))
        local_path = get_local_path(original, known)
        is_folder = local_path is not None and os.path.isdir(local_path)
        if is_folder or not original.exists(known):
            raise ProxyFileNotFoundError(
                f"{type(original).__name__} has no file at {known!r}. Pass the path of an "
                "existing file as original_storage_path.",
                path=known,
            )
        if self.storage.checksum_algorithm is not None:
            with original.open(known) as file:
                content = MeasuredFile(file, self.name, self.storage.checksum_algorithm)
                content.finish()
                content.discard()
        wanted_path = self.name if self.is_relative else self._get_path(known)

        def get_data(path: str) -> Mapping[str, Any]:
            if not self.is_relative and path != wanted_path:
                self._check_has_no_record(known)
            return self._get_data(known, content, path)

        path = self._create(wanted_path, known, get_data)
        if self.is_relative:
            # The two records have different paths, so that the database accepts both. Of two
            # saves at once, at least one finds the record of the other one.
            try:
                self._check_has_no_record(known, but=path)
            except BaseException:
                with suppress(MetaBackendError):
                    where = {"original_storage_path": known}
                    self.storage.meta_backend.delete(path, where=where)
                raise
        return path

    def _check_has_no_record(self, original_storage_path: str, but: str | None = None) -> None:
        """Raise an error if the bytes have a record, under any path except the given one."""
        where = {"proxy_storage_name": self.proxy_storage_name}
        relative = original_storage_path.lstrip("/")
        for record in chain.from_iterable(
            self.storage.meta_backend.filter({**where, "original_storage_path": path})
            for path in (relative, f"/{relative}")
        ):
            name = self.storage.get_original_storage_name(record)
            if record["path"] != but and self.original.name in (None, name):
                raise MetaBackendObjectAlreadyExists(
                    f"The bytes at {original_storage_path!r} have the record {record['path']!r} "
                    "already.",
                    path=record["path"],
                )

    def _get_data(self, original_storage_path: str, content: Any, path: str) -> dict[str, Any]:
        """Return the data of a new record."""
        data = self.storage.get_data_for_meta_backend_save(
            path=path,
            original_storage_path=original_storage_path,
            original_name=self.name,
            content=content,
        )
        data = {**data, **get_recorded_values(content)}
        if self.original.name is not None:
            data["original_storage_name"] = self.original.name
        return data

    def _create(
        self,
        wanted_path: str,
        original_storage_path: str,
        get_data: Callable[[str], Mapping[str, Any]],
    ) -> str:
        """Create a record under the wanted path, or under another one if the path is taken.

        No query looks for a free path before the insert, which alone decides.

        Args:
            wanted_path: the wanted path of the record.
            original_storage_path: the path of the bytes.
            get_data: returns the data of the record for a path.

        Raises:
            AlreadyRecorded: the record of the wanted path has these bytes. If one of two such
                records were deleted, the other one would lose its bytes.
            InvalidNameError: no free path of this length was found.
        """
        meta_backend = self.storage.meta_backend
        for path in self._get_paths(wanted_path):
            self.path = path
            data = dict(get_data(path))
            try:
                meta_backend.create(data)
            except MetaBackendObjectAlreadyExists as error:
                if self._is_recorded(meta_backend.get, path, original_storage_path):
                    raise AlreadyRecorded(str(error), path=path) from error
                continue
            alias = meta_backend.get_transaction_alias()
            if alias is None or not is_transaction_open(alias):
                return path
            return SavedName(path, Outcome(), partial(self._restore, data))
        raise AssertionError("unreachable: there is always another path")  # pragma: no cover

    def _restore(self, data: Mapping[str, Any]) -> str:
        """Create a record again that a rollback has deleted; return its path.

        Raises:
            ProxyFileNotFoundError: the bytes were deleted after the rollback.
        """
        path, original_storage_path = data["path"], data["original_storage_path"]
        if not self.original.storage.exists(original_storage_path):
            raise ProxyFileNotFoundError(
                f"The record of {path!r} was rolled back, and its file was deleted since. Save "
                "the file again.",
                path=path,
            )
        try:
            return self._create(path, original_storage_path, lambda path: {**data, "path": path})
        except AlreadyRecorded as error:
            return str(error.path)  # Another copy of the instance was saved before.

    def _get_path(self, original_storage_path: str) -> str:
        """Return the path that belongs to a path of the bytes; it is computed once for each."""
        if original_storage_path not in self._paths:
            path = self.storage.get_path(self.original.storage, original_storage_path)
            self._paths[original_storage_path] = path
        return self._paths[original_storage_path]

    def _get_paths(self, wanted_path: str) -> Iterator[str]:
        """Yield the wanted path, and then any number of similar ones.

        If a project's class has its own ``get_available_name``, that method chooses the paths. As
        in Django's storages, it also chooses the first one if paths are relative.
        """
        storage, max_length = self.storage, self.max_length
        function = getattr(storage.get_available_name, "__func__", None)
        is_overridden = function is not Storage.get_available_name
        path = wanted_path
        if is_overridden and self.is_relative:
            found = storage.get_available_name(wanted_path, max_length=max_length)
            path = normalize_name(validate_name(found))
            yield path
        elif len(path) <= max_length:
            yield path
        while True:
            previous = path
            if is_overridden:
                path = storage.get_available_name(wanted_path, max_length=max_length)
            else:
                path = self._get_alternative(wanted_path)
            if path == previous:  # A record had this path a moment ago.
                path = unique_name(wanted_path, max_length, SHORT_TOKEN_LENGTH)
            yield path

    def _get_alternative(self, path: str) -> str:
        """Return a path with a random part, in the form that Django gives it."""
        folder, file_name = posixpath.split(path)
        extension = "".join(pathlib.PurePosixPath(file_name).suffixes)
        stem = file_name.removesuffix(extension)
        found = posixpath.join(folder, self.storage.get_alternative_name(stem, extension))
        if len(found) <= self.max_length:
            return found
        return unique_name(path, self.max_length, SHORT_TOKEN_LENGTH)

    # Records that have the same path

    def _is_recorded(
        self, get: Callable[[str], MetaBackendObject], path: str, original_storage_path: str
    ) -> bool:
        """Return whether the record of a path, which ``get`` returns, has these bytes."""
        original, token = self.original, self.token.lower()
        try:
            record = get(path)
            if token in original_storage_path.lower():
                return token in record["original_storage_path"].lower()
            other = record.get_original_storage()
        except (MetaBackendObjectDoesNotExist, ConfigurationError):
            return False  # There is no record, or its proxy storage is not registered any more.
        local_path = get_local_path(original.storage, original_storage_path)
        if local_path is not None:
            return local_path == get_local_path(other, record["original_storage_path"])
        same_storage = (
            record["proxy_storage_name"] == self.proxy_storage_name
            and self.storage.get_original_storage_name(record) == original.name
        )
        return (same_storage or other is original.storage) and clean_path(
            record["original_storage_path"]
        ) == clean_path(original_storage_path)

    def _delete_unless_recorded(self, original_storage_path: str, error: BaseException) -> None:
        """Delete the bytes after an error, unless their record was created nevertheless.

        The database may have created the record before the connection was lost. Problems on the
        way are added to the error as notes.
        """
        get = partial(self._get_without_content_object, error=error)
        try:
            nothing_written = getattr(error, "nothing_written", False)
            if not nothing_written and self._is_recorded(get, self.path, original_storage_path):
                return
        except Exception as failure:  # noqa: BLE001  (The first error is the one to raise.)
            error.add_note(f"It is unknown whether {self.path!r} has a record: {failure}")
        remove_bytes(self.original.storage, original_storage_path, error)

    def _get_without_content_object(self, path: str, error: BaseException) -> MetaBackendObject:
        """Return the record of a path if it may be the one of this save.

        A record with a content object was created earlier, for bytes that are missing now. The
        new bytes must not become a file of that content object.
        """
        record = self.storage.meta_backend.get_after_error(path, error=error)
        if has_content_object(record):
            message = f"The record of {path!r} has a content object."
            raise MetaBackendObjectDoesNotExist(message, path=path)
        return record
