"""A response header for the demo, which shows whether Django delivered a file."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

OFFLOADING_HEADERS = ("X-Accel-Redirect", "X-Sendfile")


def delivered_by_python(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Add X-Delivered-By to all responses, except those that offload a file."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not any(header in response for header in OFFLOADING_HEADERS):
            response["X-Delivered-By"] = "python"
        return response

    return middleware
