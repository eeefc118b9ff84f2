"""System checks of the setting ``PROXY_STORAGE`` and of the proxy storages it names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core import checks

from proxy_storage import registry
from proxy_storage.endpoint import load_url_kwargs
from proxy_storage.exceptions import ConfigurationError, DuplicateRegistrationError
from proxy_storage.meta_backends.base import MetaBackendBase
from proxy_storage.original_storages.inspect import (
    get_public_address,
    may_save_exclusively,
    supports_exclusive_create,
)
from proxy_storage.paths import UNIQUE_TOKEN_LENGTH
from proxy_storage.scopes import get_tenant_function
from proxy_storage.serving.base import SENDFILE_TYPE
from proxy_storage.serving.headers import (
    get_cache_controls,
    get_framing,
    is_valid_content_type,
    may_be_shared,
)
from proxy_storage.serving.servers import get_configured_server, get_servers
from proxy_storage.settings import SETTING, ProxyStorageSettings, proxy_storage_settings
from proxy_storage.storages import lookup
from proxy_storage.storages.base import MultipleOriginalStoragesMixin, ProxyStorageBase
from proxy_storage.storages.fallback import FallbackProxyStorageMixin


@checks.register()
def check_settings(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Find what cannot work, and what can be read around the permissions."""
    try:
        keys = ProxyStorageSettings.user_settings()
    except ConfigurationError as error:
        hint = "See the page about settings in the documentation."
        return [checks.Error(str(error), hint=hint, id="proxy_storage.E001")]
    return [
        *_check_keys(keys),
        *_check_types(),
        *_check_content_objects(),
        *_check_urls(),
        *_check_headers(),
        *_check_storages(),
        *_check_servers(),
    ]


@checks.register(deploy=True)
def check_front(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Find servers whose answers are empty for a client that gets around the web server."""
    try:
        servers = get_servers()
        is_required = proxy_storage_settings.REQUIRE_SENDFILE_TYPE
    except ConfigurationError:
        return []  # reported by the other check
    handing_over = sorted(key for key, server in servers.items() if server.offloads)
    if is_required or not handing_over:
        return []
    return [
        checks.Warning(
            f"{SETTING}['SERVERS'] hands over the files of {', '.join(handing_over)} whether or "
            "not a web server is there to take them. Without one, answers are empty.",
            hint=f"Have the web server send {SENDFILE_TYPE}, as proxystorage serverconf says, and "
            f"set {SETTING}['REQUIRE_SENDFILE_TYPE'] to True.",
            id="proxy_storage.W005",
        )
    ]


def _check_keys(keys: Any) -> Iterator[checks.CheckMessage]:
    known = ", ".join(sorted(ProxyStorageSettings.known_keys))
    for key in keys:
        if key not in ProxyStorageSettings.known_keys:
            yield checks.Warning(
                f"{SETTING} has no setting {key!r}.",
                hint=f"Known are {known}. Some need proxy_storage_api in INSTALLED_APPS.",
                id="proxy_storage.W001",
            )


def _check_types() -> Iterator[checks.CheckMessage]:
    types = proxy_storage_settings.INLINE_CONTENT_TYPES
    # in a text, a part of a type would be one as well
    if isinstance(types, str) or not isinstance(types, Collection):
        yield checks.Error(
            f"{SETTING}['INLINE_CONTENT_TYPES'] must be a list of content types, not {types!r}.",
            hint="Give a list such as ['image/png'].",
            id="proxy_storage.E007",
        )
    yield from _check_mime_types()


def _check_content_objects() -> Iterator[checks.CheckMessage]:
    databases = proxy_storage_settings.CONTENT_OBJECT_DATABASES
    is_list = isinstance(databases, Collection) and not isinstance(databases, str)
    if not is_list or any(alias not in list(settings.DATABASES) for alias in databases):
        yield checks.Error(
            f"{SETTING}['CONTENT_OBJECT_DATABASES'] must be a list of aliases of DATABASES, not "
            f"{databases!r}.",
            hint=f"Known are {', '.join(settings.DATABASES)}.",
            id="proxy_storage.E010",
        )
    try:
        get_tenant_function()
    except ConfigurationError as error:
        hint = "Give the dotted path of a function that takes a model and a database alias."
        yield checks.Error(str(error), hint=hint, id="proxy_storage.E011")


def _check_urls() -> Iterator[checks.CheckMessage]:
    try:
        load_url_kwargs()
    except ConfigurationError as error:
        hint = "Give a dict such as {'version': 'v1'}, or the dotted path of a function."
        yield checks.Error(str(error), hint=hint, id="proxy_storage.E014")


def _check_headers() -> Iterator[checks.CheckMessage]:
    try:
        entries = get_cache_controls()
    except ConfigurationError as error:
        hint = "Give a dict with the keys of SERVERS, such as {'avatars': 'private, max-age=300'}."
        yield checks.Error(str(error), hint=hint, id="proxy_storage.E012")
    else:
        yield from _check_entry_keys("CACHE_CONTROL", entries)
        for key, value in entries.items():
            if may_be_shared(value):
                yield checks.Warning(
                    f"{SETTING}['CACHE_CONTROL'][{key!r}] is {value!r}: shared caches may store "
                    "these files, and give them to users who are not permitted to read them.",
                    hint="Add private, or silence this check if everyone may read all of them.",
                    id="proxy_storage.W007",
                )
    try:
        get_framing()
    except ConfigurationError as error:
        hint = "Give a list such as [\"'self'\", 'https://app.example.com']."
        yield checks.Error(str(error), hint=hint, id="proxy_storage.E013")


def _check_mime_types() -> Iterator[checks.CheckMessage]:
    types = proxy_storage_settings.MIME_TYPES
    is_dict = isinstance(types, Mapping)
    wrong = [] if is_dict else [types]
    for extension, content_type in types.items() if is_dict else ():
        is_extension = isinstance(extension, str) and re.fullmatch(r"\.[^./A-Z]+", extension)
        if not is_extension or not is_valid_content_type(content_type):
            wrong.append((extension, content_type))
    for value in wrong:
        yield checks.Error(
            f"{SETTING}['MIME_TYPES'] must be a dict of extensions and MIME types, not {value!r}.",
            hint="Give a dict such as {'.step': 'model/step'}; extensions are in lower case.",
            id="proxy_storage.E015",
        )


def _check_storages() -> Iterator[checks.CheckMessage]:
    try:
        names = registry.get_proxy_storage_names()
    except ConfigurationError as error:
        yield _get_storage_error(error)
        return
    checked: set[MetaBackendBase] = set()
    for name in names:
        try:
            storage = registry.get_proxy_storage(name)
            originals = _get_original_storages(storage)
            lookup.check_path_kind(storage)
        except ConfigurationError as error:
            yield _get_storage_error(error)
            continue
        yield from _check_records(name, storage, checked)
        for original_name, (where, original) in originals.items():
            yield from _check_public(where, original)
            yield from _check_names(name, storage, where, original)
            yield from _check_delivery(name, original_name, original)
        if isinstance(storage, FallbackProxyStorageMixin):
            yield from _check_fallback(name, originals)


def _get_storage_error(error: ConfigurationError) -> checks.CheckMessage:
    if isinstance(error, DuplicateRegistrationError):
        hint = "Give each proxy storage one name, in one of the two settings."
        return checks.Error(str(error), hint=hint, id="proxy_storage.E004")
    hint = f"Correct the class, or its entry in {SETTING}['PROXY_STORAGE_CLASSES'] or STORAGES."
    return checks.Error(str(error), hint=hint, id="proxy_storage.E002")


def _get_original_storages(storage: ProxyStorageBase) -> dict[str | None, tuple[str, Any]]:
    """Return the original storages by name, with words that a reader finds them by."""
    cls = type(storage).__qualname__
    if isinstance(storage, MultipleOriginalStoragesMixin):
        originals = storage.get_original_storages()
        return {name: (f"{cls}'s {name!r}", original) for name, original in originals.items()}
    return {None: (f"{cls}'s original storage", storage.get_original_storage())}


def _check_records(
    name: str, storage: ProxyStorageBase, checked: set[MetaBackendBase]
) -> Iterator[checks.CheckMessage]:
    """Check the meta backend of a storage, unless it was checked for another storage."""
    try:
        storage.meta_backend.check_keys(storage.get_record_keys())
    except ConfigurationError as error:
        yield checks.Error(
            f"The records of {name!r} cannot hold what it writes. {error}",
            hint="Change the model of the records, and make a migration.",
            id="proxy_storage.E005",
        )
        return
    if storage.meta_backend not in checked:
        checked.add(storage.meta_backend)
        yield from storage.meta_backend.check()


def _check_public(where: str, original: Any) -> Iterator[checks.CheckMessage]:
    reason = get_public_address(original)
    if reason is not None:
        yield checks.Warning(
            f"Files of {where} can be read by a URL that asks no permission: {reason}.",
            hint="Keep them where no web server looks, or silence this check if all may be read.",
            id="proxy_storage.W002",
        )


def _check_names(
    name: str, storage: ProxyStorageBase, where: str, original: Any
) -> Iterator[checks.CheckMessage]:
    """Find original storages for which each name gets a token that users see in the path."""
    if lookup.get_path_kind(storage) == lookup.RELATIVE or supports_exclusive_create(original):
        return
    hint = f"Set paths = 'relative' on {name!r}: then the path is the name that was asked for."
    if may_save_exclusively(original):
        cls = type(original).__qualname__
        hint += (
            f" Or set supports_exclusive_create = True on {cls}, if it never writes into an existing "
            "file, also not when two saves run at once."
        )
    yield checks.Warning(
        f"Each path of {name!r} gets a random part of {UNIQUE_TOKEN_LENGTH} characters, because "
        f"{where} ({type(original).__name__}) does not declare that it creates files exclusively.",
        hint=hint,
        id="proxy_storage.W006",
    )


def _check_delivery(
    name: str, original_name: str | None, original: Any
) -> Iterator[checks.CheckMessage]:
    try:
        server = get_configured_server(name, original_name)
    except ConfigurationError:
        return  # reported once, for all of them
    problem = None if server is None else server.get_problem(original)
    if problem is not None:
        key = name if original_name is None else f"{name}/{original_name}"
        yield checks.Error(
            f"{type(server).__name__} cannot deliver the files of {key!r}. {problem}",
            hint=f"Set {SETTING}['SERVERS'][{key!r}] to a server that can: StreamingServer does.",
            id="proxy_storage.E006",
        )


def _check_fallback(
    name: str, originals: dict[str | None, tuple[str, Any]]
) -> Iterator[checks.CheckMessage]:
    for where, original in list(originals.values())[:-1]:
        if not getattr(original, "fallback_exceptions", ()):
            yield checks.Warning(
                f"{name!r} never gets beyond {where}, which names no fallback_exceptions.",
                hint="Mix OriginalStorageFallbackMixin into it, and set fallback_exceptions.",
                id="proxy_storage.W004",
            )


def _check_servers() -> Iterator[checks.CheckMessage]:
    try:
        servers = get_servers()
    except ConfigurationError as error:
        hint = "An entry is {'BACKEND': dotted path, 'OPTIONS': {...}}."
        yield checks.Error(str(error), hint=hint, id="proxy_storage.E003")
        return
    yield from _check_entry_keys("SERVERS", servers)


def _check_entry_keys(setting: str, entries: Collection[str]) -> Iterator[checks.CheckMessage]:
    """Check the keys of a setting that has an entry for each proxy storage."""
    with suppress(ConfigurationError):  # of a storage, and reported as such
        known = sorted(_get_server_keys())
        for key in entries:
            if key not in known:
                yield checks.Warning(
                    f"The key {key!r} in {SETTING}[{setting!r}] is not the name of a proxy "
                    "storage.",
                    hint=f"Known are {', '.join(known)}.",
                    id="proxy_storage.W003",
                )


def _get_server_keys() -> Iterator[str]:
    yield "default"
    for name in registry.get_proxy_storage_names():
        yield name
        storage = registry.get_proxy_storage(name)
        if isinstance(storage, MultipleOriginalStoragesMixin):
            yield from (f"{name}/{original}" for original in storage.get_original_storages())
