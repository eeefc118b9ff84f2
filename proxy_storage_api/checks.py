"""System checks of the API's settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.permissions import DjangoModelPermissions, IsAuthenticatedOrReadOnly

from proxy_storage import registry
from proxy_storage.content_objects import get_content_object_models
from proxy_storage.endpoint import get_file_url, load_url_kwargs
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.settings import SETTING, ProxyStorageSettings
from proxy_storage_api.generics import FileAccess
from proxy_storage_api.settings import (
    DEFAULTS,
    api_settings,
    get_classes,
    get_max_decisions,
    get_permission_classes,
)
from proxy_storage_permissions.filters import find_unfiltered, get_rule_name, get_single_rules
from proxy_storage_permissions.settings import (
    READING,
    get_link_key,
    get_link_max_age,
    get_link_rounding,
)

# A function that raises `ConfigurationError` for a wrong setting, with its hint and its number.
_GETTERS: tuple[tuple[Callable[[], object], str, str], ...] = (
    (get_max_decisions, "Give a whole number greater than 0.", "E004"),
    (
        partial(get_classes, "DOWNLOAD_THROTTLE_CLASSES"),
        "Give a list of dotted paths, or None.",
        "E006",
    ),
    (
        get_link_rounding,
        "Give a whole number, or 0 for links that end exactly after their lifetime.",
        "E007",
    ),
)


@checks.register()
def check_permission_classes(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Find permission classes that cannot be imported."""
    found: list[checks.CheckMessage] = []
    if not are_readable():
        return found
    for key in DEFAULTS:
        if key.endswith("PERMISSION_CLASSES"):
            try:
                get_permission_classes(key)
            except ConfigurationError as error:
                hint = "Give a list of dotted paths."
                found.append(checks.Error(str(error), hint=hint, id="proxy_storage_api.E001"))
    return found


@checks.register()
def check_getters(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Find settings that the functions of `_GETTERS` cannot return."""
    found: list[checks.CheckMessage] = []
    for get_setting, hint, number in _GETTERS if are_readable() else ():
        try:
            get_setting()
        except ConfigurationError as error:
            found.append(checks.Error(str(error), hint=hint, id=f"proxy_storage_api.{number}"))
    return found


@checks.register()
def check_values(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Find values that the API cannot work with."""
    if not are_readable():
        return []
    return [
        checks.Error(problem, hint=hint, id="proxy_storage_api.E002")
        for problem, hint in (*_find_problems(), *_find_problems_of_uploads())
    ]


@checks.register()
def check_lists(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Find values that lists cannot work with."""
    if not are_readable():
        return []
    if isinstance(api_settings.ANONYMOUS_LISTS, bool):
        return []
    return [
        checks.Error(
            f"{SETTING}['ANONYMOUS_LISTS'] must be a bool, not {api_settings.ANONYMOUS_LISTS!r}.",
            hint="Give True or False.",
            id="proxy_storage_api.E003",
        )
    ]


def are_readable() -> bool:
    """Tell whether there are settings to look at; else the checks of proxy_storage say so."""
    try:
        ProxyStorageSettings.user_settings()
        registry.get_proxy_storage_names()
    except ConfigurationError:
        return False
    return True


def _find_problems() -> Iterator[tuple[str, str]]:
    for get_setting, hint in (
        (get_link_key, "Give a long random text, or leave it out."),
        (get_link_max_age, "Give a whole number greater than 0."),
    ):
        try:
            get_setting()
        except ConfigurationError as error:
            yield str(error), hint
    if not isinstance(api_settings.HIDE_FORBIDDEN, bool):
        where = f"{SETTING}['HIDE_FORBIDDEN']"
        yield f"{where} must be a bool, not {api_settings.HIDE_FORBIDDEN!r}.", "Give True or False."
    header = api_settings.AUTHORIZE_URI_HEADER
    if header is not None and (not isinstance(header, str) or not header):
        yield (
            f"{SETTING}['AUTHORIZE_URI_HEADER'] must be the name of a header, not {header!r}.",
            "Give one that the web server sets, such as 'X-Original-URI'.",
        )


def _find_problems_of_uploads() -> Iterator[tuple[str, str]]:
    size, names = api_settings.UPLOAD_MAX_SIZE, api_settings.UPLOAD_STORAGES
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        hint = "Give a whole number greater than 0."
        yield f"{SETTING}['UPLOAD_MAX_SIZE'] must be a number of bytes, not {size!r}.", hint
    known = registry.get_proxy_storage_names()
    where, hint = f"{SETTING}['UPLOAD_STORAGES']", f"Known are {', '.join(known)}."
    if not isinstance(names, list | tuple):
        yield f"{where} must be a list of names, not {names!r}.", hint
        return
    for name in names:
        if name not in known:
            yield f"{where} has {name!r}, which is no proxy storage.", hint
    if not names and api_settings.UPLOAD_PERMISSION_CLASSES:
        yield f"{where} is empty, so nothing can be uploaded.", hint


_ATTRIBUTES = {
    "permission_classes": READING,
    "upload_permission_classes": "UPLOAD_PERMISSION_CLASSES",
    "delete_permission_classes": "DELETE_PERMISSION_CLASSES",
}


@checks.register()
def check_rules(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Find rules that cannot decide, that let everybody read, or that make lists slow."""
    if not are_readable():
        return []
    found: dict[str, checks.CheckMessage] = {}
    for where, key, classes in _find_rules():
        for cls in classes:
            try:
                messages = list(_check_rule(where, key, cls()))
            except ConfigurationError as error:
                hint = "Correct the class."
                messages = [checks.Error(str(error), hint=hint, id="proxy_storage_api.E005")]
            found |= {message.msg: message for message in messages}
    return list(found.values())


@checks.register()
def check_url(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Find out whether URLs of files can be made outside of requests to the endpoint."""
    if not getattr(settings, "ROOT_URLCONF", None) or not are_readable():
        return []
    try:
        if callable(load_url_kwargs()):
            return []  # Its arguments may be those of a tenant, which a check does not have.
        get_file_url("", "")
    except ConfigurationError as error:
        return [
            checks.Warning(
                f"url() of proxy storages can be used only in answers of the endpoint. {error}",
                hint=f"Set {SETTING}['FILE_URL_NAME'], with namespaces, and for arguments "
                f"{SETTING}['FILE_URL_KWARGS'].",
                id="proxy_storage_api.W003",
            )
        ]
    return []


def _find_rules() -> Iterator[tuple[str, str, Any]]:
    """Give out permission classes: where they are given, for which setting, and which."""
    for key in DEFAULTS:
        if key.endswith("PERMISSION_CLASSES"):
            try:
                yield f"{SETTING}[{key!r}]", key, get_permission_classes(key) or ()
            except ConfigurationError:
                continue  # Reported by another check.
    for view, options in find_views():
        for name, key in _ATTRIBUTES.items():
            classes = options.get(name, getattr(view, name, None)) or ()
            yield f"{view.__qualname__}.{name}", key, classes


def find_views() -> list[tuple[type[FileAccess], dict[str, Any]]]:
    """Return the viewsets in the project's URLs, and what each is made with."""
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
        if isinstance(getattr(callback, "cls", None), type) and issubclass(callback.cls, FileAccess)
    ]


def _walk(patterns: Any) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns)
        else:
            yield pattern


def _check_rule(where: str, key: str, permission: Any) -> Iterator[checks.CheckMessage]:
    for rule in _get_single(permission):
        yield from _check_single_rule(where, key, rule)
    if key == READING:
        for name in find_unfiltered(permission, get_content_object_models()):
            yield checks.Warning(
                f"{where} has the rule {name}, which has no filter: a list asks it about each "
                "record.",
                hint="Write get_filter(), or for CanReadFile the class method of the model. Set "
                f"{SETTING}['ANONYMOUS_LISTS'] to False to close lists to strangers.",
                id="proxy_storage_api.W001",
            )


def _check_single_rule(where: str, key: str, rule: Any) -> Iterator[checks.CheckMessage]:
    name = get_rule_name(rule)
    if isinstance(rule, DjangoModelPermissions):
        yield checks.Error(
            f"{where} has the rule {name}, which needs the model of a queryset. Records do not "
            "have one, so the rule denies every request.",
            hint="Use HasModelPermission or HasObjectPermission of proxy_storage_permissions.",
            id="proxy_storage_api.E005",
        )
    for method in ("has_permission", "has_object_permission"):
        if iscoroutinefunction(getattr(rule, method, None)):
            yield checks.Error(
                f"{where} has the rule {name}, whose {method} is a coroutine function. Rules are "
                "called synchronously, so the rule denies every request.",
                hint="Write the method with 'def'.",
                id="proxy_storage_api.E005",
            )
    if key == READING and isinstance(rule, IsAuthenticatedOrReadOnly):
        yield checks.Warning(
            f"{where} has the rule {name}, which lets everybody read every file.",
            hint="Use IsAuthenticated, or a rule about records.",
            id="proxy_storage_api.W002",
        )


def _get_single(permission: Any) -> Iterator[Any]:
    """Yield the single rules of a composed permission, and those of its fields."""
    for single in get_single_rules(permission):
        yield single
        rules = getattr(single, "permissions", None)
        for rule in rules.values() if isinstance(rules, dict) else ():
            if rule is not None:
                yield from _get_single(rule())
