"""nginx delivers the bytes: ``X-Accel-Redirect``.

Source: https://nginx.org/en/docs/http/ngx_http_proxy_module.html (proxy_ignore_headers
names the headers), https://nginx.org/en/docs/http/ngx_http_core_module.html#internal
"""

from __future__ import annotations

import os
import re
from urllib.parse import quote, urlsplit

from django.core.files.storage import Storage
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.original_storages.presigned import get_presigned_url, get_signing_problem
from proxy_storage.serving.base import ServerBase, require_front
from proxy_storage.serving.local import get_local_problem, require_local_file

HEADER = "X-Accel-Redirect"

_LOCATION = re.compile(r"(/(?!\.{1,2}/)[\w.~-]+)+/", re.ASCII)


def is_plain_location(location: str) -> bool:
    """Tell whether a web server finds a location as it is written.

    Anything else it may decode, merge or leave out before it looks.
    """
    return _LOCATION.fullmatch(location) is not None


class XAccelRedirectServer(ServerBase):
    """Let nginx deliver files of an original storage.

    Files on this machine nginx reads itself. Those of a storage with presigned URLs it
    fetches by such a URL; the client sees neither the URL nor where it leads.

    Args:
        location: the internal location of nginx, with a slash at both ends. For files on
            this machine its ``alias`` is the folder of the original storage, with a slash at
            its end as well. For presigned URLs it hands the rest of the URI on to the host
            of the storage.
        expires_in: for how many seconds a presigned URL is good; nginx fetches it at once.

    nginx drops most headers of this answer, so its configuration has to add those that protect
    the file. ``manage.py proxystorage serverconf nginx`` writes all locations that the settings
    need, with these headers.
    """

    hands_over = True

    def __init__(self, location: str, expires_in: int = 60) -> None:
        if not is_plain_location(location):
            raise ValueError(
                "location must start and end with a slash and have letters of ASCII, digits and "
                f"-._~ between slashes, not {location!r}"
            )
        if expires_in < 1:
            raise ValueError(f"expires_in must be a number of seconds, not {expires_in!r}")
        self.location = location
        self.expires_in = expires_in

    def get_problem(self, original_storage: Storage) -> str | None:
        """Return why nginx cannot get at the files of a storage, if it cannot."""
        local_problem = get_local_problem(original_storage)
        if local_problem is None or get_signing_problem(original_storage) is None:
            return None
        return local_problem

    def serve(
        self, request: HttpRequest, meta_backend_obj: MetaBackendObject, headers: dict[str, str]
    ) -> HttpResponseBase:
        """Answer with an empty body and the internal URI of the file."""
        require_front(request, HEADER)
        original = meta_backend_obj.get_original_storage()
        if get_local_problem(original) is None or get_signing_problem(original) is not None:
            file = require_local_file(meta_backend_obj)
            # nginx decodes the URI; bytes, since a file name need not be valid UTF-8
            uri = quote(os.fsencode(file.relative_path), safe="/")
        else:
            uri = self._get_remote_uri(original, request, meta_backend_obj, headers)
        return HttpResponse(headers={**headers, HEADER: self.location + uri})

    def _get_remote_uri(
        self,
        original: Storage,
        request: HttpRequest,
        meta_backend_obj: MetaBackendObject,
        headers: dict[str, str],
    ) -> str:
        url = get_presigned_url(
            original,
            meta_backend_obj["original_storage_path"],
            method=str(request.method),
            expires_in=self.expires_in,
            headers=headers,
        )
        parts = urlsplit(url)
        # Escaped once more, since nginx decodes it once before its location matches. The
        # host is not part of it: where nginx connects to is for its configuration to say.
        return f"{quote(parts.path.lstrip('/'), safe='/')}?{parts.query}"
