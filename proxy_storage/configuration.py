"""Objects that settings describe with ``BACKEND`` and ``OPTIONS``."""

from __future__ import annotations

from typing import Any

from django.utils.module_loading import import_string

from proxy_storage.exceptions import ConfigurationError


def build(where: str, entry: Any, base: type[Any]) -> Any:
    """Return the object that an entry of the settings describes.

    Args:
        where: the place of the entry, for error messages.
        entry: ``{"BACKEND": dotted path of a class, "OPTIONS": its keyword arguments}``,
            or the object itself.
        base: what the object has to be an instance of.

    Raises:
        ConfigurationError: the class cannot be imported or built, or is of another kind.
    """
    backend = entry
    if not isinstance(entry, base):
        try:
            backend = import_string(entry["BACKEND"])(**entry.get("OPTIONS", {}))
        except (ImportError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(f"{where} cannot be built: {error!r}") from error
    if not isinstance(backend, base):
        raise ConfigurationError(f"{where} is a {type(backend).__name__}, not a {base.__name__}.")
    return backend
