"""The queries of a forbidden file, for a missing one.

With ``HIDE_FORBIDDEN``, the responses for a forbidden file and for a missing one are equal. The
number of queries must be equal as well, because their duration could reveal whether a file exists.
So the permissions are also checked for records that do not exist.
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

from proxy_storage.content_objects import get_content_object_models, get_scope, is_tracked
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.registry import get_proxy_storage_name


def run_queries_of_refusal(path: str, has_access: Callable[[MetaBackendObject], bool]) -> None:
    """Run the permission queries of a forbidden file for a missing one.

    The number of queries then does not reveal whether a file exists. Permissions that make no
    query reveal nothing, so this ends with the first record for which they make a query and deny.

    Args:
        path: the path of the request.
        has_access: a function that checks the permissions for a record.
    """
    for record in get_missing_records(path):
        with count_queries() as queries:
            is_allowed = has_access(record)
        if queries.count and not is_allowed:
            return


class QueryCounter:
    """A counter of queries, used as an execute wrapper of database connections.

    Source: https://docs.djangoproject.com/en/stable/topics/db/instrumentation/
    """

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, execute: Any, *args: Any) -> Any:
        """Count and run a query."""
        self.count += 1
        return execute(*args)


@contextmanager
def count_queries() -> Iterator[QueryCounter]:
    """Count the queries of all open database connections."""
    queries = QueryCounter()
    with ExitStack() as stack:
        for connection in connections.all(initialized_only=True):
            stack.enter_context(connection.execute_wrapper(queries))
        yield queries


def get_missing_records(path: str) -> Iterator[MetaBackendObject]:
    """Yield a record for each file field of the project, with a content object that does not exist.

    It has all keys that records of the field have, so that permissions run the same queries as for
    a file of that field.

    Args:
        path: the path of the records.
    """
    for model in get_content_object_models():
        for field in model._meta.local_fields:
            if is_tracked(field):
                yield _make_record(path, model, field)


def _make_record(path: str, model: Any, field: Any) -> MetaBackendObject:
    meta_backend = getattr(field.storage, "meta_backend", None)
    try:
        name = get_proxy_storage_name(field.storage)
    except ConfigurationError:  # The storage is not registered.
        name = ""
    record = MetaBackendObject(
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
    record.meta_backend = meta_backend
    return record


def _get_unused_key(primary_key: Any) -> Any:
    while primary_key.remote_field is not None:
        primary_key = primary_key.target_field
    if isinstance(primary_key, UUIDField):
        return uuid.uuid4()
    if isinstance(primary_key, DateField):
        never = datetime(1, 1, 2, tzinfo=UTC)
        return never if isinstance(primary_key, DateTimeField) else never.date()
    return "" if primary_key.empty_strings_allowed else -1
