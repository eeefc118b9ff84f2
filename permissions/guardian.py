"""Object permissions of Django's authentication backends, and of django-guardian.

django-guardian is optional: it is imported only if its backend is in use.
"""

from __future__ import annotations

from typing import Any

from django.contrib import auth
from django.db.models import Model, QuerySet

from .base import check_result

# Backends with Django's own methods never permit anything for an instance.
BACKEND_METHODS = (
    "has_perm",
    "get_all_permissions",
    "get_user_permissions",
    "get_group_permissions",
    "_get_permissions",
)


def has_perm(user: Any, *arguments: Any) -> bool:
    """Return ``user.has_perm()``; ``False`` for a requester without this method, such as a device.

    Args:
        user: the requester; ``None`` for an anonymous request if DRF's setting
            ``UNAUTHENTICATED_USER`` is ``None``.
        arguments: the arguments of the method.

    Raises:
        RuleError: the result is neither ``True`` nor ``False``.
    """
    if not hasattr(user, "has_perm"):
        return False
    return check_result(user.has_perm(*arguments), f"{type(user).__qualname__}.has_perm()")


def has_object_permission(user: Any, name: str, instance: Model) -> bool:
    """Return ``user.has_perm()`` for an instance.

    django-guardian raises an error for a permission of another app; the result is ``False``.

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
    """Return the instances of a model for which `has_object_permission` returns ``True``.

    Args:
        user: the user, who may be anonymous or inactive, with a method ``has_perm``.
        name: the full name of the permission.
        model: the model.

    Returns:
        ``None`` if the instances cannot be found with a query, because the user or another
        authentication backend has a method of its own.
    """
    from django.contrib.auth.models import AnonymousUser, PermissionsMixin

    known = (AnonymousUser.has_perm, PermissionsMixin.has_perm)
    if getattr(user.has_perm, "__func__", None) not in known:
        return None
    if user.is_active and user.is_superuser:
        return model._base_manager.all()
    others = _get_backends_with_instances()
    if not others:
        return model._base_manager.none()
    return _get_permitted_by_guardian(user, name, model) if _are_guardians(others) else None


def has_other_backends() -> bool:
    """Return whether a backend other than django-guardian's has object permissions."""
    return not _are_guardians(_get_backends_with_instances())


def _get_backends_with_instances() -> list[type[Any]]:
    backends = [type(backend) for backend in auth.get_backends()]
    return [backend for backend in backends if _has_object_permissions(backend)]


def _has_object_permissions(backend: type[Any]) -> bool:
    """Return whether a backend has permissions, and not only the methods of Django's backends."""
    from django.contrib.auth.backends import BaseBackend, ModelBackend

    methods = [getattr(backend, name, None) for name in BACKEND_METHODS]
    return methods[0] is not None and all(
        methods != [getattr(known, name, None) for name in BACKEND_METHODS]
        for known in (BaseBackend, ModelBackend)
    )


def _are_guardians(backends: list[type[Any]]) -> bool:
    return all(
        f"{backend.__module__}.{backend.__name__}" == "guardian.backends.ObjectPermissionBackend"
        for backend in backends
    )


def _get_refusals() -> tuple[type[Exception], ...]:
    """Return the error that django-guardian raises for a permission of another app."""
    if not any(_are_guardians([type(backend)]) for backend in auth.get_backends()):
        return ()
    from guardian.exceptions import WrongAppError

    return (WrongAppError,)


def _get_permitted_by_guardian(user: Any, name: str, model: type[Model]) -> QuerySet[Model] | None:
    """Return the instances for which django-guardian's ``has_perm`` returns ``True``."""
    from guardian.backends import check_user_support
    from guardian.ctypes import get_content_type
    from guardian.shortcuts import get_objects_for_user

    if name.count(".") > 1:  # get_objects_for_user would take a part of it for an app label.
        return None
    app_label, codename = name.split(".")
    # For anonymous requests, django-guardian may have a user with permissions.
    is_supported, guardian_user = check_user_support(user)
    app_labels = (model._meta.app_label, get_content_type(model).app_label)
    if not is_supported or not guardian_user.is_active or app_label not in app_labels:
        return model._base_manager.none()
    if guardian_user.is_superuser:
        return model._base_manager.all()
    # A manager is passed, because django-guardian would fetch all rows of a queryset.
    # With accept_global_perms, a permission for the model would count for its instances, which
    # has_perm does not do.
    found: QuerySet[Model] = get_objects_for_user(
        guardian_user, codename, model._base_manager, accept_global_perms=False
    )
    return found
