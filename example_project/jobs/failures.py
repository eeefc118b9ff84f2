"""Responses to requests that fail because a database, MongoDB or the disk has failed."""

import errno
import logging
from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from pymongo.errors import ConnectionFailure

from proxy_storage.exceptions import MetaBackendUnavailable

logger = logging.getLogger("jobs")

#: Errors of a server that is restarted or overloaded.
TEMPORARY_ERRORS = (MetaBackendUnavailable, ConnectionFailure, OperationalError, InterfaceError)
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
RETRY_AFTER = 5  # seconds
TEXTS = {
    503: "A storage of the site does not answer. Try again in a few seconds.",
    507: "The disk of the site is full. Your files have not been saved.",
}


class FailureMiddleware:
    """Answer 503 if a storage does not answer, and 507 if the disk is full, instead of 500.

    With these statuses, a client can send the same request again.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the response of the view, or that of `process_exception`."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Return a page, or JSON for scripts and clients of the API; ``None`` for other errors."""
        status = get_status(exception)
        if status is None:
            return None
        logger.error("%s %s failed. %s", request.method, request.path, exception)
        response: HttpResponse
        if "text/html" in request.headers.get("Accept", ""):
            response = render(request, "failure.html", {"text": TEXTS[status]}, status=status)
        else:
            response = JsonResponse({"detail": TEXTS[status]}, status=status)
        if status == 503:
            response["Retry-After"] = str(RETRY_AFTER)
        return response


def get_status(error: Exception) -> int | None:
    """Return the status for an error; ``None`` for another error."""
    if isinstance(error, TEMPORARY_ERRORS):
        return 503
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        return 507
    return None
