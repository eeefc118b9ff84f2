"""URLs of files, at the download endpoint.

A URL has the path of the record in its query, ``files/?path=a/b.pdf``, or with
``FILE_URL_STYLE = "path"`` in its own path, ``files/a/b.pdf``. Browsers and web servers change the
path of a URL: they remove dot segments, merge slashes and may treat a backslash as a slash. So the
second form is used only for paths that none of them changes.

Source: https://url.spec.whatwg.org/#path-state (dot segments, also percent-encoded ones),
https://nginx.org/en/docs/http/ngx_http_core_module.html#merge_slashes
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from django.apps import apps
from django.urls import (
    NoReverseMatch,
    Resolver404,
    ResolverMatch,
    get_script_prefix,
    resolve,
    reverse,
)

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.registry import get_meta_backends
from proxy_storage.settings import SETTING, cached, import_setting, proxy_storage_settings

if TYPE_CHECKING:
    from proxy_storage.meta_backends.base import MetaBackendObject

API_APP = "proxy_storage_api"
API_URL_NAME = "proxy_storage_api:files"
#: The argument of a URL whose path has the path of the record.
PATH_KWARG = "file_path"
STYLES = ("query", "path")

# Control characters, lone surrogates, backslashes, and segments that are empty or dots.
_CHANGED_IN_URLS = re.compile(
    r"[\0-\x1f\x7f-\x9f\ud800-\udfff\\]|(?:^|/)\.{0,2}(?:/|$)",
)


@dataclass(frozen=True)
class RequestedEndpoint:
    """The endpoint that handles the current request.

    Attributes:
        name: the full URL name, with namespaces.
        kwargs: the named arguments of the URL.
        args: the positional arguments of the URL.
    """

    name: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    args: Sequence[Any] = ()


_requested: ContextVar[RequestedEndpoint | None] = ContextVar("requested", default=None)


@contextmanager
def remember_endpoint(endpoint: RequestedEndpoint | None) -> Iterator[None]:
    """Use the arguments of the current endpoint for URLs that are made within this context."""
    token = _requested.set(endpoint)
    try:
        yield
    finally:
        _requested.reset(token)


def get_file_url(path: str, proxy_storage_name: str, request: Any = None) -> str | None:
    """Return the URL of a file at the download endpoint.

    ``FILE_URL_STYLE`` is the form of the URL. Paths that could not be read from the path of a URL
    are in the query.

    If the URL of the endpoint has arguments, such as a version or a tenant, they are taken from
    the current request, or else from ``FILE_URL_KWARGS``.

    Args:
        path: the path of a record; if it is empty, the URL has no query.
        proxy_storage_name: the name of the proxy storage. It is a part of the URL if there are
            several meta backends, because a path is unique in one meta backend only.
        request: the current request, if it is not handled by the endpoint.

    Returns:
        The URL; ``None`` if the project does not have an endpoint, since ``FILE_URL_NAME`` is not
        set and proxy_storage_api is not installed.

    Raises:
        ConfigurationError: the endpoint has no URL. The URL of the original storage is not
            returned instead, because it could bypass the permissions.
    """
    url_name = proxy_storage_settings.FILE_URL_NAME
    if url_name is None:
        if not apps.is_installed(API_APP):
            return None
        url_name = API_URL_NAME
    endpoint = _get_endpoint_url(url_name, request)
    if not path:
        return endpoint
    query: dict[str, str] = {}
    if get_url_style() == "path" and is_kept_in_urls(path):
        endpoint += quote(path)
    else:
        query["path"] = path
    if len(get_meta_backends()) > 1:
        query["storage"] = proxy_storage_name
    # A path that is not valid text is not the path of any record.
    return add_to_query(endpoint, query)


def is_kept_in_urls(path: str) -> bool:
    """Return whether browsers and web servers keep a path as it is, as a part of a URL's path.

    It must be relative. An absolute path would begin with two slashes in the URL.
    """
    return _CHANGED_IN_URLS.search(path) is None


@cached
def get_url_style() -> str:
    """Return ``FILE_URL_STYLE``.

    Raises:
        ConfigurationError: the value is unknown.
    """
    style: Any = proxy_storage_settings.FILE_URL_STYLE
    if style not in STYLES:
        raise ConfigurationError(
            f"{SETTING}['FILE_URL_STYLE'] must be one of {', '.join(map(repr, STYLES))}, not "
            f"{style!r}."
        )
    return str(style)


def read_file_url(url: str) -> tuple[str, str | None] | None:
    """Return the path and the proxy storage in the URL of a file, in one of its two forms.

    Args:
        url: any text. The path of a record can look like that of a URL, so that a text without a
            scheme and a host is a URL only if the path is in its query.

    Returns:
        The proxy storage is ``None`` if the URL does not have it. ``None`` if the text is not the
        URL of a file.
    """
    try:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        decoded_path = unquote(parts.path, errors="strict")
    except ValueError:
        return None
    path = query.get("path")
    if path is None and parts.netloc:
        with suppress(Resolver404):
            below = decoded_path.removeprefix(get_script_prefix().removesuffix("/"))
            path = resolve(below).kwargs.get(PATH_KWARG)
    return None if path is None else (path, query.get("storage"))


def add_to_query(url: str, parameters: Mapping[str, str]) -> str:
    """Return a URL with further parameters in its query."""
    if not parameters:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters, errors='replace')}"


def sign_file_url(record: MetaBackendObject) -> str:
    """Return a signed link to a file, for a storage with ``signs_urls``.

    The app of the API signs it, because this package does not import the permissions.

    Args:
        record: the file's record.

    Raises:
        ConfigurationError: the app is not installed.
    """
    try:
        config: Any = apps.get_app_config(API_APP)
    except LookupError as error:
        raise ConfigurationError(
            f"The proxy storage {record['proxy_storage_name']!r} returns signed links, which "
            f"{API_APP!r} makes. Add it to INSTALLED_APPS, or remove url='signed' from the storage."
        ) from error
    url: str = config.sign_file_url(record)
    return url


def _get_endpoint_url(url_name: str, request: Any) -> str:
    first_error: NoReverseMatch | None = None
    for name, kwargs, args in _get_candidates(url_name, request):
        try:
            # Django accepts one of the two. It returns no positional arguments if there are named.
            return reverse(name, kwargs=dict(kwargs), args=() if kwargs else args)
        except NoReverseMatch as error:
            first_error = first_error or error
    raise ConfigurationError(
        f"No URL with the name {url_name!r} can be reversed. Add "
        f"path('files/', include('proxy_storage_api.urls')) to the project's URLs, or set "
        f"{SETTING}['FILE_URL_NAME']. If the URL has arguments, such as <version>, set "
        f"{SETTING}['FILE_URL_KWARGS']. {first_error}"
    ) from first_error


def _get_candidates(
    url_name: str, request: Any
) -> Iterator[tuple[str, Mapping[str, Any], Sequence[Any]]]:
    """Yield URL names with arguments to try, in the order of preference."""
    requested = _requested.get()
    match: ResolverMatch | None = getattr(request, "resolver_match", None)
    for known in (requested, match):
        if known is not None and (known.kwargs or known.args):
            yield url_name, known.kwargs, known.args
    kwargs = get_url_kwargs()
    if kwargs:
        yield url_name, kwargs, ()
    yield url_name, {}, ()
    if requested is not None:
        yield requested.name, requested.kwargs, requested.args


def get_url_kwargs() -> Mapping[str, Any]:
    """Return the arguments of the endpoint's URL from ``FILE_URL_KWARGS``.

    Raises:
        ConfigurationError: as `load_url_kwargs`, or the callable does not return a dict.
    """
    value = load_url_kwargs()
    if callable(value):
        value = value()
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{SETTING}['FILE_URL_KWARGS'] must return a dict, not {value!r}.")
    return value


def load_url_kwargs() -> Mapping[str, Any] | Callable[[], Any]:
    """Return the value of ``FILE_URL_KWARGS``: a dict, or the callable, which is not called.

    Raises:
        ConfigurationError: the value is neither a dict nor the dotted path of a callable.
    """
    value: Any = proxy_storage_settings.FILE_URL_KWARGS
    where = f"{SETTING}['FILE_URL_KWARGS']"
    if isinstance(value, str):
        value = import_setting(where, value)
    if not isinstance(value, Mapping) and not callable(value):
        raise ConfigurationError(
            f"{where} must be a dict, or the dotted path of a callable that returns one, not "
            f"{value!r}."
        )
    return value  # type: ignore[no-any-return]  # The callable is not typed.
