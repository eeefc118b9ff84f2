"""The viewsets in the URLs of the project."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver, get_resolver

from proxy_storage_api.generics import GenericFileViewSet


def find_views() -> list[tuple[type[GenericFileViewSet], dict[str, Any]]]:
    """Return the viewsets in the project's URLs, and the arguments of their ``as_view``."""
    if not getattr(settings, "ROOT_URLCONF", None):
        return []
    try:
        patterns = list(_walk(get_resolver().url_patterns))
    except (ImportError, ImproperlyConfigured):
        return []  # Reported by Django.
    callbacks: list[Any] = [pattern.callback for pattern in patterns]
    return [
        (callback.cls, callback.initkwargs)
        for callback in callbacks
        if isinstance(getattr(callback, "cls", None), type)
        and issubclass(callback.cls, GenericFileViewSet)
    ]


def _walk(patterns: Any) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns)
        else:
            yield pattern
