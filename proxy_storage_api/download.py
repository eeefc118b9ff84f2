"""``GET`` and ``HEAD``: the file."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from django.core.exceptions import SuspiciousOperation
from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from proxy_storage.exceptions import UnsafePathError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.serving import get_server, serve
from proxy_storage_api.access import FileAccess
from proxy_storage_api.settings import get_classes
from proxy_storage_api.signals import file_served

logger = logging.getLogger("proxy_storage_api")

DISPOSITIONS = ("inline", "attachment")
# signed links have it under this name
DISPOSITION_PARAMETER = "disposition"


class DownloadMixin(FileAccess):
    """Deliver files to those who may read them."""

    #: throttles of files; None: those of ``DOWNLOAD_THROTTLE_CLASSES``, else the project's own
    download_throttle_classes: Sequence[Any] | None = None

    def get_throttles(self) -> list[BaseThrottle]:
        """Return the throttles of files, which may be others than those of the API.

        A page with a hundred pictures is one request for the API and a hundred for files.
        """
        if self.action in ("authorize", "download"):
            classes = self.download_throttle_classes
            if classes is None:
                classes = get_classes("DOWNLOAD_THROTTLE_CLASSES")
            if classes is not None:
                return [throttle() for throttle in classes]
        return super().get_throttles()

    def download(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer with the file, by the server that is configured for it."""
        as_attachment = self.is_attachment_asked_for()
        record = self.get_object()
        with not_found_if_undeliverable(record):
            server = get_server(record)
            response = serve(cast(Any, request), record, as_attachment=as_attachment, server=server)
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


@contextmanager
def not_found_if_undeliverable(record: MetaBackendObject) -> Iterator[None]:
    """Answer 404 for a record whose bytes are gone, or whose path leads out of its storage.

    The latter is an error of the site, and is logged in one line.

    Args:
        record: the file's record.
    """
    try:
        yield
    except (UnsafePathError, SuspiciousOperation) as error:
        logger.error("A web server must not deliver %r. %s", record["path"], error)  # noqa: TRY400
        raise NotFound from error
    except FileNotFoundError as error:
        raise NotFound from error
