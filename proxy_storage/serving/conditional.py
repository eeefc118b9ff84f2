"""Conditional requests and range requests: validators, preconditions, ``Range``, ``If-Range``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import http_date, parse_http_date_safe

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.original_storages.sources import Source

_PRECONDITIONS = (
    "HTTP_IF_MATCH",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
)

# Headers that a 304 and a 412 must have as well, since they replace those of a cached response.
_UPDATED_HEADERS = {"Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options"}

_RANGE = re.compile(r"bytes[ \t]*=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.ASCII | re.IGNORECASE)

# Positions with more digits are beyond the end of any file. Python refuses to convert very long
# strings of digits to an int.
_MAX_DIGITS = 18


class Validators(NamedTuple):
    """Entity tag and date of one version of a file (RFC 9110 section 8.8).

    Args:
        etag: strong entity tag with its quotes.
        last_modified: with a time zone.
    """

    etag: str | None
    last_modified: datetime | None

    @property
    def seconds(self) -> int | None:
        """``last_modified`` in whole seconds since 1970, the resolution of HTTP dates."""
        return None if self.last_modified is None else int(self.last_modified.timestamp())

    @property
    def headers(self) -> dict[str, str]:
        """The headers ``ETag`` and ``Last-Modified``, if known."""
        headers = {}
        if self.etag is not None:
            headers["ETag"] = self.etag
        if self.last_modified is not None:
            headers["Last-Modified"] = http_date(self.last_modified.timestamp())
        return headers


class ByteRange(NamedTuple):
    """The bytes of a file from ``start`` up to and not including ``stop``."""

    start: int
    stop: int


class RangeNotSatisfiable(Exception):
    """The requested range contains no byte of the file: status 416.

    Args:
        size: the file's size in bytes.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size

    def get_response(self, headers: Mapping[str, str]) -> HttpResponse:
        """Return a response with status 416 and the file's size (RFC 9110 section 15.5.17)."""
        response = HttpResponse(
            status=416,
            headers={**headers, "Content-Range": f"bytes */{self.size}", "Content-Length": "0"},
        )
        # These headers describe the file, not this response.
        for header in ("Content-Type", "Content-Disposition"):
            del response[header]
        return response


def get_validators(meta_backend_obj: MetaBackendObject, source: Source) -> Validators:
    """Return the validators of a file: checksum and time in its record, or those of its source.

    A recorded checksum is the same on all machines and in all original storages, and it is known
    without a request to the original storage.

    Args:
        meta_backend_obj: the file's record.
        source: the file in its original storage. If it differs from the record, for example in
            its size, the metadata in the record is not used.
    """
    checksum, created = meta_backend_obj.get("checksum"), meta_backend_obj.get("created_at")
    if (checksum or created) and not source.is_as_recorded(meta_backend_obj):
        checksum = created = None
    if created is not None and not timezone.is_aware(created):
        created = timezone.make_aware(created)
    return Validators(
        f'"{checksum}"' if checksum else source.etag,
        source.last_modified if created is None else created,
    )


def check_preconditions(
    request: HttpRequest, validators: Validators, headers: dict[str, str]
) -> HttpResponseBase | None:
    """Return a response without the file if the preconditions of a request require that.

    Args:
        request: a GET or HEAD request.
        validators: validators of the current version of the file.
        headers: the headers of each response with this file. A 304 has those of them that
            RFC 9110 requires.

    Returns:
        A response with status 304 or 412, or ``None`` if the file has to be sent.

    Source: RFC 9110 section 13.2.2.
    """
    if request.META.keys().isdisjoint(_PRECONDITIONS):
        return None
    whole = HttpResponse(headers={**headers, **validators.headers})
    response = get_conditional_response(
        request,
        etag=validators.etag,
        last_modified=validators.seconds,
        response=whole,
    )
    if response is None or response is whole:
        return None
    # A browser keeps the headers of its cached response, except those in the 304. Without these,
    # a policy that has changed since then would have no effect.
    for name in _UPDATED_HEADERS & headers.keys():
        response[name] = headers[name]
    if response.status_code == 412:
        del response["Content-Type"]  # Django's default, although there is no body
    return response


def get_requested_range(
    request: HttpRequest, source: Source, validators: Validators
) -> ByteRange | None:
    """Return the range that a request gets, or ``None`` if it gets the whole file.

    Only GET requests have ranges (RFC 9110 section 14.2).

    Args:
        request: a GET or HEAD request.
        source: the file in its original storage.
        validators: validators of the current version of the file, for ``If-Range``.

    Raises:
        RangeNotSatisfiable: the range contains no byte of the file.
    """
    header = request.META.get("HTTP_RANGE")
    if header is None or request.method != "GET":
        return None
    if not matches_if_range(request.META.get("HTTP_IF_RANGE"), *validators):
        return None
    return parse_range(header, source.size)


def parse_range(header: str, size: int) -> ByteRange | None:
    """Return the range of a file that the header ``Range`` requests.

    Args:
        header: the header's value.
        size: the file's size in bytes.

    Returns:
        ``None`` for the whole file: if the unit is not bytes, if the value is not valid, and for
        several ranges at once. RFC 9110 allows to ignore several ranges, and support for them
        has led to excessive use of memory elsewhere (CVE-2011-3192, CVE-2026-33658).

    Raises:
        RangeNotSatisfiable: the range contains no byte of the file.

    Source: RFC 9110 sections 14.1.2 and 14.2.
    """
    match = _RANGE.fullmatch(header)
    if match is None:
        return None
    first, last = map(_to_number, match.groups())
    if first is None:  # a suffix: the last bytes of the file
        if last is None:
            return None
        if last == 0:
            raise RangeNotSatisfiable(size)
        # Content-Range cannot express an empty range, so an empty file is sent as a whole.
        return ByteRange(max(size - last, 0), size) if size else None
    if last is not None and last < first:
        return None
    if first >= size:
        raise RangeNotSatisfiable(size)
    return ByteRange(first, size if last is None else min(last + 1, size))


def _to_number(digits: str) -> int | None:
    if not digits:
        return None
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MAX_DIGITS else 10**_MAX_DIGITS


def matches_if_range(
    if_range: str | None, etag: str | None, last_modified: datetime | None
) -> bool:
    """Return whether a range may be sent, because the client has parts of this very version.

    Args:
        if_range: the header ``If-Range``, or ``None`` if the request does not have it.
        etag: the entity tag of the current version of the file.
        last_modified: the date of the current version, with a time zone.

    Source: RFC 9110 section 13.1.5: a strong comparison of tags, or the exact date.
    """
    if if_range is None:
        return True
    if_range = if_range.strip()
    if '"' in if_range:
        return if_range == etag and not if_range.startswith("W/")
    date = parse_http_date_safe(if_range)
    if date is None or last_modified is None or int(last_modified.timestamp()) != date:
        return False
    # During the first second, the file may change again and keep the same date.
    return timezone.now() - last_modified >= timedelta(seconds=1)
