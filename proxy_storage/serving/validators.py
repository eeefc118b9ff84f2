"""What tells one version of a file from another: entity tag and date."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import http_date

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.sources import Source

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
