"""Pages of records."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

from django.core.signing import BadSignature, Signer
from django.utils.crypto import salted_hmac
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotFound
from rest_framework.pagination import BasePagination, PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from proxy_storage.meta_backends.record_set import RecordSet

# JOINED Positions in a list, as a text that the client can hand back and cannot read.
#
# The position is that of a record that the requester may not be allowed to know of.
#

SALT = "proxy_storage_api.pagination"
NONCE_LENGTH = 16  # bytes


def seal(position: Mapping[str, Any]) -> str:
    """Return a position as an unreadable text, which is another one each time.

    Args:
        position: keys with text, numbers, times or ``None``.
    """
    nonce = secrets.token_bytes(NONCE_LENGTH)
    plain = json.dumps(position, default=lambda time: time.isoformat()).encode()
    return Signer(salt=SALT).sign(urlsafe_base64_encode(nonce + _combine(nonce, plain)))


def unseal(text: str) -> dict[str, Any] | None:
    """Return the position of a text; times are given as text.

    Returns:
        ``None`` for a text that `seal` has not made with the same ``SECRET_KEY``.
    """
    try:
        sealed = urlsafe_base64_decode(Signer(salt=SALT).unsign(text))
        plain = _combine(sealed[:NONCE_LENGTH], sealed[NONCE_LENGTH:])
        position: dict[str, Any] = json.loads(plain)
    except (BadSignature, ValueError):
        return None
    return position


def _combine(nonce: bytes, data: bytes) -> bytes:
    """Encrypt or decrypt data by a stream of bytes that only the key and the nonce give.

    Source: FIPS 202 (SHAKE256, an extendable-output function); the text is signed afterwards.
    """
    key = salted_hmac(SALT, nonce, algorithm="sha256").digest()
    stream = hashlib.shake_256(key).digest(len(data))
    return bytes(one ^ other for one, other in zip(data, stream, strict=True))


PAGE_SIZE = 50
# Parameters of paginators, and the value of each that stands for the first page.
_FIRST_PAGES = {"page_query_param": "1", "offset_query_param": "0", "cursor_query_param": ""}


class RecordPagination(PageNumberPagination):
    """Fifty records a page, where the project has no paginator of its own.

    A list without pages would read all records.
    """

    page_size = PAGE_SIZE
    page_size_query_param = "page_size"
    max_page_size = 500

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a page; without a total where records are decided on one by one."""
        described: dict[str, Any] = super().get_paginated_response_schema(schema)
        described["properties"]["count"]["nullable"] = True
        return described


class StepPagination(BasePagination):
    """Pages of records that are decided on one by one: with the next page, and without a total.

    A page ends when it is full, or when so many records have been decided on as one request may.
    So it may have fewer records than its size, or none, although there is a next page.

    Args:
        paginator: the paginator of the view, which has the size of a page.
        limit: the number of records that are decided on for one page.
    """

    #: the query parameter that has the position
    position_query_param = "position"

    def __init__(self, paginator: Any, limit: int) -> None:
        self.paginator = paginator
        self.limit = limit
        self.next_url: str | None = None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return the records of a page.

        Raises:
            NotFound: 404, the position is not one that this list has given out, or the page is
                given by its number.
        """
        records: RecordSet = queryset
        for name, first in _FIRST_PAGES.items():
            parameter = getattr(self.paginator, name, None)
            if parameter and request.query_params.get(parameter, first) not in (first, ""):
                raise NotFound(_("Invalid page."))
        position = None
        sealed = request.query_params.get(self.position_query_param)
        if sealed:
            position = unseal(sealed)
            if position is None or list(position) != list(records.order):
                raise NotFound(_("Invalid cursor"))
        step = records.decide_on(self._get_size(request), self.limit, position)
        self.next_url = None
        if step.position is not None:
            url = request.build_absolute_uri()
            for name in _FIRST_PAGES:
                url = remove_query_param(url, getattr(self.paginator, name, "") or "")
            self.next_url = replace_query_param(url, self.position_query_param, seal(step.position))
        return step.records

    def _get_size(self, request: Request) -> int:
        for name in ("get_page_size", "get_limit"):
            if hasattr(self.paginator, name):
                return getattr(self.paginator, name)(request) or PAGE_SIZE
        return PAGE_SIZE

    def get_paginated_response(self, data: Any) -> Response:
        """Return a page as DRF's paginator does, with ``null`` as the total."""
        return Response({"count": None, "next": self.next_url, "previous": None, "results": data})
