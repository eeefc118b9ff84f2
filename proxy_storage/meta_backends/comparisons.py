"""What one part of a condition compares: a key of records, and a value of the right kind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.db.models import Model, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.querysets import ReadOnce, get_column_name, read_column
from proxy_storage.meta_backends.values import LARGEST, SMALLEST, get_kind, is_storable

ORDERED_LOOKUPS = ("gt", "gte", "lt", "lte")
# Lookups of text, which take the beginning of a value or any part of it.
TEXT_LOOKUPS = ("startswith", "icontains")
LOOKUPS = ("exact", "in", "isnull", *TEXT_LOOKUPS, *ORDERED_LOOKUPS)
OWNERS_KEY = "object_id"
OWNERS_LOOKUPS = ("exact", "in", "isnull")


def _parse_time(text: str) -> datetime | None:
    try:
        return parse_datetime(text)
    except ValueError:  # well formed, and no such day
        return None


def _parse_number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


# what the values are of the keys that this package writes
KINDS = {
    "path": "text",
    "proxy_storage_name": "text",
    "original_storage_name": "text",
    "original_storage_path": "text",
    "content_type_id": "number",
    "field": "text",
    "size": "number",
    "mime_type": "text",
    "name": "text",
    "charset": "text",
    "checksum": "text",
    "created_at": "datetime",
    "link_version": "text",
    "content_object_scope": "text",
    "released_at": "datetime",
    "former_content_type_id": "number",
    "former_field": "text",
    "former_content_object_scope": "text",
}
# how text is read where they are not text
READERS: Mapping[str, Callable[[str], Any]] = {"number": _parse_number, "datetime": _parse_time}


@dataclass(frozen=True)
class Comparison:
    """One key compared with one value.

    Args:
        key: the key of records.
        lookup: one of `LOOKUPS`; ``isnull`` stands for the true one, ``exact`` always has a
            value, ``in`` has a tuple of values or a queryset of one column.
        value: what to compare with.
        read: reads the column of a queryset.
    """

    key: str
    lookup: str
    value: Any
    read: Callable[[], Iterable[Any]] | None = None

    @property
    def values(self) -> tuple[Any, ...]:
        """The values of ``in`` and ``exact``; a queryset is read."""
        if self.lookup != "in":
            return (self.value,)
        if self.read is not None:
            return _read_all(self.key, self.read())
        values: tuple[Any, ...] = self.value
        return values


def parse(name: str, value: Any) -> tuple[Comparison | bool, bool]:
    """Read one part of a condition.

    Args:
        name: the key, and after two underscores the lookup, if it is another than ``exact``.
        value: the value that is compared with.

    Returns:
        The comparison, or its outcome where that is known; and whether it is meant to be
        true, or else to be false.

    Raises:
        ConfigurationError: there is no such lookup, or it takes no such value.
    """
    key, separator, lookup = name.partition("__")
    if not separator:
        lookup = "exact"
    known = OWNERS_LOOKUPS if key == OWNERS_KEY else LOOKUPS
    if lookup not in known:
        raise ConfigurationError(
            f"Records cannot be compared by {name!r}: there is no lookup {lookup!r} for {key!r}. "
            f"Known are {', '.join(known)}."
        )
    if not key.isidentifier():
        raise ConfigurationError(f"No record has the key {key!r}.")
    if lookup == "isnull" or (lookup == "exact" and value is None):
        if lookup == "isnull" and not isinstance(value, bool):
            raise ConfigurationError(f"{name!r} must be True or False, not {value!r}.")
        return Comparison(key, "isnull", True), value is not False
    if lookup == "in":
        return _parse_in(key, value), True
    return _parse_value(key, lookup, value), True


def _parse_in(key: str, value: Any) -> Comparison | bool:
    if isinstance(value, ReadOnce):
        get_column_name(value.queryset)
        return Comparison(key, "in", value.queryset, value.read_column)
    if isinstance(value, QuerySet):
        get_column_name(value)
        return Comparison(key, "in", value, partial(read_column, value))
    if isinstance(value, str | Mapping) or not isinstance(value, Collection):
        raise ConfigurationError(f"'{key}__in' must be a list or a queryset, not {value!r}.")
    values = _read_all(key, value)
    return Comparison(key, "in", values) if values else False


def _parse_value(key: str, lookup: str, value: Any) -> Comparison | bool:
    value = _read(key, value)
    if value is None:
        return False
    if lookup in TEXT_LOOKUPS:
        return Comparison(key, lookup, value) if isinstance(value, str) else False
    if key == OWNERS_KEY:
        return Comparison(key, "in", get_key_forms(value))
    if not is_storable(value):
        return _parse_number_out_of_reach(key, lookup, value)
    return Comparison(key, lookup, value)


def _parse_number_out_of_reach(key: str, lookup: str, value: float) -> Comparison | bool:
    if lookup.startswith("lt") and value > LARGEST:
        return Comparison(key, "lte", LARGEST)
    if lookup.startswith("gt") and value < SMALLEST:
        return Comparison(key, "gte", SMALLEST)
    return False


def _read_all(key: str, values: Iterable[Any]) -> tuple[Any, ...]:
    found = (_read(key, value) for value in values)
    known = (value for value in found if value is not None)
    if key == OWNERS_KEY:
        return tuple(form for value in known for form in get_key_forms(value))
    return tuple(value for value in known if is_storable(value))


def _read(key: str, value: Any) -> Any:
    """Return a value in the form that records have it in; ``None`` for one that none has."""
    if isinstance(value, Model | QuerySet | Mapping | list | tuple | set | frozenset) or hasattr(
        value, "resolve_expression"
    ):
        raise ConfigurationError(
            f"{key!r} cannot be compared with a {type(value).__name__}, which is no value."
        )
    kind = KINDS.get(key)
    if isinstance(value, str):
        if not is_storable(value):
            return None
        if kind is not None and kind in READERS:
            value = READERS[kind](value)
    if kind is not None and get_kind(value) != kind:
        return None
    return _read_time(value) if isinstance(value, datetime) else value


def _read_time(time: datetime) -> datetime | None:
    try:
        # databases have it in UTC, which begins and ends at other hours than zones do
        (time if timezone.is_aware(time) else timezone.make_aware(time)).astimezone(UTC)
        return localize(time)
    except (OverflowError, ValueError):
        return None


def localize(time: datetime) -> datetime:
    """Return a time as records have it: aware of its zone where the project uses zones."""
    if timezone.is_aware(time) == settings.USE_TZ:
        return time
    return timezone.make_aware(time) if settings.USE_TZ else timezone.make_naive(time)


def get_key_forms(key: Any) -> tuple[str | int, ...]:
    """Return the forms that a record may have an owner's key in: text, and a number if it is one.

    >>> get_key_forms("5")
    ('5', 5)
    """
    text = str(key)
    number = _parse_number(text)
    if number is None or str(number) != text or not is_storable(number):
        return (text,)
    return text, number
