"""What the records say: a list of them, and one."""

from __future__ import annotations

from typing import Any

from django.http.response import HttpResponseBase
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings as drf_settings

from proxy_storage.meta_backends.record_set import RecordSet
from proxy_storage_api.download import DownloadMixin
from proxy_storage_api.filters import RecordFilter
from proxy_storage_api.pagination import RecordPagination
from proxy_storage_api.serializers import RecordSerializer
from proxy_storage_permissions.filters import get_readable


class RecordsMixin(DownloadMixin):
    """Tell of the files that the requester may read."""

    serializer_class: Any = RecordSerializer
    filter_backends = (RecordFilter,)
    pagination_class: Any = drf_settings.DEFAULT_PAGINATION_CLASS or RecordPagination

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        """Tell a list from a download, which are one resource: the file's path decides."""
        drf_request = super().initialize_request(request, *args, **kwargs)
        if self.action == "list" and self.path_parameter in request.GET:
            self.action = "download"
        return drf_request

    def get_queryset(self) -> Any:
        """Return the records that the requester may read.

        They are found by a condition where the permissions can say one; what they cannot say
        is decided record by record.
        """
        readable = get_readable(self.get_permissions(), self.request, self)
        check = None if readable.is_exact else self.may_have
        return RecordSet(self.get_meta_backends(), readable.condition, check=check)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer with the file of a path, or with a page of records where none is named."""
        if self.action == "download":
            return self.download(request, *args, **kwargs)
        records = self.filter_queryset(self.get_queryset())
        page = self.paginate_queryset(records)
        serializer = self.get_serializer(records if page is None else page, many=True)
        return (
            Response(serializer.data)
            if page is None
            else self.get_paginated_response(serializer.data)
        )

    @action(detail=False, methods=["get"])
    def record(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer with what the record of one file says."""
        return Response(self.get_serializer(self.get_object()).data)
