"""What a server is, and which one delivers a file."""

from __future__ import annotations

from abc import ABC, abstractmethod

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from proxy_storage.configuration import build
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.serving.headers import get_file_headers
from proxy_storage.settings import SETTING, cached, proxy_storage_settings

DEFAULT_SERVER = {"BACKEND": "proxy_storage.serving.StreamingServer"}


class ServerBase(ABC):
    """A way to deliver a file. The keys of ``OPTIONS`` are the constructor's arguments.

    An instance is shared between threads and keeps nothing about a request.
    """

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


def serve(
    request: HttpRequest,
    meta_backend_obj: MetaBackendObject,
    *,
    as_attachment: bool = False,
    filename: str | None = None,
) -> HttpResponseBase:
    """Deliver a file by the server that its proxy storage is configured for.

    Who may have the file is the caller's decision, taken before the call.

    Args:
        request: a GET or HEAD request.
        meta_backend_obj: the file's record.
        as_attachment: always download, instead of showing types that are safe to show.
        filename: the name to save it as; by default the last part of the path.

    Raises:
        ProxyFileNotFoundError: the bytes are gone.
        ServingError: the configured server has no way to deliver the file.
    """
    headers = get_file_headers(meta_backend_obj, as_attachment=as_attachment, filename=filename)
    return get_server(meta_backend_obj).serve(request, meta_backend_obj, headers)


def get_server(meta_backend_obj: MetaBackendObject) -> ServerBase:
    """Return the server of a file, from ``PROXY_STORAGE["SERVERS"]``.

    Looked up as ``<proxy storage>/<original storage>``, then ``<proxy storage>``, then
    ``default``; with none of them, Python streams.
    """
    proxy = meta_backend_obj["proxy_storage_name"]
    original = meta_backend_obj.get("original_storage_name")
    servers = get_servers()
    for key in (f"{proxy}/{original}", proxy):
        if key in servers:
            return servers[key]
    return servers["default"]


@cached
def get_servers() -> dict[str, ServerBase]:
    """Return all configured servers by their key, and the default one.

    Raises:
        ConfigurationError: an entry cannot be imported or built.
    """
    configured = {"default": DEFAULT_SERVER, **proxy_storage_settings.get_dict("SERVERS")}
    return {
        key: build(f"{SETTING}['SERVERS'][{key!r}]", entry, ServerBase)
        for key, entry in configured.items()
    }
