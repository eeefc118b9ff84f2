"""System checks of the setting ``PROXY_STORAGE``, and of the registered proxy storages."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from proxy_storage import registry
from proxy_storage.content_objects import get_tenant_function
from proxy_storage.endpoint import API_APP, get_url_style, load_url_kwargs
from proxy_storage.exceptions import ConfigurationError, DuplicateRegistrationError
from proxy_storage.meta_backends.base import MetaBackendBase
from proxy_storage.meta_backends.orm import ORMMetaBackend
from proxy_storage.meta_backends.orm_schema import find_missing_columns
from proxy_storage.original_storages.inspect import (
    get_public_address,
    may_save_exclusively,
    supports_exclusive_create,
)
from proxy_storage.original_storages.s3 import is_s3
from proxy_storage.paths import UNIQUE_TOKEN_LENGTH
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
from proxy_storage.suggestions import describe_build_error, suggest


@checks.register()
def check_settings(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Check the settings of this package and the proxy storages, for errors and public files."""
    try:
        keys = ProxyStorageSettings.user_settings()
    except ConfigurationError as error:
        hint = "Set it to a dict, as described in the documentation of the settings."
        return [checks.Error(str(error), hint=hint, id="proxy_storage.E001")]
    return [
        *_check_keys(keys),
        *_check_values(),
        *_check_storages(),
        *_check_entries(),
        *_check_shared_caches(),
    ]


@checks.register(deploy=True)
def check_front(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Check that files are offloaded only to a web server that supports it."""
    try:
        servers = get_servers()
        is_required = proxy_storage_settings.REQUIRE_SENDFILE_TYPE
    except ConfigurationError:
        return []  # check_settings reports it.
    offloading = sorted(key for key, server in servers.items() if server.offloads)
    if is_required or not offloading:
        return []
    return [
        checks.Warning(
            f"{SETTING}['SERVERS'] offloads the files of {', '.join(offloading)} even if a request "
            "does not pass through the web server. Such responses are empty.",
            hint=f"Configure the web server to send {SENDFILE_TYPE}, as in the output of "
            f"proxystorage serverconf, and set {SETTING}['REQUIRE_SENDFILE_TYPE'] to True.",
            id="proxy_storage.W005",
        )
    ]


def _check_keys(keys: Any) -> Iterator[checks.CheckMessage]:
    known = ", ".join(sorted(ProxyStorageSettings.known_keys))
    for key in keys:
        if key not in ProxyStorageSettings.known_keys:
            yield checks.Warning(
                f"{SETTING} has no setting {key!r}.{suggest(key, ProxyStorageSettings.known_keys)}",
                hint=f"The settings are {known}. Some need proxy_storage_api in INSTALLED_APPS.",
                id="proxy_storage.W001",
            )


def _check_classes() -> None:
    classes = proxy_storage_settings.get_dict("PROXY_STORAGE_CLASSES")
    for name in classes:
        if not isinstance(name, str) or not name:
            raise ConfigurationError(
                f"{SETTING}['PROXY_STORAGE_CLASSES'] has the key {name!r}, which is not a name."
            )


def _check_url_name() -> None:
    name = proxy_storage_settings.FILE_URL_NAME
    if name is not None and not (isinstance(name, str) and name):
        raise ConfigurationError(
            f"{SETTING}['FILE_URL_NAME'] must be the name of a URL or None, not {name!r}."
        )


def _check_databases() -> None:
    databases = proxy_storage_settings.CONTENT_OBJECT_DATABASES
    is_list = isinstance(databases, Collection) and not isinstance(databases, str)
    if not is_list or any(alias not in list(settings.DATABASES) for alias in databases):
        raise ConfigurationError(
            f"{SETTING}['CONTENT_OBJECT_DATABASES'] must be a list of aliases in DATABASES, not "
            f"{databases!r}. The aliases are {', '.join(settings.DATABASES)}."
        )


def _check_bool(key: str) -> None:
    value = getattr(proxy_storage_settings, key)
    if not isinstance(value, bool):
        raise ConfigurationError(f"{SETTING}[{key!r}] must be True or False, not {value!r}.")


def _check_mime_types() -> None:
    for extension, mime_type in proxy_storage_settings.get_dict("MIME_TYPES").items():
        is_extension = isinstance(extension, str) and re.fullmatch(r"\.[^./A-Z]+", extension)
        if not is_extension or not is_valid_content_type(mime_type):
            raise ConfigurationError(
                f"{SETTING}['MIME_TYPES'] must be a dict of extensions in lower case and MIME "
                f"types, but it has {extension!r}: {mime_type!r}."
            )


def _check_inline_types() -> None:
    types = proxy_storage_settings.INLINE_CONTENT_TYPES
    # A str is refused, because a part of a MIME type would be found in it as well.
    is_list = isinstance(types, Collection) and not isinstance(types, str)
    if not is_list or not all(map(is_valid_content_type, types)):
        raise ConfigurationError(
            f"{SETTING}['INLINE_CONTENT_TYPES'] must be a list of MIME types, not {types!r}."
        )


# Id of the check, function that raises ConfigurationError for a wrong value, hint.
_VALUES: list[tuple[str, Callable[[], object], str]] = [
    ("proxy_storage.E003", get_servers, "An entry is {'BACKEND': dotted path, 'OPTIONS': {...}}."),
    ("proxy_storage.E007", _check_inline_types, "Set it to a list such as ['image/png']."),
    ("proxy_storage.E010", _check_databases, "Set it to a list such as ['archive']."),
    (
        "proxy_storage.E011",
        get_tenant_function,
        "Set it to the dotted path of a function with the arguments model and using.",
    ),
    (
        "proxy_storage.E012",
        get_cache_controls,
        "Set it to a dict with the keys of SERVERS, such as {'avatars': 'private, max-age=300'}.",
    ),
    (
        "proxy_storage.E013",
        get_framing,
        "Set it to a list such as [\"'self'\", 'https://app.example.com'].",
    ),
    (
        "proxy_storage.E014",
        load_url_kwargs,
        "Set it to a dict such as {'version': 'v1'}, or to the dotted path of a function.",
    ),
    ("proxy_storage.E015", _check_mime_types, "Set it to a dict such as {'.step': 'model/step'}."),
    (
        "proxy_storage.E016",
        _check_classes,
        "Set it to a dict such as {'letters': 'app.storages.LetterStorage'}.",
    ),
    ("proxy_storage.E017", _check_url_name, "Set it to a name such as 'my-files', or remove it."),
    (
        "proxy_storage.E018",
        partial(_check_bool, "REQUIRE_SENDFILE_TYPE"),
        "Set it to True or False, without quotation marks.",
    ),
    ("proxy_storage.E019", get_url_style, "Set it to 'query' or 'path'."),
    (
        "proxy_storage.E020",
        partial(_check_bool, "STREAM_IN_DEBUG"),
        "Set it to True or False, without quotation marks.",
    ),
]


def _check_values() -> Iterator[checks.CheckMessage]:
    for check_id, check, hint in _VALUES:
        try:
            check()
        except ConfigurationError as error:
            yield checks.Error(str(error), hint=hint, id=check_id)


def _check_storages() -> Iterator[checks.CheckMessage]:
    try:
        _check_classes()
    except ConfigurationError:
        return  # _check_values reports it.
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
        yield from _check_signing(name, storage)
        for original_name, (where, original) in originals.items():
            yield from _check_public(where, original)
            yield from _check_bucket(where, original)
            yield from _check_names(name, storage, where, original)
            yield from _check_delivery(name, original_name, original)
        if isinstance(storage, FallbackProxyStorageMixin):
            yield from _check_fallback(name, originals)


@checks.register()
def check_backends(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Check that the classes in ``STORAGES`` can be imported, which Django does on first use."""
    found: list[checks.CheckMessage] = []
    for alias, entry in settings.STORAGES.items():
        try:
            import_string(entry["BACKEND"])
        except Exception as error:  # noqa: BLE001  (A module may raise any error.)
            found.append(
                checks.Warning(
                    f"STORAGES[{alias!r}] cannot be used: {describe_build_error(entry, error)}",
                    hint="Correct BACKEND, the dotted path of a storage class, or install the "
                    "package that it needs.",
                    id="proxy_storage.W009",
                )
            )
    return found


@checks.register(checks.Tags.database)
def check_tables(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Check that the tables of records exist, with ``check --database`` and in ``migrate``."""
    if not databases:
        return []
    problems: list[str] = []
    with suppress(ConfigurationError):  # check_settings reports it.
        for meta_backend in registry.get_meta_backends():
            alias = meta_backend.get_transaction_alias()
            if isinstance(meta_backend, ORMMetaBackend) and alias and alias in databases:
                problems += find_missing_columns(meta_backend.model, alias)
    # An error would keep migrate from creating the table.
    return [
        checks.Warning(
            f"Records cannot be read. {problem}",
            hint="Run manage.py migrate. Before the first migration, this warning is expected.",
            id="proxy_storage.W010",
        )
        for problem in problems
    ]


def _get_storage_error(error: ConfigurationError) -> checks.CheckMessage:
    if isinstance(error, DuplicateRegistrationError):
        hint = "Each proxy storage must have one name, in one of the two settings."
        return checks.Error(str(error), hint=hint, id="proxy_storage.E004")
    hint = f"Correct the class, or its entry in {SETTING}['PROXY_STORAGE_CLASSES'] or STORAGES."
    return checks.Error(str(error), hint=hint, id="proxy_storage.E002")


def _get_original_storages(storage: ProxyStorageBase) -> dict[str | None, tuple[str, Any]]:
    """Return the original storages by name, each with a description for messages."""
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
        storage.meta_backend.check_keys(())
    except ConfigurationError as error:
        yield checks.Error(
            f"The records of {name!r} cannot be stored. {error}",
            hint="Correct INSTALLED_APPS, or the options of the meta backend.",
            id="proxy_storage.E005",
        )
        return
    try:
        storage.meta_backend.check_keys(storage.get_record_keys())
    except ConfigurationError as error:
        yield checks.Error(
            f"The records of {name!r} cannot store all values that it writes. {error}",
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
            f"Files of {where} can be read through a URL without a permission check: {reason}.",
            hint="Move them to a location that no web server serves, or silence this check if all "
            "users may read all of them.",
            id="proxy_storage.W002",
        )


def _check_bucket(where: str, original: Any) -> Iterator[checks.CheckMessage]:
    # A property of a subclass may depend on a tenant, so it is only a warning.
    if is_s3(original) and not original.bucket_name:
        yield checks.Warning(
            f"{where} has no bucket_name, so it cannot store files.",
            hint="Set bucket_name in its OPTIONS, or AWS_STORAGE_BUCKET_NAME.",
            id="proxy_storage.W011",
        )


def _check_signing(name: str, storage: ProxyStorageBase) -> Iterator[checks.CheckMessage]:
    if storage.signs_urls and not apps.is_installed(API_APP):
        yield checks.Error(
            f"The proxy storage {name!r} returns signed links, which {API_APP!r} makes.",
            hint="Add it to INSTALLED_APPS, or remove url='signed' from the storage.",
            id="proxy_storage.E021",
        )


def _check_names(
    name: str, storage: ProxyStorageBase, where: str, original: Any
) -> Iterator[checks.CheckMessage]:
    """Check whether each path gets a random token, which users see."""
    if lookup.get_path_kind(storage) == lookup.RELATIVE or supports_exclusive_create(original):
        return
    hint = f"Set paths = 'relative' on {name!r}, so that the path is the requested name."
    if may_save_exclusively(original):
        cls = type(original).__qualname__
        hint += (
            f" Or set supports_exclusive_create = True on {cls}, if it never overwrites an "
            "existing file, even if two files are saved at the same time."
        )
    yield checks.Warning(
        f"Each path of {name!r} gets a random token of {UNIQUE_TOKEN_LENGTH} characters, because "
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
        return  # _check_values reports it.
    problem = None if server is None else server.get_problem(original)
    if problem is not None:
        key = name if original_name is None else f"{name}/{original_name}"
        yield checks.Error(
            f"{type(server).__name__} cannot deliver the files of {key!r}. {problem}",
            hint=f"Set {SETTING}['SERVERS'][{key!r}] to another server, such as StreamingServer.",
            id="proxy_storage.E006",
        )


def _check_fallback(
    name: str, originals: dict[str | None, tuple[str, Any]]
) -> Iterator[checks.CheckMessage]:
    for where, original in list(originals.values())[:-1]:
        if not getattr(original, "fallback_exceptions", ()):
            yield checks.Warning(
                f"{name!r} never falls back from {where}, which has no fallback_exceptions.",
                hint="Add OriginalStorageFallbackMixin to its class, and set fallback_exceptions.",
                id="proxy_storage.W004",
            )


def _check_entries() -> Iterator[checks.CheckMessage]:
    """Check the keys of the settings that have an entry for each proxy storage."""
    for check_id, setting, get_entries in (
        ("proxy_storage.W003", "SERVERS", get_servers),
        ("proxy_storage.W008", "CACHE_CONTROL", get_cache_controls),
    ):
        with suppress(ConfigurationError):  # Another check reports it.
            _check_classes()
            known = sorted(set(_get_entry_keys()))
            for key in get_entries():
                if key not in known:
                    yield checks.Warning(
                        f"The key {key!r} in {SETTING}[{setting!r}] is not the name of a proxy "
                        f"storage.{suggest(key, known)}",
                        hint=f"The keys are {', '.join(known)}.",
                        id=check_id,
                    )


def _check_shared_caches() -> Iterator[checks.CheckMessage]:
    with suppress(ConfigurationError):  # _check_values reports it.
        for key, value in get_cache_controls().items():
            if may_be_shared(value):
                yield checks.Warning(
                    f"{SETTING}['CACHE_CONTROL'][{key!r}] is {value!r}. Shared caches may store "
                    "these files, and send them to users who are not permitted to read them.",
                    hint="Add private, or silence this check if all users may read these files.",
                    id="proxy_storage.W007",
                )


def _get_entry_keys() -> Iterator[str]:
    yield "default"
    for name in registry.get_proxy_storage_names():
        yield name
        storage = registry.get_proxy_storage(name)
        if isinstance(storage, MultipleOriginalStoragesMixin):
            yield from (f"{name}/{original}" for original in storage.get_original_storages())
