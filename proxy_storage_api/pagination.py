"""Pages of records.

The position of a page in a list is encrypted in its URL, because it may be that of a record which
the requester is not permitted to see.
"""

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

SALT = "proxy_storage_api.pagination"
NONCE_LENGTH = 16  # bytes


def seal(position: Mapping[str, Any]) -> str:
    """Return a position as encrypted and signed text, which is different at each call.

    Args:
        position: keys with text, numbers, times or ``None``.
    """
    nonce = secrets.token_bytes(NONCE_LENGTH)
    plain = json.dumps(position, default=lambda time: time.isoformat()).encode()
    return Signer(salt=SALT).sign(urlsafe_base64_encode(nonce + _combine(nonce, plain)))


def unseal(text: str) -> dict[str, Any] | None:
    """Return the position of a text. Times are returned as text.

    Returns:
        ``None`` if the text was not made by `seal` with the same ``SECRET_KEY``.
    """
    try:
        sealed = urlsafe_base64_decode(Signer(salt=SALT).unsign(text))
        plain = _combine(sealed[:NONCE_LENGTH], sealed[NONCE_LENGTH:])
        position: dict[str, Any] = json.loads(plain)
    except (BadSignature, ValueError):
        return None
    return position


def _combine(nonce: bytes, data: bytes) -> bytes:
    """Encrypt or decrypt data by a stream of bytes that depends on the key and the nonce.

    Source: FIPS 202 (SHAKE256, an extendable-output function); the text is signed afterwards.
    """
    key = salted_hmac(SALT, nonce, algorithm="sha256").digest()
    stream = hashlib.shake_256(key).digest(len(data))
    return bytes(one ^ other for one, other in zip(data, stream, strict=True))


PAGE_SIZE = 50
# Attributes of paginators with the name of a query parameter, and its value for the first page.
_FIRST_PAGES = {"page_query_param": "1", "offset_query_param": "0", "cursor_query_param": ""}


class RecordPagination(PageNumberPagination):
    """The paginator for projects without a ``DEFAULT_PAGINATION_CLASS``: 50 records in a page.

    A list without pages would read all records.
    """

    page_size = PAGE_SIZE
    page_size_query_param = "page_size"
    max_page_size = 500


class StepPagination(BasePagination):
    """Pages of records whose permissions are checked one by one: with a next page, without a total.

    A page ends when it is full, or when the permissions have been checked for ``limit`` records.
    So it may have fewer records than its size, or none, and still have a next page.

    Args:
        paginator: the paginator of the view, which sets the size of a page.
        limit: the number of records for which permissions are checked for one page.
    """

    #: The query parameter with the position.
    position_query_param = "position"

    def __init__(self, paginator: Any, limit: int) -> None:
        self.paginator = paginator
        self.limit = limit
        self.next_url: str | None = None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return the records of a page.

        Raises:
            NotFound: 404, the position is not one of this list, or the query has the number of a
                page.
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
        """Return a page in the form of DRF's paginators, with ``null`` as the total."""
        return Response({"count": None, "next": self.next_url, "previous": None, "results": data})
