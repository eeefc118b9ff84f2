"""Name <-> proxy storage, resolved from settings on first use.

Every record carries the name of its proxy storage. A name is a key of
``PROXY_STORAGE["PROXY_STORAGE_CLASSES"]``, or else an alias in ``STORAGES`` whose class is
a proxy storage. Classes are imported when they are first asked for, never when this module
is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from django.conf import settings
from django.core.files.storage import storages
from django.utils.module_loading import import_string

from proxy_storage.exceptions import ConfigurationError, DuplicateRegistrationError
from proxy_storage.settings import SETTING, cached, proxy_storage_settings

if TYPE_CHECKING:
    from proxy_storage.meta_backends.base import MetaBackendBase
    from proxy_storage.storages.base import ProxyStorageBase


@cached
def get_proxy_storage_classes() -> dict[str, type[ProxyStorageBase]]:
    """Return the classes of ``PROXY_STORAGE_CLASSES`` by name.

    Raises:
        ConfigurationError: a class cannot be imported, or has two names.
    """
    classes: dict[str, type[ProxyStorageBase]] = {}
    for name, cls in proxy_storage_settings.PROXY_STORAGE_CLASSES.items():
        where = f"{SETTING}['PROXY_STORAGE_CLASSES'][{name!r}]"
        if not _is_proxy_storage_class(cls):
            raise ConfigurationError(f"{where} is {cls!r}, not a subclass of ProxyStorageBase.")
        if cls in classes.values():
            raise DuplicateRegistrationError(f"{where}: {cls.__qualname__} is registered twice.")
        classes[name] = cls
    return classes


@cached
def get_proxy_storage_aliases() -> dict[str, dict[str, Any]]:
    """Return what ``STORAGES`` says of its proxy storages, by alias.

    A class that has a name of its own in ``PROXY_STORAGE_CLASSES`` keeps that name.

    Raises:
        ConfigurationError: two aliases mean the same, or an alias is a name already.
    """
    classes = get_proxy_storage_classes()
    aliases: dict[str, dict[str, Any]] = {}
    for alias, options in settings.STORAGES.items():
        cls = _import_proxy_storage(options)
        if cls is None or cls in classes.values():
            continue
        if alias in classes:
            raise DuplicateRegistrationError(
                f"STORAGES[{alias!r}] has a name that {SETTING}['PROXY_STORAGE_CLASSES'] gives to "
                f"{classes[alias].__qualname__}. A record could be of either."
            )
        if options in aliases.values():
            raise DuplicateRegistrationError(
                f"STORAGES[{alias!r}] is the same proxy storage as another alias."
            )
        aliases[alias] = options
    return aliases


def _import_proxy_storage(options: Any) -> type[ProxyStorageBase] | None:
    try:
        cls = import_string(options["BACKEND"])
    except (ImportError, KeyError, TypeError, AttributeError):
        return None  # Django says so when somebody asks for this storage
    return cls if _is_proxy_storage_class(cls) else None


def _is_proxy_storage_class(cls: Any) -> TypeGuard[type[ProxyStorageBase]]:
    """Return whether a class is a subclass of `ProxyStorageBase`, without an import of it."""
    return isinstance(cls, type) and getattr(cls, "is_proxy_storage", False)


@cached
def _get_alias_class(alias: str) -> type[ProxyStorageBase] | None:
    return _import_proxy_storage(get_proxy_storage_aliases()[alias])


def get_proxy_storage_names() -> tuple[str, ...]:
    """Return the names of all proxy storages."""
    return (*get_proxy_storage_classes(), *get_proxy_storage_aliases())


def get_proxy_storage_name(proxy_storage: ProxyStorageBase) -> str:
    """Return the name that a proxy storage is registered under.

    Raises:
        ConfigurationError: it is not registered.
    """
    cls = type(proxy_storage)
    for name, registered in get_proxy_storage_classes().items():
        if cls is registered:
            return name
    for alias, options in get_proxy_storage_aliases().items():
        # nothing is built for this: other storages may need servers or modules of their own.
        # A migration makes a storage from the same options, which is the same storage.
        arguments = ((), options.get("OPTIONS", {}))
        if _get_alias_class(alias) is cls and _get_arguments(proxy_storage) == arguments:
            return alias
    raise ConfigurationError(
        f"{cls.__qualname__} is not registered. Add "
        f"'a_name': '{cls.__module__}.{cls.__qualname__}' to "
        f"{SETTING}['PROXY_STORAGE_CLASSES'] in settings, or name it in STORAGES and take it "
        "from django.core.files.storage.storages."
    )


def _get_arguments(proxy_storage: Any) -> Any:
    """Return what a storage was made with, as ``deconstruct`` keeps it."""
    return getattr(proxy_storage, "_constructor_args", None)


@cached
def get_proxy_storage(name: str) -> ProxyStorageBase:
    """Return the proxy storage that is registered under a name; one instance a process.

    Raises:
        ConfigurationError: none is registered under this name, or it cannot be built.
    """
    storage: ProxyStorageBase = _make(name)
    try:
        storage.get_original_storage(), storage.meta_backend
    except AttributeError as error:
        raise ConfigurationError(f"The proxy storage {name!r} is incomplete: {error}") from error
    return storage


def _make(name: str) -> Any:
    try:
        if name in get_proxy_storage_classes():
            return get_proxy_storage_classes()[name]()
        if name in get_proxy_storage_aliases():
            return storages[name]
    except TypeError as error:
        raise ConfigurationError(
            f"The proxy storage {name!r} cannot be built: {error}. A class in "
            "PROXY_STORAGE_CLASSES needs a constructor without arguments."
        ) from error
    raise ConfigurationError(
        f"No proxy storage is registered as {name!r}. "
        f"Add it to {SETTING}['PROXY_STORAGE_CLASSES'] or STORAGES in settings."
    )


@cached
def get_meta_backends() -> tuple[MetaBackendBase, ...]:
    """Return the meta backends of all registered proxy storages, each one once."""
    backends = (get_proxy_storage(name).meta_backend for name in get_proxy_storage_names())
    return tuple(dict.fromkeys(backends))
