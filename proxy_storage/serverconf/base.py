"""The base class of web servers whose configuration is written from a template."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from django.template import Context, Engine

from proxy_storage.serverconf.plan import (
    AliasLocation,
    ListedFolder,
    NoFolder,
    Plan,
    ProxyPassLocation,
)

SITE = "127.0.0.1:8000"

TEMPLATES = Path(__file__).parent / "templates"

# A line that has nothing but a tag or a comment of the template language is not in the output.
_TAG_LINE = re.compile(r"^ *(\{%[^%]*%\}|\{#[^#]*#\})\n", re.MULTILINE)

_SUITABLE_FOR: dict[type[Any], str] = {
    AliasLocation: "nginx and Caddy",
    ProxyPassLocation: (
        "nginx, the only web server that serverconf configures to fetch presigned URLs. "
        "RedirectServer and StreamingServer need no configuration of the web server"
    ),
    ListedFolder: "Apache and lighttpd",
}


@dataclass(frozen=True)
class Options:
    """Parts of the configuration that are not in the settings.

    Args:
        site: host and port of Django (lighttpd, Caddy).
        resolvers: addresses of name servers (nginx); by default those of this machine.
        cache: name of the cache zone for objects that nginx fetches; by default no cache.
        ca_file: file with the certificates of the authorities that nginx trusts.
        headers: further headers of Django's response that nginx adds to the response with a file.
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
        text: the text to include in the configuration of the web server.
        warnings: what will not work with these settings.
    """

    text: str
    warnings: tuple[str, ...] = ()


class WebServer(ABC):
    """A program that delivers files."""

    #: The template of its configuration
    template: ClassVar[str]
    #: The deliveries that it supports
    kinds: ClassVar[tuple[type[Any], ...]]
    #: The server in ``PROXY_STORAGE["SERVERS"]`` that makes it deliver files
    server: ClassVar[str]

    @abstractmethod
    def get_values(self, plan: Plan, options: Options) -> dict[str, Any]:
        """Return the values for the template.

        Raises:
            ConfigurationError: the configuration cannot be written.
        """

    def get_warnings(self, plan: Plan) -> Iterator[str]:
        """Yield what will not work with these settings."""
        for delivery, keys in plan.deliveries.items():
            if not isinstance(delivery, (*self.kinds, NoFolder)):
                yield f"{describe(plan, keys)} is for {_SUITABLE_FOR[type(delivery)]}."


def render(template: str, values: Mapping[str, Any]) -> str:
    """Return a template with its values, without empty lines at both ends.

    Args:
        template: the name of a file in the folder ``templates``, in Django's template language.
        values: the values of its variables. They are inserted unchanged.
    """
    source = _TAG_LINE.sub(r"\1", (TEMPLATES / template).read_text(encoding="utf-8"))
    context = Context(dict(values), autoescape=False, use_l10n=False)
    return Engine(autoescape=False).from_string(source).render(context).strip("\n")


def describe(plan: Plan, keys: tuple[str, ...]) -> str:
    """Return keys, each with its server."""
    return ", ".join(f"{key} ({plan.servers[key]})" for key in keys)
