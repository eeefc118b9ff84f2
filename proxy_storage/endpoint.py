"""URLs of files, at the download endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.apps import apps
from django.urls import NoReverseMatch, ResolverMatch, reverse

from proxy_storage.exceptions import ConfigurationError
from proxy_storage.registry import get_meta_backends
from proxy_storage.settings import SETTING, import_setting, proxy_storage_settings

if TYPE_CHECKING:
    from proxy_storage.meta_backends.base import MetaBackendObject

API_APP = "proxy_storage_api"
API_URL_NAME = "proxy_storage_api:files"


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
    query = {"path": path}
    if len(get_meta_backends()) > 1:
        query["storage"] = proxy_storage_name
    # A path that is not valid text is not the path of any record.
    return f"{endpoint}?{urlencode(query, errors='replace')}"


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
