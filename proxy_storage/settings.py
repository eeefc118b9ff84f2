"""The package's settings: the one dict ``PROXY_STORAGE`` of the project.

Read through `proxy_storage_settings`, on each use, so that nothing is fixed at import
and tests may override it::

    from proxy_storage.settings import proxy_storage_settings

    proxy_storage_settings.PROXY_STORAGE_CLASSES["letters"]
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import Any, TypeVar, cast

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from proxy_storage.exceptions import ConfigurationError

SETTING = "PROXY_STORAGE"

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Entry = TypeVar("_Entry")

DEFAULTS: dict[str, Any] = {
    # name of a proxy storage -> dotted path of its class
    "PROXY_STORAGE_CLASSES": {},
    # "<proxy>/<original>", "<proxy>" or "default" -> {"BACKEND": ..., "OPTIONS": {...}}
    "SERVERS": {},
    # URL name of the download endpoint; None: the one of proxy_storage_api, if installed
    "FILE_URL_NAME": None,
    # arguments of that URL, such as {"version": "v1"}, if there is no request; or the dotted
    # path of a callable that returns them
    "FILE_URL_KWARGS": {},
    # dotted path of a callable (model, using) -> name of the tenant whose rows these are, or
    # None; None: the schema of django-tenants, where a connection has one
    "GET_TENANT": None,
    # aliases of the databases, beside the default one and those of the routers, in which
    # content objects are looked up
    "CONTENT_OBJECT_DATABASES": (),
    # whether to hand files over only to a web server that says what it understands
    "REQUIRE_SENDFILE_TYPE": False,
    # "<proxy>/<original>", "<proxy>" or "default" -> the Cache-Control of file answers, for
    # projects that let browsers use a copy without a request; by default they always ask
    "CACHE_CONTROL": {},
    # sources of the pages that may embed a file in a frame, as in "frame-ancestors" of a
    # Content-Security-Policy
    "FRAME_ANCESTORS": ("'self'",),
    # Extension -> MIME type, such as {".step": "model/step"}; wins over the package's own table.
    "MIME_TYPES": {},
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


def import_setting(where: str, path: str) -> Any:
    """Return the object that a setting names by its dotted path.

    Args:
        where: the setting, for the error message.
        path: the dotted path.

    Raises:
        ConfigurationError: the object cannot be imported.
    """
    try:
        return import_string(path)
    except Exception as error:  # A module may raise any error while it is imported.
        raise ConfigurationError(
            f"{where} is {path!r}, which cannot be imported: {error}"
        ) from error


class ImportedClasses(Mapping[str, type[Any]]):
    """The classes that a setting names by their dotted paths.

    A class is imported at its first use: modules of the project import settings, and
    settings must not import them. The mapping is equal to the dict of the setting as well as to
    a dict of the classes.

    Args:
        key: the setting, for error messages.
        paths: the dotted paths of the classes, by name.
    """

    def __init__(self, key: str, paths: Mapping[str, Any]) -> None:
        self._key = key
        self._paths = paths

    def __getitem__(self, name: str) -> type[Any]:
        """Return the class of a name.

        Raises:
            KeyError: the setting does not have the name.
            ConfigurationError: the class cannot be imported; the message has the path and where
                it is in the settings.
        """
        path = self._paths[name]
        where = f"{SETTING}[{self._key!r}][{name!r}]"
        if not isinstance(path, str):
            raise ConfigurationError(f"{where} must be the dotted path of a class, not {path!r}.")
        cls: type[Any] = import_setting(where, path)
        return cls

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, name: object) -> bool:
        return name in self._paths

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return self.keys() == other.keys() and all(
            self._paths[name] == value or (isinstance(value, type) and self[name] is value)
            for name, value in other.items()
        )

    # As that of a dict, which it stands for.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._paths)


class ProxyStorageSettings:
    """Attribute access to ``settings.PROXY_STORAGE`` with defaults.

    Args:
        defaults: every key that may be asked for, with the value it has when the
            project does not set it. Packages on top of this one make an object of
            their own with their own keys; all share the one dict.
        class_keys: the keys whose value is a dict of dotted paths; their attribute has the
            classes, as `ImportedClasses`.
    """

    known_keys: frozenset[str] = frozenset()

    def __init__(self, defaults: Mapping[str, Any], class_keys: Collection[str] = ()) -> None:
        self.defaults = dict(defaults)
        self.class_keys = frozenset(class_keys)
        ProxyStorageSettings.known_keys |= self.defaults.keys()

    def __getattr__(self, key: str) -> Any:
        if key not in self.defaults:
            raise AttributeError(f"{SETTING} has no setting {key!r}.")
        if key in self.class_keys:
            return ImportedClasses(key, self.get_dict(key))
        return self._get(key)

    def _get(self, key: str) -> Any:
        return self.user_settings().get(key, self.defaults[key])

    def get_dict(self, key: str) -> Mapping[str, Any]:
        """Return a setting that has to be a mapping, as the project has written it.

        Raises:
            ConfigurationError: it is something else.
        """
        value = self._get(key)
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


proxy_storage_settings = ProxyStorageSettings(DEFAULTS, class_keys=["PROXY_STORAGE_CLASSES"])


def get_for_storage(
    entries: Mapping[str, _Entry], proxy_storage_name: str, original_storage_name: str | None
) -> _Entry | None:
    """Return the entry for the files of an original storage, if there is one.

    Args:
        entries: a setting with the keys ``<proxy storage>/<original storage>``,
            ``<proxy storage>`` and ``default``; the most exact key counts.
        proxy_storage_name: name of the proxy storage.
        original_storage_name: name of the original storage where there are several.
    """
    for key in (f"{proxy_storage_name}/{original_storage_name}", proxy_storage_name, "default"):
        if key in entries:
            return entries[key]
    return None


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


def build(where: str, entry: Any, base: type[Any]) -> Any:
    """Return the object that an entry of the settings describes.

    Args:
        where: the place of the entry, for error messages.
        entry: ``{"BACKEND": dotted path of a class, "OPTIONS": its keyword arguments}``,
            or the object itself.
        base: what the object has to be an instance of.

    Raises:
        ConfigurationError: the class cannot be imported or built, or is of another kind.
    """
    backend = entry
    if not isinstance(entry, base):
        try:
            backend = import_string(entry["BACKEND"])(**entry.get("OPTIONS", {}))
        except (ImportError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(f"{where} cannot be built: {error!r}") from error
    if not isinstance(backend, base):
        raise ConfigurationError(f"{where} is a {type(backend).__name__}, not a {base.__name__}.")
    return backend
