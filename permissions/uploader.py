"""The user who uploaded a file, and the permission for that user."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db import router
from django.db.models import Model

from proxy_storage.content_objects import get_row_database, get_scope, normalize_key
from proxy_storage.meta_backends.base import MetaBackendBase
from proxy_storage.meta_backends.queries import is_storable

from .links import get_key
from .ownership import is_user

#: The keys of a record that name its uploader.
ID_KEY, SCOPE_KEY = "uploader_id", "uploader_scope"
UPLOADER_KEYS = (ID_KEY, SCOPE_KEY)


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
    nobody: dict[str, str | None] = dict.fromkeys(UPLOADER_KEYS)
    key = get_key(user) if is_user(user) else None
    if key is None:
        return nobody
    user_model: Any = get_user_model()
    model = user_model._meta.concrete_model
    text = str(normalize_key(model, key))
    if not is_storable(text):
        return nobody
    # The user of a token does not have a row of its own.
    has_row = isinstance(user, Model)
    using = get_row_database(user, model) if has_row else router.db_for_write(model)
    return {ID_KEY: text, SCOPE_KEY: get_scope(model, using, meta_backend)}
