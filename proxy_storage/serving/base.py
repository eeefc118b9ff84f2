"""What a server is."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod

from django.core.files.storage import Storage
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from proxy_storage.exceptions import ServingError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.settings import SETTING, proxy_storage_settings


class ServerBase(ABC):
    """A way to deliver a file. The keys of ``OPTIONS`` are the constructor's arguments.

    An instance is shared between threads and keeps nothing about a request.
    """

    #: whether its answers are empty, for a web server in front to put the file in
    hands_over = False

    def get_problem(self, original_storage: Storage) -> str | None:
        """Return why this server cannot deliver files of a storage, if it cannot.

        A system check asks this at the start, so nothing may be connected to.
        """
        return None

    @abstractmethod
    def serve(
        self, request: HttpRequest, meta_backend_obj: MetaBackendObject, headers: dict[str, str]
    ) -> HttpResponseBase:
        """Answer a request for a file that the requester may have.

        Args:
            request: a GET or HEAD request.
            meta_backend_obj: the file's record.
            headers: what every file answer says, content type and disposition included;
                the response has to carry all of them.

        Raises:
            ProxyFileNotFoundError: the bytes are gone.
            ServingError: this server has no way to deliver the file.
        """


ANNOUNCEMENT = "X-Sendfile-Type"

# request headers of a web server in front
_FORWARDED = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP")

# The commands that serve a site under ASGI for development. An ASGI server does not name itself;
# these modules are imported only where it is the command that runs.
_ASGI_COMMANDS = ("channels.management.commands.runserver", "daphne.management.commands.runserver")


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
        ServingError: the web server announces something else, or nobody announces anything
            to Django's development server or, with ``REQUIRE_SENDFILE_TYPE``, to any.
    """
    announced = request.headers.get(ANNOUNCEMENT)
    if announced is None:
        if proxy_storage_settings.REQUIRE_SENDFILE_TYPE or is_development_server(request):
            raise ServingError(
                f"No web server has said that it understands {header}. Set "
                f"{SETTING}['SERVERS'] to StreamingServer where there is none in front, and "
                f"where there is one have it set the request header {ANNOUNCEMENT}: {header}."
            )
        return
    if announced.lower() != header.lower():
        raise ServingError(
            f"The web server in front announces {announced!r} in {ANNOUNCEMENT}, but "
            f"{SETTING}['SERVERS'] is set to a server that needs {header}."
        )


def is_development_server(request: HttpRequest) -> bool:
    """Tell whether a client itself talks to ``manage.py runserver``.

    A web server in front speaks HTTP/1.0, as nginx does unless it is told otherwise, or says
    for whom it asks.
    """
    meta, scope = request.META, getattr(request, "scope", None)
    if scope is None:
        protocol = meta.get("SERVER_PROTOCOL")
        is_development = str(meta.get("SERVER_SOFTWARE", "")).startswith("WSGIServer/")
    else:
        protocol = f"HTTP/{scope.get('http_version')}"
        is_development = not sys.modules.keys().isdisjoint(_ASGI_COMMANDS)
    is_direct = protocol != "HTTP/1.0" and meta.keys().isdisjoint(_FORWARDED)
    return is_direct and is_development
