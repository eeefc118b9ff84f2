"""Python delivers the bytes itself: works with every original storage."""

from __future__ import annotations

from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from proxy_storage.exceptions import ProxyFileNotFoundError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.serving.base import ServerBase
from proxy_storage.serving.local import get_local_file


class StreamingServer(ServerBase):
    """Deliver a file from Python, block by block under WSGI.

    Under ASGI, Django reads the whole file into memory before it sends it.

    For a HEAD request nothing is opened: the original storage is asked for the size only.
    """

    def serve(
        self, request: HttpRequest, meta_backend_obj: MetaBackendObject, headers: dict[str, str]
    ) -> HttpResponseBase:
        """Answer with the bytes, or for HEAD with their length."""
        get_local_file(meta_backend_obj)  # raises where a link leads out
        original = meta_backend_obj.get_original_storage()
        path = meta_backend_obj["original_storage_path"]
        try:
            if request.method == "HEAD":
                size = original.size(path)
                return HttpResponse(headers={**headers, "Content-Length": str(size)})
            file = original.open(path)
        except FileNotFoundError as error:
            raise ProxyFileNotFoundError(
                f"The bytes of {meta_backend_obj['path']!r} are gone.",
                path=meta_backend_obj["path"],
            ) from error
        response = FileResponse(file)
        # instead of the type and the name that FileResponse has made up
        for header, value in headers.items():
            response[header] = value
        return response
