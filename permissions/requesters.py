"""Who a request comes from: a user of the project, or something else that has a key."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Model


def is_user(requester: Any) -> bool:
    """Tell whether a requester is a logged-in user of the project.

    An authentication may set a device, a customer or anything else as ``request.user``. Its key
    is not the key of a user, although the two may be equal.

    Args:
        requester: ``request.user``: an instance of the user model; or an object without a table
            that stands for a user, as that of a token does, and has the attributes of one.

    Source: https://docs.djangoproject.com/en/stable/topics/auth/customizing/#specifying-a-custom-user-model
    """
    # DRF can be told to have no user for requests that are not logged in.
    if not requester or not requester.is_authenticated:
        return False
    model: Any = get_user_model()
    if isinstance(requester, Model):
        user_model: Any = model._meta.concrete_model
        return isinstance(requester, user_model)
    return hasattr(requester, "get_username") or hasattr(requester, model.USERNAME_FIELD)


def get_model_label(requester: Any) -> str | None:
    """Return the label of the model of a requester; ``None`` for a user of the project."""
    if not isinstance(requester, Model) or is_user(requester):
        return None
    model: Any = requester._meta.concrete_model
    label: str = model._meta.label_lower
    return label
