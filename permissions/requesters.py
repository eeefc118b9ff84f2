"""Who a request comes from: a user of the project, or something else that has a key."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Model


def is_logged_in(requester: Any) -> bool:
    """Return whether a requester is logged in. An object without ``is_authenticated`` is not.

    Args:
        requester: ``request.user``; ``None`` for an anonymous request if DRF's setting
            ``UNAUTHENTICATED_USER`` is ``None``.
    """
    return bool(requester and getattr(requester, "is_authenticated", False))


def is_user(requester: Any) -> bool:
    """Tell whether a requester is a logged-in user of the project.

    An authentication may set a device, a customer or anything else as ``request.user``. Its key
    is not the key of a user, although the two may be equal.

    Args:
        requester: ``request.user``: an instance of the user model; or an object without a table
            that stands for a user, as that of a token does, and has the attributes of one.

    Source: https://docs.djangoproject.com/en/stable/topics/auth/customizing/#specifying-a-custom-user-model
    """
    if not is_logged_in(requester):
        return False
    model: Any = get_user_model()
    if isinstance(requester, Model):
        user_model: Any = model._meta.concrete_model
        return isinstance(requester, user_model)
    return hasattr(requester, "get_username") or hasattr(requester, model.USERNAME_FIELD)


def get_key(requester: Any) -> Any:
    """Return the key of a requester; ``None`` where it has none.

    A multi-table child of the user model may have a primary key of its own, whose values are
    the keys of other users. A user is known by the key of the user model.
    """
    key = getattr(requester, "pk", None)
    if not is_user(requester):
        return key
    model: Any = get_user_model()
    return getattr(requester, model._meta.pk.attname, key)


def get_model_label(requester: Any) -> str | None:
    """Return the label of the model of a requester; ``None`` for a user of the project."""
    if not isinstance(requester, Model) or is_user(requester):
        return None
    model: Any = requester._meta.concrete_model
    label: str = model._meta.label_lower
    return label
