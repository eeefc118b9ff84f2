"""Servers: how a file is delivered, by a web server, by the original storage or by Python.

From a plain Django view::

    from proxy_storage.serving import serve

    def report(request, pk):
        record = meta_backend.get(Report.objects.get(pk=pk).file.name)
        return serve(request, record)

`serve` does not check permissions. Check them before you call it.
"""

from proxy_storage.serving.base import ServerBase
from proxy_storage.serving.redirect import RedirectServer
from proxy_storage.serving.sendfile import SendfileServer
from proxy_storage.serving.servers import get_server, serve
from proxy_storage.serving.streaming import StreamingServer
from proxy_storage.serving.x_accel import XAccelRedirectServer
from proxy_storage.serving.x_sendfile import XSendfileServer

__all__ = [
    "RedirectServer",
    "SendfileServer",
    "ServerBase",
    "StreamingServer",
    "XAccelRedirectServer",
    "XSendfileServer",
    "get_server",
    "serve",
]
