"""Presigned URLs: short-lived URLs of an original storage for one file and one method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.files.storage import Storage

from proxy_storage.exceptions import ServingError
from proxy_storage.original_storages import s3


def get_signing_problem(storage: Storage) -> str | None:
    """Return why a storage cannot create presigned URLs, or ``None`` if it can.

    A storage that can has a method ``get_presigned_url(name, *, method, expires_in, headers)``.
    The S3 storage of django-storages does not need it. The response to the URL must have the
    given headers, because an uploaded page that is shown inline could run script.
    """
    if hasattr(storage, "get_presigned_url"):
        return None
    reason: str | None = "it does not have a method get_presigned_url"
    if s3.is_s3(storage):
        reason = s3.get_signing_problem(storage)
    if reason is None:
        return None
    return f"{type(storage).__name__} cannot create presigned URLs: {reason}."


def get_presigned_url(
    storage: Any, name: str, *, method: str, expires_in: int, headers: Mapping[str, str]
) -> str:
    """Return a URL from which anyone can load a file of the storage until it expires.

    Args:
        storage: an original storage.
        name: the file's name there.
        method: ``GET`` or ``HEAD``. The URL is not valid for other methods.
        expires_in: lifetime in seconds.
        headers: the headers that the response must have.

    Raises:
        ServingError: the storage cannot create such URLs, or it failed to.
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
    except Exception as error:  # The errors of the storage's driver are not known here.
        raise ServingError(
            f"{type(storage).__name__} could not create a presigned URL: {error!r}"
        ) from error
