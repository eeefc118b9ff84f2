"""Signals of the endpoint, for an audit trail.

``file_served``
    Sent before an answer with a file goes out; also for one without its bytes, such as 304.
    An error of a receiver is one of the request: what cannot be written down is not
    delivered. Arguments: ``request``, ``record`` (the file's, which knows its owner),
    ``server`` (who delivers it; ``None`` for ``authorize``, where the web server does by
    itself) and ``response``.

``file_refused``
    Sent when a requester may not do with a file what was asked for. Errors of receivers are
    logged by Django, so that they make no difference to the answer. Arguments: ``request``,
    ``record`` and ``action``, such as ``"download"``.

    It is sent after the transaction of ``ATOMIC_REQUESTS``, which a refusal rolls back, so that
    rows which a receiver writes stay.

The sender is the class of the view.
"""

import re

from django.dispatch import Signal
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request

file_served = Signal()
file_refused = Signal()

# The first two bytes: Safari requests them before it plays a file.
_START = re.compile(r"\s*bytes\s*=\s*0*0-(?!0*1\s*$)", re.IGNORECASE)


def begins_download(request: Request | HttpRequest, response: HttpResponseBase) -> bool:
    """Return whether a request reads a file from its first byte on.

    ``file_served`` is sent for each request. Players and PDF viewers send many of them for one
    file, for a part each, and browsers ask with ``If-None-Match`` for a file that they have.
    A receiver that counts downloads leaves those out by this function.

    Args:
        request: the request that the signal names.
        response: the response that it names. Behind a web server that delivers the file, it is
            200 in each case.

    Source: RFC 9110 sections 13.1 (preconditions) and 14.2 (Range).
    """
    if request.method != "GET" or response.status_code not in (200, 204, 206, 302):
        return False
    is_conditional = "If-None-Match" in request.headers or "If-Modified-Since" in request.headers
    # Whether the client has the file is decided by the web server, or has been decided here.
    if is_conditional and not response.streaming:
        return False
    wanted = request.headers.get("Range")
    return wanted is None or _START.match(wanted) is not None
