"""Create records for the files that the rows of a file field name already.

The project has given the field a proxy storage. The rows still have the names that Django's storage
returned, and the bytes are in the original storage under these names. Each file gets a record whose
path is the name in the row, with the row as its content object. Rows and bytes are not changed.

A record gets its content object in the insert, so that a killed import does not leave incomplete
records, and the next one continues. If two imports run at once, the unique path decides which
insert succeeds.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

from django.core.exceptions import SuspiciousFileOperation
from django.db import connections, router, transaction
from django.db.models import CompositePrimaryKey, FileField, Model, Q, QuerySet

from proxy_storage import registry
from proxy_storage.content_objects import (
    RELEASED_KEY,
    SCOPE_KEY,
    UPLOADER_KEY,
    belongs_to,
    get_content_object_data,
    get_databases,
    has_content_object,
    is_tracked,
    locate_content_object,
)
from proxy_storage.db.plain_fields import get_proxy_storage
from proxy_storage.exceptions import (
    ConfigurationError,
    MetaBackendObjectAlreadyExists,
    MetaBackendObjectDoesNotExist,
    ProxyStorageError,
)
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.queries import CONTENT_OBJECT_KEYS
from proxy_storage.original_storages.failures import get_storage_problem
from proxy_storage.original_storages.inspect import (
    NamedStorage,
    get_local_path,
    get_own_path,
    leads_out,
)
from proxy_storage.paths import MAX_PATH_LENGTH, is_literal_path, normalize_name, validate_name
from proxy_storage.storages.base import ProxyStorageBase
from proxy_storage.storages.content import MeasuredFile
from proxy_storage.storages.lazy_file import LazyFile
from proxy_storage.storages.lookup import RELATIVE, get_all_originals, get_path_kind, split_path
from proxy_storage.suggestions import describe_error

BATCH_SIZE = 500
# The time after which the records of a group are written, in seconds.
GROUP_SECONDS = 1.0

# The errors of one file. After any other error the storage does not work, and the import stops.
ERRORS_OF_A_FILE = (errno.EACCES, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR)

# The results of a row: the names of the counters in `Report`.
CREATED, ASSIGNED, PRESENT = "created", "assigned", "present"


@dataclass(frozen=True)
class BadRow:
    """A row whose file was not imported.

    Attributes:
        key: the primary key of the row.
        value: the value of its file field.
        reason: the reason, and the change that is needed.
    """

    key: Any
    value: str
    reason: str


@dataclass
class Report:
    """The result of an import.

    Attributes:
        label: the field, such as ``"letters.Letter.scan"``.
        total: the number of rows with a file.
        created: the number of records that were created.
        assigned: the number of existing records that got their row as content object.
        present: the number of rows whose file had its record already.
        bad: the rows whose file was not imported.
    """

    label: str
    total: int = 0
    created: int = 0
    assigned: int = 0
    present: int = 0
    bad: list[BadRow] = field(default_factory=list)

    @property
    def done(self) -> int:
        """The number of rows that have been processed."""
        return self.created + self.assigned + self.present + len(self.bad)


class ImportStopped(ProxyStorageError):
    """The import stopped because a storage or a database does not work.

    Records that have been created are complete. Run the import again to continue.

    Args:
        message: the error message.
        report: the results so far, which are kept as ``error.report``.
    """

    def __init__(self, message: str, *, report: Report) -> None:
        super().__init__(message)
        self.report = report


class RowError(Exception):
    """The file of one row cannot be imported; the message is the reason."""


class Row(NamedTuple):
    """A row with a file: its primary key, and the value of the file field."""

    key: Any
    value: str


def import_field(
    file_field: FileField,
    *,
    database: str | None = None,
    using: str | None = None,
    batch_size: int = BATCH_SIZE,
    checksum: bool = True,
    dry_run: bool = False,
    progress: Callable[[Report], object] = lambda report: None,
) -> Report:
    """Create a record for the file of each row of a field.

    Rows whose file has its record already are skipped, so that a second call continues. A record
    without a content object gets the row if its bytes are those that the row names. A record with
    another content object is never changed.

    Args:
        file_field: the field, as found in the ``_meta`` of its model. Its storage is a proxy
            storage.
        database: the alias of the database of the rows; by default the one to which the routers
            send the model.
        using: the name of the original storage that has the files; by default the first one.
        batch_size: the number of rows that are read at once.
        checksum: whether to read each file, for its checksum and charset, if the storage records
            them.
        dry_run: whether to write nothing, and to read no content.
        progress: a function that is called with the report after each row. On SQLite, records
            are written in groups, at least each second.

    Returns:
        The counts and the bad rows.

    Raises:
        ConfigurationError: the field or its storage cannot be imported.
        ImportStopped: the original storage, the database or the meta backend does not work.
    """
    importer = _Importer(file_field, database, using, checksum, dry_run)
    report = Report(get_label(file_field))
    try:
        report.total = importer.rows.count()
        for batch in _read_batches(importer.rows, file_field, batch_size):
            for row, result in importer.import_batch(batch):
                if isinstance(result, RowError):
                    report.bad.append(BadRow(row.key, row.value, str(result)))
                else:
                    setattr(report, result, getattr(report, result) + 1)
                progress(report)
    except ConfigurationError:
        raise
    except Exception as error:
        where = "" if importer.row is None else f" near the row {importer.row.key!r}"
        raise ImportStopped(
            f"The import of {report.label} stopped{where}: {describe_error(error)} The "
            "records so far are complete. Run the import again to continue.",
            report=report,
        ) from error
    return report


def get_label(file_field: FileField) -> str:
    """Return the name of a field, such as ``"letters.Letter.scan"``."""
    return f"{file_field.model._meta.label}.{file_field.name}"


def _read_batches(
    rows: QuerySet[Model], file_field: FileField, batch_size: int
) -> Iterator[list[Row]]:
    """Yield the rows in batches. A page begins after the last key, so that no cursor stays open."""
    key = file_field.model._meta.pk.attname
    page = rows.order_by(key).values_list(key, file_field.attname)
    following = page
    while batch := [Row(*values) for values in following[:batch_size]]:
        yield batch
        if len(batch) < batch_size:
            break
        following = page.filter(pk__gt=batch[-1].key)


def get_storage(file_field: FileField) -> ProxyStorageBase:
    """Return the proxy storage of a field whose files can be imported.

    Raises:
        ConfigurationError: the storage is not a proxy storage, or its files do not get a content
            object.
    """
    label, storage = get_label(file_field), get_proxy_storage(file_field)
    if storage is None:
        raise ConfigurationError(
            f"{label} uses {file_field.storage.__class__.__name__}, which is not a proxy storage. "
            "Replace the storage in the settings first, for example by STORAGES = STORAGES | "
            "{'default': {'BACKEND': 'proxy_storage.storages.ProxyStorage'}}, or pass a proxy "
            "storage as the argument storage of the field."
        )
    if not (storage.tracks_plain_fields or is_tracked(file_field)):
        raise ConfigurationError(
            f"{label} is a {type(file_field).__name__} on {type(storage).__name__}, which does not "
            "track the files of Django's own fields. Set tracks_plain_fields = True on the class "
            "(the option plain_fields of ProxyStorage), or use a ProxyStorageFileField."
        )
    return storage


class _Importer:
    """One import of a field; see `import_field`."""

    def __init__(
        self,
        file_field: FileField,
        database: str | None,
        using: str | None,
        checksum: bool,
        dry_run: bool,
    ) -> None:
        self.field, self.dry_run = file_field, dry_run
        self.storage = get_storage(file_field)
        self.storage_name = registry.get_proxy_storage_name(self.storage)
        self.meta_backend = self.storage.meta_backend
        self.original = self._get_original(using)
        self.database = self._get_database(database)
        records_metadata = getattr(self.storage, "records_metadata", False)
        self.reads_content = checksum and (
            records_metadata or self.storage.checksum_algorithm is not None
        )
        self.has_locks = connections[self.database].features.has_select_for_update
        # The row that is being imported.
        self.row: Row | None = None
        self._records: dict[str, MetaBackendObject] = {}
        self._records_by_bytes: dict[str, MetaBackendObject] = {}

    def _get_original(self, using: str | None) -> NamedStorage:
        originals = get_all_originals(self.storage)
        if using is None:
            return originals[0]
        for original in originals:
            if original.name == using:
                return original
        names = ", ".join(repr(original.name) for original in originals if original.name)
        raise ConfigurationError(
            f"{type(self.storage).__name__} does not have an original storage {using!r}. "
            + (f"Its original storages are {names}." if names else "It has only one: omit using.")
        )

    def _get_database(self, database: str | None) -> str:
        model = self.field.model
        if isinstance(model._meta.pk, CompositePrimaryKey):
            raise ConfigurationError(
                f"{model._meta.label} has a composite primary key. A record can hold only a key of "
                "one column."
            )
        alias = router.db_for_write(model) if database is None else database
        if alias not in connections:
            raise ConfigurationError(f"DATABASES does not have the alias {alias!r}.")
        self.meta_backend.check_keys(CONTENT_OBJECT_KEYS)
        if alias not in get_databases(model):
            raise ConfigurationError(
                f"Content objects of {model._meta.label} are not looked up in the database "
                f"{alias!r}. Add it to PROXY_STORAGE['CONTENT_OBJECT_DATABASES']."
            )
        return alias

    @property
    def rows(self) -> QuerySet[Model]:
        """The rows with a file."""
        rows = self.field.model._base_manager.using(self.database)
        name = self.field.attname
        return rows.exclude(Q(**{name: ""}) | Q(**{f"{name}__isnull": True}))

    # Batches

    def import_batch(self, batch: Sequence[Row]) -> Iterator[tuple[Row, str | RowError]]:
        """Import some rows; yield each with its result after its record was written.

        The result is the name of a counter in `Report`, or the reason why it was not imported.
        """
        self._read_records(batch)
        pending: list[tuple[Row, Callable[[], str]]] = []
        group_ends_at = time.monotonic() + GROUP_SECONDS
        for row in batch:
            self.row = row
            try:
                step = self._prepare(row)
            except RowError as error:
                yield row, error
                continue
            except Exception:
                yield from self._write_group(pending)
                raise
            if isinstance(step, str):
                yield row, step
                continue
            pending.append((row, step))
            if self.has_locks or time.monotonic() >= group_ends_at:
                yield from self._write_group(pending)
                pending = []
                group_ends_at = time.monotonic() + GROUP_SECONDS
        yield from self._write_group(pending)

    def _write_group(
        self, pending: Sequence[tuple[Row, Callable[[], str]]]
    ) -> list[tuple[Row, str | RowError]]:
        """Write the records of some rows; in one transaction on SQLite, which syncs each commit.

        Other databases commit each record. A transaction that locks several rows could be in
        deadlock with one of the site.
        """
        if not pending:
            return []
        alias = self.meta_backend.get_transaction_alias()
        is_group = alias is not None and not self.has_locks
        results: list[tuple[Row, str | RowError]] = []
        with transaction.atomic(using=alias) if is_group else nullcontext():
            for row, write in pending:
                try:
                    results.append((row, write()))
                except RowError as error:
                    results.append((row, error))
        return results

    def _read_records(self, batch: Sequence[Row]) -> None:
        """Read the records of the files of some rows."""
        paths = [row.value for row in batch if is_literal_path(row.value)]
        found = self.meta_backend.select(Q(path__in=paths))
        self._records = {record["path"]: record for record in found}
        missing = [path for path in paths if path not in self._records]
        self._records_by_bytes = self._find_records_of_bytes(missing) if missing else {}

    def _find_records_of_bytes(self, names: Iterable[str]) -> dict[str, MetaBackendObject]:
        """Return the records of bytes that may have another path than their name.

        Such a column has no index, so that all bytes of a batch are looked up by one query.
        """
        bare = [name.lstrip("/") for name in names]
        places = [*bare, *(f"/{name}" for name in bare)]
        condition = Q(
            proxy_storage_name=self.storage_name,
            original_storage_path__in=places,
        )
        return {
            record["original_storage_path"].lstrip("/"): record
            for record in self.meta_backend.select(condition)
            if self.original.name in (None, self.storage.get_original_storage_name(record))
        }

    # Rows

    def _prepare(self, row: Row) -> str | Callable[[], str]:
        """Check a row and read its file.

        Returns:
            The name of the counter if nothing has to be written. Otherwise a function that writes
            the record and returns the name of the counter, or raises `RowError`.

        Raises:
            RowError: the row is not imported.
        """
        data = self._get_content_object_data(row.key)
        record = self._records.get(row.value)
        if record is None:
            original_storage_path = self._locate(row)
            other = self._records_by_bytes.get(original_storage_path.lstrip("/"))
            if other is not None and other["path"] != row.value:
                raise RowError(f"The file has a record with another path: {other['path']!r}.")
            self._check_exists(original_storage_path)
            if self.dry_run:
                return CREATED
            values = {**self._measure(row.value, original_storage_path), **data}
            return partial(self._create, row, values, data)
        if self._belongs_to(record, data):
            return PRESENT
        self._check_record(row, record)
        return ASSIGNED if self.dry_run else partial(self._assign, row, record, data)

    def _create(self, row: Row, values: Mapping[str, Any], data: Mapping[str, Any]) -> str:
        try:
            self._write(row, data, partial(self.meta_backend.create, values))
        except MetaBackendObjectAlreadyExists:
            # Another row of this batch, or another process, was faster.
            record = self._read_again(row)
            if self._belongs_to(record, data):
                return PRESENT
            self._check_record(row, record)
            return self._assign(row, record, data)
        return CREATED

    def _belongs_to(self, record: MetaBackendObject, data: Mapping[str, Any]) -> bool:
        return record["proxy_storage_name"] == self.storage_name and belongs_to(record, data)

    def _read_again(self, row: Row) -> MetaBackendObject:
        try:
            return self.meta_backend.get(row.value)
        except MetaBackendObjectDoesNotExist as error:
            raise RowError("The record was deleted at this moment. Import again.") from error

    def _write(self, row: Row, data: Mapping[str, Any], write: Callable[[], object]) -> None:
        """Write the record of a row that still names the file.

        A save that replaces the file of the row releases its record if it has one already. The
        lock lets such a save wait, or waits for it. SQLite does not have locks of rows, and a read
        before the write could not wait for another process: there, the row is read afterwards.
        """
        rows = self.field.model._base_manager.using(self.database)
        names = rows.filter(pk=row.key).values_list(self.field.attname, flat=True)
        changed = RowError("The row was changed at this moment. Import again.")
        if self.has_locks:
            with transaction.atomic(using=self.database):
                if list(names.select_for_update()) != [row.value]:
                    raise changed
                write()
        else:
            write()
            if list(names) != [row.value]:
                self.meta_backend.set_content_object(data, None, [row.value])
                raise changed

    def _get_content_object_data(self, key: Any) -> dict[str, Any]:
        """Return the values by which a record names a row and the field.

        No instance is made: its ``post_init`` receivers may read the file.
        """
        model = self.field.model
        row: Any = SimpleNamespace(**{model._meta.pk.attname: key})
        data = get_content_object_data(row, self.field, self.database, self.meta_backend)
        if not self.meta_backend.can_hold(SCOPE_KEY) and data.pop(SCOPE_KEY) is not None:
            raise ConfigurationError(
                f"Records of {self.meta_backend!r} cannot name the database or tenant of "
                f"{model._meta.label}. Add content_object_scope of ContentObjectFieldMixin to "
                "their model and migrate."
            )
        return data

    def _locate(self, row: Row) -> str:
        """Return the path of the file of a row in the original storage.

        Raises:
            RowError: the value is not a name that the storage would return.
            ConfigurationError: the storage returns paths of another kind.
        """
        value = row.value
        if not isinstance(value, str) or len(value) > MAX_PATH_LENGTH:
            raise RowError(f"The value must be text of at most {MAX_PATH_LENGTH} characters.")
        kind = get_path_kind(self.storage)
        try:
            if kind != RELATIVE and is_literal_path(value) and value.startswith("/"):
                return self._locate_path(value)
            name = validate_name(value)
            if normalize_name(name) != value:
                raise RowError(
                    f"The name is not in its normal form. Change the value to "
                    f"{normalize_name(name)!r}."
                )
            if kind != RELATIVE:
                raise ConfigurationError(
                    f"Paths of {type(self.storage).__name__} are {kind}, but the row {row.key!r} "
                    f"of {get_label(self.field)} has the relative name {value!r}. Set "
                    "paths = 'relative' on the storage, so that names in rows stay unchanged."
                )
            own = get_own_path(self.original.storage, name)
            if leads_out(self.original.storage, f"{own}/x"):  # It follows the links of a folder.
                raise RowError("A symbolic link leads out of the original storage.")
            return own
        except SuspiciousFileOperation as error:
            raise RowError(str(error)) from error

    def _locate_path(self, path: str) -> str:
        places = {original.name: name for original, name in split_path(self.storage, path)}
        if self.original.name not in places:
            raise RowError("The path is not one of this storage.")
        return places[self.original.name]

    def _check_exists(self, original_storage_path: str) -> None:
        """Raise `RowError` if the original storage does not have the file of a row."""
        original = self.original.storage
        with _errors_of_a_file():
            local_path = get_local_path(original, original_storage_path)
            is_folder = local_path is not None and os.path.isdir(local_path)
            if not is_folder and original.exists(original_storage_path):
                return
        problem = get_storage_problem(original)
        if problem is not None:
            raise FileNotFoundError(problem)
        place = type(original).__name__ if self.original.name is None else self.original.name
        raise RowError(f"{place} does not have a file with this name.")

    def _measure(self, path: str, original_storage_path: str) -> dict[str, Any]:
        """Return the data of a new record, with the metadata that the storage records."""
        original = self.original.storage
        algorithm = self.storage.checksum_algorithm if self.reads_content else None
        file = LazyFile(
            original_storage_path,
            partial(original.open, original_storage_path),
            partial(original.size, original_storage_path),
        )
        with _errors_of_a_file(), file:
            content = MeasuredFile(file, original_storage_path, algorithm)
            if self.reads_content:
                for _chunk in content.chunks():
                    pass
            data = self.storage.get_data_for_meta_backend_save(
                path=path,
                original_storage_path=original_storage_path,
                original_name=original_storage_path,
                content=content,
            )
            if getattr(self.storage, "records_metadata", False):
                try:
                    data["created_at"] = original.get_modified_time(original_storage_path)
                except NotImplementedError:
                    data["created_at"] = None
                if not self.reads_content:
                    data["size"], data["checksum"] = file.size, ""
        if self.original.name is not None:
            data["original_storage_name"] = self.original.name
        return data

    def _check_record(self, row: Row, record: MetaBackendObject) -> None:
        """Check that a row may become the content object of the record that has its path.

        The record may be the one of a file that was saved later: with relative paths, a new file
        gets the name of an old one that does not have a record, and its bytes get another name. So
        the bytes of the record must have the name in the row. A released file is not assigned, as
        its permissions depended on another row, and an upload is its uploader's.

        Raises:
            RowError: the record has another content object, or may be that of another file.
        """
        if record["proxy_storage_name"] != self.storage_name:
            raise RowError("The path has a record of another proxy storage.")
        if has_content_object(record):
            raise RowError(f"The file belongs to {_describe_content_object(record)}.")
        if record.get(RELEASED_KEY) is not None:
            raise RowError("The file was released by another row. Call assign() of its field file.")
        if record.get(UPLOADER_KEY) is not None:
            raise RowError("The file is an upload of a user. Call assign() of its field file.")
        original_storage_path = self._locate(row)
        if record["original_storage_path"].lstrip("/") != original_storage_path.lstrip(
            "/"
        ) or self.original.name not in (None, self.storage.get_original_storage_name(record)):
            raise RowError(
                "The path has a record of other bytes, those of "
                f"{record['original_storage_path']!r}. If the row means this file, call assign() "
                "of its field file."
            )
        self._check_exists(original_storage_path)

    def _assign(self, row: Row, record: MetaBackendObject, data: Mapping[str, Any]) -> str:
        values, _released = self.meta_backend.get_content_object_values(data)
        where = {"content_type_id": None, **self.meta_backend.get_identity(record)}
        try:
            update = partial(self.meta_backend.update, row.value, values, where=where)
            self._write(row, data, update)
        except MetaBackendObjectDoesNotExist as error:
            if self._belongs_to(self._read_again(row), data):
                return PRESENT  # Another process was faster.
            raise RowError("The record was changed at this moment. Import again.") from error
        return ASSIGNED


@contextmanager
def _errors_of_a_file() -> Iterator[None]:
    """Raise `RowError` for an error that concerns one file, not its storage."""
    try:
        yield
    except FileNotFoundError as error:
        raise RowError("The file was deleted at this moment.") from error
    except SuspiciousFileOperation as error:
        raise RowError(str(error)) from error
    except OSError as error:
        if error.errno not in ERRORS_OF_A_FILE:
            raise
        raise RowError(f"The file cannot be read: {error.strerror}.") from error


def _describe_content_object(record: MetaBackendObject) -> str:
    model, _database = locate_content_object(record)
    label = "an unknown model" if model is None else model._meta.label
    return f"the field {record.get('field')!r} of {label} with the key {record.get('object_id')!r}"
