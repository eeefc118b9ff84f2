"""Who delivers the bytes: the web server, or Python.

From a plain Django view::

    from proxy_storage.serving import serve

    def report(request, pk):
        record = meta_backend.get(Report.objects.get(pk=pk).file.name)
        return serve(request, record)

The caller decides who may have the file before it calls `serve`; `serve` asks nobody.
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
