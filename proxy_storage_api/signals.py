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

The sender is the class of the view.
"""

from django.dispatch import Signal

file_served = Signal()
file_refused = Signal()
