"""Python delivers the bytes itself: works with every original storage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.original_storages.sources import Body, FileBody, Source
from proxy_storage.serving.base import ServerBase
from proxy_storage.serving.conditional import (
    Part,
    RangeNotSatisfiable,
    answer_without_file,
    get_validators,
    get_wanted_part,
    refuse_range,
)
from proxy_storage.serving.local import LocalFile, get_source, gone

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
        # In the thread of the request, which has its connections.
        await sync_to_async(release_connections)(include_persistent=True)
        while block := await asyncio.to_thread(self._read_block):
            yield block

    def _read_block(self) -> bytes:
        """Read a block in a thread that other requests use as well."""
        try:
            return self._body.read(ASYNC_BLOCK_SIZE)
        finally:
            # Some original storages keep the bytes in a database.
            release_connections(include_persistent=True)

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


def release_connections(*, include_persistent: bool = False) -> None:
    """Close the database connections of this thread, as Django does at the end of a request.

    The bytes of a response are sent without a query, and a slow client takes minutes to read
    them. A connection inside of a transaction stays open.

    Args:
        include_persistent: close connections with ``CONN_MAX_AGE`` as well. The threads of
            ASGI do not keep a connection for a later request.

    Source: django.db.close_old_connections, which Django calls after the last byte.
    """
    for connection in connections.all(initialized_only=True):
        is_persistent = connection.settings_dict["CONN_MAX_AGE"] != 0
        if connection.connection is None or (is_persistent and not include_persistent):
            continue
        if connection.autocommit and not connection.in_atomic_block:
            connection.close()


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
    is_async = hasattr(request, "scope")
    is_whole_file = part is None and isinstance(source, LocalFile)
    body = (FileBody if is_whole_file else Body)(
        readable, stop - start, None if is_async else release_connections
    )
    return StreamedFile(
        body,
        is_async=is_async,
        status=200 if part is None else 206,
        headers=headers,
    )
