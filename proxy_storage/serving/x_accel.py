"""Offload files to nginx or Caddy with ``X-Accel-Redirect``.

Source: https://nginx.org/en/docs/http/ngx_http_proxy_module.html (proxy_ignore_headers),
https://nginx.org/en/docs/http/ngx_http_core_module.html#internal
"""

from __future__ import annotations

import os
import re
from urllib.parse import quote, urlsplit

from django.core.files.storage import Storage
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from proxy_storage.exceptions import ServingError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.original_storages.presigned import get_presigned_url, get_signing_problem
from proxy_storage.serving.base import ServerBase, check_sendfile_type
from proxy_storage.serving.local import get_local_file, get_local_problem, get_missing_file_error

HEADER = "X-Accel-Redirect"

_LOCATION = re.compile(r"(/(?!\.{1,2}/)[\w.~-]+)+/", re.ASCII)


def is_plain_location(location: str) -> bool:
    """Return whether a web server uses a location exactly as it is written.

    Web servers decode, merge or remove other characters before they look up a location.
    """
    return _LOCATION.fullmatch(location) is not None


class XAccelRedirectServer(ServerBase):
    """Let nginx deliver the files of an original storage.

    nginx reads local files from disk. It fetches those of a storage with presigned URLs by such
    a URL. The client sees neither the URL nor its host.

    Args:
        location: the internal location in the configuration of nginx, with a slash at both ends.
            For local files, its ``alias`` is the folder of the original storage, which must end
            with a slash too. For presigned URLs, it passes the rest of the URI to the host of
            the storage.
        expires_in: lifetime of a presigned URL in seconds. nginx uses it at once.

    nginx drops most headers of this response, so its configuration must add those that protect
    the file. ``manage.py proxystorage serverconf nginx`` prints all locations that the settings
    need, with these headers.
    """

    offloads = True

    def __init__(self, location: str, expires_in: int = 60) -> None:
        if not is_plain_location(location):
            raise ValueError(
                "location must start and end with a slash, and may have ASCII letters, digits and "
                f"-._~ between slashes, not {location!r}."
            )
        if expires_in < 1:
            raise ValueError(f"expires_in must be at least 1 second, not {expires_in!r}.")
        self.location = location
        self.expires_in = expires_in

    def get_problem(self, original_storage: Storage) -> str | None:
        """Return why nginx cannot deliver the files of a storage, or ``None`` if it can."""
        local_problem = get_local_problem(original_storage)
        if local_problem is None or get_signing_problem(original_storage) is None:
            return None
        return local_problem

    def serve(
        self, request: HttpRequest, meta_backend_obj: MetaBackendObject, headers: dict[str, str]
    ) -> HttpResponseBase:
        """Return a response with an empty body and the internal URI of the file."""
        check_sendfile_type(request, HEADER)
        file = get_local_file(meta_backend_obj)
        if file is None:
            uri = self._get_remote_uri(request, meta_backend_obj, headers)
        else:
            # nginx decodes the URI. Bytes are quoted, because a file name may not be valid UTF-8.
            uri = quote(os.fsencode(file.relative_path), safe="/")
        return HttpResponse(headers={**headers, HEADER: self.location + uri})

    def _get_remote_uri(
        self, request: HttpRequest, meta_backend_obj: MetaBackendObject, headers: dict[str, str]
    ) -> str:
        original = meta_backend_obj.get_original_storage()
        local_problem = get_local_problem(original)
        if local_problem is None:
            raise get_missing_file_error(meta_backend_obj)
        if get_signing_problem(original) is not None:
            raise ServingError(local_problem)
        url = get_presigned_url(
            original,
            meta_backend_obj["original_storage_path"],
            method=str(request.method),
            expires_in=self.expires_in,
            headers=headers,
        )
        parts = urlsplit(url)
        # nginx decodes the path once before it looks up the location, so it is quoted once more.
        # The host is not part of the URI: it is fixed in the configuration of nginx.
        return f"{quote(parts.path.lstrip('/'), safe='/')}?{parts.query}"
