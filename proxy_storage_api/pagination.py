"""Pages of records."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotFound
from rest_framework.pagination import BasePagination, PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from proxy_storage.meta_backends.record_set import RecordSet
from proxy_storage_api.positions import seal, unseal

PAGE_SIZE = 50
# Parameters of paginators, and the value of each that stands for the first page.
_FIRST_PAGES = {"page_query_param": "1", "offset_query_param": "0", "cursor_query_param": ""}


class RecordPagination(PageNumberPagination):
    """Fifty records a page, where the project has no paginator of its own.

    A list without pages would read all records.
    """

    page_size = PAGE_SIZE
    page_size_query_param = "page_size"
    max_page_size = 500

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a page; without a total where records are decided on one by one."""
        described: dict[str, Any] = super().get_paginated_response_schema(schema)
        described["properties"]["count"]["nullable"] = True
        return described


class StepPagination(BasePagination):
    """Pages of records that are decided on one by one: with the next page, and without a total.

    A page ends when it is full, or when so many records have been decided on as one request may.
    So it may have fewer records than its size, or none, although there is a next page.

    Args:
        paginator: the paginator of the view, which has the size of a page.
        limit: the number of records that are decided on for one page.
    """

    #: the query parameter that has the position
    position_query_param = "position"

    def __init__(self, paginator: Any, limit: int) -> None:
        self.paginator = paginator
        self.limit = limit
        self.next_url: str | None = None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return the records of a page.

        Raises:
            NotFound: 404, the position is not one that this list has given out, or the page is
                given by its number.
        """
        records: RecordSet = queryset
        for name, first in _FIRST_PAGES.items():
            parameter = getattr(self.paginator, name, None)
            if parameter and request.query_params.get(parameter, first) not in (first, ""):
                raise NotFound(_("Invalid page."))
        position = None
        sealed = request.query_params.get(self.position_query_param)
        if sealed:
            position = unseal(sealed)
            if position is None or list(position) != list(records.order):
                raise NotFound(_("Invalid cursor"))
        step = records.decide_on(self._get_size(request), self.limit, position)
        self.next_url = None
        if step.position is not None:
            url = request.build_absolute_uri()
            for name in _FIRST_PAGES:
                url = remove_query_param(url, getattr(self.paginator, name, "") or "")
            self.next_url = replace_query_param(url, self.position_query_param, seal(step.position))
        return step.records

    def _get_size(self, request: Request) -> int:
        for name in ("get_page_size", "get_limit"):
            if hasattr(self.paginator, name):
                return getattr(self.paginator, name)(request) or PAGE_SIZE
        return PAGE_SIZE

    def get_paginated_response(self, data: Any) -> Response:
        """Return a page as DRF's paginator does, with ``null`` as the total."""
        return Response({"count": None, "next": self.next_url, "previous": None, "results": data})
