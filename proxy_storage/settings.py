"""The settings of the package, in the dict ``PROXY_STORAGE`` of the project.

They are read through `proxy_storage_settings` when they are used, not at import. A change by
``override_settings`` takes effect at once::

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
from proxy_storage.suggestions import describe_build_error, describe_import_error

SETTING = "PROXY_STORAGE"

_Function = TypeVar("_Function", bound=Callable[..., Any])

# Each comment has the type and the meaning; the default follows.
DEFAULTS: dict[str, Any] = {
    # Dict: name of a proxy storage -> dotted path of its class. Each record contains the name.
    "PROXY_STORAGE_CLASSES": {},
    # Dict: "<proxy storage>/<original storage>", "<proxy storage>" or "default" ->
    # {"BACKEND": dotted path, "OPTIONS": {...}}. The server that delivers the files.
    "SERVERS": {},
    # str or None. The URL name of the download endpoint. None: the endpoint of proxy_storage_api,
    # if that is installed.
    "FILE_URL_NAME": None,
    # Dict, or the dotted path of a callable that returns one. The arguments of the endpoint's URL,
    # such as {"version": "v1"}, if there is no request to take them from.
    "FILE_URL_KWARGS": {},
    # "query" or "path". The form of the URLs of files: files/?path=a/b.pdf or files/a/b.pdf. The
    # second form is for relative paths only.
    "FILE_URL_STYLE": "query",
    # Dotted path of a callable (model, using) -> str or None; or None. It returns the name of the
    # current tenant. None: the schema of django-tenants, if the connection has one.
    "GET_TENANT": None,
    # List of database aliases. Content objects are looked up in these, in the default database,
    # and in those of the database routers.
    "CONTENT_OBJECT_DATABASES": (),
    # bool. Whether to offload a file only if the web server declares support with the header
    # X-Sendfile-Type.
    "REQUIRE_SENDFILE_TYPE": False,
    # bool. Whether Python delivers a file while DEBUG is on, if the request did not pass through a
    # web server that the file can be offloaded to. It has no effect while DEBUG is off.
    "STREAM_IN_DEBUG": True,
    # Dict with the keys of SERVERS -> str. The header Cache-Control of responses with a file. By
    # default it is "private, no-cache", so that browsers revalidate each copy.
    "CACHE_CONTROL": {},
    # List of sources, as in the directive frame-ancestors of a Content-Security-Policy. The pages
    # that may embed a file in a frame.
    "FRAME_ANCESTORS": ("'self'",),
    # Dict: extension -> MIME type, such as {".step": "model/step"}. It takes precedence over the
    # table in proxy_storage.mime_types.
    "MIME_TYPES": {},
    # List of MIME types that browsers may display. Files of other types are sent as attachments.
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
    """Import the object with the dotted path in a setting.

    Args:
        where: the setting, for the error message.
        path: the dotted path.

    Raises:
        ConfigurationError: the object cannot be imported.
    """
    try:
        return import_string(path)
    except Exception as error:  # A module may raise any error while it is imported.
        reason = describe_import_error(path, error)
        raise ConfigurationError(
            f"{where} is {path!r}, which cannot be imported: {reason}"
        ) from error


class ImportedClasses(Mapping[str, type[Any]]):
    """A mapping from names to the classes whose dotted paths are in a setting.

    A class is imported when it is accessed, because the modules of a project import settings. The
    mapping is equal to the dict of the setting, and to a dict of the classes.

    Args:
        key: the setting, for error messages.
        paths: the dotted paths of the classes, by name.
    """

    def __init__(self, key: str, paths: Mapping[str, Any]) -> None:
        self._key = key
        self._paths = paths

    def __getitem__(self, name: str) -> type[Any]:
        """Return the class with a name.

        Raises:
            KeyError: the setting does not have the name.
            ConfigurationError: the class cannot be imported.
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

    # Unhashable, like a dict.
    __hash__ = None  # type: ignore[assignment]  # It has __eq__.

    def __repr__(self) -> str:
        return repr(self._paths)


class ProxyStorageSettings:
    """The keys of ``settings.PROXY_STORAGE`` as attributes, with default values.

    A value is kept from its first use until Django sends ``setting_changed``.

    Args:
        defaults: the known keys with their default values. Each package has an object of this
            class with its own keys; all of them read the same dict.
        class_keys: the keys whose value is a dict of dotted paths. Their attribute is an
            `ImportedClasses`.
    """

    known_keys: frozenset[str] = frozenset()

    def __init__(self, defaults: Mapping[str, Any], class_keys: Collection[str] = ()) -> None:
        self.defaults = dict(defaults)
        self.class_keys = frozenset(class_keys)
        ProxyStorageSettings.known_keys |= self.defaults.keys()
        setting_changed.connect(self._forget)

    def __getattr__(self, key: str) -> Any:
        if key not in self.defaults:
            raise AttributeError(f"{SETTING} has no setting {key!r}.")
        value: Any
        if key in self.class_keys:
            value = ImportedClasses(key, self.get_dict(key))
        else:
            value = self.user_settings().get(key, self.defaults[key])
        vars(self)[key] = value  # The next access does not call this method.
        return value

    def _forget(self, *, setting: str, **kwargs: Any) -> None:
        if setting == SETTING:
            for key in self.defaults:
                vars(self).pop(key, None)

    def get_dict(self, key: str) -> Mapping[str, Any]:
        """Return a setting whose value must be a dict, as written in the project's settings.

        Raises:
            ConfigurationError: the value is not a mapping.
        """
        value = self.user_settings().get(key, self.defaults[key])
        if not isinstance(value, Mapping):
            raise ConfigurationError(f"{SETTING}[{key!r}] must be a dict, not {value!r}.")
        return value

    @staticmethod
    def user_settings() -> Mapping[str, Any]:
        """Return ``settings.PROXY_STORAGE``, without default values.

        Raises:
            ConfigurationError: the setting is not a mapping.
        """
        value = getattr(settings, SETTING, {})
        if not isinstance(value, Mapping):
            raise ConfigurationError(
                f"settings.{SETTING} must be a dict, not {type(value).__name__}."
            )
        return value


proxy_storage_settings = ProxyStorageSettings(DEFAULTS, class_keys=["PROXY_STORAGE_CLASSES"])


def cached(function: _Function) -> _Function:
    """Cache the results of a function that depends on settings, until these are changed.

    No lock is held during the call, because the function may import modules of the project, which
    could lead to a deadlock. Two threads may call it at the same time.
    """
    cached_function: Any = cache(function)

    def forget(*, setting: str, **kwargs: Any) -> None:
        if setting in (SETTING, "STORAGES"):
            cached_function.cache_clear()

    setting_changed.connect(forget, weak=False)
    return cast("_Function", cached_function)


def build_backend(where: str, entry: Any, base: type[Any]) -> Any:
    """Return the instance that an entry of the settings describes.

    Args:
        where: the setting and the key of the entry, for error messages.
        entry: ``{"BACKEND": dotted path of a class, "OPTIONS": its keyword arguments}``,
            or an instance.
        base: the required base class.

    Raises:
        ConfigurationError: the class cannot be imported or instantiated, or is not a subclass of
            the base class.
    """
    backend = entry
    if not isinstance(entry, base):
        try:
            backend = import_string(entry["BACKEND"])(**entry.get("OPTIONS", {}))
        except (ImportError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"{where} cannot be built: {describe_build_error(entry, error)} It must be "
                f"{{'BACKEND': dotted path of a {base.__name__}, 'OPTIONS': {{...}}}}."
            ) from error
    if not isinstance(backend, base):
        raise ConfigurationError(
            f"{where} must be a {base.__name__}, not {type(backend).__name__}."
        )
    return backend
