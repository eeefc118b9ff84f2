"""Apache or lighttpd delivers the bytes: ``X-Sendfile``.

Source: https://tn123.org/mod_xsendfile/,
https://redmine.lighttpd.net/projects/lighttpd/wiki/X-LIGHTTPD-send-file
"""

from __future__ import annotations

import os
from urllib.parse import quote

from django.core.files.storage import Storage
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.serving.base import ServerBase
from proxy_storage.serving.front import require_front
from proxy_storage.serving.local import get_local_problem, require_local_file
from proxy_storage.serving.validators import answer_without_file, get_validators

HEADER = "X-Sendfile"


class XSendfileServer(ServerBase):
    """Let Apache or lighttpd deliver files of an original storage on this machine.

    Args:
        escape: percent-encode the path: for lighttpd, and for version 1.0 of
            mod_xsendfile, both of which decode it. Version 0.12 takes it as it is.

    The web server has to be told that it may. Apache: ``XSendFile on``, and
    ``XSendFilePath`` with the folder of the original storage. lighttpd: ``x-sendfile``, and
    ``x-sendfile-docroot`` with the folder.
    """

    def __init__(self, escape: bool = False) -> None:
        self.escape = escape

    def get_problem(self, original_storage: Storage) -> str | None:
        """Return why the web server cannot read the files of a storage, if it cannot."""
        return get_local_problem(original_storage)

    def serve(
        self, request: HttpRequest, meta_backend_obj: MetaBackendObject, headers: dict[str, str]
    ) -> HttpResponseBase:
        """Answer with an empty body and the path of the file.

        Preconditions are answered here, as RFC 9110 has them: mod_xsendfile gives all files
        one entity tag unless it finds one.
        """
        require_front(request, HEADER)
        file = require_local_file(meta_backend_obj)
        validators = get_validators(meta_backend_obj, file)
        response = answer_without_file(request, validators, headers)
        if response is not None:
            return response
        path = os.fsencode(file.path)
        response = HttpResponse(headers={**headers, **validators.headers})
        # bytes, which stay as they are: Django gives text beyond latin-1 a MIME encoding
        response[HEADER] = quote(path, safe="/") if self.escape else path
        return response
