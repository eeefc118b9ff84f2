"""Apache with mod_xsendfile delivers the bytes: ``X-Sendfile``.

Source: https://tn123.org/mod_xsendfile/
"""

from __future__ import annotations

import os

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.serving.base import ServerBase
from proxy_storage.serving.local import require_local_file


class XSendfileServer(ServerBase):
    """Let Apache deliver files of an original storage on this machine.

    Apache has to be told that it may: ``XSendFile on``, and ``XSendFilePath`` with the
    folder of the original storage.
    """

    def serve(
        self, request: HttpRequest, meta_backend_obj: MetaBackendObject, headers: dict[str, str]
    ) -> HttpResponseBase:
        """Answer with an empty body and the path of the file."""
        file = require_local_file(meta_backend_obj)
        # mod_xsendfile gives all files the same ETag unless it finds one
        response = HttpResponse(headers={**headers, "ETag": file.etag})
        # bytes, which Apache takes as they are: no percent-encoding, and none of
        # the MIME encoding that Django gives to text beyond latin-1
        response["X-Sendfile"] = os.fsencode(file.path)
        return response
