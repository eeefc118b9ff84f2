"""Says who delivered an answer, so that the demo can show it. A real site has no need of it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

OFFLOADING_HEADERS = ("X-Accel-Redirect", "X-Sendfile")


def delivered_by_python(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Mark all answers but those that leave the bytes to the web server."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not any(header in response for header in OFFLOADING_HEADERS):
            response["X-Delivered-By"] = "python"
        return response

    return middleware
