"""The owner of a file: the model instance and field that it was saved for.

A record names its owner by three values, ``content_type_id``, ``object_id`` and
``field``. The model is the one that declares the field: of a multi-table child that is
the parent, of a proxy model the concrete one, of an abstract parent the child. So a file
has the same owner whichever class it is reached through.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeVar

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db.models import Field, Model

from proxy_storage.meta_backends.values import is_storable

if TYPE_CHECKING:
    from proxy_storage.meta_backends.base import MetaBackendObject

OWNER_KEYS = ("content_type_id", "object_id", "field")

_Data = TypeVar("_Data", bound="dict[str, Any]")


def get_owner_data(instance: Model, field: Field[Any, Any]) -> dict[str, Any]:
    """Return what a record says of its owner.

    Args:
        instance: a saved instance of the model that has the field.
        field: the file field, as found in the model's ``_meta``.

    Returns:
        A dict with the three `OWNER_KEYS`. A primary key that is neither integer nor
        text, such as a UUID, is given as text, which every meta backend can hold.
    """
    from django.contrib.contenttypes.models import ContentType

    model = field.model
    key = getattr(instance, model._meta.pk.attname)
    return {
        "content_type_id": ContentType.objects.get_for_model(model).pk,
        "object_id": key if isinstance(key, int | str) else str(key),
        "field": field.name,
    }


def is_owned_by(record: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    """Tell whether a record names this owner, of which the key may be in another type.

    Args:
        record: the record, whose key has come back in the model's own type.
        owner: what `get_owner_data` returns.
    """
    return all(
        record.get(key) is not None and str(record[key]) == str(value)
        for key, value in owner.items()
    )


def get_owner_model(data: Mapping[str, Any]) -> type[Model] | None:
    """Return the model class of the owner that a record names.

    Returns:
        ``None`` where the record names none, or one that does not exist any more.
    """
    if data.get("content_type_id") is None or data.get("object_id") is None:
        return None
    from django.contrib.contenttypes.models import ContentType

    try:
        # cached by the manager: one query in the life of a process
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
            models[content_type_id] = get_owner_model(data)
        grouped[models[content_type_id]].append(data)
    return grouped


def get_content_object(data: Mapping[str, Any]) -> Model | None:
    """Return the owner instance that a record names; one query.

    Returns:
        ``None`` where the record has no owner, or the owner is gone.
    """
    model = get_owner_model(data)
    return None if model is None else _fetch(model, [data["object_id"]])[0]


def fetch_content_objects(records: Iterable[MetaBackendObject]) -> None:
    """Fetch the owners of many records; one query for each model.

    The records remember them: their ``get_content_object`` asks no more. Those that
    remember theirs already are left alone.
    """
    unknown = [record for record in records if not record.has_fetched_content_object]
    for model, owned in _group_by_model(unknown).items():
        instances: Iterable[Model | None] = repeat(None)
        if model is not None:
            instances = _fetch(model, [record["object_id"] for record in owned])
        for record, instance in zip(owned, instances, strict=False):
            record.set_content_object(instance)


def _fetch(model: type[Model], object_ids: Sequence[Any]) -> list[Model | None]:
    """Return the instances that have these keys, in this order."""
    keys = [_get_key(model, object_id) for object_id in object_ids]
    wanted = {key for key in keys if key is not None}
    # a database may compare keys without case; those of a dict are literal
    instances = model._base_manager.in_bulk(wanted) if wanted else {}
    return [instances.get(key) for key in keys]


def _get_key(model: type[Model], object_id: Any) -> Any:
    """Return a key in the type that the model has it in; ``None`` if none of it can be."""
    with suppress(ValidationError, ValueError, TypeError):
        key = model._meta.pk.to_python(object_id)
        if is_storable(key):
            return key
    return None


def get_owner_models() -> tuple[type[Model], ...]:
    """Return the models that may own files: those that declare a field of this package.

    A model that inherits the field from another table, or is a proxy, is none of them: there
    the owner is the model that declares it.
    """
    # where the apps change, the models are others
    return _get_owner_models(tuple(apps.get_models(include_auto_created=True)))


@lru_cache(maxsize=1)
def _get_owner_models(models: tuple[type[Model], ...]) -> tuple[type[Model], ...]:
    from proxy_storage.db.fields import OwnedFileMixin

    return tuple(
        model
        for model in models
        if any(isinstance(field, OwnedFileMixin) for field in model._meta.local_fields)
    )
