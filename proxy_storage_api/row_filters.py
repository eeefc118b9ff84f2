"""Filters of Django REST framework and django-filter, which filter rows of a table.

Records in a table are rows of a model. The rows that such a filter finds become a condition on
records.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from rest_framework.filters import SearchFilter

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.meta_backends.record_set import RecordSet


def apply_filter(backend: Any, request: Any, queryset: Any, view: Any) -> Any:
    """Return the records that a filter lets through.

    Args:
        backend: an instance of a filter backend. One of the project that filters rows has an
            attribute ``filters_rows``, which is true.
        request: the request.
        queryset: the records.
        view: the view.

    Raises:
        ConfigurationError: the filter is for rows, and the records are not in one table.
    """
    if not (isinstance(queryset, RecordSet) and filters_rows(backend)):
        return backend.filter_queryset(request, queryset, view)
    rows = _get_rows(backend, queryset)
    found = backend.filter_queryset(request, rows, view)
    names = found.query.order_by
    if names:
        queryset = queryset.order_by(*names)
    if not found.query.has_filters():
        return queryset
    key = rows.model._meta.pk.attname
    return queryset.filter(Q(**{f"{key}__in": found.order_by().values(key)}))


def filters_rows(backend: Any) -> bool:
    """Tell whether a filter backend needs a queryset of Django."""
    modules = (base.__module__.partition(".")[0] for base in type(backend).__mro__)
    return (
        isinstance(backend, SearchFilter)
        or "django_filters" in modules
        or bool(getattr(backend, "filters_rows", False))
    )


def _get_rows(backend: Any, records: RecordSet) -> Any:
    meta_backends = records.meta_backends
    if len(meta_backends) != 1 or not isinstance(meta_backends[0], ORMMetaBackend):
        raise ConfigurationError(
            f"{type(backend).__qualname__} filters rows of one table, and these records are in "
            f"{', '.join(map(repr, meta_backends)) or 'no meta backend'}. Use RecordFilter, whose "
            "parameter 'search' takes a part of a path or name, or set meta_backends of the view "
            "to one ORMMetaBackend."
        )
    meta_backend = meta_backends[0]
    return meta_backend.model._base_manager.using(meta_backend.get_transaction_alias()).all()
