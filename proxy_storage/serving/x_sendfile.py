"""Apache or lighttpd delivers the bytes: ``X-Sendfile``.

Source: https://tn123.org/mod_xsendfile/,
https://redmine.lighttpd.net/projects/lighttpd/wiki/X-LIGHTTPD-send-file
"""

from __future__ import annotations

import os
import re
from urllib.parse import quote

from django.core.files.storage import Storage
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.serving.base import ServerBase, require_front
from proxy_storage.serving.conditional import (
    RangeNotSatisfiable,
    answer_without_file,
    get_validators,
    get_wanted_part,
    refuse_range,
)
from proxy_storage.serving.local import LocalFile, get_local_problem, require_local_file
from proxy_storage.serving.streaming import STREAMING

HEADER = "X-Sendfile"

_CONTROL_CHARACTER = re.compile(rb"[\x00-\x1f\x7f]")


class XSendfileServer(ServerBase):
    """Let Apache or lighttpd deliver files of an original storage on this machine.

    Args:
        escape: percent-encode the path: for lighttpd, and for version 1.0 of
            mod_xsendfile, both of which decode it. Version 0.12 takes it as it is.

    The web server has to be told that it may. Apache: ``XSendFile on``, and
    ``XSendFilePath`` with the folder of the original storage. lighttpd: ``x-sendfile``, and
    ``x-sendfile-docroot`` with the folder.
    """

    hands_over = True

    def __init__(self, escape: bool = False) -> None:
        self.escape = escape

    def get_problem(self, original_storage: Storage) -> str | None:
        """Return why the web server cannot read the files of a storage, if it cannot."""
        return get_local_problem(original_storage)

    def serve(
        self, request: HttpRequest, meta_backend_obj: MetaBackendObject, headers: dict[str, str]
    ) -> HttpResponseBase:
        """Answer with an empty body and the path of the file."""
        return self.hand_over(
            request, meta_backend_obj, headers, require_local_file(meta_backend_obj)
        )

    def hand_over(
        self,
        request: HttpRequest,
        meta_backend_obj: MetaBackendObject,
        headers: dict[str, str],
        file: LocalFile,
    ) -> HttpResponseBase:
        """Answer for a file that has been found.

        What can be said without the bytes is said here, as RFC 9110 has it. mod_xsendfile
        gives all files one entity tag unless it finds one, neither web server says in a 416
        how long the file is, and lighttpd does not know ``If-Match``.
        """
        require_front(request, HEADER)
        validators = get_validators(meta_backend_obj, file)
        response = answer_without_file(request, validators, headers)
        if response is not None:
            return response
        try:
            get_wanted_part(request, file, validators)
        except RangeNotSatisfiable:
            return refuse_range(file.size, headers)
        path = self.spell(file.path)
        if path is None:
            return STREAMING.serve(request, meta_backend_obj, headers)
        response = HttpResponse(headers={**headers, **validators.headers, "Accept-Ranges": "bytes"})
        response[HEADER] = path
        return response

    def spell(self, path: str) -> bytes | None:
        """Return a path as the web server wants it.

        Returns:
            ``None`` where no spelling leads to the file, and Python has to deliver it.
            lighttpd puts an underscore in place of a control character and looks for that
            file, and blanks at the end of a header are cut off: another file would come.
        """
        raw = os.fsencode(path)
        if _CONTROL_CHARACTER.search(raw):
            return None
        if self.escape:
            return quote(raw, safe="/").encode() if _is_utf_8(raw) else None
        # bytes, which stay as they are: Django gives text beyond latin-1 a MIME encoding
        return raw if raw == raw.strip() else None


def _is_utf_8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
