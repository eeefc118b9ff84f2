"""nginx delivers the bytes: ``X-Accel-Redirect``.

Source: https://nginx.org/en/docs/http/ngx_http_proxy_module.html (proxy_ignore_headers
names the headers), https://nginx.org/en/docs/http/ngx_http_core_module.html#internal
"""

from __future__ import annotations

import os
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.serving.base import ServerBase
from proxy_storage.serving.local import require_local_file


class XAccelRedirectServer(ServerBase):
    """Let nginx deliver files of an original storage on this machine.

    Args:
        location: the internal location of nginx, with a slash at both ends. Its
            ``alias`` is the folder of the original storage, with a slash at its end as
            well.

    The location has to add ``X-Content-Type-Options`` and ``Content-Security-Policy``
    itself: nginx does not take them over from this answer.
    """

    def __init__(self, location: str) -> None:
        if not (location.startswith("/") and location.endswith("/") and len(location) > 1):
            raise ValueError(f"location must start and end with a slash, not {location!r}")
        self.location = location

    def serve(
        self, request: HttpRequest, meta_backend_obj: MetaBackendObject, headers: dict[str, str]
    ) -> HttpResponseBase:
        """Answer with an empty body and the internal URI of the file."""
        file = require_local_file(meta_backend_obj)
        # nginx decodes the URI; bytes, since a file name need not be valid UTF-8
        uri = self.location + quote(os.fsencode(file.relative_path), safe="/")
        return HttpResponse(headers={**headers, "X-Accel-Redirect": uri})
