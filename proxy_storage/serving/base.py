"""The base class of servers, and the check that the web server in front supports a header."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TypeVar

from django.core.files.storage import Storage
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from proxy_storage.exceptions import ServingError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.settings import SETTING, proxy_storage_settings

_Entry = TypeVar("_Entry")

SENDFILE_TYPE = "X-Sendfile-Type"

# Request headers that a web server or proxy in front of Django adds.
_FORWARDED = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP")

# Development servers for ASGI. An ASGI request does not name its server, but these modules are
# imported only if the command itself is running.
_ASGI_COMMANDS = ("channels.management.commands.runserver", "daphne.management.commands.runserver")


class ServerBase(ABC):
    """A way to deliver a file. The keys of ``OPTIONS`` are the constructor's arguments.

    All threads share one instance, so it must not store anything about a request.
    """

    #: Whether its responses are empty, and a web server in front of Django sends the file
    offloads = False

    def get_problem(self, original_storage: Storage) -> str | None:
        """Return why this server cannot deliver the files of a storage, or ``None`` if it can.

        System checks call this, so it must not connect to anything.
        """
        return None

    @abstractmethod
    def serve(
        self, request: HttpRequest, meta_backend_obj: MetaBackendObject, headers: dict[str, str]
    ) -> HttpResponseBase:
        """Return a response with a file that the user may read.

        Args:
            request: a GET or HEAD request.
            meta_backend_obj: the file's record.
            headers: the headers of each response with this file, such as Content-Type and
                Content-Disposition. The response must have all of them.

        Raises:
            ProxyFileNotFoundError: the file is missing in the original storage.
            ServingError: this server cannot deliver the file.
        """


def get_for_record(
    entries: Mapping[str, _Entry], meta_backend_obj: MetaBackendObject
) -> _Entry | None:
    """Return the entry of a setting such as ``SERVERS`` that applies to a file.

    Args:
        entries: the setting, as for `get_for_storage`.
        meta_backend_obj: the file's record.
    """
    if not entries:
        return None
    name, original_name = meta_backend_obj["proxy_storage_name"], None
    if any(key.startswith(f"{name}/") for key in entries):
        original_name = meta_backend_obj.get_original_storage_name()
    return get_for_storage(entries, name, original_name)


def get_for_storage(
    entries: Mapping[str, _Entry], proxy_storage_name: str, original_storage_name: str | None
) -> _Entry | None:
    """Return the most specific entry for the files of an original storage, or ``None``.

    Args:
        entries: a setting with the keys ``<proxy storage>/<original storage>``,
            ``<proxy storage>`` and ``default``.
        proxy_storage_name: the name of the proxy storage.
        original_storage_name: the name of the original storage, if there are several.
    """
    for key in (f"{proxy_storage_name}/{original_storage_name}", proxy_storage_name, "default"):
        if key in entries:
            return entries[key]
    return None


def check_sendfile_type(request: HttpRequest, header: str) -> None:
    """Raise ServingError if the web server in front of Django does not support a header.

    Without a web server that supports it, the client would get an empty response with status
    200. A web server names the header that it supports in the request header
    ``X-Sendfile-Type``. That header does not choose the server, only the settings do, so
    clients gain nothing by sending it.

    Args:
        request: the request.
        header: the response header that would offload the file.

    Raises:
        ServingError: the web server supports another header; or the request has no
            ``X-Sendfile-Type``, although it came to Django's development server or
            ``REQUIRE_SENDFILE_TYPE`` is set.
    """
    if lacks_web_server(request):
        raise ServingError(
            f"The request does not have the header {SENDFILE_TYPE}, so there seems to "
            f"be no web server in front of Django that supports {header}. Without one, set "
            f"{SETTING}['SERVERS'] to StreamingServer. With one, configure it to set the "
            f"request header {SENDFILE_TYPE}: {header}."
        )
    supported = request.headers.get(SENDFILE_TYPE)
    if supported is not None and supported.lower() != header.lower():
        raise ServingError(
            f"The web server in front of Django supports {supported!r} according to "
            f"{SENDFILE_TYPE}, but the server in {SETTING}['SERVERS'] needs {header}."
        )


def lacks_web_server(request: HttpRequest) -> bool:
    """Return whether a request did not pass through a web server that files are offloaded to.

    It has no ``X-Sendfile-Type``, although it came to Django's development server or
    ``REQUIRE_SENDFILE_TYPE`` is set.
    """
    if SENDFILE_TYPE in request.headers:
        return False
    return proxy_storage_settings.REQUIRE_SENDFILE_TYPE or is_development_server(request)


def is_development_server(request: HttpRequest) -> bool:
    """Return whether a client is connected directly to ``manage.py runserver``.

    A web server in front of it uses HTTP/1.0, which is the default of nginx, or adds a header
    with the address of the client.
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
