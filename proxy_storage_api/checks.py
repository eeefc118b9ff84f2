"""System checks of the API's settings."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from django.core import checks

from proxy_storage import registry
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.settings import SETTING, ProxyStorageSettings
from proxy_storage_api.settings import (
    DEFAULTS,
    api_settings,
    get_classes,
    get_max_decisions,
    get_permission_classes,
)
from proxy_storage_permissions.settings import get_link_key, get_link_max_age, get_link_rounding

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
