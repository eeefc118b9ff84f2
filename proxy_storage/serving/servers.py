"""Which server delivers a file."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.serving.base import ServerBase
from proxy_storage.serving.headers import get_file_headers, keep_framing
from proxy_storage.serving.sendfile import SendfileServer, is_set_up_for
from proxy_storage.serving.streaming import STREAMING
from proxy_storage.settings import (
    SETTING,
    build_backend,
    cached,
    get_for_storage,
    proxy_storage_settings,
)

# where nothing is configured
SENDFILE = SendfileServer()


def serve(
    request: HttpRequest,
    meta_backend_obj: MetaBackendObject,
    *,
    as_attachment: bool = False,
    filename: str | None = None,
    server: ServerBase | None = None,
) -> HttpResponseBase:
    """Deliver a file by the server that its proxy storage is configured for.

    Who may have the file is the caller's decision, taken before the call.

    Args:
        request: a GET or HEAD request.
        meta_backend_obj: the file's record.
        as_attachment: always download, instead of showing types that are safe to show.
        filename: the name to save it as; by default the record's ``name``, or else the last
            part of the path.
        server: who delivers it, where `get_server` has been asked already.

    Raises:
        ProxyFileNotFoundError: the bytes are gone.
        ServingError: the configured server has no way to deliver the file.
    """
    headers = get_file_headers(meta_backend_obj, as_attachment=as_attachment, filename=filename)
    server = server or get_server(meta_backend_obj)
    response = server.serve(request, meta_backend_obj, headers)
    keep_framing(response)
    return response


def get_server(meta_backend_obj: MetaBackendObject) -> ServerBase:
    """Return the server of a file, from ``PROXY_STORAGE["SERVERS"]``.

    Looked up as ``<proxy storage>/<original storage>``, then ``<proxy storage>``, then
    ``default``. With none of them, django-sendfile2 answers where the project has set
    ``SENDFILE_BACKEND`` and the file lies below ``SENDFILE_ROOT``, else Python streams.
    """
    server = get_configured_server(
        meta_backend_obj["proxy_storage_name"], meta_backend_obj.get_original_storage_name()
    )
    if server is not None:
        return server
    return SENDFILE if is_set_up_for(meta_backend_obj) else STREAMING


def get_configured_server(
    proxy_storage_name: str, original_storage_name: str | None
) -> ServerBase | None:
    """Return the server that the settings name for the files of an original storage.

    Args:
        proxy_storage_name: the storage in front.
        original_storage_name: the original's name where there are several.
    """
    return get_for_storage(get_servers(), proxy_storage_name, original_storage_name)


@cached
def get_servers() -> dict[str, ServerBase]:
    """Return all configured servers by their key.

    Raises:
        ConfigurationError: an entry cannot be imported or built.
    """
    configured = proxy_storage_settings.get_dict("SERVERS")
    return {
        key: build_backend(f"{SETTING}['SERVERS'][{key!r}]", entry, ServerBase)
        for key, entry in configured.items()
    }
