"""Mistakes in permissions that are found at start-up, by the system checks."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from proxy_storage.exceptions import ConfigurationError

from .filters import get_single_rules


@dataclass(frozen=True)
class Problem:
    """A mistake in a permission.

    Args:
        text: the mistake.
        hint: the change that corrects it.
        is_error: whether the permission cannot be evaluated. Otherwise it denies files that it
            was probably meant to allow.
    """

    text: str
    hint: str
    is_error: bool = True


def make_permission(value: Any) -> Any:
    """Return the instance of an entry of permission classes, as DRF makes it.

    Args:
        value: a class, several classes combined with ``& | ~``, or an instance of a
            `FilePermission`.

    Raises:
        ConfigurationError: the value is not a permission.
    """
    if isinstance(value, str):
        raise ConfigurationError(
            f"{value!r} is a text, not a permission. Write the class without quotation marks."
        )
    if not callable(value):
        raise ConfigurationError(f"{value!r} is not a permission class.")
    try:
        permission = value()
    except TypeError as error:
        raise ConfigurationError(
            f"{value!r} cannot be called without arguments: {error}. Only subclasses of "
            "FilePermission can be used as instances with arguments."
        ) from error
    if not hasattr(permission, "has_permission"):
        raise ConfigurationError(
            f"{value!r} is not a permission class: it does not have the method has_permission."
        )
    return permission


def find_problems(permission: Any, models: Collection[type[Model]]) -> Iterator[Problem]:
    """Yield the mistakes in a permission and in its parts.

    A permission class takes part with a method ``find_problems(models)``.

    Args:
        permission: an instance, composed or not.
        models: the models of the content objects for whose files it is evaluated.
    """
    for rule in get_single_rules(permission):
        if hasattr(rule, "find_problems"):
            yield from rule.find_problems(models)
