"""Assertions that users may or may not read files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.core.files.storage import Storage
from django.db.models import Q
from rest_framework.views import APIView

from proxy_storage import registry
from proxy_storage.exceptions import MetaBackendObjectDoesNotExist, ProxyFileNotFoundError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.models import ProxyStorageModelBase
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.meta_backends.queries import all_of, matches

from ..base import evaluate, get_drf_request, is_refusal, make_reading_request
from ..explanation import explain
from ..filters import Readable, get_readable
from ..settings import get_reading_classes

# The words of the tables.
WORDS = {True: "may read", False: "may not"}


class ListView(APIView):
    """The view that is passed to permissions for a list."""

    action = "list"
    checks_record = False


def assert_may_read(
    user: Any,
    file: Any,
    *,
    storage: str | None = None,
    request: Any = None,
    permission_classes: Sequence[Any] | None = None,
) -> None:
    """Assert that a user may read a file through the endpoint.

    Args:
        user: the user; ``None`` for an anonymous user.
        file: a field file such as ``letter.scan``, a record, a row of a model of records, or a
            path.
        storage: the name of the proxy storage of a path. By default the path is looked up in the
            records of all proxy storages.
        request: a request, for permissions that use more than the user, such as
            `HasValidSignature`.
        permission_classes: the permission classes; by default those of
            ``PROXY_STORAGE["DEFAULT_PERMISSION_CLASSES"]``.

    Raises:
        AssertionError: the user may not read the file, or it does not have a record.
        RuleError: a permission class cannot be evaluated.
    """
    _assert_reading(True, user, file, storage, request, permission_classes)


def assert_may_not_read(
    user: Any,
    file: Any,
    *,
    storage: str | None = None,
    request: Any = None,
    permission_classes: Sequence[Any] | None = None,
) -> None:
    """Assert that a user may not read a file. The arguments are those of `assert_may_read`.

    A file without a record fails: it would not be read for another reason.

    Raises:
        AssertionError: the user may read the file, or it does not have a record.
        RuleError: a permission class cannot be evaluated.
    """
    _assert_reading(False, user, file, storage, request, permission_classes)


def assert_matrix(
    users: Mapping[str, Any],
    files: Mapping[str, tuple[Any, Collection[str]]],
    *,
    request: Any = None,
    permission_classes: Sequence[Any] | None = None,
    check_list: bool = True,
) -> None:
    """Assert the allowed users of files. The other users in the table must not read them.

    ::

        assert_matrix(
            users={"reader": reader, "staff": staff, "anonymous": None},
            files={
                "scan": (letter.scan, {"reader", "staff"}),
                "cover": (letter.cover, {"reader", "staff", "anonymous"}),
            },
        )

    Each user and each file are checked twice: for a download, and for a list, which selects files
    by the conditions of `FilePermission.get_filter`. The two must agree.

    Args:
        users: the users by names for this table; ``None`` for an anonymous user.
        files: by a label, a file as for `assert_may_read`, and the names of its readers.
        request: as for `assert_may_read`.
        permission_classes: as for `assert_may_read`.
        check_list: whether lists are checked. A signed link allows one file and shows no list, so
            set it to ``False`` for a request with a signature.

    Raises:
        AssertionError: a table of all differences, and the answers of the permissions.
        ValueError: the readers of a file contain a name that is not in ``users``.
        RuleError: a permission class cannot be evaluated.
    """
    records = {}
    for label, (file, readers) in files.items():
        unknown = set(readers) - users.keys()
        if isinstance(readers, str) or unknown:
            raise ValueError(
                f"The readers of {label!r} must be a set of the names in users, not {readers!r}."
            )
        records[label] = get_record(file)
    rows, details = [], []
    for name, user in users.items():
        reading = Reading(user, request, permission_classes)
        for label, (_file, readers) in files.items():
            wanted = name in readers
            may_read = reading.is_allowed(records[label])
            is_listed = reading.is_listed(records[label]) if check_list else may_read
            if not wanted == may_read == is_listed:
                words = [WORDS[one] for one in (wanted, may_read, is_listed)]
                rows.append([label, name, *words])
                answers = reading.explain(records[label])
                details.append(f"Permissions of {name} for the download of {label}:\n{answers}")
    if rows:
        table = _make_table([["file", "user", "expected", "download", "list"], *rows])
        heading = f"{len(rows)} of {len(users) * len(files)} results are not as expected:"
        raise AssertionError("\n\n".join([heading, table, *details]))


def _assert_reading(
    wanted: bool,
    user: Any,
    file: Any,
    storage: str | None,
    request: Any,
    permission_classes: Sequence[Any] | None,
) -> None:
    record = get_record(file, storage)
    reading = Reading(user, request, permission_classes)
    if reading.is_allowed(record) is not wanted:
        raise AssertionError(
            f"{reading.user} {'may not' if wanted else 'may'} read {describe_record(record)}. "
            f"Permissions:\n{reading.explain(record)}"
        )


@dataclass(frozen=True)
class Reading:
    """The decisions about one user.

    Args:
        given_user: the user; ``None`` for an anonymous user.
        request: the request to copy, if any.
        permission_classes: the permission classes, or ``None`` for those of the settings.
    """

    given_user: Any
    request: Any
    permission_classes: Sequence[Any] | None

    @property
    def user(self) -> Any:
        """The user of the request."""
        return make_reading_request(self.given_user).user

    def _get_permissions(self) -> list[Any]:
        return [cls() for cls in self.permission_classes or get_reading_classes()]

    def _make_request(self) -> Any:
        return get_drf_request(make_reading_request(self.given_user, self.request))

    def is_allowed(self, record: MetaBackendObject) -> bool:
        """Return whether the user may download a file."""
        return all(self._is_allowed_by(rule, record) for rule in self._get_permissions())

    def _is_allowed_by(self, permission: Any, record: MetaBackendObject) -> bool:
        try:
            return evaluate(permission, self._make_request(), None, _copy(record)) is True
        except Exception as error:
            if not is_refusal(error):
                raise
            return False

    def is_listed(self, record: MetaBackendObject) -> bool:
        """Return whether a list for the user contains the record of a file.

        A condition that is not exact is followed by the check of each record.
        """
        try:
            readable = get_readable(self._get_permissions(), self._make_request(), ListView())
        except Exception as error:
            if not is_refusal(error):
                raise
            return False
        return _is_selected(readable, record) and (readable.is_exact or self.is_allowed(record))

    def explain(self, record: MetaBackendObject) -> str:
        """Return the answer of each part of the permissions, for a failed assertion."""
        return "\n".join(
            str(explain(permission, self._make_request(), None, _copy(record)))
            for permission in self._get_permissions()
        )


def _is_selected(readable: Readable, record: MetaBackendObject) -> bool:
    """Return whether a condition selects a record, with the query that a list would make."""
    if record.meta_backend is None:
        return matches(readable.condition, record)
    condition = all_of(readable.condition, Q(path=record["path"]))
    return bool(record.meta_backend.select(condition, stop=1))


def get_record(file: Any, storage: str | None = None) -> MetaBackendObject:
    """Return the record of a file.

    Args:
        file: a field file, a record, a row of a model of records, or a path.
        storage: the name of the proxy storage of a path.

    Raises:
        AssertionError: the file does not have a record.
        TypeError: the value is of another type, or a field file is not on a proxy storage.
    """
    if isinstance(file, MetaBackendObject):
        return file
    if isinstance(file, ProxyStorageModelBase):
        return ORMMetaBackend(model=type(file)).get_records([file])[0]
    if isinstance(file, str):
        return _get_record_of_path(file, storage)
    file_storage = getattr(file, "storage", None)
    if not isinstance(file_storage, Storage) or not hasattr(file_storage, "get_meta_backend_obj"):
        raise TypeError(
            "The file must be a field file on a proxy storage, a record or a path, not "
            f"{type(file).__name__}."
        )
    if not file:
        raise AssertionError(f"The field {file.field.name!r} does not have a file.")
    return _get_record_of_name(file_storage, file.name)


def _get_record_of_path(path: str, storage: str | None) -> MetaBackendObject:
    if storage is not None:
        return _get_record_of_name(registry.get_proxy_storage(storage), path)
    for meta_backend in registry.get_meta_backends():
        with suppress(MetaBackendObjectDoesNotExist):
            return meta_backend.get(path)
    raise AssertionError(f"No record has the path {path!r}.")


def _get_record_of_name(storage: Any, name: str) -> MetaBackendObject:
    try:
        record: MetaBackendObject = storage.get_meta_backend_obj(name)
    except ProxyFileNotFoundError as error:
        raise AssertionError(str(error)) from error
    return record


def describe_record(record: MetaBackendObject) -> str:
    """Return the path of a record, and its content object."""
    instance = record.get_content_object()
    if instance is None:
        return f"{record['path']!r} (no content object)"
    return f"{record['path']!r} (field {record['field']!r} of {instance._meta.label} {instance.pk})"


def _copy(record: MetaBackendObject) -> MetaBackendObject:
    """Return a record without the content object that another decision has fetched."""
    copied = MetaBackendObject(record)
    copied.meta_backend = record.meta_backend
    return copied


def _make_table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(lines)
