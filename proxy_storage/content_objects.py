"""The owner of a file: the model instance and field that it was saved for.

A record names its content object by four values: ``content_type_id``, ``object_id``, ``field``
and ``content_object_scope``, which names the database and the tenant of the key (see
`proxy_storage.scopes`). The model is the one that declares the field: of a multi-table child
that is the parent, of a proxy model the concrete one, of an abstract parent the child. So a file
has the same owner whichever class it is reached through.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeVar

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import router
from django.db.backends.utils import format_number
from django.db.models import DecimalField, Field, Model
from django.utils import timezone

from proxy_storage.db.tracking import TrackingFileDescriptor
from proxy_storage.meta_backends.queries import is_storable
from proxy_storage.scopes import SCOPE_KEY, get_database, get_scope
from proxy_storage.settings import proxy_storage_settings

if TYPE_CHECKING:
    from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject

CONTENT_OBJECT_KEYS = ("content_type_id", "object_id", "field")
#: The keys of a released record that name its former content object, by the keys of that one
FORMER_KEYS = {
    "content_type_id": "former_content_type_id",
    "object_id": "former_object_id",
    "field": "former_field",
    SCOPE_KEY: "former_content_object_scope",
}
#: The key that has the time at which a record was released
RELEASED_KEY = "released_at"

_Data = TypeVar("_Data", bound="dict[str, Any]")


def get_content_object_data(
    instance: Model,
    field: Field[Any, Any],
    using: str | None = None,
    meta_backend: MetaBackendBase | None = None,
) -> dict[str, Any]:
    """Return the values by which a record names its content object.

    Args:
        instance: a saved instance of the model that has the field.
        field: the file field, as found in the model's ``_meta``.
        using: the alias of the database of the row; by default the one that a save of the
            instance writes to, or the one of ``CONTENT_OBJECT_DATABASES`` that it was read from.
        meta_backend: the meta backend that holds the record.

    Returns:
        A dict with the three `CONTENT_OBJECT_KEYS` and the scope of the key. The primary key has
        the form that it has when the row is read. One that is neither an integer nor text, such
        as a UUID, is given as text, which every meta backend can hold.
    """
    from django.contrib.contenttypes.models import ContentType

    model = field.model
    if using is None:
        using = _get_row_database(instance, model)
    key = normalize_key(model, getattr(instance, model._meta.pk.attname))
    return {
        "content_type_id": ContentType.objects.get_for_model(model).pk,
        # A truth value is an integer for Python, and a database may give it as text.
        "object_id": key if isinstance(key, str) or type(key) is int else str(key),
        "field": field.name,
        SCOPE_KEY: get_scope(model, using, meta_backend),
    }


def _get_row_database(instance: Model, model: type[Model]) -> str:
    """Return the database of the row of an instance.

    An instance that was read from a replica is a row of the database that the routers write to.
    """
    alias = instance._state.db
    if alias is not None and alias in proxy_storage_settings.CONTENT_OBJECT_DATABASES:
        return alias
    return router.db_for_write(model, instance=instance)


def normalize_key(model: type[Model], value: Any) -> Any:
    """Return a primary key in the form that it has when its row is read.

    Django leaves the key of an instance as it was given until the row is read again, so that it
    may be the text of a UUID, or a Decimal with fewer places than its column.

    Args:
        model: the model of the key.
        value: the key as an instance has it.
    """
    field: Any = model._meta.pk
    while field.remote_field is not None:
        field = field.target_field
    try:
        value = field.to_python(value)
        if isinstance(value, datetime):
            return _to_utc(value)
        value = field.to_python(field.get_prep_value(value))
        if isinstance(field, DecimalField):
            return field.to_python(format_number(value, field.max_digits, field.decimal_places))
    except (ValidationError, ValueError, TypeError, ArithmeticError):
        return value  # No key of this model. No record is found by it.
    return value


def _to_utc(value: datetime) -> datetime:
    if not settings.USE_TZ:
        return value
    aware = value if timezone.is_aware(value) else timezone.make_aware(value)
    return aware.astimezone(UTC)


def belongs_to(record: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    """Tell whether a record names this content object.

    Args:
        record: the record, whose key has been given the type that the model has it in.
        owner: the values that `get_content_object_data` returns.
    """
    if record.get(SCOPE_KEY) != owner.get(SCOPE_KEY):
        return False
    return all(
        record.get(key) is not None and str(record[key]) == str(owner[key])
        for key in CONTENT_OBJECT_KEYS
    )


def has_content_object(record: Mapping[str, Any]) -> bool:
    """Tell whether a record names a content object."""
    return any(record.get(key) is not None for key in CONTENT_OBJECT_KEYS)


def get_content_object_model(data: Mapping[str, Any]) -> type[Model] | None:
    """Return the model class of the content object that a record names.

    Returns:
        ``None`` if the record names none, or one of a model that does not exist any more, or
        a row of another tenant or of a database in which content objects are not looked up.
    """
    return _locate(data)[0]


def locate_content_object(data: Mapping[str, Any]) -> str | None:
    """Return the alias of the database that has the content object of a record.

    Returns:
        ``None`` as for `get_content_object_model`.
    """
    return _locate(data)[1]


def _locate(data: Mapping[str, Any]) -> tuple[type[Model], str] | tuple[None, None]:
    """Return the model and the database of the content object of a record."""
    model = _get_model(data)
    using = None if model is None else _get_database(model, data)
    return (None, None) if model is None or using is None else (model, using)


def _get_database(model: type[Model], data: Mapping[str, Any]) -> str | None:
    return get_database(model, data.get(SCOPE_KEY), getattr(data, "meta_backend", None))


def _get_model(data: Mapping[str, Any]) -> type[Model] | None:
    if data.get("content_type_id") is None or data.get("object_id") is None:
        return None
    from django.contrib.contenttypes.models import ContentType

    try:
        # The manager caches it: one query for each model in the life of a process.
        return ContentType.objects.get_for_id(data["content_type_id"]).model_class()
    except ContentType.DoesNotExist:
        return None


def restore_object_ids(records: Iterable[dict[str, Any]]) -> None:
    """Turn owners' keys, which may be stored as text, back into their own types.

    A key that is none of its type, since the model's has changed, stays as it is.
    """
    for model, owned in _group_by_model(records).items():
        if model is None:
            continue
        for data in owned:
            with suppress(ValidationError, ValueError, TypeError):
                data["object_id"] = model._meta.pk.to_python(data["object_id"])


def _group_by_model(records: Iterable[_Data]) -> dict[type[Model] | None, list[_Data]]:
    """Find each model once: one that does not exist any more is asked for again and again."""
    models: dict[Any, type[Model] | None] = {}
    grouped: dict[type[Model] | None, list[_Data]] = defaultdict(list)
    for data in records:
        content_type_id = data.get("content_type_id")
        if data.get("object_id") is None:
            grouped[None].append(data)
            continue
        if content_type_id not in models:
            models[content_type_id] = _get_model(data)
        grouped[models[content_type_id]].append(data)
    return grouped


def get_content_object(data: Mapping[str, Any]) -> Model | None:
    """Return the content object that a record names; one query.

    Returns:
        ``None`` if the record names none, or its row has been deleted or cannot be reached.
    """
    model, using = _locate(data)
    if model is None or using is None:
        return None
    return _fetch(model, using, [data["object_id"]])[0]


def clear_field(record: Mapping[str, Any]) -> None:
    """Clear the field by which the content object of a deleted file names it; one query.

    A field that names another file by now is left alone. No signal is sent.
    """
    model, using = _locate(record)
    if model is None or using is None:
        return
    name, key = record.get("field"), _get_key(model, record["object_id"])
    for field in model._meta.local_fields:
        if field.name == name and is_tracked(field) and key is not None:
            rows = model._base_manager.using(using).filter(pk=key, **{name: record["path"]})
            rows.update(**{name: None if field.null else ""})


def fetch_content_objects(records: Iterable[MetaBackendObject]) -> None:
    """Fetch the content objects of many records; one query for each model and database.

    The records remember them: their ``get_content_object`` makes no further query. Records
    that remember theirs already are left alone.
    """
    unknown = [record for record in records if not record.has_fetched_content_object]
    for model, owned in _group_by_model(unknown).items():
        located: dict[str | None, list[MetaBackendObject]] = defaultdict(list)
        for record in owned:
            located[None if model is None else _get_database(model, record)].append(record)
        for using, group in located.items():
            instances: Iterable[Model | None] = repeat(None)
            if model is not None and using is not None:
                instances = _fetch(model, using, [record["object_id"] for record in group])
            for record, instance in zip(group, instances, strict=False):
                record.set_content_object(instance)


def _fetch(model: type[Model], using: str, object_ids: Sequence[Any]) -> list[Model | None]:
    """Return the instances that have these keys, in this order."""
    keys = [_get_key(model, object_id) for object_id in object_ids]
    wanted = {key for key in keys if key is not None}
    # a database may compare keys without case; those of a dict are literal
    instances = model._base_manager.using(using).in_bulk(wanted) if wanted else {}
    return [instances.get(key) for key in keys]


def _get_key(model: type[Model], object_id: Any) -> Any:
    """Return a key in the type that the model has it in; ``None`` if none of it can be."""
    with suppress(ValidationError, ValueError, TypeError):
        key = model._meta.pk.to_python(object_id)
        if is_storable(key):
            return key
    return None


def get_file_fields(model: type[Model]) -> tuple[Any, ...]:
    """Return the fields of a model whose files have a content object, inherited ones included."""
    return tuple(field for field in model._meta.concrete_fields if is_tracked(field))


def is_tracked(field: Any) -> bool:
    """Tell whether the files of a field have a content object."""
    descriptor = getattr(field, "descriptor_class", None)
    return isinstance(descriptor, type) and issubclass(descriptor, TrackingFileDescriptor)


def get_content_object_models() -> tuple[type[Model], ...]:
    """Return the models that may be content objects: those that declare a field of this package.

    A model that inherits the field from another table, or is a proxy, is not one of them: there
    the content object is of the model that declares the field.
    """
    # where the apps change, the models are others
    return _get_content_object_models(tuple(apps.get_models(include_auto_created=True)))


def forget_content_object_models() -> None:
    """Look for the models again: a field was added to one of them."""
    _get_content_object_models.cache_clear()


@lru_cache(maxsize=1)
def _get_content_object_models(models: tuple[type[Model], ...]) -> tuple[type[Model], ...]:
    return tuple(model for model in models if any(map(is_tracked, model._meta.local_fields)))
