"""HTTP servers in a thread of this process."""

import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def serving(server):
    """Let a server answer requests until the block ends, then close it.

    Args:
        server: a `socketserver.BaseServer` that is bound to its port.
    """
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    with server:
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class _QuietHandler(SimpleHTTPRequestHandler):
    """Files, without a line for each request."""

    def log_message(self, *args):
        pass


@contextmanager
def serving_files(folder):
    """Serve the files in a folder on a free port of 127.0.0.1; yield the port."""
    handler = partial(_QuietHandler, directory=folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with serving(server):
        yield server.server_port
