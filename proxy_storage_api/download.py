"""``GET`` and ``HEAD``: the file."""

from __future__ import annotations

from typing import Any, cast

from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request

from proxy_storage.exceptions import ProxyFileNotFoundError
from proxy_storage.serving import get_server, serve
from proxy_storage_api.access import FileAccess
from proxy_storage_api.signals import file_served

DISPOSITIONS = ("inline", "attachment")
# signed links have it under this name
DISPOSITION_PARAMETER = "disposition"


class DownloadMixin(FileAccess):
    """Deliver files to those who may read them."""

    def download(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer with the file, by the server that is configured for it."""
        as_attachment = self.is_attachment_asked_for()
        record = self.get_object()
        server = get_server(record)
        try:
            response = serve(cast(Any, request), record, as_attachment=as_attachment, server=server)
        except ProxyFileNotFoundError as error:
            raise NotFound from error
        file_served.send(
            type(self),
            request=request,
            record=record,
            server=server,
            response=response,
        )
        return response

    def is_attachment_asked_for(self) -> bool:
        """Tell whether the file is to be saved, also where it could be shown in place.

        Raises:
            ValidationError: 400, the disposition is none.
        """
        disposition = self.request.query_params.get(DISPOSITION_PARAMETER, "inline")
        if disposition not in DISPOSITIONS:
            raise ValidationError(
                {DISPOSITION_PARAMETER: [f"This must be one of {', '.join(DISPOSITIONS)}."]}
            )
        return disposition == "attachment"
