"""Offload files to Apache or lighttpd with ``X-Sendfile``.

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
from proxy_storage.serving.base import ServerBase, check_sendfile_type
from proxy_storage.serving.conditional import (
    RangeNotSatisfiable,
    check_preconditions,
    get_requested_range,
    get_validators,
)
from proxy_storage.serving.local import LocalFile, get_local_problem, require_local_file
from proxy_storage.serving.streaming import STREAMING

HEADER = "X-Sendfile"

_CONTROL_CHARACTER = re.compile(rb"[\x00-\x1f\x7f]")


class XSendfileServer(ServerBase):
    """Let Apache or lighttpd deliver the files of a local original storage.

    Args:
        escape: percent-encode the path. lighttpd and version 1.0 of mod_xsendfile decode it,
            version 0.12 does not.

    The configuration of the web server must allow this. Apache: ``XSendFile on``, and
    ``XSendFilePath`` with the folder of the original storage. lighttpd: ``x-sendfile``, and
    ``x-sendfile-docroot`` with the folder. ``manage.py proxystorage serverconf`` prints it.
    """

    offloads = True

    def __init__(self, escape: bool = False) -> None:
        self.escape = escape

    def get_problem(self, original_storage: Storage) -> str | None:
        """Return why the web server cannot read the files of a storage, or ``None`` if it can."""
        return get_local_problem(original_storage)

    def serve(
        self, request: HttpRequest, meta_backend_obj: MetaBackendObject, headers: dict[str, str]
    ) -> HttpResponseBase:
        """Return a response with an empty body and the path of the file."""
        file = require_local_file(meta_backend_obj)
        return self.offload(request, meta_backend_obj, headers, file)

    def offload(
        self,
        request: HttpRequest,
        meta_backend_obj: MetaBackendObject,
        headers: dict[str, str],
        file: LocalFile,
    ) -> HttpResponseBase:
        """Return the response for a file that has been found.

        Preconditions and ranges that need no file are answered here as RFC 9110 requires,
        because the web servers do not: mod_xsendfile gives the same entity tag to all files
        unless the response has one, a 416 of either web server lacks the size of the file, and
        lighttpd does not support ``If-Match``.
        """
        check_sendfile_type(request, HEADER)
        validators = get_validators(meta_backend_obj, file)
        response = check_preconditions(request, validators, headers)
        if response is not None:
            return response
        try:
            get_requested_range(request, file, validators)
        except RangeNotSatisfiable as error:
            return error.get_response(headers)
        path = self.encode_path(file.path)
        if path is None:
            return STREAMING.serve(request, meta_backend_obj, headers)
        response = HttpResponse(headers={**headers, **validators.headers, "Accept-Ranges": "bytes"})
        response[HEADER] = path
        return response

    def encode_path(self, path: str) -> bytes | None:
        """Return a path as the web server reads it from the header.

        Returns:
            ``None`` if the header cannot express the path, so that Python must deliver the file.
            lighttpd replaces a control character by an underscore, and white space at the end of
            a header is removed. The web server would deliver another file.
        """
        raw = os.fsencode(path)
        if _CONTROL_CHARACTER.search(raw):
            return None
        if self.escape:
            return quote(raw, safe="/").encode() if _is_utf_8(raw) else None
        # Django leaves bytes as they are, but encodes text that is not latin-1 as in e-mail.
        return raw if raw == raw.strip() else None


def _is_utf_8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
