"""The web server in front of the site: that there is one, and what it understands."""

from __future__ import annotations

from django.http import HttpRequest

from proxy_storage.exceptions import ServingError

ANNOUNCEMENT = "X-Sendfile-Type"


def require_front(request: HttpRequest, header: str) -> None:
    """Refuse to answer by a header that nobody is there to understand.

    The client would get an empty answer with status 200. A web server announces what it
    understands with the request header ``X-Sendfile-Type``. Nothing is chosen by it: which
    server delivers is for the settings alone to say, so a client that sends the header
    gains nothing.

    Args:
        request: the request.
        header: the response header by which a file would be handed over.

    Raises:
        ServingError: the web server announces something else, or there is none in front of
            Django's development server.
    """
    announced = request.headers.get(ANNOUNCEMENT)
    if announced is None and not is_development_server(request):
        return
    if announced is None:
        raise ServingError(
            f"No web server is there to understand {header}: the request came to Django's "
            "development server. Set PROXY_STORAGE['SERVERS'] to StreamingServer there, or put "
            f"a web server in front that sets the request header {ANNOUNCEMENT}: {header}."
        )
    if announced.lower() != header.lower():
        raise ServingError(
            f"The web server in front announces {announced!r} in {ANNOUNCEMENT}, but "
            f"PROXY_STORAGE['SERVERS'] is set to a server that needs {header}."
        )


def is_development_server(request: HttpRequest) -> bool:
    """Tell whether a request came to ``manage.py runserver``, or to wsgiref by itself."""
    return str(request.META.get("SERVER_SOFTWARE", "")).startswith("WSGIServer/")
