"""Permissions for instances: who keeps them, and how to find all instances of a user.

The one module that knows of django-guardian, which it imports where it is in use only.
"""

from __future__ import annotations

from typing import Any

from django.contrib import auth
from django.db.models import Model, QuerySet

from .base import check_answer, get_function

# how a backend of Django's answers: with no for any instance
BACKEND_METHODS = (
    "has_perm",
    "get_all_permissions",
    "get_user_permissions",
    "get_group_permissions",
    "_get_permissions",
)


def has_perm(user: Any, *arguments: Any) -> bool:
    """Return ``user.has_perm()``; false for a requester without this method, such as a device.

    Args:
        user: the requester; ``None`` for an anonymous request if DRF's setting
            ``UNAUTHENTICATED_USER`` is ``None``.
        arguments: the arguments of the method.

    Raises:
        RuleError: the answer is neither ``True`` nor ``False``.
    """
    if not hasattr(user, "has_perm"):
        return False
    return check_answer(user.has_perm(*arguments), f"{type(user).__qualname__}.has_perm()")


def has_object_permission(user: Any, name: str, instance: Model) -> bool:
    """Ask ``user.has_perm``, where django-guardian refuses the permissions of other apps.

    Args:
        user: the user, who may be anonymous or inactive.
        name: the full name of the permission.
        instance: a model instance.
    """
    try:
        return has_perm(user, name, instance)
    except _get_refusals():
        return False


def get_permitted(user: Any, name: str, model: type[Model]) -> QuerySet[Model] | None:
    """Return the instances of a model for which `has_object_permission` says yes.

    Args:
        user: the user, who may be anonymous or inactive, with a method ``has_perm``.
        name: the full name of the permission.
        model: the model.

    Returns:
        ``None`` where only each instance can tell, since somebody else is asked.
    """
    from django.contrib.auth.models import AnonymousUser, PermissionsMixin

    known = (AnonymousUser.has_perm, PermissionsMixin.has_perm)
    if get_function(user.has_perm) not in known:
        return None
    if user.is_active and user.is_superuser:
        return model._base_manager.all()
    others = _get_backends_with_instances()
    if not others:
        return model._base_manager.none()
    return _get_permitted_by_guardian(user, name, model) if _are_guardians(others) else None


def has_other_backends() -> bool:
    """Return whether a backend other than django-guardian's decides about instances."""
    return not _are_guardians(_get_backends_with_instances())


def _get_backends_with_instances() -> list[type[Any]]:
    backends = [type(backend) for backend in auth.get_backends()]
    return [backend for backend in backends if not _knows_no_instances(backend)]


def _knows_no_instances(backend: type[Any]) -> bool:
    """Tell whether a backend is one of Django's, or of its kind; or has no permissions at all."""
    from django.contrib.auth.backends import BaseBackend, ModelBackend

    methods = [getattr(backend, name, None) for name in BACKEND_METHODS]
    return methods[0] is None or any(
        methods == [getattr(known, name, None) for name in BACKEND_METHODS]
        for known in (BaseBackend, ModelBackend)
    )


def _are_guardians(backends: list[type[Any]]) -> bool:
    return all(
        f"{backend.__module__}.{backend.__name__}" == "guardian.backends.ObjectPermissionBackend"
        for backend in backends
    )


def _get_refusals() -> tuple[type[Exception], ...]:
    """Return what django-guardian raises for a permission of another app than the instance's."""
    if not any(_are_guardians([type(backend)]) for backend in auth.get_backends()):
        return ()
    from guardian.exceptions import WrongAppError

    return (WrongAppError,)


def _get_permitted_by_guardian(user: Any, name: str, model: type[Model]) -> QuerySet[Model] | None:
    """Find the instances of a user, as django-guardian would answer for each of them."""
    from guardian.backends import check_user_support
    from guardian.ctypes import get_content_type
    from guardian.shortcuts import get_objects_for_user

    if name.count(".") > 1:  # get_objects_for_user would read an app's name out of it again
        return None
    app_label, codename = name.split(".")
    # for who is not logged in there may be a user with permissions
    is_supported, asked = check_user_support(user)
    app_labels = (model._meta.app_label, get_content_type(model).app_label)
    if not is_supported or not asked.is_active or app_label not in app_labels:
        return model._base_manager.none()
    if asked.is_superuser:
        return model._base_manager.all()
    # not of the queryset: it would be asked for as a whole. A permission for the model is none
    # for its instances
    found: QuerySet[Model] = get_objects_for_user(
        asked, codename, model._base_manager, accept_global_perms=False
    )
    return found
