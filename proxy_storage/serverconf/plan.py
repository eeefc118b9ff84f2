"""The deliveries that the settings need: which files, from which folder or host."""

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

# Control characters, and surrogates that stand for bytes that are not UTF-8.
_NOT_TEXT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_SENDFILE_BACKENDS = "django_sendfile.backends."


@dataclass(frozen=True)
class AliasLocation:
    """A folder behind an internal location: ``X-Accel-Redirect``.

    Args:
        location: the location, with a slash at both ends.
        root: the folder, without a slash at its end.
    """

    location: str
    root: str


@dataclass(frozen=True)
class ProxyPassLocation:
    """The host of presigned URLs, behind an internal location.

    Args:
        location: the location, with a slash at both ends.
        scheme: ``http`` or ``https``.
        host: the host, with the port unless it is the default of the scheme.
        path_identifies_file: whether the URLs of two files differ in their paths, and not only in
            their queries.
    """

    location: str
    scheme: str
    host: str
    path_identifies_file: bool


@dataclass(frozen=True)
class ListedFolder:
    """A folder from which a web server may deliver files by their paths: ``X-Sendfile``.

    Args:
        root: the folder, without a slash at its end.
        escape: whether Django percent-encodes the paths.
    """

    root: str
    escape: bool


@dataclass(frozen=True)
class NoFolder:
    """Files that need no configuration of a web server.

    Args:
        is_known: whether this is certain. It is not for a server class of the project.
    """

    is_known: bool


Delivery = AliasLocation | ProxyPassLocation | ListedFolder | NoFolder
_Delivery = TypeVar("_Delivery", AliasLocation, ProxyPassLocation, ListedFolder, NoFolder)


@dataclass(frozen=True)
class Plan:
    """All deliveries, each with the storages whose files it delivers.

    Args:
        deliveries: delivery -> keys as in ``SERVERS``, ``<proxy storage>`` or
            ``<proxy storage>/<original storage>``.
        servers: key -> name of the class of its server.
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
    """Return the deliveries that the settings need.

    Raises:
        ConfigurationError: a server cannot deliver the files of its storage, or the locations of
            two servers overlap.
    """
    deliveries: dict[Delivery, tuple[str, ...]] = {}
    servers: dict[str, str] = {}
    for key, proxy_name, original_name, original in _get_originals():
        server = get_configured_server(proxy_name, original_name) or _get_default_server(original)
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


def _get_default_server(original: Storage) -> ServerBase:
    """Return the server if none is configured."""
    sendfile = SendfileServer()
    return sendfile if sendfile.get_problem(original) is None else StreamingServer()


def _get_delivery(server: ServerBase, original: Storage) -> Delivery:
    if isinstance(server, XAccelRedirectServer):
        # The server itself prefers a folder to presigned URLs.
        if get_local_problem(original) is None:
            return AliasLocation(server.location, get_root(original.path("")))
        return _get_host(server, original)
    if isinstance(server, XSendfileServer):
        return ListedFolder(get_root(original.path("")), server.escape)
    if isinstance(server, SendfileServer):
        return _get_sendfile_delivery()
    return NoFolder(isinstance(server, StreamingServer | RedirectServer))


def _get_sendfile_delivery() -> Delivery:
    """Return the delivery that the project has configured for django-sendfile2."""
    backend, root = str(get_setting("SENDFILE_BACKEND")), get_setting("SENDFILE_ROOT")
    if backend == f"{_SENDFILE_BACKENDS}nginx":
        location = "/".join(["", *filter(None, str(get_setting("SENDFILE_URL")).split("/")), ""])
        _check_location(location)
        return AliasLocation(location, get_root(root))
    if backend == f"{_SENDFILE_BACKENDS}xsendfile":
        return ListedFolder(get_root(root), escape=False)
    is_python = backend in (f"{_SENDFILE_BACKENDS}{kind}" for kind in ("simple", "development"))
    return NoFolder(is_python)


def get_root(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a folder, without a slash at its end.

    Raises:
        ConfigurationError: the path cannot be written into a configuration.
    """
    root = os.path.abspath(path).rstrip("/")
    if _NOT_TEXT.search(root):
        raise ConfigurationError(
            f"The folder {root!r} has characters that cannot be written into the configuration of "
            "a web server. Rename the folder."
        )
    return root


def _get_host(server: XAccelRedirectServer, original: Storage) -> ProxyPassLocation:
    first, second = (urlsplit(_sign(original, name)) for name in ("a file", "another file"))
    if first.scheme not in ("http", "https") or not re.fullmatch(
        r"[\w.-]+(:\d+)?|\[[\da-f:]+\](:\d+)?", first.netloc, re.ASCII | re.IGNORECASE
    ):
        raise ConfigurationError(
            f"nginx cannot fetch presigned URLs of {first.scheme}://{first.netloc}. They must have "
            "the scheme http or https, and a host without a password."
        )
    path_identifies_file = first.path != second.path
    return ProxyPassLocation(server.location, first.scheme, first.netloc, path_identifies_file)


def _sign(original: Storage, name: str) -> str:
    options: Any = {"method": "GET", "expires_in": 60, "headers": {}}
    try:
        return get_presigned_url(original, name, **options)
    except ServingError as error:
        raise ConfigurationError(str(error)) from error


def _check_location(location: str) -> None:
    if not is_plain_location(location):
        raise ConfigurationError(
            f"The location {location!r} may have only ASCII letters, digits and -._~ between its "
            "slashes. A web server may decode, merge or remove other characters."
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
                    f"{delivery.location!r} and {other.location!r}: one URI would be a file in "
                    f"{_get_place(delivery)} and in {_get_place(other)}. Set different locations "
                    f"in {SETTING}['SERVERS'], or in SENDFILE_URL for SendfileServer."
                )


def _is_same_place(
    outer: AliasLocation | ProxyPassLocation, inner: AliasLocation | ProxyPassLocation
) -> bool:
    """Return whether a URI below both locations is the same file in both."""
    if not (isinstance(outer, AliasLocation) and isinstance(inner, AliasLocation)):
        return False
    rest = inner.location.removeprefix(outer.location)
    return f"{outer.root}/{rest}" == f"{inner.root}/"


def _get_place(delivery: AliasLocation | ProxyPassLocation) -> str:
    if isinstance(delivery, AliasLocation):
        return repr(delivery.root or "/")
    return f"{delivery.scheme}://{delivery.host}"
