"""Caches of whole answers, which would give the files of one requester to another one."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from proxy_storage.exceptions import ConfigurationError

# Modules of decorators that keep the answer of a method.
_CACHING_MODULES = ("rest_framework_extensions.cache.decorators",)


def refuse_cached_actions(cls: type, names: Iterable[str]) -> None:
    """Make sure that no action of a viewset is cached by drf-extensions.

    Its keys do not distinguish requesters, and answers with files cannot be kept.

    Args:
        cls: a viewset.
        names: the names of its actions.

    Raises:
        ConfigurationError: an action is cached.

    Source: https://chibisov.github.io/drf-extensions/docs/#caching
    """
    for name in names:
        if any(_is_caching(function) for function in _unwrap(getattr(cls, name, None))):
            raise ConfigurationError(
                f"{cls.__qualname__}.{name} is cached by drf-extensions, whose keys do not "
                "distinguish requesters: files and records of one would be shown to another. "
                "Remove cache_response or CacheResponseMixin from this class."
            )


def _unwrap(function: Any) -> Iterable[Any]:
    while function is not None:
        yield function
        function = getattr(function, "__wrapped__", None)


def _is_caching(function: Any) -> bool:
    return inspect.isfunction(function) and (
        function.__globals__.get("__name__") in _CACHING_MODULES
    )
