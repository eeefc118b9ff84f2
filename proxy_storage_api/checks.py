"""System checks of the API: its settings, the permission classes and the URL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.apps import apps
from django.conf import settings
from django.core import checks
from rest_framework.permissions import DjangoModelPermissions, IsAuthenticatedOrReadOnly
from rest_framework.renderers import BrowsableAPIRenderer

from proxy_storage import registry
from proxy_storage.content_objects import get_content_object_models
from proxy_storage.endpoint import PATH_KWARG, get_file_url, load_url_kwargs, read_file_url
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.settings import SETTING, ProxyStorageSettings, proxy_storage_settings
from proxy_storage.suggestions import suggest
from proxy_storage_api.generics import PERMISSIONS, READ_PERMISSIONS, GenericFileViewSet
from proxy_storage_api.media import MediaViewSet
from proxy_storage_api.settings import (
    DEFAULTS,
    api_settings,
    get_attach_max_age,
    get_max_decisions,
    get_permission_classes,
    get_throttle_classes,
)
from proxy_storage_api.urlconf import find_views
from proxy_storage_permissions import HasValidSignature
from proxy_storage_permissions.filters import find_unfiltered, get_rule_name, get_single_rules
from proxy_storage_permissions.problems import find_problems, make_permission
from proxy_storage_permissions.settings import (
    READING,
    get_base_url,
    get_link_key,
    get_link_max_age,
    get_link_rounding,
)


def _get_classes(key: str) -> list[Any]:
    is_throttle = key == "DOWNLOAD_THROTTLE_CLASSES"
    classes = get_throttle_classes() if is_throttle else get_permission_classes(key)
    for cls in classes or ():
        if not callable(cls):
            raise ConfigurationError(f"{SETTING}[{key!r}] contains {cls!r}, which is not a class.")
    return classes or []


def _check_bool(key: str) -> None:
    value = getattr(api_settings, key)
    if not isinstance(value, bool):
        raise ConfigurationError(f"{SETTING}[{key!r}] must be a bool, not {value!r}.")


def _check_header() -> None:
    header = api_settings.AUTHORIZE_URI_HEADER
    if header is not None and (not isinstance(header, str) or not header):
        raise ConfigurationError(
            f"{SETTING}['AUTHORIZE_URI_HEADER'] must be the name of a header, not {header!r}."
        )


def _check_upload_size() -> None:
    size = api_settings.UPLOAD_MAX_SIZE
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise ConfigurationError(
            f"{SETTING}['UPLOAD_MAX_SIZE'] must be a number of bytes, not {size!r}."
        )


def _check_upload_storages() -> None:
    where, names = f"{SETTING}['UPLOAD_STORAGES']", api_settings.UPLOAD_STORAGES
    known = registry.get_proxy_storage_names()
    registered = f"Registered are {', '.join(known)}." if known else "None is registered."
    if not isinstance(names, list | tuple):
        raise ConfigurationError(f"{where} must be a list of names, not {names!r}. {registered}")
    for name in names:
        if name not in known:
            raise ConfigurationError(
                f"{where} contains {name!r}, which is not the name of a proxy storage."
                f"{suggest(name, known)} {registered}"
            )
    if not names and api_settings.UPLOAD_PERMISSION_CLASSES:
        raise ConfigurationError(f"{where} is empty, so every upload is refused. {registered}")


_CLASSES_HINT = "Set it to a list of dotted paths of classes."
_BOOL_HINT = "Set it to True or False."
_POSITIVE_HINT = "Set it to an integer greater than 0."
# The check of each setting: its id, a function that raises ConfigurationError, and a hint.
_SETTINGS: tuple[tuple[str, Callable[[], object], str], ...] = (
    ("proxy_storage_api.E001", partial(_get_classes, READING), _CLASSES_HINT),
    ("proxy_storage_api.E002", partial(_check_bool, "HIDE_FORBIDDEN"), _BOOL_HINT),
    ("proxy_storage_api.E003", partial(_check_bool, "ANONYMOUS_LISTS"), _BOOL_HINT),
    ("proxy_storage_api.E004", get_max_decisions, _POSITIVE_HINT),
    (
        "proxy_storage_api.E006",
        partial(_get_classes, "DOWNLOAD_THROTTLE_CLASSES"),
        f"{_CLASSES_HINT[:-1]}, or None.",
    ),
    (
        "proxy_storage_api.E007",
        get_link_rounding,
        "Set it to a number of seconds. 0 disables the rounding.",
    ),
    ("proxy_storage_api.E008", get_link_key, "Set it to a long random text, or remove it."),
    ("proxy_storage_api.E009", get_link_max_age, _POSITIVE_HINT),
    (
        "proxy_storage_api.E010",
        _check_header,
        "Use a header that the web server sets, such as 'X-Original-URI'.",
    ),
    ("proxy_storage_api.E011", _check_upload_size, _POSITIVE_HINT),
    (
        "proxy_storage_api.E012",
        _check_upload_storages,
        "Set it to a list of names of proxy storages.",
    ),
    ("proxy_storage_api.E013", partial(_get_classes, "UPLOAD_PERMISSION_CLASSES"), _CLASSES_HINT),
    (
        "proxy_storage_api.E019",
        get_base_url,
        "Set it to the scheme and host of the site, without a path.",
    ),
    ("proxy_storage_api.E014", partial(_get_classes, "DELETE_PERMISSION_CLASSES"), _CLASSES_HINT),
    ("proxy_storage_api.E015", get_attach_max_age, _POSITIVE_HINT),
)


@checks.register()
def check_settings(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Find settings with invalid values."""
    found: list[checks.CheckMessage] = []
    for check_id, check, hint in _SETTINGS if _are_readable() else ():
        try:
            check()
        except ConfigurationError as error:
            found.append(checks.Error(str(error), hint=hint, id=check_id))
    return found


def _are_readable() -> bool:
    """Return whether the settings can be read. If not, a check of proxy_storage reports it."""
    try:
        ProxyStorageSettings.user_settings()
        registry.get_proxy_storage_names()
    except ConfigurationError:
        return False
    return True


@checks.register()
def check_rules(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Find permissions that cannot decide, that are open to all users, or that make lists slow."""
    if not _are_readable():
        return []
    found: dict[str, checks.CheckMessage] = {}
    for where, key, classes in _find_rules():
        found |= {message.msg: message for message in _check_classes(where, key, classes)}
    return list(found.values())


def _check_classes(where: str, key: str, classes: Any) -> Iterator[checks.CheckMessage]:
    if isinstance(classes, str) or not isinstance(classes, Collection):
        yield checks.Error(
            f"{where} must be a list of permission classes, not {classes!r}.",
            hint="Write it as a list, even if it has one class.",
            id="proxy_storage_api.E005",
        )
        return
    for cls in classes:
        try:
            yield from _check_rule(where, key, make_permission(cls))
        except ConfigurationError as error:
            yield checks.Error(
                f"{where} contains an entry that cannot be used. {error}",
                hint="Correct the class.",
                id="proxy_storage_api.E005",
            )


@checks.register()
def check_default_rules(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Check whether the permissions to read are the default, which allows only staff."""
    if not _are_readable() or ProxyStorageSettings.user_settings().get(READING):
        return []
    attribute, _ = READ_PERMISSIONS
    is_used = any(
        not (options.get(attribute) or getattr(view, attribute))
        and view.get_permissions is GenericFileViewSet.get_permissions
        for view, options in find_views()
    )
    if not is_used or not registry.get_proxy_storage_names():
        return []
    return [
        checks.Warning(
            f"{SETTING}[{READING!r}] is not set, so that only staff may read files.",
            hint="Set it to a list of permission classes, such as ['app.permissions.AppFiles']. "
            f"To keep the default, set it to {DEFAULTS[READING]!r}.",
            id="proxy_storage_api.W004",
        )
    ]


@checks.register()
def check_apps(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Find apps that the API needs, but that are not installed."""
    found: list[checks.CheckMessage] = []
    if not apps.is_installed("proxy_storage"):
        found.append(
            checks.Error(
                "'proxy_storage_api' is in INSTALLED_APPS, but 'proxy_storage' is not.",
                hint="Add it. It updates the records of files when rows are deleted, and checks "
                "the settings.",
                id="proxy_storage_api.E016",
            )
        )
    has_pages = any(
        issubclass(renderer, BrowsableAPIRenderer)
        for view, options in find_views()
        for renderer in options.get("renderer_classes", view.renderer_classes)
    )
    if has_pages and not apps.is_installed("rest_framework"):
        found.append(
            checks.Error(
                "'rest_framework' is not in INSTALLED_APPS, so the templates of the browsable API "
                "are missing and its pages cannot be shown in browsers.",
                hint="Add it, or remove BrowsableAPIRenderer from DEFAULT_RENDERER_CLASSES in "
                "REST_FRAMEWORK.",
                id="proxy_storage_api.E017",
            )
        )
    return found


@checks.register()
def check_signed_urls(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Find storages whose ``url()`` returns signed links although no permission accepts them."""
    if not _are_readable() or _is_link_accepted():
        return []
    return [
        checks.Warning(
            f"The proxy storage {name!r} returns signed links, but no permission class accepts "
            "them, so they do not open the files.",
            hint="Combine HasValidSignature of proxy_storage_permissions with the permission "
            "classes by '|', or remove url='signed' from the storage.",
            id="proxy_storage_api.W007",
        )
        for name in registry.get_proxy_storage_names()
        if _signs_urls(name)
    ]


def _signs_urls(name: str) -> bool:
    try:
        return registry.get_proxy_storage(name).signs_urls
    except ConfigurationError:
        return False  # Reported by a check of proxy_storage.


def _is_link_accepted() -> bool:
    """Return whether a permission class for reading files accepts signed links."""
    for _, key, classes in _find_rules():
        for cls in classes if key == READING else ():
            with suppress(ConfigurationError, TypeError):  # Reported by check_rules.
                if any(isinstance(rule, HasValidSignature) for rule in _get_single(cls())):
                    return True
    return False


@checks.register()
def check_url(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Find out whether URLs of files can be made outside of requests to the endpoint."""
    if not getattr(settings, "ROOT_URLCONF", None) or not _are_readable():
        return []
    try:
        if callable(load_url_kwargs()):
            return []  # The arguments may depend on a tenant, which a check does not have.
        endpoint = get_file_url("", "")
    except ConfigurationError as error:
        return [
            checks.Warning(
                f"url() of proxy storages works only in requests to the endpoint. {error}",
                hint=f"Set {SETTING}['FILE_URL_NAME'], with namespaces, and if the URL has "
                f"arguments, {SETTING}['FILE_URL_KWARGS'].",
                id="proxy_storage_api.W003",
            )
        ]
    is_by_path = proxy_storage_settings.FILE_URL_STYLE == "path"
    if is_by_path and endpoint and read_file_url(f"https://localhost{endpoint}a.txt") is None:
        return [
            checks.Warning(
                f"{SETTING}['FILE_URL_STYLE'] is 'path', but {endpoint}a.txt is not the URL of a "
                "file.",
                hint=f"Include proxy_storage_api.urls, or add a URL with <path:{PATH_KWARG}> to "
                "the URLs of the project. Routers do not make one.",
                id="proxy_storage_api.W006",
            )
        ]
    return []


@checks.register()
def check_media_views(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Check the names of the proxy storages whose files have URLs of their own."""
    if not _are_readable():
        return []
    known = registry.get_proxy_storage_names()
    found: list[checks.CheckMessage] = []
    for view, options in find_views():
        name = options.get("storage", getattr(view, "storage", None))
        if issubclass(view, MediaViewSet) and name not in known:
            found.append(
                checks.Error(
                    f"{view.__qualname__} delivers the files of {name!r}, which is not the name of "
                    "a proxy storage.",
                    hint=f"Pass as_view(storage=...) one of {', '.join(known)}.",
                    id="proxy_storage_api.E018",
                )
            )
    return found


def _find_rules() -> Iterator[tuple[str, str, Any]]:
    """Yield the place of permission classes, the setting that they are for, and the classes."""
    permissions = dict([READ_PERMISSIONS, *PERMISSIONS.values()])
    for key in permissions.values():
        try:
            yield f"{SETTING}[{key!r}]", key, _get_classes(key)
        except ConfigurationError:
            continue  # Reported by check_settings.
    for view, options in find_views():
        for name, key in permissions.items():
            classes = options.get(name, getattr(view, name)) or ()
            yield f"{view.__qualname__}.{name}", key, classes


def _check_rule(where: str, key: str, permission: Any) -> Iterator[checks.CheckMessage]:
    problems = list(find_problems(permission, get_content_object_models()))
    for problem in problems:
        level, check_id = (checks.Error, "E005") if problem.is_error else (checks.Warning, "W005")
        yield level(
            f"{where}: {problem.text}", hint=problem.hint, id=f"proxy_storage_api.{check_id}"
        )
    if any(problem.is_error for problem in problems):
        return  # It cannot be evaluated.
    for rule in _get_single(permission):
        yield from _check_single_rule(where, key, rule)
    if key == READING:
        for name in find_unfiltered(permission, get_content_object_models()):
            yield checks.Warning(
                f"{where} contains {name}, which has no filter: a list checks it for each record.",
                hint="Implement get_filter(), or for CanReadFile the model's class method. If that "
                "is not possible, silence this check. With "
                f"{SETTING}['ANONYMOUS_LISTS'] = False, only lists of logged-in users check each "
                "record, and anonymous users cannot list files.",
                id="proxy_storage_api.W001",
            )


def _check_single_rule(where: str, key: str, rule: Any) -> Iterator[checks.CheckMessage]:
    name = get_rule_name(rule)
    if isinstance(rule, DjangoModelPermissions):
        yield checks.Error(
            f"{where} contains {name}, which needs the model of a queryset. Records do not have "
            "one, so the permission denies every request.",
            hint="Use HasModelPermission or HasObjectPermission of proxy_storage_permissions.",
            id="proxy_storage_api.E005",
        )
    for method in ("has_permission", "has_object_permission"):
        if iscoroutinefunction(getattr(rule, method, None)):
            yield checks.Error(
                f"{where} contains {name}, whose {method} is a coroutine function. Permissions are "
                "called synchronously, so this one denies every request.",
                hint="Write the method with 'def'.",
                id="proxy_storage_api.E005",
            )
    if key == READING and isinstance(rule, IsAuthenticatedOrReadOnly):
        yield checks.Warning(
            f"{where} contains {name}, which allows all users to read all files.",
            hint="Use IsAuthenticated, or a permission that depends on records.",
            id="proxy_storage_api.W002",
        )


def _get_single(permission: Any) -> Iterator[Any]:
    """Yield the single permissions of a composed one, and those of its fields."""
    for single in get_single_rules(permission):
        yield single
        rules = getattr(single, "permissions", None)
        for rule in rules.values() if isinstance(rules, dict) else ():
            if rule is not None:
                yield from _get_single(rule())
