"""Records of files that do not exist.

With ``HIDE_FORBIDDEN`` the answers for a forbidden file and for a missing one do not differ, also
in their number of queries. So the permissions are checked for a record that does not exist, too.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import connections, router
from django.db.models import DateField, DateTimeField, UUIDField

from proxy_storage.content_objects import get_content_object_models
from proxy_storage.db.fields import ContentObjectFileFieldMixin
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.registry import get_proxy_storage_name
from proxy_storage.scopes import get_scope


def run_queries_of_refusal(path: str, has_access: Callable[[MetaBackendObject], bool]) -> None:
    """Run the permission queries of a forbidden file for a missing one.

    Rules that make no query reveal nothing. So the first record is taken for which they make
    one, and refuse the requester.

    Args:
        path: the path of the request.
        has_access: asks the permissions.
    """
    for phantom in get_missing_records(path):
        with count_queries() as queries:
            is_allowed = has_access(phantom)
        if queries.count and not is_allowed:
            return


class QueryCounter:
    """Counts queries, as a wrapper of a connection's ``execute``.

    Source: https://docs.djangoproject.com/en/stable/topics/db/instrumentation/
    """

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, execute: Any, *args: Any) -> Any:
        """Count one, and run it."""
        self.count += 1
        return execute(*args)


@contextmanager
def count_queries() -> Iterator[QueryCounter]:
    """Count the queries of all databases that are connected."""
    queries = QueryCounter()
    with ExitStack() as stack:
        for connection in connections.all(initialized_only=True):
            stack.enter_context(connection.execute_wrapper(queries))
        yield queries


def get_missing_records(path: str) -> Iterator[MetaBackendObject]:
    """Give out a record for each file field of the project, with an owner that does not exist.

    It has every key that records of the field have, so that permissions do the same work for it
    as for a file of that field.

    Args:
        path: the path of the records.
    """
    for model in get_content_object_models():
        for field in model._meta.local_fields:
            if isinstance(field, ContentObjectFileFieldMixin):
                yield _make_phantom(path, model, field)


def _make_phantom(path: str, model: Any, field: Any) -> MetaBackendObject:
    meta_backend = getattr(field.storage, "meta_backend", None)
    try:
        name = get_proxy_storage_name(field.storage)
    except ConfigurationError:  # A storage that only this field uses.
        name = ""
    phantom = MetaBackendObject(
        {
            **({} if meta_backend is None else meta_backend.get_blank_values()),
            "path": path,
            "proxy_storage_name": name,
            "original_storage_path": path,
            "content_type_id": ContentType.objects.get_for_model(model).pk,
            "object_id": _get_unused_key(model._meta.pk),
            "field": field.name,
            "content_object_scope": get_scope(model, router.db_for_write(model), meta_backend),
        }
    )
    phantom.meta_backend = meta_backend
    return phantom


def _get_unused_key(primary_key: Any) -> Any:
    while primary_key.remote_field is not None:
        primary_key = primary_key.target_field
    if isinstance(primary_key, UUIDField):
        return uuid.uuid4()
    if isinstance(primary_key, DateField):
        never = datetime(1, 1, 2, tzinfo=UTC)
        return never if isinstance(primary_key, DateTimeField) else never.date()
    return "" if primary_key.empty_strings_allowed else -1
