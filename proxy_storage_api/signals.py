"""Signals of the endpoint, for an audit trail. The sender is the class of the view.

``file_served``
    Sent before a response with a file is returned; also for one without a body, such as 304.
    An error of a receiver is an error of the request, so that a file is not delivered if its
    delivery cannot be recorded. Arguments: ``request``, ``record`` (the file's record),
    ``server`` (the server that delivers the file; ``None`` for ``authorize``, where the web
    server delivers it) and ``response``.

``file_refused``
    Sent when the permissions deny an action on a file. Errors of receivers are logged by Django
    and do not change the response. Arguments: ``request``, ``record`` and ``action``, such as
    ``"download"``.

    It is sent after the transaction of ``ATOMIC_REQUESTS``, which a refusal rolls back. So rows
    that a receiver writes are kept.
"""

import re

from django.dispatch import Signal
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request

#: Sent before a response with a file is returned; described above.
file_served = Signal()
#: Sent when the permissions deny an action on a file; described above.
file_refused = Signal()

# Safari requests the first two bytes before it plays a file. That is not a download.
_START = re.compile(r"\s*bytes\s*=\s*0*0-(?!0*1\s*$)", re.IGNORECASE)


def begins_download(request: Request | HttpRequest, response: HttpResponseBase) -> bool:
    """Return whether a request reads a file from its first byte.

    ``file_served`` is sent for each request. Players and PDF viewers send many requests for the
    parts of one file, and browsers send requests with ``If-None-Match`` for a file in their cache.
    With this function, a receiver that counts downloads can ignore them.

    Args:
        request: the argument ``request`` of the signal.
        response: the argument ``response`` of the signal. Its status is always 200 if a web server
            delivers the file.

    Source: RFC 9110 sections 13.1 (preconditions) and 14.2 (Range).
    """
    if request.method != "GET" or response.status_code not in (200, 204, 206, 302):
        return False
    is_conditional = "If-None-Match" in request.headers or "If-Modified-Since" in request.headers
    # A streamed response has the file, so the client does not have this version. Any other
    # response may become 304 in the web server.
    if is_conditional and not response.streaming:
        return False
    wanted = request.headers.get("Range")
    return wanted is None or _START.match(wanted) is not None
