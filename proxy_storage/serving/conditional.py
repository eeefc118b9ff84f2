"""What tells one version of a file from another: entity tag and date."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, NamedTuple

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

# headers that are up to date in a 304 and a 412 as well
_OF_COPIES = {
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
}


class Validators(NamedTuple):
    """What a client sends back to ask whether a file has changed.

    Args:
        etag: strong, with its quotes.
        last_modified: with a time zone.
    """

    etag: str | None
    last_modified: datetime | None

    @property
    def seconds(self) -> int | None:
        """The date in whole seconds since 1970, as headers have it."""
        return None if self.last_modified is None else int(self.last_modified.timestamp())

    @property
    def headers(self) -> dict[str, str]:
        """The headers ``ETag`` and ``Last-Modified``, where known."""
        headers = {}
        if self.etag is not None:
            headers["ETag"] = self.etag
        if self.last_modified is not None:
            headers["Last-Modified"] = http_date(self.last_modified.timestamp())
        return headers


def get_validators(meta_backend_obj: MetaBackendObject, source: Source) -> Validators:
    """Return the validators of a file: recorded ones, else those of its source.

    A recorded checksum is the same on every machine and after every move of the bytes, and
    nobody has to be asked for it.
    """
    recorded: dict[str, Any] = {}
    if source.is_as_recorded(meta_backend_obj):
        recorded = meta_backend_obj
    checksum, created = recorded.get("checksum"), recorded.get("created_at")
    if created is not None and not timezone.is_aware(created):
        created = timezone.make_aware(created)
    return Validators(
        f'"{checksum}"' if checksum else source.etag,
        source.last_modified if created is None else created,
    )


def answer_without_file(
    request: HttpRequest, validators: Validators, headers: dict[str, str]
) -> HttpResponseBase | None:
    """Answer a request whose preconditions say that the file is not wanted.

    Args:
        request: a GET or HEAD request.
        validators: those of the file as it is now.
        headers: what every file answer says; of these, a 304 has what RFC 9110 wants.

    Returns:
        304 or 412, or ``None`` where the file is the answer.

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
    # A browser goes on with the headers of its copy, except for those that it is given now: it
    # would keep to a policy that the project, or a later version of this package, has changed.
    for name in _OF_COPIES & headers.keys():
        response[name] = headers[name]
    if response.status_code == 412:
        del response["Content-Type"]  # Django's default, of an empty body
    return response


_RANGE = re.compile(r"bytes[ \t]*=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.ASCII | re.IGNORECASE)

# no file is longer; Python refuses to make numbers of thousands of digits
_MAX_DIGITS = 18


class Part(NamedTuple):
    """Bytes from ``start`` up to ``stop``, which is not among them."""

    start: int
    stop: int


class RangeNotSatisfiable(Exception):
    """No byte of the file is within the range: 416."""


def get_wanted_part(request: HttpRequest, source: Source, validators: Validators) -> Part | None:
    """Return the part that a request asks for and may have; ``None`` is the whole file.

    Only for GET there are parts (RFC 9110 section 14.2).

    Raises:
        RangeNotSatisfiable: there is no such part.
    """
    wanted = request.META.get("HTTP_RANGE")
    if wanted is None or request.method != "GET":
        return None
    if not allows_part(request.META.get("HTTP_IF_RANGE"), *validators):
        return None
    return get_part(wanted, source.size)


def refuse_range(size: int, headers: dict[str, str]) -> HttpResponse:
    """Answer 416, and how long the file is (RFC 9110 section 15.5.17)."""
    response = HttpResponse(status=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    # of the file, which is not what comes
    for header in ("Content-Type", "Content-Disposition"):
        del response[header]
    response["Content-Length"] = "0"
    return response


def get_part(header: str | None, size: int) -> Part | None:
    """Return the part of a file that the header ``Range`` asks for.

    Args:
        header: the header's value, if there is one.
        size: the file's length in bytes.

    Returns:
        ``None`` for the whole file: without the header, with another unit, with a value
        that is not valid, and for several ranges at once, which section 14.2 allows to
        ignore. Answering those has cost others their memory (CVE-2011-3192,
        CVE-2026-33658).

    Raises:
        RangeNotSatisfiable: the range begins beyond the end of the file.

    Source: RFC 9110 sections 14.1.2 and 14.2.
    """
    match = _RANGE.fullmatch(header or "")
    if match is None:
        return None
    first, last = (_to_number(digits) for digits in match.groups())
    if first is None:
        return _get_suffix(last, size)
    if last is not None and last < first:
        return None
    if first >= size:
        raise RangeNotSatisfiable
    return Part(first, size if last is None else min(last + 1, size))


def _get_suffix(length: int | None, size: int) -> Part | None:
    if length is None:  # a bare hyphen
        return None
    if length == 0:
        raise RangeNotSatisfiable
    # of an empty file, the whole is the answer: Content-Range cannot say "no bytes"
    return Part(max(size - length, 0), size) if size else None


def _to_number(digits: str) -> int | None:
    if not digits:
        return None
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MAX_DIGITS else 10**_MAX_DIGITS


def allows_part(if_range: str | None, etag: str | None, last_modified: datetime | None) -> bool:
    """Tell whether a part may be sent, or the client has a part of other bytes.

    Args:
        if_range: the header ``If-Range``, if there is one.
        etag: the entity tag of the file as it is now.
        last_modified: when it was changed, with a time zone.

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
    # within its first second a file may change again, under the same date
    return timezone.now() - last_modified >= timedelta(seconds=1)
