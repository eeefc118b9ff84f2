"""Python delivers the bytes itself: works with every original storage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, cast

from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.serving.base import ServerBase
from proxy_storage.serving.finding import get_source
from proxy_storage.serving.local import LocalFile, gone
from proxy_storage.serving.ranges import (
    Part,
    RangeNotSatisfiable,
    get_wanted_part,
    refuse_range,
)
from proxy_storage.serving.validators import answer_without_file, get_validators
from proxy_storage.sources import Body, Source

BLOCK_SIZE = 64 * 1024  # bytes
# each block is read in a thread, which costs more than the reading
ASYNC_BLOCK_SIZE = 256 * 1024  # bytes


class StreamedFile(FileResponse):
    """A response that reads a file block by block, under WSGI and under ASGI.

    Args:
        body: what is sent; it is closed when all has been sent, or the client has left.
        is_async: whether the bytes are asked for by an event loop.
        options: status and headers.
    """

    block_size = BLOCK_SIZE

    _resource_closers: list[Callable[[], None]]  # Django's, which the stubs do not know

    def __init__(self, body: Body, *, is_async: bool, **options: Any) -> None:
        self._body = body
        super().__init__(cast(Any, self._read_blocks() if is_async else body), **options)
        if is_async:
            self._resource_closers.append(body.close)

    def set_headers(self, filelike: object) -> None:
        """Make up no type, name or length: the right ones are there already."""

    async def _read_blocks(self) -> AsyncIterator[bytes]:
        while block := await asyncio.to_thread(self._body.read, ASYNC_BLOCK_SIZE):
            yield block

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the blocks, and close the file also when the client leaves.

        Django closes a response that has been sent, but not one whose client has left: then
        it closes this iterator only.
        """
        try:
            async with aclosing(cast(Any, super().__aiter__())) as blocks:
                async for block in blocks:
                    yield block
        finally:
            await asyncio.to_thread(self._body.close)


class StreamingServer(ServerBase):
    """Deliver a file from Python, block by block under WSGI and under ASGI.

    Answers to ranges, preconditions and HEAD follow RFC 9110. Of several ranges at once the
    whole file is the answer. For HEAD, and where the client has the file already, nothing
    is opened.
    """

    def serve(
        self, request: HttpRequest, meta_backend_obj: MetaBackendObject, headers: dict[str, str]
    ) -> HttpResponseBase:
        """Answer with the bytes, a part of them, or with none."""
        try:
            source = get_source(meta_backend_obj)
            return self._answer(request, meta_backend_obj, source, headers)
        except FileNotFoundError as error:
            raise gone(meta_backend_obj) from error

    def _answer(
        self,
        request: HttpRequest,
        meta_backend_obj: MetaBackendObject,
        source: Source,
        headers: dict[str, str],
    ) -> HttpResponseBase:
        validators = get_validators(meta_backend_obj, source)
        response = answer_without_file(request, validators, headers)
        if response is not None:
            return response
        headers = {**headers, **validators.headers, "Accept-Ranges": "bytes"}
        if request.method == "HEAD":
            size = get_size(meta_backend_obj, source)
            return HttpResponse(headers={**headers, "Content-Length": str(size)})
        try:
            part = get_wanted_part(request, source, validators)
        except RangeNotSatisfiable:
            return refuse_range(source.size, headers)
        return stream(request, source, part, headers)


#: the one that delivers where no other can, or none is configured
STREAMING = StreamingServer()


def get_size(meta_backend_obj: MetaBackendObject, source: Source) -> int:
    """Return the length in bytes, from the record where it can be relied on."""
    size = meta_backend_obj.get("size")
    known = size is not None and source.is_as_recorded(meta_backend_obj)
    return int(cast(int, size)) if known else source.size


def stream(
    request: HttpRequest, source: Source, part: Part | None, headers: dict[str, str]
) -> StreamedFile:
    """Answer 200 with the whole of a source, or 206 with a part (RFC 9110 section 15.3.7)."""
    size = source.size
    start, stop = part or (0, size)
    headers = {**headers, "Content-Length": str(stop - start)}
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        # a middleware that packs what it sends would make another part of it
        request.META.pop("HTTP_ACCEPT_ENCODING", None)
    readable = source.open(start, stop)
    body = Body(readable, stop - start)
    if part is None and isinstance(source, LocalFile):
        # for the file wrapper of a WSGI server, which has the kernel copy from the file
        body.fileno = cast(Any, readable).fileno
    return StreamedFile(
        body,
        is_async=hasattr(request, "scope"),
        status=200 if part is None else 206,
        headers=headers,
    )
