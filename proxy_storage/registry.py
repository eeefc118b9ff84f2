"""The names of proxy storages, from the settings.

Each record contains the name of its proxy storage. A name is a key of
``PROXY_STORAGE["PROXY_STORAGE_CLASSES"]``, or an alias in ``STORAGES`` whose class is a proxy
storage. Classes are imported on first use.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeGuard

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.utils.module_loading import import_string

from proxy_storage.exceptions import ConfigurationError, DuplicateRegistrationError
from proxy_storage.settings import SETTING, cached, proxy_storage_settings
from proxy_storage.suggestions import describe_build_error, suggest

if TYPE_CHECKING:
    from proxy_storage.meta_backends.base import MetaBackendBase
    from proxy_storage.storages.base import ProxyStorageBase


logger = logging.getLogger("proxy_storage")


@cached
def get_proxy_storage_classes() -> dict[str, type[ProxyStorageBase]]:
    """Return the classes in ``PROXY_STORAGE_CLASSES`` by name.

    Raises:
        ConfigurationError: a class cannot be imported, or has two names.
    """
    classes: dict[str, type[ProxyStorageBase]] = {}
    for name, cls in proxy_storage_settings.PROXY_STORAGE_CLASSES.items():
        where = f"{SETTING}['PROXY_STORAGE_CLASSES'][{name!r}]"
        if not _is_proxy_storage_class(cls):
            raise ConfigurationError(f"{where} is {cls!r}, not a subclass of ProxyStorageBase.")
        if cls in classes.values():
            raise DuplicateRegistrationError(
                f"{where}: {cls.__qualname__} is registered twice. Remove one of its names."
            )
        classes[name] = cls
    return classes


@cached
def get_proxy_storage_aliases() -> dict[str, dict[str, Any]]:
    """Return the entries of ``STORAGES`` that are proxy storages, by alias.

    Classes that are in ``PROXY_STORAGE_CLASSES`` are left out: they have the name given there.

    Raises:
        ConfigurationError: two aliases have equal entries, or an alias is also a name in
            ``PROXY_STORAGE_CLASSES``.
    """
    classes = get_proxy_storage_classes()
    aliases: dict[str, dict[str, Any]] = {}
    for alias, options in settings.STORAGES.items():
        cls = _import_proxy_storage(options)
        if cls is None or cls in classes.values():
            continue
        if alias in classes:
            raise DuplicateRegistrationError(
                f"The alias {alias!r} in STORAGES is also the name of "
                f"{classes[alias].__qualname__} in {SETTING}['PROXY_STORAGE_CLASSES']. Rename one "
                "of them."
            )
        for other, its_options in aliases.items():
            if options == its_options:
                raise DuplicateRegistrationError(
                    f"STORAGES[{alias!r}] is the same proxy storage as STORAGES[{other!r}]. Remove "
                    "one of them, or change its OPTIONS."
                )
        aliases[alias] = options
    return aliases


def _import_proxy_storage(options: Any) -> type[ProxyStorageBase] | None:
    try:
        cls = import_string(options["BACKEND"])
    except (ImportError, KeyError, TypeError, AttributeError, ImproperlyConfigured):
        return None  # A system check reports it, and Django raises an error if it is used.
    return cls if _is_proxy_storage_class(cls) else None


def _is_proxy_storage_class(cls: Any) -> TypeGuard[type[ProxyStorageBase]]:
    """Return whether a class is a subclass of `ProxyStorageBase`, without an import of it."""
    return isinstance(cls, type) and getattr(cls, "is_proxy_storage", False)


@cached
def _get_alias_class(alias: str) -> type[ProxyStorageBase] | None:
    return _import_proxy_storage(get_proxy_storage_aliases()[alias])


@cached
def is_proxy_storage_alias(alias: str) -> bool:
    """Return whether the class of an alias in ``STORAGES`` is a proxy storage.

    The class is imported, but the storage is not built.
    """
    return _import_proxy_storage(settings.STORAGES.get(alias)) is not None


def get_proxy_storage_names() -> tuple[str, ...]:
    """Return the names of all proxy storages."""
    return (*get_proxy_storage_classes(), *get_proxy_storage_aliases())


def get_proxy_storage_name(proxy_storage: ProxyStorageBase) -> str:
    """Return the registered name of a proxy storage.

    Raises:
        ConfigurationError: the proxy storage is not registered.
    """
    _warn_if_not_installed()
    cls = proxy_storage.__class__  # Not type(), for a storage in a lazy object.
    arguments = getattr(proxy_storage, "_constructor_args", None)  # Set by deconstructible.
    for name, registered in get_proxy_storage_classes().items():
        if cls is registered:
            return name
    for alias, options in get_proxy_storage_aliases().items():
        # The arguments are compared, so that storages are not built, which may need a server. A
        # migration builds an equal storage from the same options.
        if _get_alias_class(alias) is cls and arguments == ((), options.get("OPTIONS", {})):
            return alias
    raise ConfigurationError(
        f"{cls.__qualname__} is not registered. Add "
        f"'a_name': '{cls.__module__}.{cls.__qualname__}' to "
        f"{SETTING}['PROXY_STORAGE_CLASSES'], or add it to STORAGES and get it from "
        "django.core.files.storage.storages."
    )


def _warn_if_not_installed() -> None:
    """Log a missing app of this package. Its own system checks are missing as well."""
    if apps.ready:
        _log_missing_app()


@cached
def _log_missing_app() -> None:
    if not apps.is_installed("proxy_storage"):
        logger.warning(
            "A proxy storage is used, but 'proxy_storage' is not in INSTALLED_APPS. Add it: "
            "without it, manage.py check does not find mistakes in the settings, and the records "
            "of files are not updated when rows are deleted."
        )


@cached
def get_proxy_storage(name: str) -> ProxyStorageBase:
    """Return the proxy storage with a registered name. A process has one instance of each.

    Raises:
        ConfigurationError: the name is not registered, or the proxy storage cannot be built.
    """
    classes = get_proxy_storage_classes()
    if name not in classes and name not in get_proxy_storage_aliases():
        similar = suggest(name, get_proxy_storage_names())
        raise ConfigurationError(
            f"No proxy storage is registered as {name!r}.{similar} Add it to "
            f"{SETTING}['PROXY_STORAGE_CLASSES'] or STORAGES. Records contain this name, so a "
            "proxy storage that has been renamed needs its former name."
        )
    _warn_if_not_installed()
    storage: Any
    try:
        storage = classes[name]() if name in classes else storages[name]
    except TypeError as error:
        if name not in classes:
            entry = get_proxy_storage_aliases()[name]
            reason = describe_build_error(entry, error)
            raise ConfigurationError(f"STORAGES[{name!r}] cannot be built: {reason}") from error
        raise ConfigurationError(
            f"The proxy storage {name!r} cannot be built: {error}. The constructor of a class in "
            "PROXY_STORAGE_CLASSES must not require arguments."
        ) from error
    try:
        storage.get_original_storage(), storage.meta_backend
    except AttributeError as error:
        raise ConfigurationError(
            f"The proxy storage {name!r} is incomplete: {error}. Set original_storage and "
            "meta_backend on its class."
        ) from error
    return storage  # type: ignore[no-any-return]  # The class is registered.


@cached
def get_meta_backends() -> tuple[MetaBackendBase, ...]:
    """Return the meta backends of all registered proxy storages, without duplicates."""
    backends = (get_proxy_storage(name).meta_backend for name in get_proxy_storage_names())
    return tuple(dict.fromkeys(backends))
