"""``authorize``: the answer to a web server that delivers files by itself and asks first.

Source: https://nginx.org/en/docs/http/ngx_http_auth_request_module.html,
https://caddyserver.com/docs/caddyfile/directives/forward_auth,
https://doc.traefik.io/traefik/middlewares/http/forwardauth/
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import unquote_to_bytes

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, QueryDict
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.paths import strip_token
from proxy_storage.registry import get_proxy_storage, get_proxy_storage_names
from proxy_storage.serving.finding import require_deliverable
from proxy_storage.serving.headers import get_file_headers, keep_framing
from proxy_storage.serving.local import get_local_file
from proxy_storage.storages.lookup import (
    RELATIVE,
    get_all_originals,
    get_path_kind,
    uses_unique_names,
)
from proxy_storage_api.download import DownloadMixin, not_found_if_undeliverable
from proxy_storage_api.settings import api_settings
from proxy_storage_api.signals import file_served

logger = logging.getLogger("proxy_storage_api")


class AuthorizeMixin(DownloadMixin):
    """Tell a web server whether the requester may read a file."""

    # what the web server is asked for, and where it would take it from
    _path_of_client: str
    _storage_of_server: str

    @action(detail=False, methods=["get"])
    def authorize(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer 204 without a body, and with the headers that the file's answer has to carry."""
        as_attachment = self.is_attachment_asked_for()
        record = self._get_record_asked_for()
        headers = get_file_headers(record, as_attachment=as_attachment)
        response = HttpResponse(status=204, headers={**headers, "Cache-Control": "no-store"})
        keep_framing(response)
        file_served.send(type(self), request=request, record=record, server=None, response=response)
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Read the request of the client before anybody looks at the query of this one."""
        if self.action == "authorize" and api_settings.AUTHORIZE_URI_HEADER is not None:
            self._read_request_of_client(request)
        super().initial(request, *args, **kwargs)

    def _read_request_of_client(self, request: Request) -> None:
        """Let the query be the client's, which may be that of a signed link.

        What the web server says of itself is in the query of this request. Nothing else is
        taken from there: some web servers hand the client's query on in it.

        Raises:
            ValidationError: 400, the web server is not set up for this, or the request has more
                than one target.
        """
        name = api_settings.AUTHORIZE_URI_HEADER
        target = request.headers.get(name)
        if has_second_target(request._request, name):
            logger.warning(
                "authorize got more than one target in %s. The web server has to "
                "replace the header of the client, in every spelling of its name.",
                name,
            )
            raise ValidationError("There is more than one target.")
        storages = request.query_params.getlist(self.storage_parameter)
        if target is None or len(storages) != 1:
            logger.warning(
                "authorize was asked without the header %s, or not with one parameter %r. The web "
                "server has to send both.",
                name,
                self.storage_parameter,
            )
            raise ValidationError("The web server is not set up for this.")
        self._path_of_client, query = read_target(target)
        self._storage_of_server = storages[0]
        request._request.GET = query  # type: ignore[assignment]  # of stubs only

    def _get_record_asked_for(self) -> MetaBackendObject:
        if api_settings.AUTHORIZE_URI_HEADER is None:
            # of two paths one would be asked for, and maybe the other one delivered
            if len(self.request.query_params.getlist(self.path_parameter)) > 1:
                raise ValidationError({self.path_parameter: ["There is more than one."]})
            record = self.get_object()
            with not_found_if_undeliverable(record):
                require_deliverable(record)
            return record
        target = self._path_of_client
        proxy_storage_name, _, original_storage_name = self._storage_of_server.partition("/")
        path = get_record_path(target, proxy_storage_name)
        self._lookup = (path, proxy_storage_name)
        record = self.get_object()
        if (record.get_original_storage_name() or "") != original_storage_name:
            raise NotFound
        with not_found_if_undeliverable(record):
            # not every web server minds where a symbolic link leads
            get_local_file(record)
        if not is_at_its_path(record, target):
            raise NotFound
        return record

    def handle_exception(self, exc: Exception) -> Any:
        """Refuse without a body: nobody reads it."""
        response = super().handle_exception(exc)
        if self.action != "authorize":
            return response
        refusal = HttpResponse(status=response.status_code, headers={"Cache-Control": "no-store"})
        del refusal["Content-Type"]
        for name in ("WWW-Authenticate", "Retry-After"):
            if name in response:
                refusal[name] = response[name]
        return refusal


def has_second_target(request: HttpRequest, header: str) -> bool:
    """Return whether a request may have a target of the client beside that of the web server.

    A header that comes twice is joined by a comma, and some servers take the underscores of a
    header for dashes. Of the underscores, only ASGI leaves a trace. A comma of the target itself
    must be percent-encoded, which Django's ``filepath_to_uri`` does.

    Args:
        request: Django's request.
        header: the name of the header that has the target.

    Source: RFC 9110 section 5.3, PEP 3333, CVE-2026-3902.
    """
    if "," in request.headers.get(header, ""):
        return True
    spelling = header.lower().encode("latin-1", "replace")
    names = [name.lower() for name, _ in getattr(request, "scope", {}).get("headers", ())]
    return any(b"_" in name and name.replace(b"_", b"-") == spelling for name in names)


def read_target(target: str) -> tuple[str, QueryDict]:
    """Return the path that a request target leads to, as web servers read it, and the query.

    Two slashes at its start begin no host, as they would in a link: a web server takes the
    whole for a path. What two web servers might read in two ways leads nowhere.

    Args:
        target: the target of the client's request, percent-encoded, such as ``/a%20b?c=d``;
            each character stands for a byte, as in all headers.

    Raises:
        NotFound: no record can have this path.
        ValidationError: the query has more parameters than Django takes.

    Source: RFC 9112 section 3.2.1, PEP 3333 (bytes in headers).
    """
    path, _, query = target.partition("?")
    if "#" in path:
        # for nginx it ends the path, and for Go it is a part of it
        raise NotFound
    try:
        # anything but the very bytes could be the name of another file
        decoded = unquote_to_bytes(path.encode("latin-1")).decode()
        return decoded, QueryDict(query.encode("latin-1"))
    except UnicodeError as error:
        raise NotFound from error
    except SuspiciousOperation as error:
        raise ValidationError(str(error)) from error


def get_record_path(target: str, proxy_storage_name: str) -> str:
    """Return the path of the record that a request target can be about.

    Relative paths have no leading slash, and a web server delivers the bytes by their own
    name, of which the path lacks the token.

    Args:
        target: the path that the client has requested.
        proxy_storage_name: the storage that the web server has named; it may not exist.
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
    """Tell whether a web server finds the bytes of a file by its path, and no others.

    They lie elsewhere where the path was taken at the moment when the record was written, or
    where they have been moved since. The file at the path may belong to another user then.

    Args:
        record: the record of the requested path.
        target: the path that the client has requested; with relative paths it is the name of
            the bytes.
    """
    storage, name = record.get_proxy_storage(), record["original_storage_path"]
    # paths have slashes where a name on disk may have these
    if "\\" in name:
        return False
    if get_path_kind(storage) == RELATIVE:
        return bool(target == f"/{name}")
    return bool(storage.get_path(record.get_original_storage(), name) == record["path"])
