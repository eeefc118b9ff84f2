"""The owner of a file: the model instance and field that it was saved for.

A record names its owner by three values, ``content_type_id``, ``object_id`` and
``field``. The model is the one that declares the field: of a multi-table child that is
the parent, of a proxy model the concrete one, of an abstract parent the child. So a file
has the same owner whichever class it is reached through.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Field, Model

OWNER_KEYS = ("content_type_id", "object_id", "field")


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


def restore_object_id(data: dict[str, Any]) -> None:
    """Turn the owner's key, which may be stored as text, back into its own type.

    A key that is none of this type, since the model's has changed, stays as it is.
    """
    model = get_owner_model(data)
    if model is not None:
        with suppress(ValidationError, ValueError, TypeError):
            data["object_id"] = model._meta.pk.to_python(data["object_id"])


def get_content_object(data: Mapping[str, Any]) -> Model | None:
    """Return the owner instance that a record names; one query.

    Returns:
        ``None`` where the record has no owner, or the owner is gone.
    """
    model = get_owner_model(data)
    if model is None:
        return None
    try:
        return model._base_manager.filter(pk=data["object_id"]).first()
    except (ValidationError, ValueError, TypeError):  # no key of this model
        return None
