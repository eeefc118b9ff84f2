"""What every web server's configuration is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from proxy_storage.serverconf.plan import (
    AliasLocation,
    ListedFolder,
    NoFolder,
    Plan,
    ProxyPassLocation,
)

SITE = "127.0.0.1:8000"

_AUDIENCE: dict[type[Any], str] = {
    AliasLocation: "nginx and Caddy",
    ProxyPassLocation: (
        "nginx, which alone is told how to fetch presigned URLs. RedirectServer and "
        "StreamingServer need nothing of a web server"
    ),
    ListedFolder: "Apache and lighttpd",
}


@dataclass(frozen=True)
class Options:
    """What the settings do not say.

    Args:
        site: host and port where the site listens (lighttpd, Caddy).
        resolvers: addresses of name servers (nginx); by default those of this machine.
        cache: name of the zone of a cache for what nginx fetches; without one, none.
        ca_file: file with the certificates of the authorities that nginx trusts.
        headers: further headers of the site's answer that nginx adds to the answer with a file.
    """

    site: str = SITE
    resolvers: tuple[str, ...] = ()
    cache: str | None = None
    ca_file: str | None = None
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Configuration:
    """A configuration for one web server.

    Args:
        text: what to write into its configuration.
        warnings: what will not work as it is set up.
    """

    text: str
    warnings: tuple[str, ...] = ()


class WebServer(ABC):
    """A program that files are delivered by."""

    #: what it can be told of
    kinds: ClassVar[tuple[type[Any], ...]]
    #: the server of the settings that is for it
    server: ClassVar[str]

    @abstractmethod
    def get_blocks(self, plan: Plan, options: Options) -> Iterator[str]:
        """Yield the parts of the configuration.

        Raises:
            ConfigurationError: there is no way to write it.
        """

    def get_warnings(self, plan: Plan) -> Iterator[str]:
        """Yield what will not work."""
        for delivery, keys in plan.deliveries.items():
            if not isinstance(delivery, (*self.kinds, NoFolder)):
                yield f"{describe(plan, keys)} is for {_AUDIENCE[type(delivery)]}."


def describe(plan: Plan, keys: tuple[str, ...]) -> str:
    """Return keys with the server of each."""
    return ", ".join(f"{key} ({plan.servers[key]})" for key in keys)


def comment(text: str) -> str:
    """Return lines as a comment, which is the same in all four languages."""
    return "\n".join(f"# {line}".rstrip() for line in text.splitlines())
