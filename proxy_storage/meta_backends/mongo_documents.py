"""Documents of MongoDB as records.

A collection has no schema: other programs, and former versions of a project, may have written
documents that are not records, or values of another type than a key has. A document that
lacks one of `REQUIRED_KEYS`, or has something there that `MetaBackendBase.create` refuses, such
as a number or empty text, does not count as a record. A known key whose value has a wrong type
counts as a key without value. Queries follow the same rules: see
`proxy_storage.meta_backends.mongo_query`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from proxy_storage.meta_backends.base import REQUIRED_KEYS, is_required_text
from proxy_storage.meta_backends.comparisons import KINDS, OWNERS_KEY
from proxy_storage.meta_backends.values import LARGEST, SMALLEST, get_kind
from proxy_storage.mongo import Decimal128

logger = logging.getLogger("proxy_storage")

# The ranges of the values that count, by kind. A time that is less than a day away from the ends
# of Python's calendar cannot be given in every time zone.
BOUNDS: Mapping[str, tuple[Any, Any]] = {
    "number": (SMALLEST, LARGEST),
    "datetime": (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)),
}
OPTIONAL_KEYS = tuple(key for key in (*KINDS, OWNERS_KEY) if key not in REQUIRED_KEYS)


def read_document(document: dict[str, Any]) -> dict[str, Any] | None:
    """Return the record that a document holds, without values of a wrong type.

    What is left out is logged, in one line for the document.

    Args:
        document: a document, or the part of it that a projection gives; it is changed.

    Returns:
        ``None`` for a document that is not a record.
    """
    missing = [key for key in REQUIRED_KEYS if not is_required_text(document.get(key))]
    if missing:
        logger.warning(
            "The document %r with the path %r does not count as a record: %s must be text "
            "without NUL that is not empty.",
            document.get("_id"),
            document.get("path"),
            " and ".join(missing),
        )
        return None
    wrong = []
    for key in OPTIONAL_KEYS:
        value = document.get(key)
        if value is None:
            continue
        document[key] = number = _to_number(value)
        if not _is_valid(key, number):
            del document[key]
            wrong.append(f"{key} is of the type {type(value).__name__}")
    if wrong:
        logger.warning(
            "The record of %r counts as one without the values of a wrong type: %s.",
            document["path"],
            ", ".join(wrong),
        )
    return document


def _to_number(value: Any) -> Any:
    """Return the ``int`` for a number that another program has written as a decimal or a float."""
    if isinstance(value, Decimal128):
        value = float(value.to_decimal())
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_valid(key: str, value: Any) -> bool:
    kind = get_kind(value)
    if key == OWNERS_KEY:
        # Keys are of every type, but Django's integer fields read True as 1.
        return kind not in (None, "bool")
    if kind != KINDS[key]:
        return False
    # Django's integer fields read the key 2.5 as 2.
    if key == "content_type_id" and isinstance(value, float):
        return False
    lowest, highest = BOUNDS.get(kind, (value, value))
    return bool(lowest <= value <= highest)
