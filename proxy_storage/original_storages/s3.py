"""What the S3 storage of django-storages can do beyond the contract of Django's storages.

It is told by its class, so nothing of it has to be installed.

Source: https://django-storages.readthedocs.io/en/latest/backends/amazon-S3.html
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from django.core.files.storage import Storage

from proxy_storage.exceptions import ProxyFileNotFoundError
from proxy_storage.original_storages.sources import Readable, Source

# what S3 has to be told again for each request that reads an object
_READ_PARAMETERS = (
    "ExpectedBucketOwner",
    "RequestPayer",
    "SSECustomerAlgorithm",
    "SSECustomerKey",
    "SSECustomerKeyMD5",
)

# what S3 says when the object is not the one that was looked at
_OTHER_OBJECT = ("NoSuchKey", "PreconditionFailed")

# header of the answer -> parameter that a URL is signed with
_RESPONSE_PARAMETERS = {
    "Cache-Control": "ResponseCacheControl",
    "Content-Disposition": "ResponseContentDisposition",
    "Content-Type": "ResponseContentType",
}


def is_s3(storage: Storage) -> bool:
    """Tell whether a storage is the S3 storage of django-storages, or one made from it."""
    # __class__, so that Django's lazy default storage is seen as what it wraps
    return any(
        (cls.__module__, cls.__name__) == ("storages.backends.s3", "S3Storage")
        for cls in storage.__class__.__mro__
    )


class S3Source(Source):
    """An object of S3. A part of it is asked for as that part.

    Args:
        storage: the storage.
        name: the object's name there.
    """

    def __init__(self, storage: Any, name: str) -> None:
        self.storage = storage
        self.name = name

    @cached_property
    def _file(self) -> Any:
        """The storage's file: one HEAD request, and nothing is read."""
        return self.storage.open(self.name, "rb")

    @property
    def _is_packed(self) -> bool:
        # the storage unpacks such an object when it is read: a part of what it has is no
        # part of what it gives
        return bool(self.storage.gzip and self._file.obj.content_encoding == "gzip")

    @cached_property
    def size(self) -> int:
        """Length in bytes."""
        if self._is_packed:
            size: int = self._file.seek(0, os.SEEK_END)
            return size
        return int(self._file.obj.content_length)

    @property
    def etag(self) -> str:
        """The entity tag that S3 has given the object."""
        return str(self._file.obj.e_tag)

    @property
    def last_modified(self) -> datetime:
        """When the object was written."""
        modified: datetime = self._file.obj.last_modified
        return modified

    def open(self, start: int, stop: int) -> Readable:
        """Ask for this part of the very object whose size was told.

        Raises:
            ProxyFileNotFoundError: it has been deleted or replaced since.
        """
        file = self._file
        if self._is_packed:
            file.seek(start)  # back from the end, where its size was found
            unpacked: Readable = file
            return unpacked
        if start == stop:
            return io.BytesIO()
        parameters = self.storage.get_object_parameters(self.name)
        try:
            answer = file.obj.get(
                **{key: parameters[key] for key in _READ_PARAMETERS if key in parameters},
                Range=f"bytes={start}-{stop - 1}",
                IfMatch=file.obj.e_tag,
            )
        except Exception as error:
            # of boto3's errors, which are not to be imported here, those of the object
            response: Any = getattr(error, "response", {})
            if response.get("Error", {}).get("Code") not in _OTHER_OBJECT:
                raise
            message = f"{self.name!r} was deleted or replaced."
            raise ProxyFileNotFoundError(message, path=self.name) from error
        body: Readable = answer["Body"]
        return body


def get_signing_problem(storage: Any) -> str | None:
    """Return why the storage's URLs cannot be relied on to be signed as asked, if so."""
    if not storage.querystring_auth:
        return "its URLs are not signed (querystring_auth=False)"
    if storage.custom_domain:
        return "S3 takes no type and no name for a URL of its custom_domain"
    return None


def get_presigned_url(
    storage: Any, name: str, *, method: str, expires_in: int, headers: Mapping[str, str]
) -> str:
    """Return a URL that S3 answers to whoever has it.

    Args:
        storage: the storage.
        name: the object's name there.
        method: the only method that S3 will answer it for.
        expires_in: for so many seconds.
        headers: those that S3 has to answer with; of others than type, disposition and
            caching it takes no order.
    """
    parameters = {
        parameter: headers[header]
        for header, parameter in _RESPONSE_PARAMETERS.items()
        if header in headers
    }
    bucket = storage.bucket
    # url() would do, but with a connection for each thread, and under ASGI each request has a
    # thread of its own: that takes longer than all the rest
    return str(
        bucket.meta.client.generate_presigned_url(
            "get_object",
            Params={**parameters, "Bucket": bucket.name, "Key": storage._normalize_name(name)},
            ExpiresIn=expires_in,
            HttpMethod=method,
        )
    )
