"""Name <-> proxy storage, resolved from settings on first use.

Every record carries the name of its proxy storage. The name is the key of
``PROXY_STORAGE["PROXY_STORAGE_CLASSES"]``; classes are imported when they are first
asked for, never when this module is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.settings import SETTING, cached, proxy_storage_settings

if TYPE_CHECKING:
    from proxy_storage.meta_backends.base import MetaBackendBase
    from proxy_storage.storages.base import ProxyStorageBase


@cached
def get_proxy_storage_classes() -> dict[str, type[ProxyStorageBase]]:
    """Return all registered classes by name.

    Raises:
        ConfigurationError: a class cannot be imported, or has two names.
    """
    from proxy_storage.storages.base import ProxyStorageBase

    classes: dict[str, type[ProxyStorageBase]] = {}
    for name, dotted_path in proxy_storage_settings.get_dict("PROXY_STORAGE_CLASSES").items():
        where = f"{SETTING}['PROXY_STORAGE_CLASSES'][{name!r}]"
        if not isinstance(dotted_path, str):
            raise ConfigurationError(f"{where} must be a dotted path, not {dotted_path!r}.")
        try:
            cls = import_string(dotted_path)
        except ImportError as error:
            raise ConfigurationError(f"{where} cannot be imported: {error}") from error
        if not (isinstance(cls, type) and issubclass(cls, ProxyStorageBase)):
            raise ConfigurationError(f"{where} is {cls!r}, not a subclass of ProxyStorageBase.")
        if cls in classes.values():
            raise ConfigurationError(f"{where}: {cls.__qualname__} is registered twice.")
        classes[name] = cls
    return classes


def get_proxy_storage_name(proxy_storage: ProxyStorageBase) -> str:
    """Return the name that a proxy storage is registered under.

    Raises:
        ConfigurationError: its class is not registered.
    """
    for name, cls in get_proxy_storage_classes().items():
        if type(proxy_storage) is cls:
            return name
    cls = type(proxy_storage)
    raise ConfigurationError(
        f"{cls.__qualname__} is not registered. Add "
        f"'a_name': '{cls.__module__}.{cls.__qualname__}' to "
        f"{SETTING}['PROXY_STORAGE_CLASSES'] in settings."
    )


@cached
def get_proxy_storage(name: str) -> ProxyStorageBase:
    """Return the proxy storage that is registered under a name; one instance a process.

    Raises:
        ConfigurationError: no class is registered under this name.
    """
    cls = get_proxy_storage_classes().get(name)
    if cls is None:
        raise ConfigurationError(
            f"No proxy storage is registered as {name!r}. "
            f"Add it to {SETTING}['PROXY_STORAGE_CLASSES'] in settings."
        )
    try:
        storage = cls()
    except TypeError as error:
        raise ConfigurationError(
            f"{cls.__qualname__} needs a constructor without arguments: {error}"
        ) from error
    for attribute in ("original_storage", "meta_backend"):
        if not hasattr(storage, attribute):
            raise ConfigurationError(f"{cls.__qualname__} has no attribute {attribute!r}.")
    return storage


@cached
def get_meta_backends() -> tuple[MetaBackendBase, ...]:
    """Return the meta backends of all registered proxy storages, each one once."""
    backends = (get_proxy_storage(name).meta_backend for name in get_proxy_storage_classes())
    return tuple(dict.fromkeys(backends))
