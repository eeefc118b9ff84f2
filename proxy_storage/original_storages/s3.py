"""Ranges and presigned URLs of the S3 storage of django-storages.

The storage is recognised by the name of its class, so django-storages need not be installed.

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
from proxy_storage.suggestions import describe_error

# Parameters that S3 requires again for each request that reads an object.
_READ_PARAMETERS = (
    "ExpectedBucketOwner",
    "RequestPayer",
    "SSECustomerAlgorithm",
    "SSECustomerKey",
    "SSECustomerKeyMD5",
)

# Error codes of S3 if the object has been deleted or replaced.
_CHANGED_OBJECT = ("NoSuchKey", "PreconditionFailed")

# Error codes of S3 if the bucket does not exist. A response to HEAD has no body with a code.
MISSING_BUCKET_CODES = ("404", "NoSuchBucket")
MISSING_BUCKET_HINT = "Create the bucket, or correct bucket_name or AWS_STORAGE_BUCKET_NAME."

_DENIED = ("403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")

# Header of the response -> parameter of the signed URL.
_RESPONSE_PARAMETERS = {
    "Cache-Control": "ResponseCacheControl",
    "Content-Disposition": "ResponseContentDisposition",
    "Content-Type": "ResponseContentType",
}


def is_s3(storage: Storage) -> bool:
    """Return whether a storage is the S3 storage of django-storages, or of a subclass."""
    # Django's lazy default storage returns the class of the wrapped storage for __class__.
    return any(
        (cls.__module__, cls.__name__) == ("storages.backends.s3", "S3Storage")
        for cls in storage.__class__.__mro__
    )


class S3Source(Source):
    """An object in S3. A range of it is requested from S3 as a range.

    Args:
        storage: the storage.
        name: the object's name there.
    """

    def __init__(self, storage: Any, name: str) -> None:
        self.storage = storage
        self.name = name

    @cached_property
    def _file(self) -> Any:
        """The storage's file object. To open it takes one HEAD request and reads no bytes."""
        return self.storage.open(self.name, "rb")

    @property
    def _is_compressed(self) -> bool:
        # The storage decompresses such an object while it reads it, so a range of the object in
        # S3 is not a range of the file.
        return bool(self.storage.gzip and self._file.obj.content_encoding == "gzip")

    @cached_property
    def size(self) -> int:
        """Size in bytes."""
        if self._is_compressed:
            size: int = self._file.seek(0, os.SEEK_END)
            return size
        return int(self._file.obj.content_length)

    @property
    def etag(self) -> str:
        """The entity tag of the object in S3."""
        return str(self._file.obj.e_tag)

    @property
    def last_modified(self) -> datetime:
        """The time at which the object was written."""
        modified: datetime = self._file.obj.last_modified
        return modified

    def open(self, start: int, stop: int) -> Readable:
        """Request this range, if the object has not changed since its size was read.

        Raises:
            ProxyFileNotFoundError: the object has been deleted or replaced since then.
        """
        file = self._file
        if self._is_compressed:
            file.seek(start)  # `size` has moved to the end
            decompressed: Readable = file
            return decompressed
        if start == stop:
            return io.BytesIO()
        parameters = self.storage.get_object_parameters(self.name)
        try:
            response = file.obj.get(
                **{key: parameters[key] for key in _READ_PARAMETERS if key in parameters},
                Range=f"bytes={start}-{stop - 1}",
                IfMatch=file.obj.e_tag,
            )
        except Exception as error:
            if get_error_code(error) not in _CHANGED_OBJECT:
                raise
            message = f"{self.name!r} was deleted, or replaced by another file."
            raise ProxyFileNotFoundError(message, path=self.name) from error
        body: Readable = response["Body"]
        return body


def get_error_code(error: BaseException) -> str | None:
    """Return the code of an error of boto3, which need not be installed; else ``None``."""
    response = getattr(error, "response", None)
    details = response.get("Error") if isinstance(response, dict) else None
    return details.get("Code") if isinstance(details, dict) else None


def get_remedy(error: BaseException) -> str | None:
    """Return how to correct an error of boto3, or ``None`` for any other error."""
    code = get_error_code(error)
    if code == "NoSuchBucket":
        return MISSING_BUCKET_HINT
    names = {f"{cls.__module__}.{cls.__name__}" for cls in type(error).__mro__}
    if code in _DENIED or "botocore.exceptions.NoCredentialsError" in names:
        return "Correct the credentials, and allow to get, put, delete and list objects."
    if "botocore.exceptions.ConnectionError" in names:
        return "Check that the server runs, and correct endpoint_url or AWS_S3_ENDPOINT_URL."
    return None


def get_bucket_problem(storage: Any) -> str | None:
    """Request the bucket of an S3 storage, and return why it cannot be used, or ``None``."""
    name = storage.bucket_name
    if not name:
        return "bucket_name is not set. Set bucket_name or AWS_STORAGE_BUCKET_NAME."
    try:
        storage.bucket.meta.client.head_bucket(Bucket=name)
    except Exception as error:  # noqa: BLE001  (an error of boto3, which must not be imported here)
        if get_error_code(error) in MISSING_BUCKET_CODES:
            return f"The bucket {name!r} does not exist. {MISSING_BUCKET_HINT}"
        return (
            f"The bucket {name!r} cannot be used: {describe_error(error)}. Check its name, the "
            "credentials and endpoint_url."
        )
    return None


def get_signing_problem(storage: Any) -> str | None:
    """Return why an S3 storage cannot create presigned URLs, or ``None`` if it can."""
    if not storage.querystring_auth:
        return "its URLs are not signed (querystring_auth=False)"
    if storage.custom_domain:
        return "a URL of its custom_domain cannot set Content-Type and Content-Disposition"
    return None


def get_presigned_url(
    storage: Any, name: str, *, method: str, expires_in: int, headers: Mapping[str, str]
) -> str:
    """Return a URL from which anyone can load an object until it expires.

    Args:
        storage: the storage.
        name: the object's name there.
        method: the method for which the URL is valid.
        expires_in: lifetime in seconds.
        headers: the headers that the response must have. S3 supports only Content-Type,
            Content-Disposition and Cache-Control and ignores the others.
    """
    parameters = {
        parameter: headers[header]
        for header, parameter in _RESPONSE_PARAMETERS.items()
        if header in headers
    }
    bucket = storage.bucket
    # The storage's url() makes a connection for each thread. Under ASGI each request has a thread
    # of its own, and making a connection takes longer than the rest of the request.
    return str(
        bucket.meta.client.generate_presigned_url(
            "get_object",
            Params={**parameters, "Bucket": bucket.name, "Key": storage._normalize_name(name)},
            ExpiresIn=expires_in,
            HttpMethod=method,
        )
    )
