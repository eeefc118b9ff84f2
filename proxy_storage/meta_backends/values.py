"""The values of records: which ones a database can hold, and which of them compare."""

from __future__ import annotations

from typing import Any

from proxy_storage.paths import is_literal_path

# MongoDB has no numbers beyond, nor have columns of Django
SMALLEST, LARGEST = -(2**63), 2**63 - 1


def is_storable(value: Any) -> bool:
    """Tell whether every database can hold a value, as far as text and numbers go."""
    if isinstance(value, str):
        return is_literal_path(value)
    return not isinstance(value, int | float) or SMALLEST <= value <= LARGEST


def get_kind(value: Any) -> str | None:
    """Return the kind of a value: only those of one kind compare.

    ``None`` and what has several values are of no kind.
    """
    if value is None or isinstance(value, list | dict):
        return None
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else type(value).__qualname__
