"""Deliver files from Python. This works with every original storage."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from proxy_storage.exceptions import ServingError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.original_storages.sources import Readable
from proxy_storage.serving.base import ServerBase
from proxy_storage.serving.conditional import (
    RangeNotSatisfiable,
    check_preconditions,
    get_requested_range,
    get_validators,
)
from proxy_storage.serving.local import LocalFile, get_missing_file_error, get_source

BLOCK_SIZE = 64 * 1024  # bytes
# Each block is read in a worker thread, and switching threads costs more than reading.
ASYNC_BLOCK_SIZE = 256 * 1024  # bytes


class Body:
    """A fixed number of bytes of a readable object. It can be closed in any thread.

    Args:
        readable: the object to read from. It is closed once, by the body.
        length: the number of bytes. If there are fewer, `read` raises an error: the client
            expects this number and must not mistake a part for the whole.
        before_first_byte: called once, before the first read.
    """

    def __init__(
        self,
        readable: Readable,
        length: int,
        before_first_byte: Callable[[], object] | None = None,
    ) -> None:
        self._readable = readable
        self._left = length
        self._before_first_byte = before_first_byte
        # mod_wsgi closes a response while a Python error of its own is set. Then ``acquire`` takes
        # the lock and raises SystemError, and a ``with`` statement would never release it. So the
        # lock is released in any case; if it was not taken, ``release`` raises RuntimeError.
        self._lock = threading.RLock()
        self.closed = False

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, or no bytes after the last one and after `close`.

        Raises:
            ServingError: the file ended too early.
        """
        if self._before_first_byte is not None:
            self._start()
        try:
            self._lock.acquire()
            if self.closed or not self._left:
                return b""
            data = self._readable.read(min(size, self._left))
            if not data:
                raise ServingError(f"The file ended {self._left} bytes too early.")
            self._left -= len(data)
            return data
        finally:
            with suppress(RuntimeError):
                self._lock.release()

    def close(self) -> None:
        """Close the readable object. This waits for a `read` in another thread."""
        try:
            self._lock.acquire()
            if not self.closed:
                self.closed = True
                self._readable.close()
        finally:
            with suppress(RuntimeError):
                self._lock.release()

    def _start(self) -> None:
        function, self._before_first_byte = self._before_first_byte, None
        if function is not None:
            function()


class FileBody(Body):
    """A whole local file, which a WSGI server may send by its file descriptor.

    Args:
        readable: the file, at its first byte.
        length: its size in bytes.
        before_first_byte: as for `Body`.

    Source: PEP 3333 (wsgi.file_wrapper). mod_wsgi 4 and 5 call ``tell`` after ``fileno``.
    """

    _readable: Any

    def fileno(self) -> int:
        """Return the file descriptor."""
        self._start()
        return int(self._readable.fileno())

    def tell(self) -> int:
        """Return the position of the next byte in the file."""
        return int(self._readable.tell())


class StreamedFile(FileResponse):
    """A response that reads a file block by block, under WSGI and under ASGI.

    Args:
        body: the bytes to send. It is closed after the last byte, or when the client disconnects.
        is_async: whether an event loop iterates over the response.
        options: status and headers.
    """

    block_size = BLOCK_SIZE

    _resource_closers: list[Callable[[], None]]  # Django's, not in the stubs

    def __init__(self, body: Body, *, is_async: bool, **options: Any) -> None:
        self._body = body
        super().__init__(cast(Any, self._read_blocks() if is_async else body), **options)
        if is_async:
            self._resource_closers.append(body.close)

    def set_headers(self, filelike: object) -> None:
        """Do not guess the MIME type, name and length: the headers are set already."""

    async def _read_blocks(self) -> AsyncIterator[bytes]:
        # The connections of the request belong to its thread.
        await sync_to_async(release_connections)(include_persistent=True)
        while block := await asyncio.to_thread(self._read_block):
            yield block

    def _read_block(self) -> bytes:
        """Read a block in a worker thread, which other requests use as well."""
        try:
            return self._body.read(ASYNC_BLOCK_SIZE)
        finally:
            # An original storage that keeps its files in a database has opened a connection.
            release_connections(include_persistent=True)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the blocks, and close the file even if the client disconnects.

        Django closes a response after it has been sent. If the client disconnects before, it
        closes only this iterator.
        """
        try:
            async with aclosing(cast(Any, super().__aiter__())) as blocks:
                async for block in blocks:
                    yield block
        finally:
            await asyncio.to_thread(self._body.close)


def release_connections(*, include_persistent: bool = False) -> None:
    """Close the database connections of this thread, as Django does at the end of a request.

    Sending the file needs no query, and a slow client may take minutes. A connection inside a
    transaction stays open.

    Args:
        include_persistent: close connections with ``CONN_MAX_AGE`` as well. Under ASGI, no later
            request would use the connections of this thread.

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

    Responses to ranges, preconditions and HEAD follow RFC 9110. A request for several ranges
    gets the whole file. For HEAD, and if the client has the current version already, the file
    is not opened.
    """

    def serve(
        self, request: HttpRequest, meta_backend_obj: MetaBackendObject, headers: dict[str, str]
    ) -> HttpResponseBase:
        """Return a response with the file or a range of it, or one without a body."""
        try:
            source = get_source(meta_backend_obj)
            validators = get_validators(meta_backend_obj, source)
            response = check_preconditions(request, validators, headers)
            if response is not None:
                return response
            headers = {**headers, **validators.headers, "Accept-Ranges": "bytes"}
            if request.method == "HEAD":
                size = meta_backend_obj.get("size")
                if size is None or not source.is_as_recorded(meta_backend_obj):
                    size = source.size
                return HttpResponse(headers={**headers, "Content-Length": str(size)})
            byte_range = get_requested_range(request, source, validators)
            size = source.size
            start, stop = byte_range or (0, size)
            headers["Content-Length"] = str(stop - start)
            if byte_range is not None:
                headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
                # GZipMiddleware would compress the range, and the client could not join ranges.
                request.META.pop("HTTP_ACCEPT_ENCODING", None)
            is_async = hasattr(request, "scope")
            is_whole_file = byte_range is None and isinstance(source, LocalFile)
            body = (FileBody if is_whole_file else Body)(
                source.open(start, stop), stop - start, None if is_async else release_connections
            )
            # 206: RFC 9110 section 15.3.7
            status = 200 if byte_range is None else 206
            return StreamedFile(body, is_async=is_async, status=status, headers=headers)
        except RangeNotSatisfiable as error:
            return error.get_response(headers)
        except FileNotFoundError as error:
            raise get_missing_file_error(meta_backend_obj) from error


#: Delivers files for which no server is configured, and those that another server cannot deliver
STREAMING = StreamingServer()
