"""The user who uploaded a file, and the permission for that user."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Model, Q
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.content_objects import (
    FORMER_KEYS,
    RELEASED_KEY,
    UPLOADER_KEY,
    normalize_key,
)
from proxy_storage.meta_backends.base import MetaBackendBase, MetaBackendObject
from proxy_storage.meta_backends.queries import (
    CONTENT_OBJECT_KEYS,
    BackendValue,
    Condition,
    is_storable,
)

from .base import FilePermission
from .links import get_key, get_scope_of_key
from .ownership import is_user

#: The keys of a record that name its uploader.
ID_KEY, SCOPE_KEY = UPLOADER_KEY, "uploader_scope"
UPLOADER_KEYS = (ID_KEY, SCOPE_KEY)
# The clocks of the servers that have saved the user and the file can differ.
CLOCK_TOLERANCE = timedelta(seconds=5)
# A record has a value for one of these if the file has, or has had, a content object.
ATTACHED_KEYS = (*CONTENT_OBJECT_KEYS, RELEASED_KEY, FORMER_KEYS["content_type_id"])


def get_uploader_data(user: Any, meta_backend: MetaBackendBase | None) -> dict[str, str | None]:
    """Return the values by which a record names its uploader.

    Args:
        user: ``request.user``.
        meta_backend: the meta backend that holds the record. Its records must be able to hold
            `UPLOADER_KEYS`; see `UploaderMixin`.

    Returns:
        A dict with `UPLOADER_KEYS`: the primary key as text, and the scope of the key, which names
        the database and the tenant of the user as that of a content object. Both are ``None`` for
        anonymous users, and for requesters that are not users of the project: the key of a device
        or a customer can be that of a user.
    """
    unknown: dict[str, str | None] = dict.fromkeys(UPLOADER_KEYS)
    key = get_key(user) if is_user(user) else None
    if key is None:
        return unknown
    user_model: Any = get_user_model()
    model = user_model._meta.concrete_model
    text = str(normalize_key(model, key))
    if not is_storable(text):
        return unknown
    return {ID_KEY: text, SCOPE_KEY: get_scope_of_key(user, meta_backend)}


def is_of_former_user(user: Any, record: MetaBackendObject) -> bool:
    """Return whether a file is older than a user: a deleted user with the same key uploaded it.

    Args:
        user: the user, whose ``date_joined`` is compared if the model has it.
        record: the file's record, whose ``created_at`` is compared if it is known.
    """
    created_at = make_aware(record.get("created_at"))
    joined_at = make_aware(getattr(user, "date_joined", None))
    if created_at is None or joined_at is None:
        return False
    return bool(created_at < joined_at - CLOCK_TOLERANCE)


def make_aware(moment: Any) -> Any:
    """Return a time with a time zone, for comparison; ``None`` for no time."""
    if moment is None or timezone.is_aware(moment):
        return moment
    return timezone.make_aware(moment)


def is_uploader(user: Any, record: MetaBackendObject) -> bool:
    """Return whether a user has uploaded a file that was never attached to an instance.

    Args:
        user: ``request.user``.
        record: the file's record.
    """
    if any(record.get(key) is not None for key in ATTACHED_KEYS):
        return False
    if is_of_former_user(user, record):
        return False
    data = get_uploader_data(user, record.meta_backend)
    return data[ID_KEY] is not None and all(record.get(key) == data[key] for key in UPLOADER_KEYS)


class IsUploader(FilePermission):
    """Allow the user who uploaded the file through the endpoint, until the file is attached.

    This is for files that do not belong to a row, such as those that an editor has uploaded. When
    a file gets a content object, the permissions on that object decide. The uploader does not get
    access again if the content object is deleted.

    A file whose record does not name an uploader is denied. Users of another database or another
    tenant do not have access, even if their keys are equal, and neither does a user who was created
    after the upload (``date_joined``): the key of a deleted user can be used again.
    """

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Compare the keys of the user and of the uploader, without a query."""
        return is_uploader(request.user, obj)

    def get_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> Condition:
        """Select the files that the user has uploaded, and that were never attached."""
        if not is_user(request.user):
            return False
        unattached = Q(**{f"{key}__isnull": True for key in ATTACHED_KEYS})
        return unattached & Q(**{f"{ID_KEY}__in": _Uploader(request.user)})


class _Uploader(BackendValue):
    """A user as the value of a condition: the scope depends on the tenant of the records."""

    def __init__(self, user: Any) -> None:
        self.user = user

    def get_condition(self, meta_backend: MetaBackendBase | None) -> Q | bool:
        """Return the condition on the records of a meta backend."""
        data = get_uploader_data(self.user, meta_backend)
        if data[ID_KEY] is None:
            return False
        condition = Q(**data)
        joined_at = getattr(self.user, "date_joined", None)
        if joined_at is not None:
            is_later = Q(created_at__gte=joined_at - CLOCK_TOLERANCE)
            condition &= is_later | Q(created_at__isnull=True)
        return condition
