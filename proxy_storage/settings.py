"""The package's settings: the one dict ``PROXY_STORAGE`` of the project.

Read through `proxy_storage_settings`, on each use, so that nothing is fixed at import
and tests may override it::

    from proxy_storage.settings import proxy_storage_settings

    proxy_storage_settings.PROXY_STORAGE_CLASSES
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar, cast

from django.conf import settings
from django.core.signals import setting_changed

from proxy_storage.exceptions import ConfigurationError

SETTING = "PROXY_STORAGE"

_Function = TypeVar("_Function", bound=Callable[..., Any])

DEFAULTS: dict[str, Any] = {
    # name of a proxy storage -> dotted path of its class
    "PROXY_STORAGE_CLASSES": {},
    # "<proxy>/<original>", "<proxy>" or "default" -> {"BACKEND": ..., "OPTIONS": {...}}
    "SERVERS": {},
    # URL name of the download endpoint; None: the one of proxy_storage_api, if installed
    "FILE_URL_NAME": None,
    # whether to hand files over only to a web server that says what it understands
    "REQUIRE_SENDFILE_TYPE": False,
    # types that a browser may show in place; everything else is sent as attachment
    "INLINE_CONTENT_TYPES": (
        "application/pdf",
        "audio/flac",
        "audio/mp4",
        "audio/mpeg",
        "audio/ogg",
        "audio/wav",
        "audio/webm",
        "audio/x-wav",
        "image/avif",
        "image/bmp",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/webp",
        "text/plain",
        "video/mp4",
        "video/ogg",
        "video/webm",
    ),
}


class ProxyStorageSettings:
    """Attribute access to ``settings.PROXY_STORAGE`` with defaults.

    Args:
        defaults: every key that may be asked for, with the value it has when the
            project does not set it. Packages on top of this one make an object of
            their own with their own keys; all share the one dict.
    """

    known_keys: frozenset[str] = frozenset()

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        self.defaults = dict(defaults)
        ProxyStorageSettings.known_keys |= self.defaults.keys()

    def __getattr__(self, key: str) -> Any:
        if key not in self.defaults:
            raise AttributeError(f"{SETTING} has no setting {key!r}.")
        return self.user_settings().get(key, self.defaults[key])

    def get_dict(self, key: str) -> Mapping[str, Any]:
        """Return a setting that has to be a mapping.

        Raises:
            ConfigurationError: it is something else.
        """
        value = getattr(self, key)
        if not isinstance(value, Mapping):
            raise ConfigurationError(f"{SETTING}[{key!r}] must be a dict, not {value!r}.")
        return value

    @staticmethod
    def user_settings() -> Mapping[str, Any]:
        """Return what the project has set, unchecked but for being a mapping.

        Raises:
            ConfigurationError: the setting is something other than a mapping.
        """
        value = getattr(settings, SETTING, {})
        if not isinstance(value, Mapping):
            raise ConfigurationError(
                f"settings.{SETTING} must be a dict, not {type(value).__name__}."
            )
        return value


proxy_storage_settings = ProxyStorageSettings(DEFAULTS)


def cached(function: _Function) -> _Function:
    """Remember what a function makes of the settings, until a test changes them.

    No lock is held during the call: two threads may do the work twice, but none waits for
    a module that the other one imports.
    """
    remembering: Any = cache(function)

    def forget(*, setting: str, **kwargs: Any) -> None:
        if setting in (SETTING, "STORAGES"):
            remembering.cache_clear()

    setting_changed.connect(forget, weak=False)
    return cast("_Function", remembering)
