"""Positions in a list, as a text that the client can hand back and cannot read.

The position is that of a record that the requester may not be allowed to know of.
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

SALT = "proxy_storage_api.positions"
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
