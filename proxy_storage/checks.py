"""System checks of the setting ``PROXY_STORAGE``."""

from collections.abc import Callable, Iterator
from typing import Any

from django.core import checks

from proxy_storage import registry
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.serving.base import get_servers
from proxy_storage.settings import SETTING, ProxyStorageSettings


@checks.register()
def check_settings(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Find unknown keys, classes that cannot be used and servers that cannot be built."""
    try:
        keys = ProxyStorageSettings.user_settings()
    except ConfigurationError as error:
        return [checks.Error(str(error), id="proxy_storage.E001")]
    return [
        *_check_keys(keys),
        *_check_loads(_check_meta_backends, "proxy_storage.E002"),
        *_check_loads(get_servers, "proxy_storage.E003"),
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


def _check_meta_backends() -> None:
    for meta_backend in registry.get_meta_backends():
        meta_backend.check_keys(("path", "proxy_storage_name", "original_storage_path"))


def _check_loads(load: Callable[[], object], check_id: str) -> Iterator[checks.CheckMessage]:
    try:
        load()
    except ConfigurationError as error:
        yield checks.Error(str(error), id=check_id)
