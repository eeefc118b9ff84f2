"""URLs of an original storage itself, signed for one file, one method and a short time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.files.storage import Storage

from proxy_storage.exceptions import ServingError
from proxy_storage.original_storages import s3


def get_signing_problem(storage: Storage) -> str | None:
    """Return why a storage gives no presigned URLs, if it gives none.

    A storage that can has a method ``get_presigned_url(name, *, method, expires_in,
    headers)``; the S3 storage of django-storages needs none. The URL has to make the answer
    carry the given headers: an uploaded page that is shown in place could run script.
    """
    if hasattr(storage, "get_presigned_url"):
        return None
    reason: str | None = "it has no method get_presigned_url"
    if s3.is_s3(storage):
        reason = s3.get_signing_problem(storage)
    if reason is None:
        return None
    return f"{type(storage).__name__} gives no presigned URLs: {reason}."


def get_presigned_url(
    storage: Any, name: str, *, method: str, expires_in: int, headers: Mapping[str, str]
) -> str:
    """Return a URL by which the storage itself gives out a file.

    Args:
        storage: an original storage.
        name: the file's name there.
        method: ``GET`` or ``HEAD``; the URL is good for no other.
        expires_in: for so many seconds.
        headers: those that the answer has to carry.

    Raises:
        ServingError: the storage gives no such URLs, or could not sign one.
    """
    problem = get_signing_problem(storage)
    if problem is not None:
        raise ServingError(f"{problem} Configure StreamingServer in PROXY_STORAGE['SERVERS'].")
    sign = getattr(storage, "get_presigned_url", None)
    options: Any = {"method": method, "expires_in": expires_in, "headers": headers}
    try:
        if sign is not None:
            return str(sign(name, **options))
        return s3.get_presigned_url(storage, name, **options)
    except Exception as error:  # of drivers that are not known here
        raise ServingError(f"{type(storage).__name__} signed no URL: {error!r}") from error
