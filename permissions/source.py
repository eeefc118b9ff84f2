"""Permission for files that are derived from other files, such as thumbnails."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, TypeAlias

from django.conf import settings
from django.db.models import Model, Q
from django.utils.module_loading import import_string
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.exceptions import ConfigurationError, MetaBackendObjectDoesNotExist
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.queries import Condition
from proxy_storage.registry import get_proxy_storage_names
from proxy_storage.storages.lookup import get_roots

from .base import FilePermission, evaluate
from .filters import PermissionFilter, get_rule_name
from .settings import get_reading_classes
from .uploader import ATTACHED_KEYS, ID_KEY

GetSource: TypeAlias = Callable[[MetaBackendObject], str | None]

#: The greatest number of steps from a file to its source, from there to the source's source, etc.
MAX_STEPS = 4

#: How much older than its source a file may be: the clocks of two servers can differ.
CLOCK_TOLERANCE = timedelta(minutes=1)

# A file whose record has a value for one of these keys was saved by a user, not by a library.
_NOT_DERIVED_KEYS = (*ATTACHED_KEYS, ID_KEY)
# The name that easy-thumbnails gives a thumbnail, without its folders and its prefix.
_EASY_THUMBNAIL = re.compile(r"(?P<source>.+)\.\d+x\d+(?:_[^/]*)?\.\w+")
# The paths of the files whose sources are being checked, with their meta backends.
_checked: ContextVar[tuple[Any, ...]] = ContextVar("checked", default=())


class CanReadSource(FilePermission):
    """Allow a file to the users who may read the file that it is derived from.

    ::

        PictureFiles | CanReadSource(get_easy_thumbnails_source, PictureFiles)

    A thumbnail does not belong to an instance, but its name contains the name of its picture. A
    file with a content object or an uploader is denied, since a user can choose such a name. A file
    whose source does not exist is denied as well, and so is a file that is older than its source:
    it was derived from a former file of this name, which may have belonged to another user. The
    times are compared if the records have metadata.

    The source must be in the same proxy storage. It may itself be derived from another file;
    `MAX_STEPS` of them are followed, and a file that is derived from itself is denied.

    A list checks each record that does not belong to an instance. One check takes one query for the
    record of the source, in addition to those of the source's permission.

    Args:
        get_source: a function that returns the path of the source's record for a record, or
            ``None`` if the file is not derived; or its dotted path; or a compiled regular
            expression for the whole path with a group ``source``.
        permission: the permission for the source, as a class or instance; by default all of
            ``PROXY_STORAGE["DEFAULT_PERMISSION_CLASSES"]``.

    Raises:
        ConfigurationError: ``get_source`` has another type or cannot be imported, or the regular
            expression does not have the group.
    """

    def __init__(
        self, get_source: GetSource | str | re.Pattern[str], permission: Any = None
    ) -> None:
        self.get_source = _load_function(get_source)
        self.permission = permission

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Find the record of the source, and evaluate its permission."""
        if any(obj.get(key) is not None for key in _NOT_DERIVED_KEYS):
            return False
        with _follow(obj) as is_new:
            source = self._get_source_record(obj) if is_new else None
            if source is None or _is_older(obj, source):
                return False
            classes = get_reading_classes() if self.permission is None else [self.permission]
            return all(evaluate(cls(), request, view, source) is True for cls in classes)

    def get_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> Condition | None:
        """Return ``None``, since a condition cannot compare a record with another one."""
        return None

    def get_permission_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> PermissionFilter:
        """Return a filter that leaves out the files of instances, so that they are not checked."""
        return PermissionFilter(False, Q(**{f"{key}__isnull": True for key in _NOT_DERIVED_KEYS}))

    def find_unfiltered(self, models: Collection[type[Model]]) -> Iterator[str]:
        """Yield the name of this class."""
        yield get_rule_name(self)

    def _get_source_record(self, record: MetaBackendObject) -> MetaBackendObject | None:
        path = self.get_source(record)
        meta_backend = record.meta_backend
        if path is None or meta_backend is None:
            return None
        with suppress(MetaBackendObjectDoesNotExist):
            source = meta_backend.get(path)
            if source["proxy_storage_name"] == record["proxy_storage_name"]:
                return source
        return None


def _is_older(record: MetaBackendObject, source: MetaBackendObject) -> bool:
    """Return whether a file was saved before its source, so that it has another one."""
    saved_at, source_saved_at = record.get("created_at"), source.get("created_at")
    if saved_at is None or source_saved_at is None:
        return False
    return bool(saved_at + CLOCK_TOLERANCE < source_saved_at)


@contextmanager
def _follow(record: MetaBackendObject) -> Iterator[bool]:
    """Return whether the source of a file may be checked: not twice, and not too many steps."""
    checked, file = _checked.get(), (record.meta_backend, record["path"])
    token = _checked.set((*checked, file))
    try:
        yield file not in checked and len(checked) < MAX_STEPS
    finally:
        _checked.reset(token)


def _load_function(value: Any) -> GetSource:
    if isinstance(value, re.Pattern):
        return _SourceByPattern(value)
    if isinstance(value, str):
        try:
            value = import_string(value)
        except ImportError as error:
            raise ConfigurationError(
                f"get_source of CanReadSource cannot be imported: {error}"
            ) from error
    if not callable(value):
        raise ConfigurationError(
            "get_source of CanReadSource must be a function, its dotted path or a compiled "
            f"regular expression, not {value!r}."
        )
    return value  # type: ignore[no-any-return]  # The project's own function.


class _SourceByPattern:
    """A function that finds the path of the source by a regular expression.

    Two of them are equal if their expressions are: permissions are compared by their attributes.
    """

    def __init__(self, pattern: re.Pattern[str]) -> None:
        if "source" not in pattern.groupindex:
            raise ConfigurationError(
                f"The regular expression {pattern.pattern!r} of CanReadSource must have a group "
                "(?P<source>...) with the path of the source."
            )
        self.pattern = pattern

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _SourceByPattern) and self.pattern == other.pattern

    def __hash__(self) -> int:
        return hash(self.pattern)

    def __call__(self, record: MetaBackendObject) -> str | None:
        found = self.pattern.fullmatch(record["path"])
        return None if found is None else found["source"]


def get_easy_thumbnails_source(record: MetaBackendObject) -> str | None:
    """Return the path of the picture of a thumbnail that easy-thumbnails has made.

    For ``pics/cat.png.100x100_q85.jpg`` this is ``pics/cat.png``. The settings
    ``THUMBNAIL_BASEDIR``, ``THUMBNAIL_SUBDIR`` and ``THUMBNAIL_PREFIX`` are taken into account;
    ``%(opts)s`` in them and the namers ``hashed`` and ``source_hashed`` do not show the picture.

    Args:
        record: the record of a file.

    Returns:
        ``None`` if the name is not that of a thumbnail.

    Source: https://easy-thumbnails.readthedocs.io/en/latest/ref/settings/
    """
    if record["proxy_storage_name"] not in get_proxy_storage_names():
        return None
    root = _get_root(record)
    folder, name = posixpath.split(record["path"].removeprefix(root))
    base, sub, prefix = (
        getattr(settings, f"THUMBNAIL_{key}", "") for key in ("BASEDIR", "SUBDIR", "PREFIX")
    )
    parts, sub_parts, base_parts = (
        [part for part in each.split("/") if part] for each in (folder, sub, base)
    )
    end = len(parts) - len(sub_parts)
    if parts[: len(base_parts)] != base_parts or end < len(base_parts) or parts[end:] != sub_parts:
        return None
    found = _EASY_THUMBNAIL.fullmatch(name.removeprefix(prefix))
    if found is None or not name.startswith(prefix):
        return None
    return root + posixpath.join(*parts[len(base_parts) : end], found["source"])


def _get_root(record: MetaBackendObject) -> str:
    """Return the text before the relative name in the path of a record."""
    roots = get_roots(record.get_proxy_storage())
    return next(filter(record["path"].startswith, roots), "")
