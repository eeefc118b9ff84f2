"""What the records say: a list of them, and one."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from django.db.models import Q
from django.http.response import HttpResponseBase
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings as drf_settings

from proxy_storage.exceptions import ConfigurationError, RuleError
from proxy_storage.meta_backends.record_set import RecordSet
from proxy_storage.owners import get_owner_models
from proxy_storage_api.download import DownloadMixin
from proxy_storage_api.filters import ORDERINGS, RecordFilter
from proxy_storage_api.pagination import RecordPagination, StepPagination
from proxy_storage_api.row_filters import apply_filter
from proxy_storage_api.serializers import RecordSerializer
from proxy_storage_api.settings import api_settings, get_max_decisions
from proxy_storage_permissions.base import Outside, asks_records, get_function
from proxy_storage_permissions.filters import (
    find_unfiltered,
    get_readable,
    get_rule_name,
    get_single_rules,
)
from proxy_storage_permissions.requesters import is_logged_in

logger = logging.getLogger("proxy_storage_api")


class RecordsMixin(DownloadMixin):
    """Tell of the files that the requester may read."""

    serializer_class: Any = RecordSerializer
    filter_backends: Sequence[Any] = (RecordFilter,)
    pagination_class: Any = drf_settings.DEFAULT_PAGINATION_CLASS or RecordPagination
    #: query parameters of the list beside those of its filters and pages; all others are 400
    list_parameters: Collection[str] = ()
    #: what DRF's ``OrderingFilter`` may order by, if it is one of the filters
    ordering_fields: Sequence[str] = ORDERINGS

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Tell a list from a download, which are one resource: the file's path decides.

        Django reads the query here for the first time, and may refuse it.
        """
        if self.action == "list" and self.path_parameter in request.query_params:
            self.action = "download"
        super().initial(request, *args, **kwargs)

    def check_permissions(self, request: Request) -> None:
        """Refuse lists to anonymous users if ``ANONYMOUS_LISTS`` is false."""
        super().check_permissions(request)
        is_closed = self.action == "list" and not api_settings.ANONYMOUS_LISTS
        if is_closed and not is_logged_in(request.user):
            self.permission_denied(request)

    def get_queryset(self) -> Any:
        """Return the records that the requester may read.

        They are selected by the filters of the permissions. A permission without a filter is
        checked record by record. For a request about one file these are the records of its
        path, and the permissions are checked afterwards.

        Raises:
            ConfigurationError: the class has a ``queryset``.
            RuleError: a permission needs the model of a queryset.
        """
        if getattr(self, "queryset", None) is not None:
            raise ConfigurationError(
                f"{type(self).__qualname__}.queryset is not used: override get_queryset(), and "
                "narrow down super().get_queryset() by filter()."
            )
        if self._is_deciding:
            Outside().get_queryset()
        if self.asks_for_one_file:
            return self._get_sought_records()
        with self._deciding():
            readable = get_readable(self.get_permissions(), self.request, self)
        check = None if readable.is_exact else self.may_have
        return RecordSet(self.get_meta_backends(), readable.condition, check=check)

    def _get_sought_records(self) -> RecordSet:
        if self._sought is None:
            return RecordSet(self.get_meta_backends())
        path, proxy_storage_name = self._sought
        return RecordSet(self._get_meta_backends_of(proxy_storage_name), Q(path=path))

    def filter_queryset(self, queryset: Any) -> Any:
        """Apply the filters, those for tables by way of the table of the records."""
        for backend in self.filter_backends:
            queryset = apply_filter(backend(), self.request, queryset, self)
        return queryset

    def narrows_records(self) -> bool:
        """Tell whether a subclass gives access to a part of the records only."""
        return (
            any(backend is not RecordFilter for backend in self.filter_backends)
            or get_function(self.get_queryset) is not RecordsMixin.get_queryset
            or get_function(self.filter_queryset) is not RecordsMixin.filter_queryset
        )

    def paginate_queryset(self, queryset: Any) -> Any:
        """Return a page; records that are decided on one by one are not counted."""
        is_asked = isinstance(queryset, RecordSet) and queryset.check is not None
        if is_asked and self.paginator is not None:
            self._paginator = StepPagination(self.paginator, get_max_decisions())
        return super().paginate_queryset(queryset)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer with the file of a path, or with a page of records where none is named."""
        if self.action == "download":
            return self.download(request, *args, **kwargs)
        try:
            records = self.filter_queryset(self.get_queryset())
        except RuleError as error:
            self._log_rule_error(error)
            self._deny(request, None)
        if isinstance(records, RecordSet) and records.check is not None:
            warn_of_rules(tuple(self._find_unfiltered()))
        page = self.paginate_queryset(records)
        serializer = self.get_serializer(
            self._get_all(records) if page is None else page, many=True
        )
        return (
            Response(serializer.data)
            if page is None
            else self.get_paginated_response(serializer.data)
        )

    def _find_unfiltered(self) -> Sequence[str]:
        """Return the names of the rules without filter; of all, if each of them has one."""
        permissions, models = self.get_permissions(), get_owner_models()
        names = [name for one in permissions for name in find_unfiltered(one, models)]
        rules = [rule for one in permissions for rule in get_single_rules(one)]
        return names or [get_rule_name(rule) for rule in rules if asks_records(rule)]

    def _get_all(self, records: Any) -> Any:
        """Return all records, for a list without pages.

        Raises:
            ValidationError: 400, too many would have to be decided on.
        """
        if not isinstance(records, RecordSet) or records.check is None:
            return records
        limit = get_max_decisions()
        step = records.decide_on(limit, limit)
        if step.position is not None:
            raise ValidationError("There are too many files. Choose some of them by a filter.")
        return step.records

    @action(detail=False, methods=["get"])
    def record(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with what the record of one file says."""
        return Response(self.get_serializer(self.get_object()).data)


@cache
def warn_of_rules(names: tuple[str, ...]) -> None:
    """Log the rules that a list checks for each record, once in a process."""
    logger.warning(
        "A list asks each record, since one of these rules has no filter for the requester: %s. "
        "See the documentation of get_filter().",
        ", ".join(names),
    )
