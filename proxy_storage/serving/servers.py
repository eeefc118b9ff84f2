"""The server that delivers a file, chosen by the settings."""

from __future__ import annotations

import logging
from functools import cache

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.serving.base import (
    ServerBase,
    get_for_record,
    get_for_storage,
    lacks_web_server,
)
from proxy_storage.serving.headers import get_file_headers
from proxy_storage.serving.sendfile import SENDFILE, is_below_sendfile_root
from proxy_storage.serving.streaming import STREAMING
from proxy_storage.settings import (
    SETTING,
    build_backend,
    cached,
    proxy_storage_settings,
)

logger = logging.getLogger("proxy_storage")


def serve(
    request: HttpRequest,
    meta_backend_obj: MetaBackendObject,
    *,
    as_attachment: bool = False,
    filename: str | None = None,
    server: ServerBase | None = None,
) -> HttpResponseBase:
    """Return a response with a file, by the server that its proxy storage is configured for.

    This does not check permissions. Check them before the call.

    Args:
        request: a GET or HEAD request.
        meta_backend_obj: the file's record.
        as_attachment: always send the file as a download, even if its MIME type may be shown
            inline.
        filename: the name of the download; by default the record's ``name``, or else the last
            part of the path.
        server: the result of `get_server`, if the caller has it already.

    Raises:
        ProxyFileNotFoundError: the file is missing in the original storage.
        ServingError: the configured server cannot deliver the file.
    """
    headers = get_file_headers(meta_backend_obj, as_attachment=as_attachment, filename=filename)
    server = server or get_server(meta_backend_obj, request)
    response = server.serve(request, meta_backend_obj, headers)
    # The headers say which pages may embed the file. This attribute keeps Django's
    # XFrameOptionsMiddleware from adding a header of its own.
    response.xframe_options_exempt = True  # type: ignore[attr-defined]  # Not in the stubs.
    return response


def get_server(
    meta_backend_obj: MetaBackendObject, request: HttpRequest | None = None
) -> ServerBase:
    """Return the server of a file, from ``PROXY_STORAGE["SERVERS"]``.

    The keys are looked up in this order: ``<proxy storage>/<original storage>``,
    ``<proxy storage>``, ``default``. Without an entry, it is `SendfileServer` if the project has
    set up django-sendfile2 and the file is below ``SENDFILE_ROOT``, else `StreamingServer`.

    While ``DEBUG`` is on, `StreamingServer` replaces a server that offloads files, if the request
    did not pass through a web server: the response would be an error otherwise.

    Args:
        meta_backend_obj: the file's record.
        request: the request, or ``None`` for the server that the settings name.
    """
    server = get_for_record(get_servers(), meta_backend_obj)
    if server is None:
        server = SENDFILE if is_below_sendfile_root(meta_backend_obj) else STREAMING
    if request is not None and server.offloads and _is_streamed_in_debug(request):
        _log_streaming(type(server).__name__)
        return STREAMING
    return server


def _is_streamed_in_debug(request: HttpRequest) -> bool:
    is_enabled = settings.DEBUG and proxy_storage_settings.STREAM_IN_DEBUG
    return bool(is_enabled and lacks_web_server(request))


@cache
def _log_streaming(name: str) -> None:
    """Log that Python replaces a server, once in a process."""
    logger.warning(
        "DEBUG is on, and a request did not pass through a web server. Python delivers the files "
        "that %s would offload. Set %s['STREAM_IN_DEBUG'] to False to get an error instead.",
        name,
        SETTING,
    )


def get_configured_server(
    proxy_storage_name: str, original_storage_name: str | None
) -> ServerBase | None:
    """Return the server that the settings name for an original storage, if there is one.

    Args:
        proxy_storage_name: the name of the proxy storage.
        original_storage_name: the name of the original storage, if there are several.
    """
    return get_for_storage(get_servers(), proxy_storage_name, original_storage_name)


@cached
def get_servers() -> dict[str, ServerBase]:
    """Return all configured servers by their key.

    Raises:
        ConfigurationError: the class of an entry cannot be imported or instantiated.
    """
    configured = proxy_storage_settings.get_dict("SERVERS")
    return {
        key: build_backend(f"{SETTING}['SERVERS'][{key!r}]", entry, ServerBase)
        for key, entry in configured.items()
    }
