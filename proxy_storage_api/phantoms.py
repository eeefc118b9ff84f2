"""Records of files that are not there."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import connections
from django.db.models import UUIDField

from proxy_storage.db.fields import OwnedFileMixin
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.owners import get_owner_models


def work_as_for_a_refusal(path: str, may_have: Callable[[MetaBackendObject], bool]) -> None:
    """Do for no file what is done for one that is refused, so that queries tell nothing.

    Rules that ask no database leave nothing to be told by. So the first is taken that does,
    and would refuse the requester.

    Args:
        path: what was asked for.
        may_have: asks the permissions.
    """
    for phantom in get_phantoms(path):
        queries = QueryCounter()
        with ExitStack() as stack:
            for connection in connections.all(initialized_only=True):
                stack.enter_context(connection.execute_wrapper(queries))
            is_allowed = may_have(phantom)
        if queries.count and not is_allowed:
            return


class QueryCounter:
    """Counts queries, as a wrapper of a connection's ``execute``.

    Source: https://docs.djangoproject.com/en/stable/topics/db/instrumentation/
    """

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, execute: Any, *args: Any) -> Any:
        """Count one, and hand it on."""
        self.count += 1
        return execute(*args)


def get_phantoms(path: str) -> Iterator[MetaBackendObject]:
    """Give out a record for each file field of the project, with an owner that is not there.

    A permission does the same work for one of them as for a file of that field.

    Args:
        path: what the records have as their path.
    """
    for model in get_owner_models():
        for field in model._meta.local_fields:
            if isinstance(field, OwnedFileMixin):
                yield MetaBackendObject(
                    path=path,
                    proxy_storage_name="",
                    original_storage_path="",
                    content_type_id=ContentType.objects.get_for_model(model).pk,
                    object_id=_get_unused_key(model._meta.pk),
                    field=field.name,
                )


def _get_unused_key(primary_key: Any) -> Any:
    if isinstance(primary_key, UUIDField):
        return uuid.uuid4()
    return "" if primary_key.empty_strings_allowed else -1
