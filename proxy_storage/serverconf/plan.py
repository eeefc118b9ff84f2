"""What has to be delivered, and from where, as the settings have it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.core.files.storage import Storage

from proxy_storage import registry
from proxy_storage.exceptions import ConfigurationError, ServingError
from proxy_storage.original_storages.presigned import get_presigned_url
from proxy_storage.serving import (
    RedirectServer,
    SendfileServer,
    ServerBase,
    StreamingServer,
    XAccelRedirectServer,
    XSendfileServer,
)
from proxy_storage.serving.local import get_local_problem
from proxy_storage.serving.sendfile import get_setting
from proxy_storage.serving.servers import get_configured_server
from proxy_storage.serving.x_accel import is_plain_location
from proxy_storage.settings import SETTING
from proxy_storage.storages.base import MultipleOriginalStoragesMixin

# control characters, and bytes that are no UTF-8
_UNSPEAKABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_SENDFILE_BACKENDS = "django_sendfile.backends."


@dataclass(frozen=True)
class AliasLocation:
    """A folder that the site names by an internal location: ``X-Accel-Redirect``.

    Args:
        location: with a slash at both ends.
        root: the folder, without a slash at its end.
    """

    location: str
    root: str


@dataclass(frozen=True)
class ProxyPassLocation:
    """A host that presigned URLs lead to, behind an internal location.

    Args:
        location: with a slash at both ends.
        scheme: ``http`` or ``https``.
        host: with the port where it is none of the scheme's own.
        is_told_by_path: whether the path of a URL alone says which file it is.
    """

    location: str
    scheme: str
    host: str
    is_told_by_path: bool


@dataclass(frozen=True)
class ListedFolder:
    """A folder that the site names files of by their paths: ``X-Sendfile``.

    Args:
        root: the folder, without a slash at its end.
        escape: whether the site percent-encodes the paths.
    """

    root: str
    escape: bool


@dataclass(frozen=True)
class NoFolder:
    """Files that no web server has to be told of.

    Args:
        is_known: whether that is sure, or the server is a project's own.
    """

    is_known: bool


Delivery = AliasLocation | ProxyPassLocation | ListedFolder | NoFolder
_Delivery = TypeVar("_Delivery", AliasLocation, ProxyPassLocation, ListedFolder, NoFolder)


@dataclass(frozen=True)
class Plan:
    """All deliveries, each with whose files they are.

    Args:
        deliveries: keys of ``SERVERS`` by delivery, ``<proxy storage>`` or
            ``<proxy storage>/<original storage>``.
        servers: by the same keys, the class of the server that is set, or chosen.
    """

    deliveries: dict[Delivery, tuple[str, ...]]
    servers: dict[str, str]

    def of(self, kind: type[_Delivery]) -> dict[_Delivery, tuple[str, ...]]:
        """Return the deliveries of one kind."""
        return {
            delivery: keys
            for delivery, keys in self.deliveries.items()
            if isinstance(delivery, kind)
        }


def make_plan() -> Plan:
    """Return what the settings have to be delivered.

    Raises:
        ConfigurationError: a server cannot deliver what it is set to, or two of them have
            locations that get into each other's way.
    """
    deliveries: dict[Delivery, tuple[str, ...]] = {}
    servers: dict[str, str] = {}
    for key, proxy_name, original_name, original in _get_originals():
        server = get_configured_server(proxy_name, original_name) or _choose(original)
        problem = server.get_problem(original)
        if problem is not None:
            raise ConfigurationError(f"{key}: {problem}")
        try:
            delivery = _get_delivery(server, original)
        except ConfigurationError as error:
            raise ConfigurationError(f"{key}: {error}") from error
        deliveries[delivery] = (*deliveries.get(delivery, ()), key)
        servers[key] = type(server).__name__
    plan = Plan(deliveries, servers)
    _check_locations(plan)
    return plan


def _get_originals() -> Iterator[tuple[str, str, str | None, Storage]]:
    for proxy_name in registry.get_proxy_storage_names():
        storage = registry.get_proxy_storage(proxy_name)
        if isinstance(storage, MultipleOriginalStoragesMixin):
            for name, original in storage.get_original_storages().items():
                yield f"{proxy_name}/{name}", proxy_name, name, original
        else:
            yield proxy_name, proxy_name, None, storage.get_original_storage()


def _choose(original: Storage) -> ServerBase:
    """Return the server where none is configured."""
    sendfile = SendfileServer()
    return sendfile if sendfile.get_problem(original) is None else StreamingServer()


def _get_delivery(server: ServerBase, original: Storage) -> Delivery:
    if isinstance(server, XAccelRedirectServer):
        # the server itself prefers the folder where there are both
        if get_local_problem(original) is None:
            return AliasLocation(server.location, get_root(original.path("")))
        return _get_host(server, original)
    if isinstance(server, XSendfileServer):
        return ListedFolder(get_root(original.path("")), server.escape)
    if isinstance(server, SendfileServer):
        return _get_sendfile_delivery()
    return NoFolder(isinstance(server, StreamingServer | RedirectServer))


def _get_sendfile_delivery() -> Delivery:
    """Return what django-sendfile2 has been told by the project."""
    backend, root = str(get_setting("SENDFILE_BACKEND")), get_setting("SENDFILE_ROOT")
    if backend == f"{_SENDFILE_BACKENDS}nginx":
        location = "/".join(["", *filter(None, str(get_setting("SENDFILE_URL")).split("/")), ""])
        _check_location(location)
        return AliasLocation(location, get_root(root))
    if backend == f"{_SENDFILE_BACKENDS}xsendfile":
        return ListedFolder(get_root(root), escape=False)
    by_python = backend in (f"{_SENDFILE_BACKENDS}{kind}" for kind in ("simple", "development"))
    return NoFolder(by_python)


def get_root(path: str | os.PathLike[str]) -> str:
    """Return a folder as web servers are to be told of it, without a slash at its end.

    Raises:
        ConfigurationError: it cannot be written into a configuration.
    """
    root = os.path.abspath(path).rstrip("/")
    if _UNSPEAKABLE.search(root):
        raise ConfigurationError(
            f"The folder {root!r} has characters that no web server can be told of. Rename it."
        )
    return root


def _get_host(server: XAccelRedirectServer, original: Storage) -> ProxyPassLocation:
    first, second = (urlsplit(_sign(original, dummy)) for dummy in ("a file", "another file"))
    if first.scheme not in ("http", "https") or not re.fullmatch(
        r"[\w.-]+(:\d+)?|\[[\da-f:]+\](:\d+)?", first.netloc, re.ASCII | re.IGNORECASE
    ):
        raise ConfigurationError(
            f"nginx cannot fetch presigned URLs of {first.scheme}://{first.netloc}."
        )
    is_told_by_path = first.path != second.path
    return ProxyPassLocation(server.location, first.scheme, first.netloc, is_told_by_path)


def _sign(original: Storage, name: str) -> str:
    options: Any = {"method": "GET", "expires_in": 60, "headers": {}}
    try:
        return get_presigned_url(original, name, **options)
    except ServingError as error:
        raise ConfigurationError(str(error)) from error


def _check_location(location: str) -> None:
    if not is_plain_location(location):
        raise ConfigurationError(
            f"The location {location!r} may have letters of ASCII, digits and -._~ between its "
            "slashes; anything else a web server may decode, merge or leave out."
        )


def _check_locations(plan: Plan) -> None:
    found: list[tuple[AliasLocation | ProxyPassLocation, tuple[str, ...]]] = [
        *plan.of(AliasLocation).items(),
        *plan.of(ProxyPassLocation).items(),
    ]
    for number, (delivery, keys) in enumerate(found):
        for other, other_keys in found[number + 1 :]:
            outer, inner = sorted((delivery, other), key=lambda one: len(one.location))
            if inner.location.startswith(outer.location) and not _is_same_place(outer, inner):
                raise ConfigurationError(
                    f"{', '.join(keys)} and {', '.join(other_keys)} cannot have the locations "
                    f"{delivery.location!r} and {other.location!r}: the same URI would lead to "
                    f"{_get_place(delivery)} and to {_get_place(other)}. Give each a location of "
                    f"its own in {SETTING}['SERVERS'] (of SendfileServer: SENDFILE_URL)."
                )


def _is_same_place(
    outer: AliasLocation | ProxyPassLocation, inner: AliasLocation | ProxyPassLocation
) -> bool:
    """Tell whether a URI below both locations means one file."""
    if not (isinstance(outer, AliasLocation) and isinstance(inner, AliasLocation)):
        return False
    rest = inner.location.removeprefix(outer.location)
    return f"{outer.root}/{rest}" == f"{inner.root}/"


def _get_place(delivery: AliasLocation | ProxyPassLocation) -> str:
    if isinstance(delivery, AliasLocation):
        return repr(delivery.root or "/")
    return f"{delivery.scheme}://{delivery.host}"
