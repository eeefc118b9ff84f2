"""nginx delivers the bytes: ``X-Accel-Redirect``.

Source: https://nginx.org/en/docs/http/ngx_http_proxy_module.html (proxy_ignore_headers
names the headers), https://nginx.org/en/docs/http/ngx_http_core_module.html#internal
"""

from __future__ import annotations

import os
from urllib.parse import quote

from django.core.exceptions import SuspiciousFileOperation
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from proxy_storage.exceptions import ProxyFileNotFoundError, ServingError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.originals import get_local_path
from proxy_storage.serving.base import ServerBase


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
        relative_path = self._get_relative_path(meta_backend_obj)
        # nginx decodes the URI; bytes, since a file name need not be valid UTF-8
        uri = self.location + quote(os.fsencode(relative_path), safe="/")
        return HttpResponse(headers={**headers, "X-Accel-Redirect": uri})

    def _get_relative_path(self, meta_backend_obj: MetaBackendObject) -> str:
        """Return the file's path below its storage's folder, once it is sure to be there.

        The real path is what counts: a symbolic link may lie in the folder and lead out.
        """
        original = meta_backend_obj.get_original_storage()
        path = meta_backend_obj["path"]
        try:
            local_path = get_local_path(original, meta_backend_obj["original_storage_path"])
        except SuspiciousFileOperation as error:
            raise ServingError(f"{path!r} lies outside of its original storage.") from error
        if local_path is None:
            raise ServingError(
                f"nginx cannot reach the files of {type(original).__name__}. Configure "
                "StreamingServer for this storage in PROXY_STORAGE['SERVERS']."
            )
        root = original.path("")
        if not os.path.isfile(local_path):
            raise ProxyFileNotFoundError(f"The bytes of {path!r} are gone.", path=path)
        real_root = os.path.join(os.path.realpath(root), "")
        if not os.path.realpath(local_path).startswith(real_root):
            raise ServingError(f"{path!r} leads out of its original storage by a link.")
        return os.path.relpath(local_path, root)
