"""``authorize``: the request that a web server sends before it delivers a file by itself.

Source: https://nginx.org/en/docs/http/ngx_http_auth_request_module.html,
https://caddyserver.com/docs/caddyfile/directives/forward_auth,
https://doc.traefik.io/traefik/middlewares/http/forwardauth/
"""

from __future__ import annotations

import logging
from urllib.parse import unquote_to_bytes

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, QueryDict
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.paths import strip_token
from proxy_storage.registry import get_proxy_storage, get_proxy_storage_names
from proxy_storage.storages.lookup import (
    RELATIVE,
    get_all_originals,
    get_path_kind,
    uses_unique_names,
)

logger = logging.getLogger("proxy_storage_api")


def read_client_request(
    request: Request, header: str, storage_parameter: str
) -> tuple[str, str, QueryDict]:
    """Return the path, storage and query of a client's request, as a web server describes it.

    The storage is in the query of the web server's own request. Everything else there is
    ignored: some web servers add the client's query to it.

    Args:
        request: the request of the web server.
        header: the name of the header with the target of the client's request.
        storage_parameter: the query parameter with the name of the storage.

    Raises:
        ValidationError: 400, the web server is not configured correctly, or the request has more
            than one target.
        NotFound: 404, no record can have the client's path.
    """
    if has_second_target(request._request, header):
        logger.warning(
            "A request to authorize has more than one target in the header %s. Configure the web "
            "server to replace this header of the client, in every spelling of its name.",
            header,
        )
        raise ValidationError("There is more than one target.")
    target = request.headers.get(header)
    storages = request.query_params.getlist(storage_parameter)
    if target is None or len(storages) != 1:
        logger.warning(
            "A request to authorize needs the header %s and one query parameter %r. Configure "
            "the web server to send both.",
            header,
            storage_parameter,
        )
        raise ValidationError("The web server is not configured for this request.")
    path, query = read_target(target)
    return path, storages[0], query


def has_second_target(request: HttpRequest, header: str) -> bool:
    """Return whether a request may have a target of the client besides that of the web server.

    Repeated headers are joined by a comma, and some servers take the underscores of a header for
    dashes. Only ASGI shows the underscores. A comma of the target itself must be
    percent-encoded, as by Django's ``filepath_to_uri``.

    Args:
        request: Django's request.
        header: the name of the header with the target.

    Source: RFC 9110 section 5.3, PEP 3333, CVE-2026-3902.
    """
    if "," in request.headers.get(header, ""):
        return True
    spelling = header.lower().encode("latin-1", "replace")
    names = [name.lower() for name, _ in getattr(request, "scope", {}).get("headers", ())]
    return any(b"_" in name and name.replace(b"_", b"-") == spelling for name in names)


def read_target(target: str) -> tuple[str, QueryDict]:
    """Return the path of a request target, as web servers read it, and its query.

    Two slashes at its start do not begin a host, as they would in a link. A target that web
    servers read in different ways is refused.

    Args:
        target: the target of the client's request, percent-encoded, such as ``/a%20b?c=d``.
            Each character stands for a byte, as in all headers.

    Raises:
        NotFound: no record can have this path.
        ValidationError: the query has more parameters than Django accepts.

    Source: RFC 9112 section 3.2.1, PEP 3333 (bytes in headers).
    """
    path, _, query = target.partition("?")
    if "#" in path:
        # For nginx it ends the path, and for Go it is a part of the path.
        raise NotFound
    try:
        # A path that is decoded leniently could be the name of another file.
        decoded = unquote_to_bytes(path.encode("latin-1")).decode()
        return decoded, QueryDict(query.encode("latin-1"))
    except UnicodeError as error:
        raise NotFound from error
    except SuspiciousOperation as error:
        raise ValidationError(str(error)) from error


def get_record_path(target: str, proxy_storage_name: str) -> str:
    """Return the path of the record that a request target can refer to.

    Relative paths have no leading slash. The web server delivers a file by its name in the
    original storage, which may have a token that the path does not have.

    Args:
        target: the path that the client has requested.
        proxy_storage_name: the name that the web server has sent. It may not be registered.
    """
    if proxy_storage_name not in get_proxy_storage_names():
        return target
    storage = get_proxy_storage(proxy_storage_name)
    if get_path_kind(storage) != RELATIVE:
        return target
    name = target.removeprefix("/")
    is_unique = any(
        uses_unique_names(storage, original) for original, _ in get_all_originals(storage)
    )
    return strip_token(name) if is_unique else name


def is_at_its_path(record: MetaBackendObject, target: str) -> bool:
    """Return whether a web server finds the file of a record, and not another one, by its path.

    The file is elsewhere if its path was taken when the record was written, or if it has been
    moved since. The file at the path may belong to another user then.

    Args:
        record: the record of the requested path.
        target: the path that the client has requested. With relative paths it is the name in the
            original storage.
    """
    storage, name = record.get_proxy_storage(), record["original_storage_path"]
    # A path has slashes instead of the backslashes of a file name.
    if "\\" in name:
        return False
    if get_path_kind(storage) == RELATIVE:
        return bool(target == f"/{name}")
    return bool(storage.get_path(record.get_original_storage(), name) == record["path"])
